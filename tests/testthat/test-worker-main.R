# What a worker is given at its start, what it reports, and how it may end.

test_that("a result has its output, its conditions and its measures", {
  q <- local_queue(1)
  result <- run_task(q, function() {
    cat("from R\n")
    system("echo from a child; echo child error >&2")
    message("a message")
    warning("a warning")
    x <- numeric(0)
    for (i in 1:1e5) x <- i
    "value"
  })
  expect_identical(result$result, "value")
  expect_identical(result$status, "success")
  expect_null(result$error)
  expect_match(result$stdout, "from R\n", fixed = TRUE)
  expect_match(result$stdout, "from a child\n", fixed = TRUE)
  expect_match(result$stderr, "child error\n", fixed = TRUE)
  expect_match(result$stderr, "a message\n", fixed = TRUE)
  expect_identical(conditionMessage(result$warnings[[1L]]), "a warning")
  expect_identical(conditionMessage(result$messages[[1L]]), "a message\n")
  expect_identical(result$tries, 1L)
  expect_type(result$worker, "integer")
  expect_gte(result$seconds, 0)
  expect_gte(result$cpu, 0)
  expect_gt(result$max_rss, 1e6)
  expect_false(is.unsorted(result$times))
})

test_that("output belongs to the task that wrote it", {
  q <- local_queue(1)
  for (i in 1:20) q$push(function(i) cat(i, "\n", sep = ""), list(i))
  results <- pop_all(q)
  for (i in 1:20) expect_identical(results[[paste0(".", i)]]$stdout, paste0(i, "\n"))
})

test_that("a sink that a task leaves does not swallow the output of the next", {
  q <- local_queue(1)
  run_task(q, function() {
    sink(tempfile())
    sink(file(tempfile(), "w"), type = "message")
    cat("lost")
  })
  result <- run_task(q, function() {
    cat("out")
    message("err")
  })
  expect_identical(result$stdout, "out")
  expect_identical(result$stderr, "err\n")
})

test_that("much output is kept or counted, and stops nobody", {
  q <- local_queue(1)
  result <- run_task(q, function() {
    line <- strrep("x", 999)
    for (i in 1:5000) cat(line, "\n", sep = "")
  })
  dropped <- attr(result, "dropped")[["bytes"]]
  expect_identical(nchar(result$stdout) + if (is.null(dropped)) 0 else dropped, 5e6)
  expect_identical(run_task(q, function() cat("a"))$stdout, "a")
})

crashes <- list(
  list(function() tools::pskill(Sys.getpid(), 9), signal = 9L),
  list(function() tools::pskill(Sys.getpid(), 15), signal = 15L),
  list(function() {
    tools::pskill(Sys.getpid(), 11)
    Sys.sleep(10)
  }, signal = NULL),
  list(function() quit("no", status = 3), exit_code = 3L),
  list(function() quit("no"), exit_code = 0L),
  list(function() invokeRestart("abort"))
)

test_that("a worker that dies is a crash, and the next task is fine", {
  q <- local_queue(1)
  for (crash in crashes) {
    result <- run_task(q, function(fun) {
      message("last words")
      environment(fun) <- globalenv()
      fun()
      Sys.sleep(10)
    }, list(crash[[1L]]))
    expect_identical(result$status, "crash")
    expect_s3_class(result$error, "taskq_error_crash")
    expect_null(result$result)
    if (!is.null(crash$signal)) expect_identical(result$error$signal, crash$signal)
    if (!is.null(crash$exit_code)) expect_identical(result$error$exit_code, crash$exit_code)
    expect_match(result$stderr, "last words", fixed = TRUE)
    # R's own report of a segmentation fault is longer than the tail.
    if (!identical(result$error$signal, 11L)) {
      expect_match(result$error$stderr_tail, "last words", fixed = TRUE)
    }
    expect_identical(run_task(q, function() 1)$result, 1)
  }
})

test_that("a crash of one task leaves the others alone", {
  q <- local_queue(2)
  for (i in 1:10) {
    q$push(function(i) if (i %% 5 == 0) tools::pskill(Sys.getpid(), 9) else i, list(i))
  }
  results <- pop_all(q)
  status <- vapply(results[paste0(".", 1:10)], function(x) x$status, "")
  expect_identical(unname(status), rep(c(rep("success", 4), "crash"), 2))
  expect_true(wait_until(sum(q$list_workers()$state == "idle") == 2))
})

