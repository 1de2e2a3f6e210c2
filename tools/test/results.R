# A data frame of what testthat says of tests. In testthat's own a test has an error only if that is its last result:
# what the test has opened is looked at after it, and that passes.
table_of_results <- function(results) {
  has_error <- vapply(results, function(test) any(vapply(test$results, inherits, NA, "expectation_error")), NA)
  table <- as.data.frame(results)
  table$error <- table$error | has_error
  table
}
