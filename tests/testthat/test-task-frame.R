columns <- c("id", "idle", "state", "fun", "args", "worker", "result", "status", "tag", "priority",
  "tries", "progress", "message", "queued_at", "started_at", "finished_at")

some_view <- function() {
  list(
    serial = c(1, 2), id = c("a", ".1"), state = c("running", "done"), worker = c(11L, 12L),
    status = c(NA, "success"), tag = c("t", NA), priority = c(0L, 2L), progress = c(0.5, NA),
    message = c("half", NA), tries = c(1L, 1L), queued = c(1, 2), started = c(3, 4),
    finished = c(NA, 5)
  )
}

some_seats <- function() {
  list(
    seat = 1:3, state = c("waiting", "ready", "running"), worker = c(11L, 12L, 13L),
    task = c("a", NA, NA), tasks_done = c(0L, 1L, 0L), started = c(1, 1, 2), rss = c(1e6, 2e6, NA),
    cpu = c(0.1, 0.2, NA), activity = c("busy", "idle", "starting")
  )
}

test_that("the columns have their names, order and types, with and without rows", {
  none <- tq_task_frame(lapply(some_view(), `[`, 0L))
  some <- tq_task_frame(some_view(), some_seats())
  for (frame in list(none, some)) {
    expect_s3_class(frame, "tbl_df")
    expect_s3_class(frame, "data.frame")
    expect_named(frame, columns)
    types <- vapply(frame, function(column) class(column)[1L], "")
    expect_identical(unname(types), c("character", "logical", "character", "list", "list", "list",
      "list", "character", "character", "integer", "integer", "numeric", "character", "POSIXct",
      "POSIXct", "POSIXct"))
  }
  expect_identical(nrow(none), 0L)
  expect_identical(nrow(some), 5L)
})

test_that("tasks come first, then a row for each worker", {
  objects <- list(fun = list(sum, NULL), args = list(list(1), NULL), result = list(NULL, NULL))
  frame <- tq_task_frame(some_view(), some_seats(), objects)
  expect_identical(frame$id, c("a", ".1", ".idle-1", ".idle-2", ".idle-3"))
  expect_identical(frame$idle, c(FALSE, FALSE, TRUE, TRUE, TRUE))
  expect_identical(frame$worker, list(11L, NULL, NULL, 12L, 13L))
  expect_identical(frame$fun[[1L]], sum)
  expect_identical(frame$args[[1L]], list(1))
  expect_identical(sum(frame$state %in% c("running", "ready")), 3L)
  expect_identical(as.numeric(frame$finished_at), c(NA, 5, NA, NA, NA))
})

test_that("the table prints with and without tibble", {
  objects <- list(fun = list(function(x) x, NULL), args = list(list(mtcars), NULL), result = list(NULL, NULL))
  frame <- tq_task_frame(some_view(), some_seats(), objects)
  cells <- vapply(list(sum, NULL, list(1, 2), 12L, mtcars), tq_format_cell, "")
  expect_identical(cells, c("<fn>", "", "<list [2]>", "12", "<data.frame [11]>"))
  expect_output(print(frame), ".idle-1", fixed = TRUE)
  expect_output(tq_print_plain(frame, "tasks"), ".idle-3", fixed = TRUE)
  expect_output(tq_print_plain(frame, "tasks"), "# empty: result")
  expect_output(tq_print_plain(frame, "tasks", n = 2L), "# ... 3 more", fixed = TRUE)
  expect_output(tq_print_plain(frame[0L, ], "tasks"), "# 0 tasks")
  expect_output(tq_print_plain(frame[c("id", "fun")], "tasks"), "<fn>", fixed = TRUE)
  capture.output(expect_invisible(print(frame)))
})

test_that("the table of workers has its columns", {
  frame <- tq_worker_frame(some_seats())
  expect_named(frame, c("worker", "state", "task_id", "tasks_done", "started_at", "rss", "cpu"))
  expect_identical(frame$state, c("busy", "idle", "starting"))
  expect_s3_class(frame$started_at, "POSIXct")
  expect_identical(nrow(tq_worker_frame(lapply(some_seats(), `[`, 0L))), 0L)
})
