# plan(task_q_future). What futures give is what they give with future's own backends.

local_plan <- function(workers = 2, ..., frame = parent.frame()) {
  skip_if_not_installed("future")
  skip_if_not(file.exists("/proc/self/stat"), "/proc is needed to look for processes")
  fixture_begins()
  before <- future::plan("list")
  future::plan(task_q_future, workers = workers, ...)
  finish <- function() {
    future::plan(before)
    fixture_ends()
  }
  do.call(on.exit, list(as.call(list(finish)), add = TRUE, after = FALSE), envir = frame)
}

# A future as a user makes it at the prompt.
future_of <- function(expr, ...) future::future(substitute(expr), substitute = FALSE, envir = globalenv(), ...)

value <- function(...) future::value(...)

sleep_until <- function(gate) {
  bquote({
    while (!file.exists(.(gate$path))) Sys.sleep(0.005)
    42
  })
}

test_that("a future runs in a worker, with its globals and packages, and prints, warns and fails here", {
  local_plan()
  here <- 20
  f <- future::future({
    cat("printed\n")
    message("said")
    warning("warned")
    tools::file_ext("a.b")
    list(Sys.getpid(), here + 1)
  })
  said <- NULL
  printed <- capture.output(suppressWarnings(suppressMessages(result <- withCallingHandlers(value(f),
    message = function(cnd) said <<- c(said, conditionMessage(cnd)),
    warning = function(cnd) said <<- c(said, conditionMessage(cnd))))))
  expect_identical(printed, "printed")
  expect_identical(said, c("said\n", "warned"))
  expect_false(result[[1L]] == Sys.getpid())
  expect_identical(result[[2L]], 21)
  expect_error(value(future_of(stop("no data"))), "^no data$")
})

test_that("a session of a plan is set back after each future", {
  local_plan(1)
  value(future_of({
    x <<- 1
    options(digits = 3)
    library(tools)
  }))
  expect_false(value(future_of(exists("x") || getOption("digits") == 3 || "package:tools" %in% search())))
})

test_that("future() does not wait for a free worker, and resolved() says how far each is", {
  local_plan(2)
  gate <- local_gate()
  futures <- lapply(1:5, function(i) future::future(sleep_until(gate), substitute = FALSE))
  expect_identical(future::nbrOfWorkers(), 2L)
  expect_identical(future::nbrOfFreeWorkers(), 0L)
  expect_false(any(future::resolved(futures)))
  gate$open()
  expect_true(wait_until(all(future::resolved(futures))))
  expect_identical(unlist(value(futures)), rep(42, 5))
  expect_identical(future::nbrOfFreeWorkers(), 2L)
})

test_that("a lazy future begins when it is asked whether it is resolved", {
  local_plan()
  f <- future_of(Sys.getpid(), lazy = TRUE)
  expect_true(wait_until(future::resolved(f)))
  expect_false(value(f) == Sys.getpid())
})

test_that("random numbers are those of other backends, whatever the number of workers", {
  skip_if_not_installed("future.apply")
  draw <- function() unlist(future.apply::future_lapply(1:5, function(i) stats::rnorm(1), future.seed = 42))
  expected <- draw()
  for (workers in 1:2) {
    local({
      local_plan(workers)
      expect_identical(draw(), expected)
    })
  }
})

test_that("a worker that dies is the error of its future alone, which says how it has died", {
  skip_on_cran()
  local_plan(2)
  die <- future_of(tools::pskill(Sys.getpid(), 9))
  live <- future_of("alive")
  cnd <- expect_error(value(die), "SIGKILL", class = "FutureError")
  expect_error(value(die), "SIGKILL", class = "FutureError")
  expect_identical(value(live), "alive")
  expect_identical(value(future_of("again")), "again")
})

