test_that("a duration is a number of milliseconds or a difftime", {
  check <- function(x) tq_check_duration(x, "timeout", NULL)
  expect_identical(check(500), 500)
  expect_identical(check(500L), 500)
  expect_identical(check(0), 0)
  expect_identical(check(Inf), Inf)
  expect_identical(check(1e12), 1e12)
  expect_identical(check(as.difftime(2, units = "secs")), 2000)
  expect_identical(check(as.difftime(1, units = "mins")), 60000)
  bad <- list(NA, NA_real_, NaN, -1, "500", NULL, c(1, 2), numeric(), TRUE, list(1), sum,
    as.difftime(-1, units = "secs"), as.difftime(NA_real_, units = "secs"))
  for (x in bad) expect_input_error(check(x), "timeout")
})

test_that("num_workers is a whole number from 0 to 1000, or the least and the greatest", {
  old <- Sys.getenv("_R_CHECK_LIMIT_CORES_", NA)
  on.exit(if (!is.na(old)) Sys.setenv("_R_CHECK_LIMIT_CORES_" = old))
  Sys.unsetenv("_R_CHECK_LIMIT_CORES_")
  check <- function(n) tq_check_num_workers(n, "num_workers", NULL)
  for (n in list(0, 1L, 4, 1000)) expect_identical(check(n), as.integer(c(n, n)))
  expect_identical(check(1:2), 1:2)
  expect_identical(check(c(0, 3)), c(0L, 3L))
  for (n in list(-1, 1.5, 1001, NA, NA_integer_, Inf, "2", NULL, 2:1, 1:3, c(1, NA), TRUE, 1e12)) {
    expect_input_error(check(n), "num_workers")
  }
})

test_that("R CMD check gets at most two workers", {
  old <- Sys.getenv("_R_CHECK_LIMIT_CORES_", NA)
  on.exit(if (is.na(old)) {
    Sys.unsetenv("_R_CHECK_LIMIT_CORES_")
  } else {
    Sys.setenv("_R_CHECK_LIMIT_CORES_" = old)
  })
  for (value in c("TRUE", "true", "warn")) {
    Sys.setenv("_R_CHECK_LIMIT_CORES_" = value)
    expect_identical(tq_check_num_workers(4, "n", NULL), c(2L, 2L))
    expect_identical(tq_check_num_workers(c(1, 4), "n", NULL), 1:2)
    expect_identical(tq_check_num_workers(0, "n", NULL), c(0L, 0L))
  }
  Sys.setenv("_R_CHECK_LIMIT_CORES_" = "false")
  expect_identical(tq_check_num_workers(4, "n", NULL), c(4L, 4L))
})

test_that("a count is a whole number of at least 1 or Inf, a number of bytes need not be whole", {
  for (n in list(1, 2L, 1e12, Inf)) {
    expect_identical(tq_check_count(n, "tries", NULL), as.double(n))
    expect_identical(tq_check_bytes(n, "max_memory", NULL), as.double(n))
  }
  expect_identical(tq_check_bytes(0.1 * 2^30, "max_memory", NULL), 0.1 * 2^30)
  for (n in list(0, 0.5, -1, -Inf, NA, NA_real_, NaN, "1", NULL, TRUE, 1:2, numeric(), list(1))) {
    expect_input_error(tq_check_count(n, "tries", NULL), "tries")
    expect_input_error(tq_check_bytes(n, "max_memory", NULL), "max_memory")
  }
  expect_input_error(tq_check_count(1.5, "tries", NULL), "tries")
})

test_that("an id is one string that is not one of ours", {
  expect_null(tq_check_id(NULL, NULL))
  expect_identical(tq_check_id("a b", NULL), "a b")
  expect_identical(tq_check_id("caf\u00e9", NULL), "caf\u00e9")
  for (id in list("", NA, NA_character_, 1, c("a", "b"), character(), ".idle-1", strrep("x", 10001), list("a"))) {
    expect_input_error(tq_check_id(id, NULL), "id")
  }
})

test_that("args is a list", {
  expect_identical(tq_check_args(list(1, x = 2), NULL), list(1, x = 2))
  expect_identical(tq_check_args(NULL, NULL), list())
  expect_identical(tq_check_args(data.frame(x = 1:2), NULL), list(x = 1:2))
  expect_identical(tq_check_args(as.pairlist(list(x = 1)), NULL), list(x = 1))
  for (args in list(1, "a", sum, quote(x + y))) {
    expect_input_error(tq_check_args(args, NULL), "args")
  }
})

