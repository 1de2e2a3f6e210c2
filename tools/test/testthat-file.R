# Called by testthat.R: runs one file of tests. Arguments: its name, the file for the results, and the file that always
# holds the name of the test that is running.
arguments <- commandArgs(trailingOnly = TRUE)
source("tools/test/results.R")

NamesTest <- R6::R6Class("NamesTest", inherit = testthat::ListReporter, # nolint: object_name_linter
  public = list(start_test = function(context, test) {
    writeLines(test, arguments[[3L]])
    super$start_test(context, test)
  })
)

# Where a Ctrl-C came that no test has awaited.
globalCallingHandlers(interrupt = function(cnd) {
  cat("Interrupted in:", vapply(sys.calls(), function(call) deparse(call)[[1L]], ""), sep = "\n  ")
})
results <- NamesTest$new()
testthat::test_dir(
  "tests/testthat",
  package = "taskq",
  load_package = "installed",
  filter = paste0("^", arguments[[1L]], "$"),
  reporter = testthat::MultiReporter$new(list(results, testthat::CheckReporter$new())),
  stop_on_failure = FALSE
)
saveRDS(table_of_results(results$get_results())[c("test", "failed", "skipped", "error", "real")], arguments[[2L]])
