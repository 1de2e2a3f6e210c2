# Pushes while the queue is paused, and says in which order the tags were begun by one worker.
begun_tags <- function(q, ids) {
  q$resume()
  frame <- q$collect(ids)
  expect_identical(unique(frame$status), "success")
  started <- vapply(frame$times, function(times) as.numeric(times[["started"]]), 0)
  expect_false(anyDuplicated(started) > 0L)
  paste(sub("[0-9]+$", "", frame$task_id[order(started)]), collapse = "")
}

push_tagged <- function(q, tag, n, ...) {
  vapply(seq_len(n), function(k) q$push(function() Sys.sleep(0.002), id = paste0(tag, k), tag = tag, ...), "")
}

test_that("tags take turns in a fair queue, and priority still wins", {
  q <- local_queue(1, fair = TRUE)
  q$pause()
  ids <- c(push_tagged(q, "a", 12), push_tagged(q, "b", 3), push_tagged(q, "c", 3),
    push_tagged(q, "u", 2, priority = 1))
  expect_identical(begun_tags(q, ids), paste0("uu", strrep("abc", 3), strrep("a", 9)))
})

test_that("one who pushes many does not hold up one who comes while they run", {
  q <- local_queue(1, fair = TRUE)
  gate <- local_gate()
  q$push(gate$wait, list(gate$path), id = "gate", tag = "a")
  expect_true(wait_until(q$get_num_running() == 1L))
  ids <- push_tagged(q, "a", 30)
  few <- push_tagged(q, "b", 2)
  expect_identical(vapply(few, function(id) q$position(id)$position, 0L, USE.NAMES = FALSE), c(2L, 4L))
  gate$open()
  expect_true(q$wait())
  expect_identical(begun_tags(q, c(ids, few)), paste0("abab", strrep("a", 28)))
})

test_that("push_many() and tasks without a tag take turns, too", {
  q <- local_queue(1, fair = TRUE)
  q$pause()
  nap <- function() Sys.sleep(0.002)
  q$push_many(nap, rep(list(list()), 4), ids = paste0("n", 1:4))
  q$push_many(nap, rep(list(list()), 2), ids = paste0("t", 1:2), tag = "t")
  expect_identical(begun_tags(q, NULL), "ntntnn")
})

test_that("what was cancelled leaves no debt", {
  q <- local_queue(1, fair = TRUE)
  q$pause()
  ids <- c(push_tagged(q, "a", 20), push_tagged(q, "b", 4))
  q$cancel(paste0("a", 1:16))
  expect_identical(begun_tags(q, setdiff(ids, paste0("a", 1:16))), "abababab")
})

test_that("without fair the older push comes first", {
  q <- local_queue(1)
  q$pause()
  ids <- c(push_tagged(q, "a", 6), push_tagged(q, "b", 2))
  expect_identical(begun_tags(q, ids), "aaaaaabb")
})

test_that("position() counts those that come before, and estimates the wait", {
  q <- local_queue(1)
  first <- local_gate()
  q$push(first$wait, list(first$path), id = "first")
  expect_true(wait_until(q$get_num_running() == 1L))
  q$push(function() 1, id = "second")
  expect_identical(q$position("second"), list(position = 1L, wait = NA_real_))
  first$open()
  expect_true(q$wait())
  expect_identical(q$position("first"), list(position = NA_integer_, wait = NA_real_))
  q$collect()
  run_task(q, function() Sys.sleep(0.3))
  gate <- local_gate()
  q$push(gate$wait, list(gate$path), id = "runs")
  expect_true(wait_until(q$get_num_running() == 1L))
  for (id in c("x", "y", "z")) q$push(function() 1, id = id)
  q$push(function() 1, id = "urgent", priority = 1)
  q$push(function() 1, id = "held", after = "runs")
  expect_identical(q$position("runs"), list(position = 0L, wait = 0))
  places <- lapply(c("urgent", "x", "y", "z", "held"), q$position)
  expect_identical(vapply(places, `[[`, 0L, "position"), 1:5)
  waits <- vapply(places, `[[`, 0, "wait")
  expect_equal(waits, waits[[1L]] * 1:5)
  # An eighth of the 300 ms, at least.
  expect_gt(waits[[1L]], 30)
  expect_lt(waits[[1L]], 5000)

  q$pause()
  expect_identical(q$position("y"), list(position = 3L, wait = Inf))
  q$resume()
  q$resize(0)
  expect_identical(q$position("y"), list(position = 3L, wait = Inf))
  q$resize(1)
  cnd <- caught(q$position("nobody"))
  expect_s3_class(cnd, "taskq_error_unknown")
  expect_identical(cnd$ids, "nobody")
  expect_input_error(q$position(1), "id")
  gate$open()
  expect_true(q$wait())
  expect_identical(q$position("z")$position, NA_integer_)
})

test_that("an inline queue may be fair, and has positions", {
  q <- task_q$new(0, fair = TRUE)
  q$push(function() 1, id = "done", tag = "a")
  expect_identical(q$position("done"), list(position = NA_integer_, wait = NA_real_))
  q$pause()
  for (id in c("a1", "a2", "b1")) q$push(function() 1, id = id, tag = substr(id, 1, 1))
  places <- lapply(c("a1", "a2", "b1"), q$position)
  expect_identical(vapply(places, `[[`, 0L, "position"), c(1L, 3L, 2L))
  expect_identical(vapply(places, `[[`, 0, "wait"), rep(Inf, 3))
  q$resume()
  expect_true(q$wait())
  expect_identical(nrow(q$collect()), 4L)
  q$close()
})