test_that("globals and env have names", {
  expect_identical(tq_check_globals(list(a = 1), NULL), list(values = list(a = 1), auto = FALSE))
  expect_identical(tq_check_globals(list(), NULL), list(values = list(), auto = FALSE))
  expect_identical(tq_check_globals("auto", NULL), list(values = list(), auto = TRUE))
  expect_identical(tq_check_globals(list("auto", a = 1), NULL)[["auto"]], TRUE)
  bad <- list(list(1), list(a = 1, 2), list(a = 1, a = 2), c(a = 1), NULL, sum) # nolint: duplicate_argument_linter.
  for (x in bad) {
    expect_input_error(tq_check_globals(x, NULL), "globals")
  }
  expect_identical(tq_check_env(c(A = "x"), NULL), c(A = "x"))
  twice <- c(A = "x", A = "y") # nolint: duplicate_argument_linter.
  for (x in list("x", c(A = NA), c(A = 1), c("A=B" = "x"), twice, NULL)) {
    expect_input_error(tq_check_env(x, NULL), "env")
  }
})

test_that("the other arguments are checked too", {
  expect_input_error(tq_check_function(1, "init", NULL, null = TRUE), "init")
  expect_input_error(tq_check_function(NULL, "fun", NULL), "fun")
  expect_null(tq_check_function(NULL, "init", NULL, null = TRUE))
  for (x in list("", NA, 1, c("a", "b"))) expect_input_error(tq_check_name(x, NULL), "name")
  for (x in list(1, NA_character_, "", NULL)) {
    expect_input_error(tq_check_packages(x, NULL), "packages")
  }
  for (x in list(1, NA_character_, NULL)) expect_input_error(tq_check_libpath(x, NULL), "libpath")
  for (x in list(1, NULL, tempfile(), character())) expect_input_error(tq_check_wd(x, NULL), "wd")
  for (x in list(1, NA, NULL, "yes")) expect_input_error(tq_check_flag(x, "idle", NULL), "idle")
})

test_that("an unknown argument is named, and the valid ones are listed", {
  owner <- function(fun, args = list(), ...) NULL
  expect_silent(tq_check_dots(owner = owner, call = NULL))
  cnd <- caught(tq_check_dots(timeout = stop("never"), owner = owner, call = quote(q$push())))
  expect_s3_class(cnd, "taskq_error_input")
  expect_identical(cnd$arg, "timeout")
  expect_match(conditionMessage(cnd), "no argument `timeout`\ni the arguments are `fun` and `args`", fixed = TRUE)
  expect_identical(conditionCall(cnd), quote(q$push()))
  cnd <- caught(tq_check_dots(1, owner = owner, call = NULL))
  expect_s3_class(cnd, "taskq_error_input")
})

test_that("a name that is nearly one of the arguments is taken for it", {
  valid <- c("timeout", "tries", "num_workers", "priority", "tag")
  expect_identical(tq_meant("time_out", valid), "timeout")
  expect_identical(tq_meant("workers", valid), "num_workers")
  expect_identical(tq_meant("prio", valid), "priority")
  expect_identical(tq_meant("tags", valid), "tag")
  expect_identical(tq_meant("ti", valid), "timeout")
  expect_null(tq_meant("colour", valid))
  owner <- function(fun, ..., timeout, tries) NULL
  cnd <- caught(tq_check_dots(time_out = 1, trys = 2, owner = owner, call = NULL))
  expect_match(conditionMessage(cnd), "`time_out` or `trys`\ni did you mean `timeout` and `tries`?", fixed = TRUE)
})

