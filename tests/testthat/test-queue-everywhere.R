test_that("what everywhere() leaves is what tasks find, each in the session that it runs in", {
  q <- local_queue(2)
  pids <- q$everywhere(global(function(n, text) {
    model <<- seq_len(n)
    options(digits = 4, taskq.test = text)
    library(parallel)
    input <<- textConnection(c("a", "b"))
    print("nothing of a task")
    Sys.getpid()
  }), list(10, text = "here"))
  expect_type(pids, "list")
  expect_length(unique(unlist(pids)), 2)
  find <- global(function() {
    model <- rev(model)
    options(digits = 10)
    list(pid = Sys.getpid(), model = sum(model), text = getOption("taskq.test"), digits = format(pi * 1),
      attached = "package:parallel" %in% search(), open = inherits(input, "textConnection") && isOpen(input))
  })
  # A task that changes the options finds, and leaves, what was left.
  set <- global(function() options(digits = 4))
  for (i in 1:2) {
    found <- run_task(q, find)
    expect_identical(found$stdout, "")
    expect_true(found$result$pid %in% unlist(pids))
    expect_identical(found$result[c("model", "text", "attached", "open")],
      list(model = 55L, text = "here", attached = TRUE, open = TRUE))
  }
  expect_identical(run_task(q, function() getOption("digits"))$result, 4L)
  # Another one finds what the first has left, and its value may be NULL.
  expect_identical(q$everywhere(global(function() {
    model <<- model + 1L
    NULL
  })), list(NULL, NULL))
  expect_identical(run_task(q, global(function() sum(model)))$result, 65L)
})

test_that("a session that comes later runs all of them after `init`, before its first task", {
  q <- local_queue(1, init = function() steps <<- "init")
  q$everywhere(global(function() steps <<- c(steps, "one")))
  q$everywhere(global(function(step) steps <<- c(steps, step)), list("two"))
  steps <- global(function() list(steps = steps, pid = Sys.getpid()))
  before <- run_task(q, steps)$result
  expect_identical(before$steps, c("init", "one", "two"))
  expect_identical(run_task(q, function() tools::pskill(Sys.getpid(), 9))$status, "crash")
  after <- run_task(q, steps)$result
  expect_identical(after$steps, before$steps)
  expect_false(after$pid == before$pid)
  expect_identical(run_task(q, steps, isolate = TRUE)$result$steps, before$steps)
  q$resize(2)
  expect_identical(lengths(q$everywhere(steps)), c(2L, 2L))
  expect_identical(unique(lapply(q$map(1:6, global(function(i) steps)), identity)), list(before$steps))
})

test_that("everywhere() waits for a worker with a long task, and the others do not", {
  q <- local_queue(2)
  gate <- local_gate()
  q$push(gate$wait, list(gate$path), id = "long")
  expect_true(wait_until(q$get_num_running() == 1))
  # The other worker does not wait for the long task, which ends by what it runs.
  expect_identical(q$everywhere(function(path) file.create(path), list(gate$path)), list(TRUE, TRUE))
  expect_identical(q$pop(20000)$result, 42)
})

test_that("where it fails in a worker, or that dies in it, it is as if it had not been called", {
  q <- local_queue(2)
  q$everywhere(global(function() x <<- 1))
  cnd <- caught(q$everywhere(global(function() {
    x <<- 2
    warning("look out")
    stop("not today")
  })))
  expect_s3_class(cnd, "taskq_error_start")
  expect_identical(cnd$phase, "everywhere")
  expect_match(conditionMessage(cnd), "not today", fixed = TRUE)
  expect_match(cnd$stderr, "look out", fixed = TRUE)
  expect_identical(conditionCall(cnd)[[1]], quote(q$everywhere))
  # One of them has run it.
  file <- tempfile()
  on.exit(unlink(file), add = TRUE)
  cnd <- caught(q$everywhere(global(function(file) {
    x <<- 3
    if (!file.create(file) || length(readLines(file)) > 0L) stop("odd")
    quit("no", 3)
  }), list(file)))
  expect_match(conditionMessage(cnd), "exit status 3", fixed = TRUE)
  expect_identical(cnd$exit_code, 3L)
  found <- q$map(1:8, global(function(i) x))
  expect_identical(unique(found), list(1))
  expect_identical(q$everywhere(global(function() x)), list(1, 1))
})

