test_that("embedded data does not stay in a call", {
  call <- as.call(list(quote(f), mtcars, x = 1:3, g = function(x) x, 1:1e6, quote(a + b)))
  slim <- tq_slim_call(call)
  expect_identical(names(slim), names(call))
  expect_identical(slim[[1L]], quote(f))
  expect_identical(slim[[2L]], as.name("<data.frame>"))
  expect_identical(slim$x, 1:3)
  expect_identical(slim$g, as.name("<function>"))
  expect_identical(slim[[5L]], as.name("<integer>"))
  expect_identical(slim[[6L]], quote(a + b))
  expect_identical(tq_slim_call(quote(x[, 1])), quote(x[, 1]))
  expect_identical(tq_slim_call(quote(f(NULL))), quote(f(NULL)))
  expect_null(tq_slim_call(NULL))
})

test_that("a call that nests without end is cut", {
  call <- quote(x)
  for (i in 1:200) call <- call("f", call)
  expect_lt(nchar(tq_call_text(call)), 250)
})

test_that("a call of many parts is cut, and takes no longer than a short one", {
  wide <- tq_slim_call(as.call(c(quote(f), as.list(1:1e5))))
  expect_identical(wide[1:3], quote(f(1L, 2L)))
  expect_lt(length(wide), 200L)
  expect_identical(wide[[length(wide)]], quote(...))
  # 2^40 parts, should each be looked at.
  shared <- quote(x)
  for (i in 1:40) shared <- call("f", shared, shared)
  expect_lt(sum(nchar(deparse(tq_slim_call(shared)))), 1e5)
  expect_lt(nchar(tq_call_text(shared)), 250)
})

test_that("a trace is numbered and its middle is left out when it is long", {
  calls <- c(rep(list(quote(f(n + 1))), 500), quote(handler()))
  trace <- tq_trace(calls, 1L)
  expect_s3_class(trace, "taskq_trace")
  expect_identical(nrow(trace), 100L)
  expect_identical(range(trace$number), c(1L, 500L))
  expect_match(format(trace), "... 400 more", fixed = TRUE, all = FALSE)
  expect_identical(nrow(tq_trace(list(), 0L)), 0L)
})

test_that("rows of a trace print with all gaps between them, columns of it as any data frame", {
  trace <- tq_trace(c(lapply(1:9, function(i) call("f", i)), quote(handler())), 1L)
  expect_identical(format(trace[c(1, 3, 5, 6, 9), ]), c("Trace:", " 1. f(1L)", "    ... 1 more", " 3. f(3L)",
    "    ... 1 more", " 5. f(5L)", " 6. f(6L)", "    ... 2 more", " 9. f(9L)"))
  # Nothing is left out between rows in another order.
  expect_identical(format(trace[3:2, ]), c("Trace:", " 3. f(3L)", " 2. f(2L)"))
  expect_identical(format(trace[0, ]), character())
  expect_output(print(trace["call"]), "f(1L)", fixed = TRUE)
  expect_output(print(trace[c("number", "call")]), "number +call")
  expect_s3_class(format(trace["call"]), "data.frame")
})

test_that("a trace has file and line where they are known", {
  text <- "function() {\n  inner <- function() stop('x')\n  inner()\n}"
  fun <- eval(parse(text = text, keep.source = TRUE))
  evaluator <- tq_evaluator()
  outcome <- tq_guarded(evaluator, evaluator$evaluate(fun, list()))
  expect_identical(outcome$trace$call[1:2], c("fun(...)", "inner()"))
  expect_identical(outcome$trace$line[2:3], c(3L, 2L))
})

test_that("a condition keeps class, message and small fields, and loses huge ones", {
  holder <- local({
    data <- runif(3e6)
    environment()
  })
  cnd <- structure(class = c("mine", "error", "condition"), list(
    message = "m", call = as.call(list(quote(f), mtcars)), holder = holder, code = 42L
  ))
  slim <- tq_slim_condition(cnd)
  expect_identical(class(slim), class(cnd))
  expect_identical(slim$code, 42L)
  expect_null(slim$holder)
  expect_identical(slim$dropped_fields, "holder")
  expect_lt(length(serialize(slim, NULL)), 1e4)
})

test_that("a condition of any make survives", {
  env <- structure(new.env(), class = c("env_error", "error", "condition"))
  registerS3method("conditionMessage", "env_error", function(c) "from an environment")
  registerS3method("conditionCall", "env_error", function(c) NULL)
  slim <- tq_slim_condition(env)
  expect_s3_class(slim, "env_error")
  expect_identical(slim$message, "from an environment")

  endless <- structure(class = c("error", "condition"), list(message = "m", call = NULL))
  for (i in 1:50) {
    endless <- structure(class = c("error", "condition"),
      list(message = "m", call = NULL, parent = endless))
  }
  expect_s3_class(tq_slim_condition(endless), "error")
})

test_that("an rlang error is slimmed and still prints", {
  skip_if_not_installed("rlang")
  evaluator <- tq_evaluator()
  outcome <- tq_guarded(evaluator, evaluator$evaluate(
    function(d) do.call(function(x) rlang::abort("no", class = "mine", data = 1), list(d)),
    list(args = list(mtcars))
  ))
  expect_s3_class(outcome$error, c("mine", "rlang_error", "error", "condition"), exact = TRUE)
  expect_identical(outcome$error$data, 1)
  expect_output(print(outcome$error), "no")
})
