# What dies with what: PROMISES B6, B10, C1, C2, C3, C4, E1. Each host is an R process of its own.

# Two busy workers, one in C code that sees no interrupt, the other with children that have left its session.
busy <- quote({
  q <- taskq::task_q$new(2)
  q$push(function() {
    system("setsid sleep 1000 > /dev/null 2>&1 &")
    system("(sleep 1000 &) > /dev/null 2>&1")
    Sys.sleep(1000)
  })
  q$push(function() system("sleep 1000"))
  while (q$get_num_running() < 2L) Sys.sleep(0.01)
})

# The processes below a host, once the two tasks have started their three children.
processes_of <- function(host) {
  sleepers <- function(pids) {
    sum(vapply(pids, function(pid) {
      any(grepl("sleep", suppressWarnings(tryCatch(
        readLines(sprintf("/proc/%d/cmdline", pid), skipNul = TRUE, warn = FALSE),
        error = function(cnd) ""
      ))) & !grepl("sh", stat_name(pid)))
    }, NA))
  }
  expect_true(wait_until(sleepers(descendants(host$get_pid())) >= 3L, 20))
  descendants(host$get_pid())
}

stat_name <- function(pid) {
  tryCatch(readLines(sprintf("/proc/%d/comm", pid)), error = function(cnd) "", warning = function(cnd) "")
}

test_that("C1, C2: when the host dies, by whatever signal, nothing of it is left", {
  skip_on_cran()
  for (signal in c(tools::SIGKILL, tools::SIGTERM, tools::SIGHUP, 11L)) {
    host <- local_host(bquote({
      .(busy)
      Sys.sleep(1000)
    }))
    pids <- processes_of(host)
    expect_gte(length(pids), 6L)
    tools::pskill(host$get_pid(), signal)
    expect_true(wait_until(!any(is_alive(pids)), 10), label = paste("signal", signal))
  }
})

test_that("C3: a fork of the host that holds its descriptors does not keep the workers alive", {
  skip_on_cran()
  host <- local_host(bquote({
    .(busy)
    keeper <- parallel::mcparallel(Sys.sleep(1000))
    cat(keeper$pid, "\n", sep = "", file = stdout())
    Sys.sleep(1000)
  }))
  pids <- processes_of(host)
  keeper <- as.integer(next_line(host))
  pids <- setdiff(pids, keeper)
  tools::pskill(host$get_pid(), tools::SIGKILL)
  expect_true(wait_until(!any(is_alive(pids))))
  expect_true(is_alive(keeper))
  tools::pskill(keeper, tools::SIGKILL)
})

test_that("C3: a host that dies while the supervisor boots leaves nothing", {
  skip_on_cran()
  host <- local_host(quote({
    q <- taskq::task_q$new(2)
    while (!length(list.files(tempdir(), "^taskq-"))) Sys.sleep(0.001)
    tools::pskill(Sys.getpid(), tools::SIGKILL)
  }), booted = FALSE)
  pids <- integer()
  wait_until({
    pids <- union(pids, descendants(host$get_pid()))
    !host$is_alive()
  })
  expect_true(wait_until(!any(is_alive(pids))))
})

test_that("C4: quit() with busy workers does not wait for them, and keeps its status", {
  skip_on_cran()
  flag <- tempfile()
  host <- local_host(bquote({
    .(busy)
    while (!file.exists(.(flag))) Sys.sleep(0.01)
    quit("no", status = 5L)
  }))
  pids <- processes_of(host)
  file.create(flag)
  on.exit(unlink(flag), add = TRUE)
  host$wait(20000)
  expect_identical(host$get_exit_status(), 5L)
  expect_true(wait_until(!any(is_alive(pids))))
})

