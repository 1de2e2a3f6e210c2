fields <- c("result", "stdout", "stderr", "error", "task_id", "status", "warnings", "messages",
  "conditions", "tries", "worker", "times", "queued", "seconds", "cpu", "max_rss")

# What the native side tells of a task with the value 42, and how it would tell of one that has ended otherwise.
some_task <- function(status = "success", outcome = list(value = 42), ...) {
  q <- local_queue(0)
  q$push(function() 42, id = "a")
  task <- taskq:::rs_peek(q$.__enclos_env__$private$handle, 0, NULL)
  task$status <- task$result$status <- status
  task$result["result"] <- list(outcome[["value"]])
  task["outcome"] <- list(outcome)
  modifyList(task, list(...))
}

test_that("a result has all its fields, in order, whatever became of the task", {
  for (status in c("success", "error", "crash", "timeout", "cancelled", "skipped")) {
    outcome <- if (status == "success") list(value = 42)
    result <- tq_result(some_task(status, outcome))
    expect_s3_class(result, "taskq_result")
    expect_named(result, fields)
    expect_identical(result$status, status)
    if (status == "success") {
      expect_null(result$error)
      expect_identical(result$result, 42)
    } else {
      class <- sub("_error$", "_task", paste0("taskq_error_", status))
      expect_s3_class(result$error, class)
      expect_s3_class(result$error, "taskq_error")
      expect_null(result$result)
    }
    expect_output(print(result), "task 'a'", fixed = TRUE)
  }
})

test_that("times and seconds are those of the attempt", {
  result <- tq_result(some_task())
  expect_s3_class(result$times, "POSIXct")
  expect_named(result$times, c("queued", "started", "finished"))
  expect_false(is.unsorted(result$times))
  times <- unname(unclass(result$times))
  expect_identical(result$seconds, times[[3L]] - times[[2L]])
  # Of numbers since 1970, microseconds are exact.
  expect_lt(abs(result$queued - (times[[2L]] - times[[1L]])), 1e-5)
})

test_that("a task that was cancelled before it began has no wait, in the columns of collect() neither", {
  q <- local_queue(0)
  q$push(function() 1, id = "first")
  q$pause()
  q$push(function() 1, id = "second")
  expect_true(q$cancel("second"))
  results <- q$collect(progress = FALSE)
  expect_type(results$queued, "double")
  expect_identical(is.na(results$queued), c(FALSE, TRUE))
})

test_that("a value of NULL, and one that looks like a failure, are just values", {
  expect_named(tq_result(some_task(outcome = list(value = NULL))), fields)
  odd <- simpleError("not an error of the task")
  result <- tq_result(some_task(outcome = list(value = odd)))
  expect_identical(result$result, odd)
  expect_null(result$error)
})

test_that("what was dropped is counted", {
  expect_null(attr(tq_result(some_task()), "dropped"))
  result <- tq_result(some_task(dropped = 10, outcome = list(value = 1, dropped = 2L)))
  expect_identical(attr(result, "dropped"), c(bytes = 10, conditions = 2))
  expect_output(print(result), "10 bytes, 2 conditions", fixed = TRUE)
})

test_that("a task that never ran has the error of the failed start", {
  task <- some_task("error", NULL, cause = "no-worker", worker = NA_integer_, started = NA_real_)
  result <- tq_result(task, list(phase = "init", message = "init is bad", stderr = "oh"))
  expect_s3_class(result$error, "taskq_error_start")
  expect_identical(result$error$phase, "init")
  expect_identical(result$error$task_id, "a")
  expect_match(conditionMessage(result$error), "init is bad")
  expect_output(print(result), "task 'a': error", fixed = TRUE)
})