test_that("a name that R would complete is refused: it may be meant for the function of the task", {
  q <- task_q$new(0)
  on.exit(q$close())
  refused <- function(expr, arg, hint) {
    cnd <- caught(expr)
    expect_s3_class(cnd, "taskq_error_input")
    expect_identical(cnd$arg, arg)
    expect_match(conditionMessage(cnd), sprintf("no argument `%s`\n%s", arg, hint))
  }
  refused(q$push(function(i) i, i = "x"), "i", "i the arguments of the function stand in `args`: `list\\(i = ...\\)`")
  refused(q$push(function(f) f, f = 3), "f", "i the arguments of the function stand in `args`")
  refused(q$push(sum, list(1), i = "x"), "i", "i did you mean `id`")
  refused(q$push(sum, list(1), f = 3, priority = 1), "f", "i did you mean `fun`")
  refused(q$push_many(function(i) i, list(list(1)), i = "x"), "i", "i .* `args_list`: `list\\(list\\(i = ...")
  if (requireNamespace("promises", quietly = TRUE)) {
    refused(q$run(function(i) i, i = "x"), "i", "i the arguments of the function stand in `args`")
  }
  refused(q$map(1:3, function(x, n) x, n = 2), "n", "i the arguments of the function stand in `args`")
  expect_true(q$is_idle())
  # With workers, too; there push() has a shorter way.
  paused <- local_queue(1)
  paused$pause()
  refused(paused$push(function(i) i, i = "x"), "i", "i the arguments of the function stand in `args`")
  refused(paused$push(function(f) f, f = 3), "f", "i the arguments of the function stand in `args`")
  expect_true(paused$is_idle())
})

test_that("the methods that wait, end tasks or close refuse an argument that they do not have", {
  q <- task_q$new(0)
  on.exit(q$close())
  expect_input_error(q$map(1:3, sqrt, on_eror = "keep"), "on_eror")
  expect_match(conditionMessage(caught(q$map(1:3, sqrt, list(), letters[1:3]))), "after `args` must be named")
  expect_input_error(q$map(1:3, function(x, power) x^power, power = 2), "power")
  expect_input_error(q$wait(time_out = 1), "time_out")
  expect_input_error(q$collect(time_out = 1), "time_out")
  expect_input_error(q$cancel(tags = "x"), "tags")
  expect_input_error(q$close(gracee = 1), "gracee")
  expect_match(conditionMessage(caught(q$wait(time_out = 1))), "did you mean `timeout`?", fixed = TRUE)
  expect_identical(q$map(1:2, sqrt, names = c("a", "b")), list(a = 1, b = sqrt(2)))
})

test_that("what is given instead of a function leads to the function", {
  hint <- function(x) caught(tq_check_function(x, "fun", NULL))$body
  expect_match(hint("sum"), "without quotes: `sum`", fixed = TRUE)
  expect_match(hint("stats::sd"), "without quotes: `stats::sd`", fixed = TRUE)
  expect_match(hint("1 + 1"), "`function() ...`", fixed = TRUE)
  expect_match(hint(~ .x + 1), "`function(x) ...`", fixed = TRUE)
  expect_match(hint(quote(f(x))), "around it", fixed = TRUE)
  expect_match(hint(Sys.time()), "called later", fixed = TRUE)
  expect_null(hint(NULL))
})

test_that("a part of a millisecond that somebody has written down is warned of, once", {
  old <- tq_session$warned
  on.exit(tq_session$warned <- old)
  tq_session$warned <- NULL
  short <- 0.5
  expect_silent(tq_check_duration(short, "timeout", quote(q$pop(short))))
  expect_warning(
    expect_identical(tq_check_duration(0.5, "timeout", quote(q$push(f, , timeout = 0.5))), 0.5),
    class = "taskq_warning_duration"
  )
  expect_silent(tq_check_duration(0.5, "timeout", quote(q$pop(0.5))))
  expect_warning(tq_check_duration(0.25, "timeout", quote(q$pop(0.25))), "write 250", class = "taskq_warning_duration")
  for (x in list(0, 1, 500, as.difftime(0.5, units = "secs"))) {
    call <- as.call(list(quote(q$pop), x))
    expect_silent(tq_check_duration(x, "timeout", call))
  }
  q <- local_queue(1)
  expect_warning(q$pop(0.125), class = "taskq_warning_duration")
})

test_that("an argument that is missing is told by the method that wants it", {
  q <- local_queue(0)
  calls <- list(
    fun = expression(q$push(), q$push_many(), q$map(1)),
    args_list = expression(q$push_many(identity)),
    x = expression(q$map()),
    n = expression(q$resize()),
    id = expression(q$output(), q$progress(), q$position(), q$promise()),
    file = expression(q$trace())
  )
  for (arg in names(calls)) {
    for (call in as.list(calls[[arg]])) {
      cnd <- caught(eval(call))
      expect_s3_class(cnd, "taskq_error_input")
      expect_identical(cnd$arg, arg)
      expect_match(conditionMessage(cnd), "is missing: it must be", fixed = TRUE)
      expect_identical(conditionCall(cnd), call)
    }
  }
})
