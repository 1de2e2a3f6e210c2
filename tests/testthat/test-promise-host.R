# E: the queue as an object of the host, in the middle of whatever R does.

test_that("E2: a push that is interrupted while it serializes has queued all of the task, or nothing", {
  skip_on_cran()
  q <- local_queue(1)
  run_task(q, function() 1)
  big <- rep(list(numeric(1e4)), 500)
  pushed <- 0L
  interrupted <- 0L
  for (i in 1:8) {
    # Until the signal has come: what is pushed meanwhile is queued.
    stopped <- tryCatch({
      interrupt_in(0.1 + i * 0.011)
      deadline <- Sys.time() + 20
      while (Sys.time() < deadline) {
        q$push(length, list(big))
        # Not more than a few of these at a time.
        while (q$get_num_waiting() > 2L) Sys.sleep(0.005)
      }
      FALSE
    }, interrupt = function(cnd) TRUE)
    interrupted <- interrupted + stopped
    results <- pop_all(q, 60000)
    expect_true(all(vapply(results, function(x) identical(x$result, 500L), NA)))
  }
  expect_identical(interrupted, 8L)
})

test_that("E3: a queue that is collected while tasks run ends at once and in the background", {
  fixture_begins()
  q <- task_q$new(2)
  for (i in 1:2) q$push(function() Sys.sleep(1000))
  expect_true(wait_until(q$get_num_running() == 2, 30))
  pids <- unlist(q$list_workers()$worker)
  gc()
  plain <- system.time(gc())[["elapsed"]]
  rm(q)
  # It does not wait for the end of the tasks.
  expect_lt(system.time(gc())[["elapsed"]] - plain, 1)
  expect_true(wait_until(!any(is_alive(pids)), 10))
  fixture_ends()
})

test_that("E4: a queue that was saved and restored is refused, not used", {
  q <- local_queue(1)
  path <- tempfile()
  on.exit(unlink(path))
  saveRDS(q, path)
  copy <- readRDS(path)
  calls <- list(
    function() copy$push(function() 1), function() copy$pop(), function() copy$poll(), function() copy$list_tasks(),
    function() copy$wait(), function() copy$collect(), function() copy$cancel("a"), function() copy$output("a"),
    function() copy$progress("a"), function() copy$resize(2), function() copy$pause(), function() copy$resume(),
    function() copy$close(), function() copy$kill(), function() summary(copy), function() copy$is_idle()
  )
  for (call in calls) expect_s3_class(caught(call()), "taskq_error_closed")
  expect_output(print(copy), "another R session")
  expect_error(q$clone(), "attempt to apply non-function|clone")
  expect_identical(run_task(q, function() 2)$result, 2)
})

test_that("E6: a queue can be used from within its own calls", {
  q <- local_queue(2)
  q$push(sum, list({
    q$push(function() "inner", id = "inner")
    q$pop(20000)$result
    1
  }, 2), id = "outer")
  expect_identical(q$pop(20000)$result, 3)
  # While the result of one task is read, a finalizer takes another.
  q$push(function() 1, id = "first")
  q$push(function() 2, id = "second")
  expect_true(q$wait())
  taken <- NULL
  local({
    reg.finalizer(environment(), function(e) taken <<- q$pop()$task_id)
  })
  gctorture2(1L, 1L)
  result <- tryCatch(q$pop(), finally = gctorture2(0L))
  gc()
  expect_setequal(c(taken, result$task_id), c("first", "second"))
  expect_true(q$is_idle())
})

test_that("E7: a method of somebody else that fails leaves the queue as it was", {
  q <- local_queue(1)
  registerS3method("print", "tq_angry", function(x, ...) stop("not now"))
  registerS3method("length", "tq_angry", function(x) stop("not now"))
  q$push(function() structure(list(1), class = "tq_angry"))
  expect_true(q$wait())
  expect_output(print(q$list_tasks()))
  expect_error(capture.output(print(q$pop())), "not now")
  expect_true(q$is_idle())
  old <- options(warn = 2)
  on.exit(options(old), add = TRUE)
  expect_identical(run_task(q, function() 1)$result, 1)
  result <- withCallingHandlers(
    tryCatch(q$push(stop("an argument that cannot be made")), error = function(cnd) "caught"),
    error = function(cnd) NULL
  )
  expect_identical(result, "caught")
  expect_identical(run_task(q, function() 2)$result, 2)
})

test_that("E8: the package can be unloaded while a queue works", {
  expect_identical(
    in_host(function() {
      q <- taskq::task_q$new(2)
      for (i in 1:2) q$push(function() Sys.sleep(1000))
      while (q$get_num_running() < 2) Sys.sleep(0.01)
      pids <- q$list_workers()$worker
      unloadNamespace("taskq")
      gc()
      deadline <- Sys.time() + 10
      alive <- function() any(dir.exists(sprintf("/proc/%d", pids)))
      while (alive() && Sys.time() < deadline) Sys.sleep(0.01)
      c(alive(), "taskq" %in% loadedNamespaces())
    }),
    c(FALSE, FALSE)
  )
})

test_that("C7: a queue changes neither what signals do in the host nor which are blocked", {
  skip_if_not(file.exists("/proc/self/status"))
  signals <- function() grep("^(SigBlk|SigIgn|SigCgt|ShdPnd)", readLines("/proc/self/status"), value = TRUE)
  before <- signals()
  q <- local_queue(2)
  run_task(q, function() 1)
  q$push(function() quit("no"))
  q$push(function() Sys.sleep(100), timeout = 10)
  expect_true(q$wait())
  # The signal of a child's end is pending for a moment.
  expect_true(wait_until(identical(signals(), before)))
  q$kill()
  expect_true(wait_until(identical(signals(), before)))
})

test_that("C8: workers have sessions of their own, which no key of a terminal reaches", {
  q <- local_queue(2)
  # Fields of the process after its state: parent, group, session, terminal.
  place <- function() strsplit(sub("^.*\\) ", "", readLines("/proc/self/stat")), " ")[[1L]][2:5]
  for (i in 1:4) q$push(function(place) c(Sys.getpid(), place()), list(global(place)))
  for (result in pop_all(q)) {
    expect_identical(result$result[[3L]], result$result[[1L]])
    expect_identical(result$result[[4L]], result$result[[1L]])
    expect_identical(result$result[[5L]], "0")
  }
})
