test_that("close() waits for tasks, keeps what is done, and refuses new ones", {
  q <- local_queue(1)
  q$push(function() {
    Sys.sleep(0.2)
    "kept"
  })
  expect_true(wait_until(q$get_num_running() == 1))
  pids <- descendants()
  expect_identical(expect_invisible(q$close(20000)), TRUE)
  expect_false(any(is_alive(pids)))
  cnd <- caught(q$push(sum))
  expect_s3_class(cnd, c("taskq_error_closed", "taskq_error", "error", "condition"), exact = TRUE)
  expect_identical(q$list_tasks(idle = FALSE)$state, "done")
  expect_identical(q$pop(Inf)$result, "kept")
  expect_null(q$pop(Inf))
  expect_true(q$close())
  expect_true(q$kill())
})

test_that("what did not finish in time ends as cancelled", {
  q <- local_queue(1)
  q$push(function() Sys.sleep(60), id = "running")
  q$push(function() 1, id = "waiting")
  expect_true(wait_until(q$get_num_running() == 1))
  took <- system.time(expect_true(q$close(grace = 200)))[["elapsed"]]
  expect_lt(took, 5)
  results <- pop_all(q)
  expect_named(results, c("running", "waiting"))
  for (result in results) {
    expect_identical(result$status, "cancelled")
    expect_s3_class(result$error, "taskq_error_cancelled")
  }
})

test_that("a task that is ended has what it had written, and its worker", {
  for (end in c("close", "kill")) {
    q <- task_q$new(1)
    flag <- tempfile()
    q$push(function(flag) {
      cat("begun")
      file.create(flag)
      Sys.sleep(60)
    }, list(flag))
    expect_true(wait_until(file.exists(flag)))
    unlink(flag)
    if (end == "close") q$close(0) else q$kill()
    result <- q$pop()
    expect_identical(result$status, "cancelled")
    expect_identical(result$stdout, "begun", label = end)
    expect_false(is.na(result$worker))
  }
})

test_that("kill() does not wait, and takes children of tasks along", {
  q <- local_queue(1)
  path <- tempfile()
  q$push(function(path) {
    system(sprintf("sleep 300 & echo $! > %s; wait", path))
  }, list(path))
  expect_true(wait_until(file.exists(path) && length(readLines(path)) == 1))
  child <- as.integer(readLines(path))
  took <- system.time(expect_true(q$kill()))[["elapsed"]]
  expect_lt(took, 5)
  expect_true(wait_until(!is_alive(child)))
  expect_identical(q$pop()$status, "cancelled")
  expect_input_error(q$close(-1), "grace")
  unlink(path)
})

test_that("close() of a queue whose sessions are still booting leaves nothing", {
  before <- descendants()
  of_queue <- function() setdiff(descendants(), before)
  q <- task_q$new(2)
  expect_true(wait_until(length(of_queue()) > 0L))
  pids <- of_queue()
  expect_true(q$kill())
  expect_true(wait_until(!any(is_alive(pids))))
  q <- task_q$new(2, init = function() Sys.sleep(60))
  expect_true(wait_until(sum(!is.na(q$list_workers()$worker)) == 2L))
  expect_identical(q$list_workers()$state, c("starting", "starting"))
  pids <- of_queue()
  expect_gte(length(pids), 2L)
  expect_true(q$close(0))
  expect_true(wait_until(!any(is_alive(pids))))
})

test_that("a queue that was saved and restored says that it is of another session", {
  q <- local_queue(1)
  path <- tempfile(fileext = ".rds")
  saveRDS(q, path)
  restored <- readRDS(path)
  unlink(path)
  for (use in list(function(q) q$push(sum), function(q) q$poll(), function(q) q$pop(),
    function(q) q$list_tasks(), function(q) q$is_idle(), function(q) q$close())) {
    cnd <- caught(use(restored))
    expect_s3_class(cnd, "taskq_error_closed")
    expect_match(conditionMessage(cnd), "another R session")
  }
  expect_output(print(restored), "another R session")
  rm(restored)
  gc()
  expect_identical(run_task(q, function() 1)$result, 1)
})

test_that("a forked child cannot use the queue, and its end does not harm it", {
  skip_on_os("windows")
  # Not here: packages that start processes take the signal by which parallel learns of the end of its own.
  seen <- in_host(function() {
    q <- taskq::task_q$new(1)
    q$push(function() 1)
    before <- q$pop(Inf)$result
    job <- parallel::mcparallel({
      classes <- lapply(
        list(function() q$push(sum), function() q$pop(), function() q$is_idle(), function() q$kill()),
        function(use) class(tryCatch(use(), error = identity))[1L]
      )
      rm(q)
      gc()
      unlist(classes)
    })
    classes <- parallel::mccollect(job)[[1L]]
    q$push(function() 2)
    list(before = before, classes = classes, after = q$pop(Inf)$result)
  })
  expect_identical(seen, list(before = 1, classes = rep("taskq_error_forked", 4), after = 2))
})

test_that("many queues in a row leave no process and no open file", {
  skip_on_cran()
  files <- function() length(list.files("/proc/self/fd"))
  first <- local_queue(1)
  run_task(first, function() 1)
  before <- files()
  for (i in 1:5) {
    q <- task_q$new(1)
    expect_identical(run_task(q, function() 1)$result, 1)
    q$close()
  }
  expect_lte(files(), before + 1)
})

test_that("the handle of a queue does not keep Rscript from ending", {
  skip_on_cran()
  code <- "q <- taskq::task_q$new(1); q$push(function() Sys.sleep(100)); Sys.sleep(0.5)"
  took <- system.time(
    status <- system2(file.path(R.home("bin"), "Rscript"), c("-e", shQuote(code)),
      env = paste0("R_LIBS=", paste(.libPaths(), collapse = ":")), stdout = FALSE, stderr = FALSE)
  )[["elapsed"]]
  expect_identical(status, 0L)
  expect_lt(took, 15)
})
