test_that("is_closed() is TRUE from close() or kill() on", {
  q <- local_queue(1)
  expect_false(q$is_closed())
  q$pause()
  expect_false(q$is_closed())
  q$close()
  expect_true(q$is_closed())
  for (num_workers in 0:1) {
    q <- local_queue(num_workers)
    expect_false(q$is_closed())
    q$kill()
    expect_true(q$is_closed())
  }
})

test_that("is_closed() tells of a queue that was saved and restored, and not of one that failed", {
  q <- local_queue(1, init = function() stop("no"))
  expect_s3_class(caught(repeat q$push(function() 1)), "taskq_error_start")
  expect_false(q$is_closed())
  expect_true(unserialize(serialize(q, NULL))$is_closed())
})

test_that("get_num_free() counts the sessions that are ready and run nothing", {
  q <- local_queue(2)
  gate <- local_gate()
  expect_true(wait_until(q$get_num_free() == 2L))
  expect_type(q$get_num_free(), "integer")
  q$push_many(gate$wait, list(list(gate$path)))
  expect_true(wait_until(q$get_num_free() == 1L))
  q$push_many(gate$wait, rep(list(list(gate$path)), 2))
  expect_identical(q$get_num_free(), 0L)
  gate$open()
  q$wait(timeout = 20000)
  expect_identical(q$get_num_free(), 2L)
  q$close()
  expect_identical(q$get_num_free(), 0L)
})

test_that("a session that starts is not free, and a queue without workers has none", {
  gate <- local_gate()
  q <- local_queue(1, globals = gate["path"], init = function() while (!file.exists(path)) Sys.sleep(0.005))
  expect_identical(q$get_num_free(), 0L)
  gate$open()
  expect_true(wait_until(q$get_num_free() == 1L))
  expect_identical(local_queue(0)$get_num_free(), 0L)
})
