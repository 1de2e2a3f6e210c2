test_that("an empty queue answers at once", {
  q <- local_queue(1)
  took <- system.time({
    expect_null(q$pop(Inf))
    expect_null(q$pop(5000))
    expect_identical(q$poll(Inf), character())
    expect_identical(q$poll(), character())
  })[["elapsed"]]
  expect_lt(took, 2)
})

test_that("a time that is over gives NULL and no ids, in milliseconds", {
  q <- local_queue(1)
  q$push(function() Sys.sleep(30))
  expect_lt(system.time(expect_null(q$pop(0)))[["elapsed"]], 0.5)
  took <- system.time(expect_identical(q$poll(500), character()))[["elapsed"]]
  expect_gte(took, 0.45)
  expect_lt(took, 2)
  took <- system.time(expect_null(q$pop(as.difftime(0.3, units = "secs"))))[["elapsed"]]
  expect_gte(took, 0.25)
  expect_lt(took, 2)
})

test_that("poll() does not remove, and gives the oldest first", {
  q <- local_queue(2)
  gate <- local_gate()
  q$push(gate$wait, list(gate$path), id = "slow")
  q$push(function() 1, id = "b")
  q$push(function() 1, id = "a")
  expect_identical(q$poll(20000)[1L], "b")
  expect_true(wait_until(identical(q$poll(), c("b", "a"))))
  gate$open()
  expect_true(wait_until(length(q$poll()) == 3))
  expect_identical(q$poll(), c("slow", "b", "a"))
  expect_identical(q$poll(Inf), c("slow", "b", "a"))
  expect_identical(q$pop()$task_id, "slow")
  expect_identical(q$pop(Inf)$task_id, "b")
  expect_identical(q$pop(1000)$task_id, "a")
  expect_null(q$pop())
})

test_that("one worker runs tasks in the order of push()", {
  q <- local_queue(1)
  for (i in 1:20) q$push(function() Sys.time())
  results <- pop_all(q)
  times <- vapply(results[paste0(".", 1:20)], function(x) as.numeric(x$result), 0)
  expect_false(is.unsorted(times))
})

test_that("durations are checked", {
  q <- local_queue(1)
  q$push(function() 1)
  for (timeout in list(NA, -1, "1", NULL, c(1, 2), Sys.time())) {
    expect_input_error(q$pop(timeout), "timeout")
    expect_input_error(q$poll(timeout), "timeout")
  }
  expect_identical(q$pop(1e12)$result, 1)
})

test_that("Ctrl-C in pop() loses nothing", {
  q <- local_queue(1)
  gate <- local_gate()
  q$push(gate$wait, list(gate$path))
  got <- tryCatch({
    interrupt_in(0.2)
    q$pop(60000)
  }, interrupt = function(cnd) "interrupted")
  expect_identical(got, "interrupted")
  gate$open()
  expect_identical(q$pop(20000)$result, 42)
})

test_that("a finalizer that pops while pop() builds its result loses and doubles nothing", {
  q <- local_queue(1)
  for (i in 1:200) q$push(function(i) i, list(i))
  seen <- integer()
  note <- function(result) if (!is.null(result)) seen <<- c(seen, result$result)
  while (!q$is_idle()) {
    reg.finalizer(new.env(), function(e) note(q$pop()))
    note(q$pop(20000))
  }
  gc()
  expect_identical(sort(seen), 1:200)
})