test_that("C4: a fork of the host that has a queue of its own ends it, and leaves the host's alone", {
  seen <- in_host(function() {
    q <- taskq::task_q$new(1)
    fork <- parallel::mcparallel({
      own <- taskq::task_q$new(1)
      own$push(Sys.getpid)
      pid <- own$pop(20000)$result
      # What R does at its end, which a fork of this kind skips.
      taskq:::rs_exit()
      stat <- tryCatch(readLines(file.path("/proc", pid, "stat")), error = function(cnd) NULL,
        warning = function(cnd) NULL)
      list(pid = pid, is_left = !all(grepl(") Z ", stat, fixed = TRUE)))
    })
    own <- parallel::mccollect(fork)[[1L]]
    q$push(function() "still here")
    c(own, told = q$pop(20000)$result)
  })
  expect_false(seen$is_left)
  expect_false(is_alive(seen$pid))
  expect_identical(seen$told, "still here")
})

test_that("B6: when the supervisor is killed, running tasks crash, waiting ones run", {
  q <- local_queue(2)
  begun <- c(local_path(), local_path())
  for (i in 1:2) {
    q$push(function(path) {
      file.create(path)
      Sys.sleep(1000)
    }, list(begun[[i]]), id = paste0("running-", i))
  }
  for (i in 1:20) q$push(function(i) i, list(i))
  expect_true(wait_until(q$get_num_running() == 2L))
  supervisor <- parent_pid(stats::na.omit(q$list_workers()$worker)[[1L]])
  # The zygote is between them.
  expect_identical(parent_pid(parent_pid(supervisor)), Sys.getpid())
  before <- descendants(supervisor)
  # What is sent may not have begun.
  expect_true(wait_until(all(file.exists(begun))))
  tools::pskill(supervisor, tools::SIGKILL)
  results <- pop_all(q)
  status <- vapply(results, `[[`, "", "status")
  expect_identical(sum(status == "crash"), 2L)
  expect_identical(sum(status == "success"), 20L)
  expect_s3_class(results[["running-1"]]$error, "taskq_error_crash")
  expect_true(wait_until(!any(is_alive(before))))
})

for (without in c("fork", "pidfd,memfd,subreaper,pdeathsig")) {
  test_that(sprintf("without %s the queue works, too", without), {
    skip_on_cran()
    q <- local_queue(2, env = c(TASKQ_WITHOUT = without), init = function() options(from_init = 7),
      globals = list(shared = 1:3))
    # The one warning may come at any call once the supervisor is up; the next test is about it.
    results <- suppressWarnings({
      q$push(function() getOption("from_init"))
      q$push(global(function() sum(shared)))
      q$push(function() tools::pskill(Sys.getpid(), 9L))
      q$push(function() {
        cat("out")
        Sys.getpid()
      })
      pop_all(q)
    })
    expect_identical(results[[".1"]]$result, 7)
    expect_identical(results[[".2"]]$result, 6L)
    expect_identical(results[[".3"]]$status, "crash")
    expect_identical(results[[".4"]]$stdout, "out")
  })
}

test_that("B10: a preload that starts a thread makes sessions start on their own", {
  skip_on_cran()
  skip_if_not_installed("later")
  q <- local_queue(2, preload = function() {
    later::later(function() NULL, 1000)
    options(from_preload = TRUE)
  })
  told <- character()
  hear <- function(cnd) {
    told <<- c(told, conditionMessage(cnd))
    invokeRestart("muffleWarning")
  }
  withCallingHandlers(
    expect_true(run_task(q, function() getOption("from_preload"))$result),
    taskq_warning_fork = hear
  )
  # The second call at the latest.
  withCallingHandlers(q$poll(), taskq_warning_fork = hear)
  expect_length(told, 1L)
  expect_match(told, "instead of being forked.*threads")
})

