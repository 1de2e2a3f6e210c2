test_that("an inline queue gives the results that workers give", {
  q <- task_q$new(0)
  expect_identical(q$push(function(x) x + 1, list(1)), ".1")
  expect_identical(q$push(function() stop("no"), id = "bad"), "bad")
  expect_identical(q$poll(), c(".1", "bad"))
  good <- q$pop()
  expect_identical(good$result, 2)
  expect_identical(good$status, "success")
  bad <- q$pop(Inf)
  expect_s3_class(bad$error, "taskq_error_task")
  expect_identical(conditionMessage(bad$error$parent), "no")
  expect_true(q$is_idle())
  expect_null(q$pop(Inf))
  expect_identical(nrow(q$list_workers()), 0L)
  q$close()
  expect_s3_class(caught(q$push(sum)), "taskq_error_closed")
})

test_that("output is captured, also around a sink that the task leaves", {
  q <- task_q$new(0)
  depth <- sink.number()
  messages <- sink.number("message")
  connections <- getAllConnections()
  path <- tempfile()
  q$push(function(path) {
    cat("out\n")
    message("err")
    sink(path)
    cat("elsewhere")
  }, list(path))
  result <- q$pop()
  expect_identical(result$stdout, "out\n")
  expect_identical(result$stderr, "err\n")
  expect_identical(sink.number(), depth)
  expect_identical(sink.number("message"), messages)
  expect_identical(getAllConnections(), connections)
  unlink(path)
  q$close()
})

test_that("globals, env and wd hold inside a task only", {
  q <- task_q$new(0, globals = list(k = 5, twice = function(x) 2 * x), env = c(TASKQ_TEST = "yes"),
    wd = tempdir())
  wd <- getwd()
  q$push(global(function() list(twice(k), Sys.getenv("TASKQ_TEST"), getwd(), taskq::task_id())))
  value <- q$pop()$result
  expect_identical(value[[1L]], 10)
  expect_identical(value[[2L]], "yes")
  expect_identical(value[[3L]], normalizePath(tempdir()))
  expect_identical(value[[4L]], ".1")
  expect_identical(Sys.getenv("TASKQ_TEST"), "")
  expect_identical(getwd(), wd)
  expect_null(task_id())
  expect_false(exists("twice", envir = globalenv(), inherits = FALSE))
  q$close()
})

test_that("functions of the global environment find `globals` wherever they come in, as in sessions", {
  in_global <- list(
    tq_test_call = global(function(f) f()),
    tq_test_add = global(function() tq_test_n + 1),
    tq_test_deep = global(function() tq_test_add() + tq_test_n)
  )
  list2env(in_global, globalenv())
  on.exit(rm(list = names(in_global), envir = globalenv()))
  seen <- lapply(c(0, 1), function(workers) {
    q <- local_queue(workers, globals = list(tq_test_n = 10, tq_test_add = in_global$tq_test_add))
    make <- eval(quote(function(f) {
      again <- function() f()
      function() again()
    }), globalenv())
    add <- in_global$tq_test_add
    of_frame <- eval(bquote(local({
      f <- .(add)
      function() f()
    })), globalenv())
    value <- function(...) {
      q$push(...)
      result <- q$pop(3e4)
      if (is.null(result$error)) result$result else conditionMessage(result$error)
    }
    list(
      global_of_queue = value(global(function() tq_test_add())),
      globals_of_task = value(global(function() tq_test_deep()), globals = in_global["tq_test_deep"]),
      new_value = value(global(function() tq_test_deep()), globals = c(tq_test_n = 1, in_global["tq_test_deep"])),
      argument = value(in_global$tq_test_call, list(add)),
      in_argument = value(global(function(x) x$list[[1]]()), list(list(list = list(add)))),
      captured = value(make(add)),
      of_frame = value(global(function(f) f()), list(of_frame)),
      formula = value(global(function(x) eval(x[[2]], environment(x))), list(eval(quote(~tq_test_n), globalenv()))),
      map = q$map(1:2, global(function(i, f) f() + i), list(add)),
      auto = value(global(function() tq_test_deep()), globals = "auto")
    )
  })
  expect_identical(seen[[1L]], seen[[2L]])
  expect_identical(seen[[1L]][["globals_of_task"]], 21)
  expect_identical(environment(in_global$tq_test_add), globalenv())
})

