evaluate <- function(fun, args = list()) {
  evaluator <- tq_evaluator()
  outcome <- tq_guarded(evaluator, evaluator$evaluate(fun, list(args = args)))
  expect_null(evaluator$fun)
  outcome
}

test_that("a task that succeeds gives its value and nothing else", {
  expect_identical(evaluate(function() NULL), list(value = NULL))
  expect_identical(evaluate(function() invisible(5)), list(value = 5))
  expect_identical(evaluate(function(x, y) x - y, list(y = 1, 5)), list(value = 4))
  expect_identical(evaluate(function(number) number, list(num = 3)), list(value = 3))
  expect_identical(evaluate(function(...) ...names(), list(a = 1)), list(value = "a"))
  expect_identical(evaluate(sum, list(1, 2)), list(value = 3))
  expect_identical(evaluate(`[`, list(5:7, 2L)), list(value = 6L))
  expect_identical(evaluate(`+`, list(1, 2)), list(value = 3))
})

test_that("arguments are passed as values", {
  expect_identical(evaluate(function(x) x, list(quote(a + b)))$value, quote(a + b))
  expect_identical(evaluate(function(x) x, list(quote(a)))$value, quote(a))
  expect_identical(evaluate(function(x) x, list(expression(a, b)))$value, expression(a, b))
  expect_identical(evaluate(function(x) is.null(x), list(NULL))$value, TRUE)
  expect_identical(evaluate(function(x) missing(x))$value, TRUE)
  expect_identical(evaluate(function(fun, task_fun) fun + task_fun, list(1, 2))$value, 3)
})

test_that("the call of the function is that of do.call(), and short in an error", {
  for (fun in list(function(x, y) sys.call(), function(x, ...) match.call(), function(x, y) substitute(x + y))) {
    expect_identical(evaluate(fun, list(1:3, y = mtcars))$value, do.call(fun, list(1:3, y = mtcars)))
  }
  expect_identical(evaluate(function(f) match.call()$f, list(y ~ x))$value, y ~ x)
  expect_identical(evaluate(function() parent.frame())$value, globalenv())
  outcome <- evaluate(function(x) stop("no"), list(mtcars))
  expect_identical(conditionCall(outcome$error), quote(fun(...)))
})

test_that("a function of a package is called by its name", {
  evaluator <- tq_evaluator()
  task <- list(args = list(mpg ~ wt, data = mtcars), name = c("stats", "lm"))
  fit <- tq_guarded(evaluator, evaluator$evaluate(stats::lm, task))$value
  expect_identical(fit$call, bquote(stats::lm(formula = .(mpg ~ wt), data = .(mtcars))))
})

test_that("an error has its condition, and the calls from the function of the task on", {
  outcome <- evaluate(function(x) lapply(x, function(i) stop("This failed, sorry")), list(1:2))
  expect_s3_class(outcome$error, "simpleError")
  expect_identical(conditionMessage(outcome$error), "This failed, sorry")
  expect_identical(attr(outcome, "verdict"), "error")
  expect_identical(outcome$phase, "run")
  expect_identical(outcome$trace$call[1L], "fun(...)")
  expect_match(outcome$trace$call[2L], "^lapply")
  expect_match(outcome$trace$call[nrow(outcome$trace)], "^stop")
})

test_that("data in the call of an error is not sent", {
  outcome <- evaluate(function(d) do.call(function(x) stop("no"), list(d)), list(runif(1e5)))
  expect_lt(length(serialize(outcome, NULL)), 1e4)
})

test_that("conditions of any class are kept", {
  cnd <- structure(class = c("mine", "error", "condition"),
    list(message = "m", call = NULL, code = 42L))
  outcome <- evaluate(function(cnd) stop(cnd), list(cnd))
  expect_s3_class(outcome$error, "mine")
  expect_identical(outcome$error$code, 42L)
})

test_that("an error that the task catches is no error", {
  outcome <- evaluate(function() {
    try(stop("a"), silent = TRUE)
    tryCatch(stop("b"), error = function(cnd) "caught")
  })
  expect_identical(outcome, list(value = "caught"))
})

test_that("warnings and messages are collected as conditions", {
  stderr <- capture.output(type = "message", outcome <- evaluate(function() {
    warning("w1")
    message("m1")
    warning(structure(class = c("mine", "warning", "condition"), list(message = "w2", call = NULL)))
    "value"
  }))
  expect_identical(outcome$value, "value")
  expect_identical(vapply(outcome$warnings, conditionMessage, ""), c("w1", "w2"))
  expect_s3_class(outcome$warnings[[2L]], "mine")
  expect_identical(vapply(outcome$messages, conditionMessage, ""), "m1\n")
  expect_identical(stderr, "m1")
  outcome <- evaluate(function() suppressWarnings({warning("w"); 1}))
  expect_identical(outcome, list(value = 1))
})

