test_that("one call queues a task for each list of arguments, and gives their ids in order", {
  q <- local_queue(2)
  ids <- q$push_many(function(x, y) x - y, list(list(5, 1), list(y = 5, x = 1), list(2, 2)))
  expect_identical(ids, c(".1", ".2", ".3"))
  expect_invisible(q$push_many(sum, list()))
  expect_identical(q$push_many(sum, list()), character())
  frame <- q$collect(ids)
  expect_identical(frame$result, list(4, -4, 0))
  expect_identical(q$push_many(sum, list(list(), list(1, 2)), ids = c("a", "caf\u00e9")), c("a", "caf\u00e9"))
  expect_identical(q$collect(c("caf\u00e9", "a"))$result, list(3, 0L))
  expect_identical(q$push_many(function() NULL, rep(list(list()), 3)), c(".4", ".5", ".6"))
  expect_identical(q$collect(c(".4", ".5", ".6"))$status, rep("success", 3))
})

test_that("every task of very many runs once", {
  q <- local_queue(2)
  n <- 20000L
  ids <- q$push_many(function(i) i, lapply(seq_len(n), list))
  expect_length(unique(ids), n)
  frame <- q$collect(ids)
  expect_identical(unlist(frame$result), seq_len(n))
  expect_true(all(frame$tries == 1L))
})

test_that("all are queued or none", {
  q <- local_queue(1)
  q$push(function() 1, id = "here")
  two <- list(list(1), list(2))
  for (ids in list(c("a", "here"), c("a", "a"))) {
    cnd <- caught(q$push_many(sum, two, ids = ids))
    expect_identical(class(cnd), c("taskq_error_duplicate", "taskq_error", "error", "condition"))
    expect_identical(cnd$id, ids[[2L]])
    expect_identical(conditionCall(cnd)[[1L]], quote(q$push_many))
  }
  cnd <- caught(q$push_many(sum, two, after = "nobody"))
  expect_s3_class(cnd, "taskq_error_unknown")
  expect_input_error(q$push_many(1, two), "fun")
  expect_input_error(q$push_many(sum), "args_list")
  for (args in list(1:2, list(1, 2), list(list(1), 2), mtcars, list(list(1), mtcars$mpg), "a")) {
    expect_input_error(q$push_many(sum, args), "args_list")
  }
  for (ids in list("a", c("a", NA), c("a", ""), c("a", ".idle-1"), c("a", strrep("x", 10001)), 1:2)) {
    expect_input_error(q$push_many(sum, two, ids = ids), "ids")
  }
  for (keys in list("a", c("a", "a"), c("a", NA))) {
    expect_input_error(q$push_many(sum, two, replace = keys), "replace")
  }
  expect_input_error(q$push_many(sum, two, limit = 1), "limit")
  expect_input_error(q$push_many(sum, two, priority = "high"), "priority")
  expect_true(q$wait())
  expect_identical(q$poll(), "here")
})

test_that("a data frame among the lists is a list of its columns, as in push()", {
  q <- local_queue(1)
  q$push_many(function(x, y) sum(x, y), list(data.frame(x = 1:2, y = 3), pairlist(1, 2)))
  expect_identical(lapply(pop_all(q), function(x) x$result), list(`.1` = 9, `.2` = 3))
})

test_that("all options of push() hold for every task", {
  q <- local_queue(1)
  gate <- local_gate()
  first <- q$push(gate$wait, list(gate$path), id = "first")
  low <- q$push_many(function(i) i, list(list(1), list(2)), tag = "low", after = "first")
  high <- q$push_many(function(i) word, list(list(1), list(2)), priority = 1L, globals = list(word = "hi"),
    tag = "high")
  rows <- q$list_tasks(idle = FALSE)
  expect_identical(rows$tag, c(NA, "low", "low", "high", "high"))
  expect_identical(rows$priority, c(0L, 0L, 0L, 1L, 1L))
  gate$open()
  frame <- q$collect(c(first, low, high))
  expect_identical(frame$result, list(42, 1, 2, "hi", "hi"))
  finished <- vapply(frame$times, function(times) as.double(times[["finished"]]), 0)
  expect_lt(max(finished[4:5]), min(finished[2:3]))
  q$push_many(function() Sys.sleep(100), rep(list(list()), 2), timeout = 50)
  expect_identical(q$collect()$status, c("timeout", "timeout"))
  q$push_many(function() if (taskq::task_attempt() < 3) quit("no", 9), rep(list(list()), 2), tries = 3)
  frame <- q$collect()
  expect_identical(frame$status, c("success", "success"))
  expect_identical(frame$tries, c(3L, 3L))
})

test_that("each task has its own random stream, whether from a number or a state", {
  q <- local_queue(2)
  draw <- global(function() runif(2))
  state <- c(10407L, rs_random_stream(7L, 0))
  none <- rep(list(list()), 3)
  from_number <- q$collect(q$push_many(draw, none, seed = 7))$result
  expect_length(unique(from_number), 3L)
  expect_identical(q$collect(q$push_many(draw, none, seed = state))$result, from_number)
  third <- parallel::nextRNGStream(parallel::nextRNGStream(state))
  expect_null(run_task(q, draw)$error)
  q$push(draw, seed = third)
  expect_identical(q$pop(20000)$result, from_number[[3L]])
  q$push(draw, seed = 7)
  expect_identical(q$pop(20000)$result, from_number[[1L]])
})

test_that("a key takes the place of an older task", {
  q <- local_queue(1)
  gate <- local_gate()
  q$push(gate$wait, list(gate$path))
  old <- q$push(function() "old", replace = "k2")
  new <- q$push_many(function(i) i, list(list(1), list(2)), replace = c("k1", "k2"))
  gate$open()
  frame <- q$collect(c(old, new))
  expect_identical(frame$status, c("cancelled", "success", "success"))
})

test_that("with max_waiting there is room for all of them or for none, and who is refused uses up no ids", {
  q <- local_queue(1, max_waiting = 3)
  gate <- local_gate()
  expect_identical(q$push(gate$wait, list(gate$path)), ".1")
  expect_true(wait_until(q$get_num_running() == 1L))
  q$push(function() 0)
  three <- rep(list(list()), 3)
  expect_null(q$push_many(function() 1, three, block = FALSE))
  expect_identical(q$get_num_waiting(), 1L)
  expect_input_error(q$push_many(function() 1, rep(three, 2)), "args_list")
  expect_identical(q$push_many(function() 1, three[1:2], block = FALSE), c(".3", ".4"))
  expect_null(q$push(function() 1, block = FALSE))
  # Somebody opens the gate while this waits.
  system2("sh", c("-c", shQuote(sprintf("sleep 0.3; touch %s", shQuote(gate$path)))), wait = FALSE)
  expect_identical(q$push_many(function() 2, three), c(".5", ".6", ".7"))
  expect_identical(sort(unlist(q$collect()$result)), c(0, 1, 1, 2, 2, 2, 42))
})

test_that("an inline queue runs them in order, and a closed one refuses them", {
  q <- local_queue(0)
  ids <- q$push_many(function(i) i, list(list(1), list(2)))
  expect_identical(lapply(pop_all(q), function(x) x$result), list(`.1` = 1, `.2` = 2))
  q$close()
  expect_s3_class(caught(q$push_many(sum, list(list(1)))), "taskq_error_closed")
  expect_s3_class(caught(q$push_many(sum, list())), "taskq_error_closed")
})
