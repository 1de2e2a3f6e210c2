test_that("a function of the user gets the global environment", {
  secret <- 1
  fun <- function(x) x + secret
  moved <- tq_portable_function(eval(substitute(function(x) x), new.env(parent = globalenv())))
  expect_identical(environment(moved), globalenv())
  in_global <- eval(quote(function(x) x), globalenv())
  expect_identical(tq_portable_function(in_global), in_global)
})

test_that("a function of a package stays with its package", {
  expect_identical(tq_portable_function(stats::sd), stats::sd)
  expect_identical(tq_portable_function(base::mean), base::mean)
  expect_identical(tq_portable_function(sum), sum)
  attached <- new.env()
  fun <- eval(quote(function() 1), as.environment("package:stats"))
  expect_identical(tq_portable_function(fun), fun)
})

test_that("a function made inside a function of a package gets the namespace", {
  fun <- tq_portable_function(stats::ecdf(1:3))
  expect_identical(environment(fun), asNamespace("stats"))
})

test_that("a crate and an S4 generic keep their environment", {
  crate <- local({
    y <- 2
    structure(function(x) x + y, class = "crate")
  }, envir = new.env(parent = globalenv()))
  expect_identical(tq_portable_function(crate), crate)
  generic <- methods::getGeneric("show")
  expect_identical(environment(tq_portable_function(generic)), environment(generic))
})

test_that("what a function captures does not travel with it", {
  fun <- local({
    big <- numeric(1e6)
    function() 1
  }, envir = new.env(parent = globalenv()))
  expect_lt(length(serialize(tq_portable_function(fun), NULL)), 1e5)
})
