test_that("poll(new = TRUE) tells of each task once, in the order of the pushes", {
  q <- local_queue(2)
  gate <- local_gate()
  q$push(gate$wait, list(gate$path), id = "slow")
  for (id in c("b", "a")) q$push(function() 1, id = id)
  expect_true(q$wait(c("a", "b"), timeout = 20000))
  expect_identical(q$poll(new = TRUE), c("b", "a"))
  expect_identical(q$poll(new = TRUE), character())
  expect_identical(q$poll(), c("b", "a"))
  q$push(function() 1, id = "c")
  expect_identical(q$poll(20000, new = TRUE), "c")
  expect_identical(q$poll(20, new = TRUE), character())
  gate$open()
  expect_identical(q$poll(20000, new = TRUE), "slow")
  expect_identical(q$poll(Inf, new = TRUE), character())
  expect_setequal(q$poll(), c("slow", "b", "a", "c"))
})

test_that("what is told of is not lost, and what was popped is not told of", {
  q <- local_queue(1)
  for (id in c("a", "b", "c")) q$push(function(id) id, list(id), id = id)
  q$wait(timeout = 20000)
  expect_identical(q$poll(new = TRUE), c("a", "b", "c"))
  expect_identical(q$pop(id = "b")$result, "b")
  q$push(function() 1, id = "d")
  q$push(function() 1, id = "e")
  q$wait(timeout = 20000)
  expect_identical(q$pop(id = "d")$result, 1)
  expect_identical(q$poll(new = TRUE), "e")
  # The same id is another task.
  q$push(function() 2, id = "b")
  expect_identical(q$poll(20000, new = TRUE), "b")
  expect_named(pop_all(q), c("a", "c", "e", "b"))
})

test_that("several loops share the news of a queue: each task comes to one of them", {
  q <- local_queue(2)
  q$push_many(function(i) i, lapply(1:200, list))
  seen <- list(character(), character())
  turn <- 0L
  while (length(ids <- q$poll(Inf, new = TRUE))) {
    turn <- turn + 1L
    loop <- turn %% 2L + 1L
    seen[[loop]] <- c(seen[[loop]], ids)
    if (turn == 1L) q$push_many(function(i) i, lapply(1:200, list))
  }
  expect_setequal(unlist(seen), paste0(".", 1:400))
  expect_identical(anyDuplicated(unlist(seen)), 0L)
  expect_gt(min(lengths(seen)), 0L)
})

test_that("failures, the ends of a closed queue and of one without workers are news, promises are not", {
  q <- local_queue(1)
  q$push(function() stop("no"), id = "bad")
  q$push(function() 1, id = "skipped", after = "bad")
  q$wait(timeout = 20000)
  expect_identical(q$poll(new = TRUE), c("bad", "skipped"))
  q$push(function() Sys.sleep(60), id = "long")
  q$close(grace = 0)
  expect_identical(q$poll(new = TRUE), "long")

  q <- local_queue(0)
  q$push(function() 1)
  expect_identical(q$poll(Inf, new = TRUE), ".1")
  expect_identical(q$poll(Inf, new = TRUE), character())

  skip_without_promises()
  q <- local_queue(1)
  seen <- watch_promise(q$promise(q$push(function() 1)))
  expect_identical(q$poll(20000, new = TRUE), character())
  expect_true(run_loop_until(seen$settled))
})

test_that("Ctrl-C while poll() waits for news loses none", {
  q <- local_queue(1)
  gate <- local_gate()
  q$push(function() 0, id = "quick")
  expect_identical(q$poll(20000, new = TRUE), "quick")
  id <- q$push(gate$wait, list(gate$path))
  got <- tryCatch({
    interrupt_in(0.2)
    q$poll(60000, new = TRUE)
  }, interrupt = function(cnd) "interrupted")
  expect_identical(got, "interrupted")
  gate$open()
  expect_identical(q$poll(20000, new = TRUE), id)
})

test_that("a finalizer that pops while poll() makes its answer leaves nothing in it that is gone", {
  q <- local_queue(0)
  popped <- character()
  told <- character()
  is_polling <- function() any(vapply(sys.calls(), function(call) identical(call[[1]], quote(tq_poll)), NA))
  for (i in 1:30) {
    q$push_many(function(i) i, lapply(1:5, list))
    gone <- character()
    reg.finalizer(new.env(), function(e) {
      # It may also run when poll() has ended already.
      was_polling <- is_polling()
      id <- q$pop()$task_id
      popped <<- c(popped, id)
      if (was_polling) gone <<- c(gone, id)
    })
    old <- gctorture2(30L)
    ids <- q$poll(new = TRUE)
    gctorture2(old)
    expect_false(any(gone %in% ids))
    told <- c(told, ids)
  }
  expect_gt(length(popped), 0L)
  expect_setequal(c(told, popped), paste0(".", 1:150))
  expect_identical(anyDuplicated(told), 0L)
})

test_that("`new` is TRUE or FALSE", {
  q <- local_queue(0)
  for (new in list(NA, 1, "yes", NULL)) expect_input_error(q$poll(new = new), "new")
})
