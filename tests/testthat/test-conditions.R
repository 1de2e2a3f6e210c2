test_that("a condition has its classes, its call and its fields", {
  cnd <- caught(tq_input_error("timeout", -1, "a number", quote(q$pop(-1))))
  expect_identical(class(cnd), c("taskq_error_input", "taskq_error", "error", "condition"))
  expect_identical(conditionCall(cnd), quote(q$pop(-1)))
  expect_identical(cnd[c("arg", "value", "remedy")],
    list(arg = "timeout", value = -1, remedy = "a number"))
  expect_identical(conditionMessage(cnd), "`timeout` must be a number, not -1")
  expect_identical(format(cnd), c("<taskq_error_input> in q$pop(-1)", conditionMessage(cnd)))
})

test_that("what to do stands below the message, in fields as rlang has them", {
  cnd <- caught(tq_input_error("fun", "sum", "a function", NULL, hint = "write `sum`"))
  expect_identical(cnd$message, "`fun` must be a function, not \"sum\"")
  expect_identical(cnd$body, c(i = "write `sum`"))
  expect_identical(conditionMessage(cnd), paste0(cnd$message, "\ni write `sum`"))
  skip_if_not_installed("rlang")
  expect_match(rlang::cnd_message(cnd), "not \"sum\"\ni write `sum`", fixed = TRUE)
  outer <- rlang::catch_cnd(rlang::abort("wrapped", parent = cnd))
  expect_match(rlang::cnd_message(outer), "not \"sum\"\ni write `sum`", fixed = TRUE)
})

test_that("a message has no colours, whatever the terminal", {
  skip_if_not_installed("cli")
  old <- options(cli.num_colors = 256L, cli.unicode = TRUE)
  on.exit(options(old))
  cnd <- caught(tq_input_error("fun", "sum", "a function", NULL, hint = "write `sum`"))
  expect_no_match(conditionMessage(cnd), "\033", fixed = TRUE)
  expect_match(conditionMessage(cnd), "\n\u2139 write", fixed = TRUE)
})

test_that("an expected failure of the native side becomes a condition, anything else passes", {
  for (x in list(NULL, 1, "a", list(code = "closed"))) {
    expect_identical(tq_checked(x, NULL), x)
  }
  failure <- structure(list(code = "system", message = "100% taken", path = "a"), class = "tq_failure")
  cnd <- caught(tq_checked(failure, quote(q$push(f))))
  expect_s3_class(cnd, "taskq_error_system")
  expect_identical(conditionMessage(cnd), "100% taken")
  expect_identical(cnd$path, "a")
  expect_identical(conditionCall(cnd), quote(q$push(f)))
  failure$code <- "start"
  expect_s3_class(caught(tq_checked(failure, NULL)), "taskq_error_start")
})

test_that("a task error has its parent, and prints both and the trace", {
  parent <- simpleError("This failed, sorry", quote(f(x)))
  trace <- tq_trace(list(quote(fun(...)), quote(f(x)), quote(handler(e))), 1L)
  cnd <- tq_task_error(".11", parent, trace)
  expect_identical(class(cnd), c("taskq_error_task", "taskq_error", "error", "condition"))
  expect_identical(cnd$parent, parent)
  expect_identical(conditionMessage(cnd), "task '.11' failed: This failed, sorry")
  out <- capture.output(print(cnd))
  expect_match(out, "Caused by <simpleError> in f(x)", fixed = TRUE, all = FALSE)
  expect_match(out, "1. fun(...)", fixed = TRUE, all = FALSE)
  expect_match(out, "2. f(x)", fixed = TRUE, all = FALSE)
  expect_error(stop(cnd), "task '.11' failed: This failed, sorry", fixed = TRUE)
})

test_that("a chain of parents is printed, also an endless one", {
  root <- simpleError("root")
  middle <- structure(class = c("mine", "error", "condition"),
    list(message = "middle", call = NULL, parent = root))
  out <- format(tq_task_error("a", middle, NULL))
  expect_identical(sum(grepl("^Caused by", out)), 2L)
})

test_that("a missing object is named, with a remedy", {
  for (text in c('could not find function "helper_of_mine"', "object 'helper_of_mine' not found")) {
    message <- conditionMessage(tq_task_error("a", simpleError(text), NULL))
    expect_match(message, "`helper_of_mine`", fixed = TRUE)
    expect_match(message, "`args` or `globals`", fixed = TRUE)
    expect_match(message, "pkg::helper_of_mine", fixed = TRUE)
  }
  expect_null(tq_missing_hint("something else"))
})

