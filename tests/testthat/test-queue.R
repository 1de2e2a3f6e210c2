# The session of the article that this queue comes from, and what it promises there.

test_that("the teaser: pop() is NULL at first, and waits when it is asked to", {
  q <- local_queue(2)
  q$push(function() Sys.getpid())
  q$push(function() {
    Sys.sleep(0.5)
    Sys.getpid()
  })
  first <- q$pop(20000)
  expect_type(first$result, "integer")
  expect_null(q$pop())
  expect_identical(q$poll(Inf), ".2")
  second <- q$pop()
  expect_type(second$result, "integer")
  expect_false(first$result == Sys.getpid())
  expect_null(q$pop(Inf))
})

test_that("ten tasks with random sleeps all come back, and the table shows them on their way", {
  q <- local_queue(2)
  for (i in 1:10) {
    q$push(function(i) {
      Sys.sleep(runif(1, 0, 0.2))
      paste(i, "done")
    }, list(i = i))
  }
  tasks <- q$list_tasks()
  expect_identical(tasks$id, c(paste0(".", 1:10), ".idle-1", ".idle-2"))
  expect_identical(tasks$idle, rep(c(FALSE, TRUE), c(10, 2)))
  expect_gt(length(q$poll(20000)), 0)
  results <- character()
  while (!q$is_idle()) {
    task_result <- q$pop(Inf)
    results[task_result$task_id] <- task_result$result
  }
  expect_setequal(results, paste(1:10, "done"))
  expect_identical(unname(results[paste0(".", 1:10)]), paste(1:10, "done"))
})

test_that("a failing task has an error in two parts with a trace, and the queue goes on", {
  q <- local_queue(1)
  q$push(function() stop("This failed, sorry"))
  res <- q$pop(Inf)
  expect_null(res$result)
  expect_s3_class(res$error, "taskq_error_task")
  expect_s3_class(res$error$parent, "simpleError")
  expect_output(print(res$error), "Caused by <simpleError>")
  expect_output(print(res$error), "1. fun(...)", fixed = TRUE)
  expect_identical(run_task(q, function() 1)$result, 1)
})

test_that("the counts tell the truth without a call of poll()", {
  q <- local_queue(1)
  gate <- local_gate()
  for (i in 1:3) q$push(gate$wait, list(gate$path))
  counts <- function() c(q$get_num_waiting(), q$get_num_running(), q$get_num_done())
  expect_identical(sum(counts()), 3L)
  expect_false(q$is_idle())
  expect_true(wait_until(identical(counts(), c(2L, 1L, 0L))))
  gate$open()
  expect_true(wait_until(identical(counts(), c(0L, 0L, 3L))))
  pop_all(q)
  expect_identical(counts(), c(0L, 0L, 0L))
  expect_true(q$is_idle())
})

test_that("new() names an argument that cannot be, and leaves nothing behind", {
  before <- descendants()
  expect_input_error(task_q$new(-1), "num_workers")
  expect_input_error(task_q$new("2"), "num_workers")
  expect_input_error(task_q$new(2, init = 1), "init")
  expect_input_error(task_q$new(2, preload = "f"), "preload")
  expect_input_error(task_q$new(2, packages = 1), "packages")
  expect_input_error(task_q$new(2, globals = list(1)), "globals")
  expect_input_error(task_q$new(2, env = "x"), "env")
  expect_input_error(task_q$new(2, libpath = 1), "libpath")
  expect_input_error(task_q$new(2, wd = tempfile()), "wd")
  expect_input_error(task_q$new(2, name = 1), "name")
  for (nice in list(-1, 20, 1.5, NA, "10", 1:2, NULL)) expect_input_error(task_q$new(2, nice = nice), "nice")
  cnd <- caught(task_q$new(2, num_cores = 3))
  expect_identical(cnd$arg, "num_cores")
  expect_match(conditionMessage(cnd), "`num_workers`", fixed = TRUE)
  expect_identical(conditionCall(cnd)[[1L]], quote(task_q$new))
  expect_identical(setdiff(descendants(), before), integer())
})

test_that("a queue cannot be cloned", {
  expect_null(task_q$public_methods$clone)
  q <- task_q$new(0)
  expect_null(q$clone)
  q$close()
})

test_that("a queue that is not closed goes with the object", {
  before <- descendants()
  q <- task_q$new(2)
  q$push(function() Sys.sleep(60))
  expect_true(wait_until(q$get_num_running() == 1))
  pids <- setdiff(descendants(), before)
  expect_gt(length(pids), 0)
  rm(q)
  gc()
  expect_true(wait_until(!any(is_alive(pids))))
})
