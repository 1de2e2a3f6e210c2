# What a task says of its progress, as far as it shows in the task itself.

test_that("task_progress() does nothing outside a task", {
  expect_null(task_progress(0.5, "half"))
  expect_invisible(task_progress(NA))
  expect_null(tq_inline_progress())
})

test_that("task_progress() refuses what is no progress", {
  expect_input_error(task_progress(), "fraction")
  expect_input_error(task_progress(NULL), "fraction")
  expect_input_error(task_progress(-0.1), "fraction")
  expect_input_error(task_progress(1.1), "fraction")
  expect_input_error(task_progress("a"), "fraction")
  expect_input_error(task_progress(TRUE), "fraction")
  expect_input_error(task_progress(NA_character_), "fraction")
  expect_input_error(task_progress(c(0.1, 0.2)), "fraction")
  expect_input_error(task_progress(0.5, 1), "message")
  expect_input_error(task_progress(0.5, NA_character_), "message")
  expect_input_error(task_progress(0.5, c("a", "b")), "message")
  expect_identical(conditionCall(caught(task_progress(2))), quote(task_progress(2)))
})

test_that("a worker takes every text and every number", {
  q <- local_queue(1)
  result <- run_task(q, function() {
    texts <- list(NULL, "", "a", strrep("\u20ac", 1000), "\xff\xfe", "%s %d", structure("b", class = "c"))
    for (text in texts) for (fraction in list(0, 1, 0L, 0.5, NA, NaN, NA_integer_)) {
      taskq::task_progress(fraction, text)
    }
    is.null(taskq::task_progress(1))
  })
  expect_identical(result$result, TRUE)
  refused <- run_task(q, function() taskq::task_progress(7))
  expect_s3_class(refused$error$parent, "taskq_error_input")
})

test_that("an inline task's progress can be seen while it runs", {
  q <- local_queue(0)
  look <- utils::getFromNamespace("tq_inline_progress", "taskq")
  result <- run_task(q, function(look, before) {
    fresh <- look()
    taskq::task_progress(0.5, "half")
    list(fresh, look(), before)
  }, list(look, Sys.time()))$result
  expect_null(result[[1L]])
  expect_identical(result[[2L]][c("fraction", "message")], list(fraction = 0.5, message = "half"))
  expect_gte(result[[2L]]$at, result[[3L]])
  expect_null(look())
})