test_that("where a missing object is found in the host decides about the remedy", {
  assign("helper_of_mine", 1, envir = globalenv())
  on.exit(rm("helper_of_mine", envir = globalenv()))
  expect_match(tq_missing_hint("object 'helper_of_mine' not found"), "only in the host session: send it")
  expect_match(tq_missing_hint('could not find function "expect_true"'), "write `testthat::expect_true`", fixed = TRUE)
  expect_match(tq_missing_hint('could not find function "expect_true"'), 'packages = "testthat"', fixed = TRUE)
})

test_that("an argument that the task's function lacks is looked for in `args`", {
  lacks <- function(call) simpleError("argument \"n\" is missing, with no default", call)
  expect_match(tq_error_hint(lacks(quote(fun(...))), "run"), "`list(n = ...)`", fixed = TRUE)
  expect_null(tq_error_hint(lacks(quote(g(x))), "run"))
})

test_that("a package that is not there is to be installed", {
  missing <- "taskq.no.such.package"
  parent <- tryCatch(library(missing, character.only = TRUE), error = identity)
  expect_match(conditionMessage(tq_task_error("a", parent, NULL)), "`libpath`", fixed = TRUE)
})

test_that("a crash tells how the session ended", {
  task <- list(id = "a", worker = 7L, signal = 9L, exit_code = NA_integer_, cause = NA_character_,
    stderr_tail = "line 1\nline 2\n", max_rss = 1e6)
  cnd <- tq_crash_error(task)
  expect_s3_class(cnd, "taskq_error_crash")
  expect_match(conditionMessage(cnd), "killed by signal 9 (SIGKILL)", fixed = TRUE)
  expect_identical(cnd$signal, 9L)
  expect_identical(cnd$stderr_tail, "line 1\nline 2")
  expect_false(cnd$oom)
  task$signal <- NA_integer_
  task$exit_code <- 0L
  expect_match(conditionMessage(tq_crash_error(task)), "exit status 0", fixed = TRUE)
  task$cause <- "oom"
  expect_true(tq_crash_error(task)$oom)
  for (signal in 1:64) expect_type(tq_signal_name(signal), "character")
})

test_that("a failed start tells the phase and shows stderr", {
  cnd <- tq_start_error(list(phase = "init", message = "Error: no", stderr = "a\nb\n",
    exit_code = 1L, signal = NA_integer_))
  expect_s3_class(cnd, "taskq_error_start")
  expect_match(conditionMessage(cnd), "`init` failed\nx Error: no\ni mend `init`", fixed = TRUE)
  expect_match(conditionMessage(cnd), "stderr:\na\nb", fixed = TRUE)
  expect_identical(cnd$phase, "init")
})

test_that("a message of any kind can be read", {
  odd <- function(message) structure(class = c("odd", "error", "condition"), list(message = message, call = NULL))
  expect_identical(tq_message_of(odd(c("a", "b"))), "a\nb")
  for (message in list(NULL, NA_character_, "", 1, list())) {
    expect_identical(tq_message_of(odd(message)), "(the error has no message)")
  }
  expect_lt(nchar(tq_message_of(odd(strrep("x", 1e6)))), 5000)
})

test_that("a value is described in a few words", {
  expect_identical(tq_describe(NULL), "NULL")
  expect_identical(tq_describe(sum), "a function")
  expect_identical(tq_describe(NA), "NA")
  expect_match(tq_describe(mtcars), "data.frame", fixed = TRUE)
  expect_identical(tq_describe(1:3), "3 numbers")
  expect_identical(tq_describe(list(1)), "a list of length 1")
  expect_identical(tq_describe(globalenv()), "an environment")
  expect_identical(tq_describe(y ~ x), "a formula")
  expect_lte(nchar(tq_describe(strrep("x", 1000))), 60)
})

test_that("an id is quoted in one line, and not at any length", {
  expect_identical(tq_quote("a\nb"), "'a\\nb'")
  expect_lt(nchar(tq_quote(strrep("x", 1000))), 70)
})

test_that("a misuse of taskq inside a task shows the call of the user, and nothing below it", {
  q <- local_queue(1)
  result <- run_task(q, global(function() taskq::task_progress(2)))
  expect_identical(result$error$trace$call, c("fun(...)", "taskq::task_progress(2)"))
  # Where not even the function could be entered there is nothing to trace.
  result <- run_task(q, global(function(x) x), list(y = 1))
  expect_identical(nrow(result$error$trace), 0L)
})
