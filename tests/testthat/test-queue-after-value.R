test_that("a named `after` gives the value of that task as an argument, beside the others", {
  q <- local_queue(2)
  q$push(function() c(a = 1, b = 2), id = "load")
  q$push(function(y, x, z) list(x, y, z), list(1, z = 3), after = c(x = "load"), id = "use")
  use <- q$pop(20000, id = "use")
  expect_identical(use$result, list(c(a = 1, b = 2), 1, 3))
  load <- q$pop(20000, id = "load")
  expect_identical(load$result, c(a = 1, b = 2))
})

test_that("some of `after` may have names, and a task may be given the values of many", {
  q <- local_queue(2)
  ids <- q$push_many(function(i) i * 10, lapply(1:3, list))
  q$push(function() "unseen", id = "other")
  q$push(function(...) list(...), after = c(a = ids[1], "other", c = ids[3], b = ids[2]), id = "all")
  expect_identical(q$pop(20000, id = "all")$result, list(a = 10, c = 30, b = 20))
})

test_that("NULL, a condition, a function and a large object are values as any other", {
  q <- local_queue(1)
  makers <- list(
    function() NULL,
    function() simpleError("no error of the task"),
    function() function(x) x + 1,
    function() list(numbers = as.numeric(seq_len(2e6)), text = as.character(1:1e5)),
    function() structure(list(1), class = "made"),
    function() quote(a + b)
  )
  for (make in makers) {
    make <- global(make)
    q$push(make, id = "make")
    look <- global(function(x) list(identical(x, make()), typeof(x)))
    q$push(look, after = c(x = "make"), globals = list(make = make), id = "use")
    use <- q$pop(20000, id = "use")
    expect_null(use$error)
    if (typeof(make()) != "closure") expect_true(use$result[[1L]])
    expect_identical(use$result[[2L]], typeof(make()))
    expect_equal(q$pop(20000, id = "make")$result, make(), ignore_function_env = TRUE)
  }
})

test_that("what was popped before its dependant began is given all the same", {
  q <- local_queue(1)
  gate <- local_gate()
  q$push(function() as.numeric(seq_len(2e6)), id = "load")
  q$push(gate$wait, list(gate$path), id = "gate")
  q$push(function(x, g) c(sum(x), g), after = c(x = "load", g = "gate"), id = "use")
  expect_identical(sum(q$pop(20000, id = "load")$result), 2000001000000)
  q$push(function() "another of this id", id = "load")
  gate$open()
  expect_identical(q$pop(20000, id = "use")$result, c(2000001000000, 42))
})

test_that("a task that is done already gives its value, too, and can be changed without changing it", {
  q <- local_queue(1)
  q$push(function() list(as.numeric(seq_len(1e6)), 1:3), id = "load")
  q$wait(timeout = 20000)
  change <- function(x) {
    x[[1L]][1L] <- -1
    x[[1L]][1:2]
  }
  for (id in c("a", "b")) q$push(change, after = c(x = "load"), id = id)
  for (id in c("a", "b")) expect_identical(q$pop(20000, id = id)$result, c(-1, 2))
  expect_identical(q$pop(id = "load")$result, list(as.numeric(seq_len(1e6)), 1:3))
})

test_that("a shared object stays shared on its way to the next task", {
  q <- local_queue(2)
  q$push(function() taskq::share(list(as.numeric(seq_len(1e5)), data.frame(x = 1:5))), id = "load")
  q$push(function(x) list(sum(x[[1L]]), x[[2L]], taskq::share(x)), after = c(x = "load"), id = "use")
  use <- q$pop(20000, id = "use")
  expect_null(use$error)
  expect_identical(use$result[1:2], list(5000050000, data.frame(x = 1:5)))
  expect_identical(use$result[[3L]], q$pop(id = "load")$result)
})

test_that("where memory files are not available, or descriptors few, the value comes all the same", {
  values <- lapply(c("memfd", ""), function(without) {
    in_host(env = paste0("TASKQ_WITHOUT=", without), function() {
      q <- taskq::task_q$new(2)
      on.exit(q$kill())
      q$push(function() lapply(1:40, function(i) as.numeric(i + seq_len(1e5))), id = "load")
      q$push(function(x) vapply(x, sum, 0), after = c(x = "load"), id = "use")
      q$pop(30000, id = "use")$result
    })
  })
  expected <- vapply(1:40, function(i) sum(as.numeric(i + seq_len(1e5))), 0)
  expect_identical(values, list(expected, expected))
})