test_that("one that fails in later sessions only has failed to start them", {
  q <- local_queue(1)
  expect_true(wait_until(identical(q$list_workers()$state, "idle")))
  q$everywhere(function(pid) if (Sys.getpid() != pid) stop("only there"), list(q$list_workers()$worker))
  q$push(function() tools::pskill(Sys.getpid(), 9), id = "dies")
  q$push(function() 1, id = "waits")
  expect_s3_class(q$pop(20000, "dies")$error, "taskq_error_crash")
  # The pool has failed, which is told once by what waits, and by everything that is of no use any more.
  cnd <- caught(q$pop(20000, "waits"))
  expect_s3_class(cnd, "taskq_error_start")
  expect_identical(cnd$phase, "everywhere")
  expect_match(conditionMessage(cnd), "only there", fixed = TRUE)
  expect_identical(q$pop(20000, "waits")$status, "error")
  expect_error(q$everywhere(function() 1), class = "taskq_error_start")
})

test_that("Ctrl-C ends the wait of everywhere(), and the function where it runs", {
  skip_on_cran()
  answer <- in_host(function(interrupt_in) {
    q <- taskq::task_q$new(1)
    q$push(function() x <<- 1)
    first <- q$pop(20000)$worker
    how <- tryCatch({
      interrupt_in(0.3)
      q$everywhere(function() Sys.sleep(1000))
    }, interrupt = function(cnd) "interrupted")
    q$push(function() Sys.getpid())
    then <- q$pop(20000)
    q$close()
    list(how = how, status = then$status, replaced = then$result != first)
  }, global(interrupt_in))
  expect_identical(answer, list(how = "interrupted", status = "success", replaced = TRUE))
})

test_that("everywhere() works in queues that are paused, elastic, empty, seeded, or have globals = \"auto\"", {
  q <- local_queue(1, seed = 1)
  q$pause()
  q$push(function() runif(1))
  expect_identical(q$everywhere(function() 1), list(1))
  expect_identical(q$get_num_waiting(), 1L)
  q$resume()
  drawn <- q$pop(20000)$result
  other <- local_queue(1, seed = 1)
  expect_identical(run_task(other, function() runif(1))$result, drawn)
  other$resize(0)
  expect_identical(other$everywhere(function() 1), list())

  elastic <- local_queue(c(0, 2))
  expect_identical(elastic$everywhere(global(function() y <<- 5)), list())
  expect_identical(run_task(elastic, global(function() y))$result, 5)
  expect_error(elastic$everywhere(), class = "taskq_error_input")
  expect_error(elastic$everywhere("f"), class = "taskq_error_input")
  expect_error(elastic$everywhere(function() 1, 1), class = "taskq_error_input")
  elastic$close()
  expect_error(elastic$everywhere(function() 1), class = "taskq_error_closed")
})

test_that("an inline queue calls it once, in this session", {
  q <- task_q$new(0)
  on.exit(q$close(), add = TRUE)
  place <- new.env()
  expect_identical(q$everywhere(function(place) place$n <- 7, list(place)), list(7))
  expect_identical(place$n, 7)
  cnd <- caught(q$everywhere(function() stop("no")))
  expect_s3_class(cnd, "taskq_error_start")
  expect_identical(cnd$phase, "everywhere")
  expect_identical(run_task(q, function() 3)$result, 3)
  q$close()
  expect_error(q$everywhere(function() 1), class = "taskq_error_closed")
})