test_that("a frame of the user that `init` keeps whole stays as it is", {
  frame <- new.env(parent = globalenv())
  init <- eval(quote({
    self <- environment()
    function() self$n <- 1
  }), frame)
  q <- task_q$new(0, init = init, globals = list(tq_test_n = 1))
  q$push(sum, list(1))
  expect_identical(parent.env(frame), globalenv())
  q$close()
})

test_that("environment variables that `env` does not name stay as the task has left them", {
  on.exit(Sys.unsetenv(c("TASKQ_LEFT", "TASKQ_ALSO_LEFT")))
  for (env in list(character(), c(TASKQ_TEST = "yes"))) {
    q <- task_q$new(0, env = env)
    Sys.setenv(TASKQ_LEFT = "before")
    q$push(function() Sys.setenv(TASKQ_LEFT = "after", TASKQ_ALSO_LEFT = "after", TASKQ_TEST = "no"))
    expect_identical(q$pop()$status, "success")
    expect_identical(Sys.getenv(c("TASKQ_LEFT", "TASKQ_ALSO_LEFT"), names = FALSE), c("after", "after"))
    expect_identical(Sys.getenv("TASKQ_TEST"), if (length(env)) "" else "no")
    Sys.unsetenv("TASKQ_TEST")
    q$close()
  }
})

# In a process of its own: what is not put back would break the tests that follow.
test_that("a queue whose directory is gone says so in the result, and leaves the session as it was", {
  got <- in_host(function() {
    dir <- tempfile()
    dir.create(dir)
    q <- taskq::task_q$new(0, wd = dir, env = c(TASKQ_TEST = "yes"))
    unlink(dir, recursive = TRUE)
    set.seed(1)
    state <- .Random.seed
    before <- list(getwd(), sink.number(), sink.number("message"), getAllConnections())
    q$push(function() 1)
    after <- list(getwd(), sink.number(), sink.number("message"), getAllConnections())
    counts <- c(q$get_num_running(), q$get_num_done())
    list(before = before, after = after, id = taskq::task_id(), env = Sys.getenv("TASKQ_TEST"), counts = counts,
      random = identical(state, .Random.seed), result = q$pop(), idle = q$is_idle())
  })
  expect_identical(got$after, got$before)
  expect_null(got$id)
  expect_identical(got$env, "")
  expect_true(got$random)
  expect_identical(got$counts, c(0L, 1L))
  expect_identical(got$result$status, "error")
  expect_match(conditionMessage(got$result$error), "the working directory of the queue is gone")
  expect_true(got$idle)
})

test_that("a task that closes all connections has a result, and the next one too", {
  got <- in_host(function() {
    q <- taskq::task_q$new(0)
    q$push(function() {
      cat("written\n")
      closeAllConnections()
      42
    })
    q$push(function() cat("again\n"))
    list(first = q$pop(), second = q$pop(), depth = sink.number(), id = taskq::task_id(), open = getAllConnections())
  })
  expect_identical(got$first$result, 42)
  expect_identical(got$first$stdout, "written\n")
  expect_identical(got$second$stdout, "again\n")
  expect_identical(got$depth, 0L)
  expect_null(got$id)
  expect_identical(got$open, 0:2)
})

test_that("a task that removes the host's working directory has a result, and all else is put back", {
  got <- in_host(function() {
    home <- getwd()
    gone <- tempfile()
    dir.create(gone)
    q <- taskq::task_q$new(0, wd = tempdir(), env = c(TASKQ_TEST = "yes"))
    setwd(gone)
    q$push(function(gone) {
      unlink(gone, recursive = TRUE)
      cat("removed")
    }, list(gone))
    result <- q$pop()
    setwd(home)
    list(result = result, depth = sink.number(), id = taskq::task_id(), env = Sys.getenv("TASKQ_TEST"))
  })
  expect_identical(got$result$status, "success")
  expect_identical(got$result$stdout, "removed")
  expect_identical(got$depth, 0L)
  expect_null(got$id)
  expect_identical(got$env, "")
})

test_that("a task may use the queue that it is in", {
  q <- task_q$new(0)
  # An argument that is a queue does not survive the journey; a global does, here.
  inner <- task_q$new(0, globals = list(outer_queue = q))
  inner$push(global(function() {
    outer_queue$push(function() "inner")
    outer_queue$pop()$result
  }))
  expect_identical(inner$pop()$result, "inner")
  inner$close()
  q$close()
})