test_that("conditions that are to be seen at once are signalled once, while the future runs", {
  local_plan(1)
  gate <- local_gate()
  f <- future::future(bquote({
    signalCondition(structure(class = c("immediateCondition", "condition"), list(message = "half", call = NULL)))
    .(sleep_until(gate))
  }), substitute = FALSE)
  heard <- 0
  count <- function(cnd) {
    heard <<- heard + 1
    gate$open()
  }
  expect_identical(withCallingHandlers(value(f), immediateCondition = count), 42)
  expect_identical(heard, 1)
})

test_that("progress of progressr goes through", {
  skip_on_cran()
  skip_if_not_installed("future.apply")
  skip_if_not_installed("progressr")
  local_plan()
  steps <- 0
  handler <- progressr::make_progression_handler("counts", enable = TRUE, reporter = list(
    update = function(config, state, progression, ...) steps <<- state$step
  ))
  progressr::with_progress(handlers = handler, enable = TRUE, {
    p <- progressr::progressor(4)
    future.apply::future_lapply(1:4, function(i) p())
  })
  expect_identical(as.numeric(steps), 4)
})

test_that("a plan has a queue of its own, and another plan leaves none of its processes", {
  skip_on_cran()
  local_plan(2)
  pids <- unique(unlist(value(lapply(1:4, function(i) future_of(Sys.getpid())))))
  future::plan(task_q_future, workers = 1)
  expect_true(wait_until(!any(file.exists(file.path("/proc", pids)))))
  other <- value(future_of(Sys.getpid()))
  future::plan(future::sequential)
  expect_true(wait_until(!file.exists(file.path("/proc", other))))
  expect_identical(value(future_of(Sys.getpid())), Sys.getpid())
})

test_that("plans are nested, each with a queue of its own", {
  skip_on_cran()
  local_plan()
  future::plan(list(future::tweak(task_q_future, workers = 2), future::tweak(task_q_future, workers = 2)))
  inner <- value(future::future({
    pids <- future::value(lapply(1:2, function(i) future::future(Sys.getpid())))
    list(Sys.getpid(), future::nbrOfWorkers(), unlist(pids))
  }))
  expect_identical(inner[[2L]], 2L)
  expect_false(inner[[1L]] %in% inner[[3L]])
  # The one out here goes on.
  expect_identical(value(future_of("alive")), "alive")
})

test_that("an interrupt of value() leaves the future as it was", {
  skip_on_cran()
  local_plan(1)
  gate <- local_gate()
  f <- future::future(sleep_until(gate), substitute = FALSE)
  caught <- tryCatch({
    interrupt_in(0.3)
    value(f)
  }, interrupt = function(cnd) "interrupted")
  expect_identical(caught, "interrupted")
  gate$open()
  expect_identical(value(f), 42)
})

test_that("options of the queue are those of the plan's workers, and what cannot be is refused", {
  skip_on_cran()
  skip_if_not_installed("future")
  local_plan(1, env = c(TQ_FUTURE = "here"), init = function() options(tq.future = 1))
  expect_identical(value(future_of(Sys.getenv("TQ_FUTURE"))), "here")
  expect_identical(value(future_of(getOption("tq.future"))), 1)
  start <- function() {
    future::plan(task_q_future, workers = 1, init = function() stop("no licence"))
    value(future_of(1))
  }
  expect_error(start(), "no licence", class = "FutureError")
  expect_input_error(future::plan(task_q_future, workers = 0), "workers")
  # future has a plan set also when it fails.
  future::plan(future::sequential)
})

test_that("futures work where promises are made of them", {
  skip_on_cran()
  skip_if_not_installed("promises")
  skip_if_not_installed("later")
  local_plan()
  got <- NULL
  promises::then(promises::future_promise(6 * 7), function(value) got <<- value)
  expect_true(wait_until({
    later::run_now(0)
    !is.null(got)
  }))
  expect_identical(got, 42)
})

test_that("a future that was ended says so", {
  skip_on_cran()
  skip_if_not_installed("future", "1.49.0")
  local_plan(1)
  f <- future_of(Sys.sleep(60))
  future::cancel(f)
  expect_error(value(f), class = "FutureInterruptError")
  expect_identical(value(future_of("next")), "next")
})