test_that("a warning that sessions are not forked loses nothing where warnings are errors", {
  skip_on_cran()
  old <- options(warn = 2)
  on.exit(options(old))
  is_up <- function(q) wait_until(!is.na(q$list_workers()$worker))
  q <- local_queue(1, env = c(TASKQ_WITHOUT = "fork"))
  expect_true(is_up(q))
  expect_error(q$push(function() 1), "instead of being forked")
  expect_true(q$is_idle())
  expect_identical(run_task(q, function() 1)$result, 1)

  # What happens in an event loop has no call of the user's.
  skip_if_not_installed("promises")
  skip_if_not_installed("later")
  q <- local_queue(1, env = c(TASKQ_WITHOUT = "fork"))
  value <- NULL
  promises::then(q$run(function() 2), function(x) value <<- x, function(error) value <<- error)
  expect_true(wait_until({
    later::run_now(0.01)
    !is.null(value)
  }, 20))
  expect_identical(value, 2)
  expect_true(q$close())
})

test_that("E1: Ctrl-C at any moment loses and doubles nothing", {
  skip_on_cran()
  # Another process interrupts the host again and again. Interrupts are let through only while one call of the queue is
  # evaluated and its value assigned; whatever was pushed must come back exactly once. All calls are made before, too:
  # while R unwinds from an interrupt, it cannot call a function that it was loading when the interrupt came.
  host <- local_host(quote(suspendInterrupts({
    q <- taskq::task_q$new(2)
    interrupts <- 0L
    # R itself can be interrupted while it unwinds from an interrupt, out of the handler's reach; hence the levels.
    attempt <- function(expr, levels = 4L) {
      if (levels == 0L) return({allowInterrupts(expr); TRUE})
      tryCatch(attempt(expr, levels - 1L), interrupt = function(cnd) {
        interrupts <<- interrupts + 1L
        FALSE
      })
    }
    popped <- character()
    for (i in 1:3) {
      attempt(q$push(function(i) i, list(i)))
      attempt(q$list_tasks())
      attempt(popped <<- c(popped, q$pop(Inf)$task_id))
      attempt(q$poll(0))
      id <- q$push(function(i) i, list(i))
      attempt(popped <<- c(popped, q$pop(Inf, id = id)$task_id))
    }
    tormentor <- "while kill -INT %d 2> /dev/null; do sleep 0.00$((RANDOM %% 9 + 1)); done"
    system2("bash", c("-c", shQuote(sprintf(tormentor, Sys.getpid()))), wait = FALSE)
    for (round in 1:200) {
      # The result of one that fails is made in R, while the task is in the queue.
      for (i in 1:20) attempt(q$push(function(i) if (i %% 4 == 0) stop("no") else i, list(i)))
      repeat {
        result <- NULL
        id <- if (round %% 2L) utils::tail(q$poll(), 1L)
        complete <- attempt(result <<- q$pop(1000, if (length(id)) id))
        popped <- c(popped, result$task_id)
        if (complete && is.null(result)) break
      }
      attempt(q$list_tasks())
      attempt(q$poll(0))
    }
    # What was told of is told of once, whatever interrupts that.
    told <- character()
    for (round in 1:100) {
      for (i in 1:5) attempt(q$push(function(i) i, list(i)))
      repeat {
        ids <- NULL
        complete <- attempt(ids <<- q$poll(1000, new = TRUE))
        told <- c(told, ids)
        if (complete && !length(ids)) break
      }
    }
    kept <- q$poll()
    attempt(popped <<- c(popped, kept))
    pushed <- as.integer(sub(".", "", q$push(function() NULL), fixed = TRUE)) - 1L
    writeLines(sprintf("result %d %d %d %d %d %d", pushed, length(popped), anyDuplicated(popped), interrupts,
      length(kept), if (setequal(told, kept)) length(told) else -1L))
    q$kill()
  })))
  host$wait(120000)
  output <- host$read_all_output()
  line <- grep("^result", strsplit(output, "\n")[[1L]], value = TRUE)
  if (length(line) != 1L) return(fail(c(output, capture.output(print(tryCatch(host$get_result(), error = identity))))))
  numbers <- as.integer(strsplit(line, " ")[[1L]][-1L])
  expect_identical(numbers[[2L]], numbers[[1L]], label = "tasks popped")
  expect_identical(numbers[[3L]], 0L)
  expect_gt(numbers[[4L]], 20L)
  expect_identical(numbers[[6L]], numbers[[5L]], label = "tasks told of")
})