test_that("init and preload run once, and a failure of theirs is told by every push", {
  count <- new.env()
  count$n <- 0
  init <- global(function() count$n <- count$n + 1)
  q <- task_q$new(0, globals = list(count = count), init = init)
  expect_identical(count$n, 0)
  q$push(sum, list(1))
  q$push(sum, list(1))
  expect_identical(count$n, 1)
  q$close()

  q <- task_q$new(0, init = function() stop("init is bad"))
  for (i in 1:2) {
    cnd <- caught(q$push(sum))
    expect_s3_class(cnd, "taskq_error_start")
    expect_match(conditionMessage(cnd), "init is bad")
    expect_identical(cnd$phase, "init")
  }
  expect_true(q$is_idle())
  q$close()
})

test_that("Ctrl-C ends the task and gives R back", {
  # There any thread may get a signal, also one of another package that does not block it, and R's handler jumps.
  skip_if(nzchar(Sys.getenv("TASKQ_TEST_VALGRIND")), "valgrind")
  q <- task_q$new(0)
  depth <- sink.number()
  got <- tryCatch(
    q$push(function() {
      tools::pskill(Sys.getpid(), tools::SIGINT)
      Sys.sleep(5)
    }),
    interrupt = function(cnd) "interrupted"
  )
  expect_identical(got, "interrupted")
  expect_identical(sink.number(), depth)
  expect_s3_class(q$pop()$error, "taskq_error")
  q$push(function() 1)
  expect_identical(q$pop()$result, 1)
  q$close()
})

test_that("options of a task mean the same as with workers", {
  q <- task_q$new(0)
  on.exit(q$close())
  q$push(function() repeat NULL, id = "slow", timeout = 50)
  expect_identical(q$pop()$status, "timeout")
  q$push(function() if (taskq::task_attempt() < 3) stop("no") else taskq::task_attempt(), tries = 3,
    retry_on = "error", backoff = 10)
  result <- q$pop()
  expect_identical(result$result, 3L)
  expect_identical(result$tries, 3L)
  q$push(function() stop("no"), id = "load")
  q$push(function() 1, id = "plot", after = "load")
  expect_identical(q$collect()$status, c("error", "skipped"))
  q$pause()
  q$push(function() 1, id = "low")
  q$push(function() 2, id = "high", priority = 1, isolate = TRUE)
  expect_identical(q$get_num_waiting(), 2L)
  expect_identical(q$cancel("low"), c(low = TRUE))
  q$resume()
  expect_identical(q$collect()$status, c("cancelled", "success"))
  q$push(function() {
    taskq::task_progress(0.5, "half")
    taskq:::tq_inline_progress()[c("fraction", "message")]
  }, id = "me")
  expect_identical(q$pop()$result, list(fraction = 0.5, message = "half"))
  expect_s3_class(caught(q$resize(2)), "taskq_error_input")
  expect_true(q$wait())
})

test_that("what a task pushes into the queue that it is in runs after it, once", {
  q <- task_q$new(0)
  on.exit(q$close())
  assign("tq_outer_queue", q, globalenv())
  on.exit(rm("tq_outer_queue", envir = globalenv()), add = TRUE)
  clock <- proc.time()[["elapsed"]]
  # The limit of the outer one is nothing that the inner one waits for.
  q$push(global(function() {
    tq_outer_queue$push(function() "inner", id = "inner")
    "outer"
  }), id = "outer", timeout = 60000)
  expect_lt(proc.time()[["elapsed"]] - clock, 30)
  expect_identical(q$collect()[c("task_id", "result", "tries")],
    tq_frame(list(task_id = c("outer", "inner"), result = list("outer", "inner"), tries = c(1L, 1L)), "taskq_results"))
})

test_that("a result that cannot be kept is its task's error, and those behind it run", {
  q <- local_queue(0)
  q$push(function() {
    x <- NULL
    for (i in 1:60000) x <- list(x)
    x
  })
  q$push(function() "fine")
  result <- q$pop(0)
  expect_identical(result$status, "error")
  expect_identical(result$error$phase, "reply")
  expect_match(conditionMessage(result$error), "C stack usage")
  expect_identical(q$pop(0)$result, "fine")
  expect_true(q$is_idle())
})