test_that("each try is given the value, also in another session", {
  q <- local_queue(1)
  q$push(function() as.numeric(seq_len(1e6)), id = "load")
  use <- function(x) {
    if (taskq::task_attempt() < 3) tools::pskill(Sys.getpid(), 9)
    length(x)
  }
  q$push(use, after = c(x = "load"), id = "use", tries = 3)
  expect_identical(q$pop(20000, id = "load")$status, "success")
  result <- q$pop(20000, id = "use")
  expect_identical(result$result, 1000000L)
  expect_identical(result$tries, 3L)
  q$push(function() 1, id = "load")
  q$push(function(x) x + 1, after = c(x = "load"), id = "alone", isolate = TRUE)
  expect_identical(q$pop(20000, id = "alone")$result, 2)
})

test_that("a task is skipped when that whose value it needs does not succeed", {
  q <- local_queue(1)
  q$push(function() stop("no"), id = "bad")
  q$push(function(x) x, after = c(x = "bad"), id = "use")
  q$push(function(x) x, after = c(x = "use"), id = "last")
  expect_identical(q$pop(20000, id = "use")$error$after, "bad")
  expect_identical(q$pop(20000, id = "last")$error$after, "use")
  q$push(function(x) x, after = c(x = "bad"), id = "late")
  expect_identical(q$pop(20000, id = "late")$status, "skipped")
})

test_that("values go on through a chain of tasks, and many tasks share one", {
  q <- local_queue(2)
  q$push(function() 1, id = "0")
  for (i in 1:50) q$push(function(x) x + 1, after = c(x = as.character(i - 1)), id = as.character(i))
  expect_identical(q$pop(20000, id = "50")$result, 51)
  ids <- q$push_many(function(i, x) x[i], lapply(1:20, list), after = c(x = "49"))
  expect_identical(unlist(q$collect(ids[1], progress = FALSE)$result), 50)
  expect_true(all(is.na(unlist(q$collect(ids[-1], progress = FALSE)$result))))
})

test_that("a task that is cancelled, or superseded, lets go of the value it was to be given", {
  q <- local_queue(1)
  q$push(function() 1, id = "load")
  q$wait(timeout = 20000)
  q$pause()
  q$push(function(x) x, after = c(x = "load"), id = "old", replace = "key")
  q$push(function(x) x + 1, after = c(x = "load"), id = "new", replace = "key")
  expect_identical(q$pop(20000, id = "old")$status, "cancelled")
  q$resume()
  expect_identical(q$pop(20000, id = "new")$result, 2)
})

test_that("a queue without workers gives values, too", {
  q <- local_queue(0)
  q$push(function() 20, id = "load")
  q$push(function(x, y) x + y, list(y = 1), after = c(x = "load"), id = "use")
  expect_identical(q$pop(id = "use")$result, 21)
  q$pause()
  q$push(function() 1, id = "one")
  q$push(function(x) x + 1, after = c(x = "one"), id = "two")
  q$resume()
  expect_identical(q$pop(id = "two")$result, 2)
})

test_that("run() and extended tasks give values as push()", {
  skip_without_promises()
  q <- local_queue(1)
  q$push(function() 5, id = "load")
  expect_identical(await(q$run(function(x) x * 2, after = c(x = "load"))), 10)
})

test_that("an argument is given once, and a name of `after` is that of one argument", {
  q <- local_queue(1)
  for (id in c("a", "b")) q$push(function() 1, id = id)
  f <- function(x) x
  expect_input_error(q$push(f, list(x = 1), after = c(x = "a")), "after")
  expect_input_error(q$push_many(f, list(list(), list(x = 1)), after = c(x = "a")), "after")
  expect_input_error(q$push(f, after = c(x = "a", x = "b")), "after") # nolint: duplicate_argument_linter.
  cnd <- caught(q$push(f, after = c(x = "nobody")))
  expect_s3_class(cnd, "taskq_error_unknown")
  expect_identical(q$get_num_done() + q$get_num_waiting() + q$get_num_running(), 2L)
  # One that the function does not have is an error of the task.
  q$push(f, after = c(y = "a"), id = "c")
  result <- q$pop(20000, id = "c")
  expect_match(conditionMessage(result$error), "unused argument")
})
