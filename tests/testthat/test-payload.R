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

test_that("a function made inside a function of a package has what it uses, above the namespace", {
  fun <- tq_portable_function(stats::ecdf(1:3))
  expect_identical(parent.env(environment(fun)), asNamespace("stats"))
  expect_identical(fun(2), 2 / 3)
})

test_that("a function of a package is called by its name where the push says it", {
  name <- function(fun, call) tq_name_of_function(fun, call)
  expect_identical(name(stats::lm, quote(q$push(lm, list()))), c("stats", "lm"))
  expect_identical(name(stats::lm, quote(q$push(args = list(), fun = stats::lm))), c("stats", "lm"))
  expect_null(name(stats::lm, quote(q$push(glm, list()))))
  expect_null(name(stats::lm, bquote(q$push(.(stats::lm)))))
  expect_null(name(function() 1, quote(q$push(lm))))
  expect_null(name(sum, quote(q$push(sum))))
  expect_null(name(stats::lm, quote(task$invoke())))
  expect_identical(tq_head_of_call(list(stats::lm, c("stats", "lm"))), quote(stats::lm))
  expect_identical(tq_head_of_call(list(stats:::lm.fit, c("stats", "glm"))), stats::lm.fit)
  expect_identical(tq_head_of_call(list(stats::lm, c("noSuchPackage", "lm"))), stats::lm)
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

test_that("what a function does not use does not travel with it", {
  fun <- local({
    big <- numeric(1e6)
    function() 1
  }, envir = new.env(parent = globalenv()))
  expect_lt(length(serialize(tq_portable_function(fun), NULL)), 1e5)
})
