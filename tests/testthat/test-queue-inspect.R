test_that("rows that are running or ready are as many as there are workers", {
  q <- local_queue(2)
  balanced <- function() {
    tasks <- q$list_tasks()
    identical(sum(tasks$state %in% c("running", "ready")), 2L)
  }
  for (i in 1:40) q$push(function() Sys.sleep(runif(1, 0, 0.02)))
  checks <- 0
  while (!q$is_idle()) {
    expect_true(balanced())
    checks <- checks + 1
    q$pop(5)
  }
  expect_true(balanced())
  expect_gt(checks, 3)
  expect_true(wait_until(identical(q$list_tasks()$state, c("ready", "ready"))))
})

test_that("a task shows its function, arguments, worker and result as it moves on", {
  q <- local_queue(1)
  gate <- local_gate()
  q$push(function(x, path) {
    while (!file.exists(path)) Sys.sleep(0.005)
    x
  }, list(x = 5, path = gate$path), id = "a")
  q$push(function(x) x, list(6), id = "b")
  expect_true(wait_until(q$get_num_running() == 1))
  tasks <- q$list_tasks()
  expect_identical(tasks$id, c("a", "b", ".idle-1"))
  expect_identical(tasks$state, c("running", "waiting", "waiting"))
  expect_type(tasks$worker[[1L]], "integer")
  expect_null(tasks$worker[[2L]])
  expect_type(tasks$fun[[1L]], "closure")
  expect_identical(tasks$args[[1L]], list(x = 5, path = gate$path))
  expect_null(tasks$result[[1L]])
  expect_identical(tasks$status, rep(NA_character_, 3))
  gate$open()
  expect_true(wait_until(q$get_num_done() == 2))
  tasks <- q$list_tasks()
  expect_identical(tasks$state, c("done", "done", "ready"))
  expect_identical(tasks$status, c("success", "success", NA))
  expect_s3_class(tasks$result[[1L]], "taskq_result")
  expect_identical(tasks$result[[1L]]$result, 5)
  expect_null(tasks$worker[[1L]])
  expect_false(is.unsorted(c(tasks$queued_at[1L], tasks$started_at[1L], tasks$finished_at[1L])))
  expect_lt(abs(as.numeric(Sys.time()) - as.numeric(tasks$queued_at[1L])), 60)
  expect_identical(q$list_tasks(idle = FALSE)$id, c("a", "b"))
  expect_null(q$list_tasks(payload = FALSE)$fun[[1L]])
  expect_input_error(q$list_tasks(idle = NA), "idle")
})

test_that("an idle row is running while its session boots", {
  q <- local_queue(1, init = function() Sys.sleep(0.5))
  expect_identical(q$list_tasks()$state, "running")
  expect_true(wait_until(identical(q$list_tasks()$state, "ready")))
})

test_that("the workers are listed", {
  q <- local_queue(2)
  gate <- local_gate()
  q$push(gate$wait, list(gate$path), id = "a")
  expect_true(wait_until(q$get_num_running() == 1 && all(q$list_workers()$state != "starting")))
  workers <- q$list_workers()
  expect_setequal(workers$state, c("busy", "idle"))
  expect_identical(workers$task_id[workers$state == "busy"], "a")
  expect_true(all(is_alive(workers$worker)))
  expect_gt(min(workers$rss), 1e6)
  gate$open()
  result <- q$pop(20000)
  expect_true(result$worker %in% workers$worker)
  expect_identical(sum(q$list_workers()$tasks_done), 1L)
})

test_that("a queue prints its name, its state and its counts", {
  q <- local_queue(2, name = "demo")
  q$push(function() 1)
  expect_output(print(q), "demo")
  expect_output(print(q), "workers: 2")
  expect_true(wait_until(q$get_num_done() == 1))
  expect_output(print(q), "0 waiting, 0 running, 1 done")
  capture.output(expect_invisible(print(q)))
  q$close()
  expect_output(print(q), "closed")
})

test_that("O9: tables and summaries show one moment, whatever goes on meanwhile", {
  skip_on_cran()
  q <- local_queue(2)
  expect_true(wait_until(identical(q$list_tasks()$state, c("ready", "ready"))))
  check <- function(tasks) {
    is_at_work <- tasks$state %in% c("running", "ready")
    pids <- unlist(tasks$worker[is_at_work])
    c(sum(is_at_work) == 2L, length(pids) == 2L, !anyDuplicated(pids))
  }
  # Until a look at two moments in turn would have shown itself some times.
  end <- Sys.time() + 5
  looks <- 0
  bad <- character()
  while (Sys.time() < end) {
    q$push_many(function() for (k in 1:3000) k, rep(list(list()), 20))
    while (q$get_num_done() < 20) {
      looks <- looks + 1
      if (!all(check(q$list_tasks(payload = FALSE)))) bad <- c(bad, "list_tasks()")
      tasks <- q$list_tasks()
      has_result <- lengths(tasks$result) > 0L
      if (!all(check(tasks)) || !identical(has_result, tasks$state %in% "done")) bad <- c(bad, "payload")
      counts <- summary(q)$tasks
      if (counts[["pushed"]] != sum(counts[c("waiting", "running", "done", "popped")])) bad <- c(bad, "summary()")
    }
    q$collect()
  }
  expect_gt(looks, 50)
  expect_identical(bad, character())
})