test_that("a worker that dies while it is idle is replaced", {
  q <- local_queue(1)
  pid <- run_task(q, Sys.getpid)$result
  tools::pskill(pid, 9)
  expect_true(wait_until(!is_alive(pid)))
  result <- run_task(q, function() Sys.getpid())
  expect_identical(result$status, "success")
  expect_false(result$result == pid)
})

test_that("a result that cannot be sent is an error of the task", {
  q <- local_queue(1)
  # A class whose reference hook fails: serialize() of it is an R error.
  result <- run_task(q, function() {
    env <- new.env()
    makeActiveBinding("x", function() stop("not to be read"), env)
    env
  })
  expect_true(result$status %in% c("success", "error"))
  expect_identical(run_task(q, function() 1)$result, 1)
})

test_that("an argument of a class that the worker does not know is no crash", {
  q <- local_queue(1)
  object <- list(x = structure(1, class = structure("odd", package = "no.such.package")))
  result <- run_task(q, function(x) class(x$x)[1L], list(object))
  expect_true(result$status %in% c("success", "error"))
  expect_identical(run_task(q, function() 1)$result, 1)
})

test_that("a huge environment in an error does not travel", {
  q <- local_queue(1)
  result <- run_task(q, function() {
    big <- runif(5e6)
    stop(structure(class = c("mine", "error", "condition"),
      list(message = "m", call = sys.call(), data = environment())))
  })
  expect_s3_class(result$error$parent, "mine")
  expect_identical(result$error$parent$dropped_fields, "data")
})

test_that("packages, globals, env, libpath and wd are those of the queue", {
  q <- local_queue(1,
    packages = "tools", globals = list(k = 5, helper = function(x) x * k),
    env = c(TASKQ_TEST = "yes"), wd = tempdir(), libpath = c(tempdir(), .libPaths())
  )
  expect_identical(run_task(q, function() file_ext("a.txt"))$result, "txt")
  expect_identical(run_task(q, function() helper(2))$result, 10)
  expect_identical(run_task(q, function() Sys.getenv("TASKQ_TEST"))$result, "yes")
  expect_identical(run_task(q, getwd)$result, normalizePath(tempdir()))
  expect_identical(run_task(q, function() .libPaths())$result[1L], normalizePath(tempdir()))
  expect_identical(run_task(q, function() Sys.getenv("TASKQ_LIB"))$result, "")
  expect_identical(Sys.getenv("TASKQ_TEST"), "")
})

test_that("preload runs once, init in every session", {
  path <- tempfile()
  q <- local_queue(2,
    globals = list(path = path),
    preload = function() cat("preload\n", file = path, append = TRUE),
    init = function() cat("init\n", file = path, append = TRUE)
  )
  expect_true(wait_until(all(q$list_workers()$state == "idle")))
  expect_identical(sort(readLines(path)), c("init", "init", "preload"))
  run_task(q, function() quit("no"))
  expect_true(wait_until(all(q$list_workers()$state == "idle")))
  expect_identical(sum(readLines(path) == "init"), 3L)
  unlink(path)
})

test_that("a start that fails is told, by phase, and no task waits for ever", {
  skip_on_cran()
  starts <- list(
    packages = list(packages = "no.such.package"),
    preload = list(preload = function() stop("preload is bad")),
    init = list(init = function() stop("init is bad"))
  )
  for (phase in names(starts)) {
    q <- do.call(local_queue, c(list(1), starts[[phase]], list(frame = environment())))
    pushed <- caught(q$push(function() 1, id = "a"))
    told <- if (is.null(pushed)) caught(q$pop(20000)) else pushed
    expect_s3_class(told, "taskq_error_start")
    expect_identical(told$phase, phase)
    expect_match(conditionMessage(told), if (phase == "packages") "no.such.package" else "is bad")
    expect_s3_class(caught(q$push(function() 1)), "taskq_error_start")
    if (is.null(pushed)) {
      result <- q$pop(20000)
      expect_identical(result$task_id, "a")
      expect_s3_class(result$error, "taskq_error")
    }
    expect_null(q$pop(Inf))
    expect_identical(q$poll(Inf), character())
  }
})