test_that("conditions of other classes are kept in their order, and go on to handlers further out", {
  signal <- function(class, text) signalCondition(structure(class = c(class, "condition"), list(message = text)))
  seen <- NULL
  outcome <- withCallingHandlers(mine = function(cnd) seen <<- c(seen, conditionMessage(cnd)), evaluate(function() {
    signal("mine", "a")
    signal("other", "b")
    warning("w")
    tryCatch(signal("mine", "caught"), condition = function(cnd) NULL)
    signal("mine", "c")
    try(stop("none"), silent = TRUE)
    "value"
  }))
  expect_identical(outcome$value, "value")
  expect_identical(vapply(outcome$conditions, conditionMessage, ""), c("a", "b", "c"))
  expect_identical(class(outcome$conditions[[2L]]), c("other", "condition"))
  expect_length(outcome$warnings, 1L)
  expect_identical(seen, c("a", "c"))
})

test_that("conditions before an error are kept, and none reach the next task", {
  evaluator <- tq_evaluator()
  run <- function(fun) tq_guarded(evaluator, evaluator$evaluate(fun, list()))
  outcome <- run(function() {
    warning("before")
    stop("then")
  })
  expect_length(outcome$warnings, 1L)
  expect_identical(run(function() 1), list(value = 1))
})

test_that("many conditions are counted, not kept", {
  outcome <- evaluate(function() for (i in 1:1500) warning(i))
  expect_length(outcome$warnings, 1000L)
  expect_identical(outcome$dropped, 500L)
})

test_that("conditions are kept up to a limit of bytes, counted above, and none of the count reaches the next task", {
  evaluator <- tq_evaluator()
  run <- function(fun) tq_guarded(evaluator, evaluator$evaluate(fun, list()))
  capture.output(type = "message", outcome <- run(function() {
    text <- strrep("x", 2^20)
    for (i in 1:90) message(text)
    warning("small")
    message(strrep("y", 100))
  }))
  expect_length(outcome$warnings, 1L)
  expect_length(outcome$messages, 10L)
  expect_identical(conditionMessage(outcome$messages[[10L]]), paste0(strrep("y", 100), "\n"))
  expect_identical(outcome$dropped, 81L)
  expect_lt(length(serialize(outcome, NULL)), tq_limits$max_condition_bytes + 10000)
  # None of this one is kept: it is counted all the same, and in its own outcome.
  outcome <- run(function() {
    warning(structure(class = c("warning", "condition"), list(message = "w", data = raw(11e6))))
  })
  expect_length(outcome$warnings, 0L)
  expect_identical(outcome$dropped, 1L)
  expect_identical(run(function() 1), list(value = 1))
  # What an environment holds counts when it would be sent.
  outcome <- run(function() {
    for (i in 1:5) {
      cnd <- simpleWarning("w")
      cnd$data <- list2env(list(x = runif(0.4 * 2^20)), parent = emptyenv())
      warning(cnd)
    }
  })
  expect_length(outcome$warnings, 3L)
  expect_identical(outcome$dropped, 2L)
})

test_that("options(warn = 2) makes a warning an error, a negative one drops it", {
  old <- options(warn = 2)
  on.exit(options(old))
  outcome <- evaluate(function() warning("boom"))
  expect_match(conditionMessage(outcome$error), "boom")
  expect_length(outcome$warnings, 0L)
  options(warn = -1)
  outcome <- evaluate(function() {
    warning("boom")
    1
  })
  expect_identical(outcome, list(value = 1))
})

test_that("endless recursion is an error", {
  f <- function(n) f(n + 1)
  outcome <- evaluate(f, list(1))
  expect_s3_class(outcome$error, "error")
  expect_identical(attr(outcome, "verdict"), "error")
})

test_that("what cannot be read is an error of that phase", {
  evaluator <- tq_evaluator()
  outcome <- tq_guarded(evaluator, evaluator$evaluate(stop("no such class"), list()))
  expect_identical(outcome$phase, "receive")
  outcome <- tq_guarded(evaluator, evaluator$evaluate(sum, stop("no such class")))
  expect_identical(outcome$phase, "receive")
  expect_null(outcome$trace)
})

test_that("an interrupt is a verdict of its own", {
  interrupt <- structure(list(), class = c("interrupt", "condition"))
  outcome <- evaluate(function(cnd) {
    warning("before")
    signalCondition(cnd)
  }, list(interrupt))
  expect_identical(attr(outcome, "verdict"), "interrupted")
  expect_length(outcome$warnings, 1L)
})

test_that("a message of an error that is no string does no harm", {
  cnd <- structure(class = c("odd", "error", "condition"), list(message = NULL, call = NULL))
  expect_s3_class(evaluate(function(cnd) stop(cnd), list(cnd))$error, "odd")
})

test_that("outside a task there is no task", {
  expect_null(task_id())
  expect_null(task_attempt())
  expect_false(is_worker())
})
