test_that("an option that cannot be is refused, with its name, and nothing is queued", {
  q <- task_q$new(0)
  on.exit(q$close())
  f <- function() 1
  bad <- list(
    timeout = list(-1, NA, "1", c(1, 2), NaN),
    tries = list(0, 0.5, 1.5, NA, NaN, -Inf, "2", c(1, 2), -1, TRUE, numeric()),
    retry_on = list("crush", 1, NA_character_, NULL),
    backoff = list(-1, NA, Inf, "a"),
    priority = list(1.5, NA, "high", c(1, 2), 1e10),
    after = list(1, NA_character_, list("a")),
    isolate = list(NA, 1, "yes", c(TRUE, FALSE)),
    packages = list(1, NA_character_, ""),
    globals = list(1, list(1), list(a = 1, a = 2)), # nolint: duplicate_argument_linter.
    tag = list(1, "", NA_character_, c("a", "b")),
    seed = list(1.5, "a", NA, c(1L, 2L), 1e10, c(403L, 1:6)),
    block = list(NA, 1, "no"),
    replace = list(1, "", NA_character_, c("a", "b"))
  )
  for (arg in names(bad)) {
    for (value in bad[[arg]]) {
      args <- c(list(f), structure(list(value), names = arg))
      if (is.null(value)) args <- list(f, retry_on = NULL)
      expect_input_error(do.call(q$push, args), arg)
    }
  }
  expect_true(q$is_idle())
  expect_identical(q$push(f), ".1")
})

test_that("an option of the queue that cannot be is refused, with its name", {
  bad <- list(
    num_workers = list(-1, 1.5, NA, "2", c(3, 1), c(1, 2, 3), 1001),
    timeout = list(-1, NA), tries = list(0, 1.5, NA, "2"), isolate = list(NA),
    max_tasks = list(0, 0.5, 1.5, NA, NaN, -Inf, "1", c(1, 2), NULL, TRUE),
    max_memory = list(0, NA, -5, "1", c(1, 2), TRUE),
    idle_timeout = list(-1, NA), threads = list(0, 1.5, "a", Inf), seed = list("a", 1.5, c(1, 2)),
    max_waiting = list(0, 1.5, 1e9 + 0.5, NA, -1, "1", c(1, 2), NULL),
    fair = list(NA, 1, "yes", c(TRUE, FALSE), NULL)
  )
  for (arg in names(bad)) {
    for (value in bad[[arg]]) {
      expect_input_error(do.call(task_q$new, structure(list(value), names = arg)), arg)
    }
  }
})

test_that("what an option says is sent in one form", {
  check <- function(...) {
    options <- list(timeout = NULL, tries = NULL, retry_on = "crash", backoff = 0, priority = 0L, after = NULL,
      isolate = NULL, packages = character(), globals = list(), tag = NULL, seed = NULL, block = TRUE, replace = NULL)
    do.call(tq_task_options, c(utils::modifyList(options, list(...)), list(call = NULL)))
  }
  usual <- list(retry_on = "crash", backoff = 0, priority = 0, may_exceed = FALSE)
  expect_identical(Filter(length, check()$for_host), usual)
  expect_identical(check()$for_worker, list())
  full <- check(timeout = as.difftime(2, units = "secs"), tries = Inf, retry_on = c("error", "crash"), backoff = 5,
    priority = -2, after = "a", isolate = TRUE, packages = "stats", globals = list(x = 1), tag = "t", seed = 3,
    replace = "k", block = FALSE)
  expect_identical(full$for_host, list(timeout = 2000, tries = Inf, retry_on = c("error", "crash"), backoff = 5,
    priority = -2, isolate = TRUE, after = "a", tag = "t", replace = "k", may_exceed = FALSE))
  expect_identical(full$for_worker, list(packages = "stats", globals = list(x = 1), seed = 3L))
  expect_false(full$block)
  expect_identical(check(retry_on = character())$for_host$retry_on, character())
  # One that must not be waited for by its caller waits in the queue.
  expect_identical(check(may_exceed = TRUE)$for_host$may_exceed, TRUE)
  expect_identical(check(may_exceed = TRUE, block = FALSE)$for_host$may_exceed, FALSE)
})