test_that("a start that ends the process is told too", {
  for (phase in c("preload", "init")) {
    start <- list(function() {
      message("famous last words")
      quit("no", status = 5)
    })
    q <- do.call(local_queue, c(list(1), setNames(start, phase), list(frame = environment())))
    caught(q$push(function() 1))
    cnd <- NULL
    expect_true(wait_until(!is.null(cnd <- caught(q$push(function() 1))), 30))
    expect_s3_class(cnd, "taskq_error_start")
    expect_match(cnd$stderr, "famous last words", fixed = TRUE)
  }
})

test_that("a broken profile is told with its stderr", {
  profile <- tempfile()
  writeLines("stop('the profile is broken')", profile)
  q <- local_queue(1, env = c(R_PROFILE_USER = profile))
  q$push(function() 1)
  cnd <- caught(q$pop(30000))
  expect_s3_class(cnd, "taskq_error_start")
  expect_match(conditionMessage(cnd), "the profile is broken")
  unlink(profile)
})

test_that("sessions do not share a random stream, nor a temporary directory", {
  q <- local_queue(2, preload = function() set.seed(1))
  for (i in 1:2) {
    q$push(function() {
      Sys.sleep(0.5)
      list(pid = Sys.getpid(), draw = runif(1), dir = tempdir(), there = dir.exists(tempdir()))
    })
  }
  values <- lapply(pop_all(q), function(x) x$result)
  expect_false(values[[1L]]$pid == values[[2L]]$pid)
  expect_false(values[[1L]]$draw == values[[2L]]$draw)
  expect_false(values[[1L]]$dir == values[[2L]]$dir)
  expect_true(values[[1L]]$there && values[[2L]]$there)
  expect_false(values[[1L]]$dir == tempdir())
})

test_that("quit() in one session leaves the temporary directory of another", {
  q <- local_queue(2)
  made <- local_gate()
  gone <- local_gate()
  q$push(function(made, gone) {
    path <- tempfile()
    file.create(path, made)
    while (!file.exists(gone)) Sys.sleep(0.005)
    file.exists(path)
  }, list(made$path, gone$path), id = "keeps")
  q$push(function(wait, path) {
    wait(path)
    quit("no")
  }, list(global(made$wait), made$path), id = "quits")
  expect_true(q$wait("quits", timeout = 20000))
  gone$open()
  results <- pop_all(q)
  expect_true(results$keeps$result)
  expect_identical(results$quits$status, "crash")
})

test_that("stdin is at its end", {
  q <- local_queue(1)
  expect_identical(run_task(q, function() readLines("stdin"))$result, character())
  expect_identical(run_task(q, function() readLines(stdin()))$result, character())
})

test_that("a task knows its id, its attempt and that it is in a worker", {
  q <- local_queue(1)
  q$push(function() list(taskq::task_id(), taskq::task_attempt(), taskq::is_worker()), id = "me")
  expect_identical(q$pop(20000)$result, list("me", 1L, TRUE))
  expect_null(run_task(q, function() getOption("no.such.option"))$result)
})

test_that("endless recursion and errors of odd shapes do not end the worker", {
  q <- local_queue(1)
  pid <- run_task(q, Sys.getpid)$result
  result <- run_task(q, function() {
    f <- function(n) f(n + 1)
    f(1)
  })
  expect_true(result$status %in% c("error", "crash"))
  result <- run_task(q, function() {
    stop(structure(class = c("odd", "error", "condition"), list(message = NULL, call = NULL)))
  })
  expect_s3_class(result$error$parent, "odd")
  result <- run_task(q, function() {
    options(warn = 2)
    on.exit(options(warn = 0))
    warning("boom")
  })
  expect_match(conditionMessage(result$error), "boom")
})

test_that("options(warn = 2), OutDec and globals with names of base functions do no harm", {
  q <- local_queue(1,
    globals = list(stderr = 1, stop = 2, list = function(...) base::stop("mine"), quote = "q"),
    init = function() options(warn = 2, OutDec = ",", warnPartialMatchDollar = TRUE)
  )
  expect_identical(run_task(q, function(x) x + 1, base::list(1))$result, 2)
  result <- run_task(q, function() base::stop("no"))
  expect_identical(conditionMessage(result$error$parent), "no")
})

test_that("nothing of the queue is in the environment or global environment of a worker", {
  q <- local_queue(1)
  expect_identical(run_task(q, function() ls(globalenv(), all.names = TRUE))$result, ".Random.seed")
  expect_false("package:taskq" %in% run_task(q, search)$result)
})
