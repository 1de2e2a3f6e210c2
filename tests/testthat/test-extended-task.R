# task_q_extended_task(): invocations as reactives.

skip_without_shiny <- function() {
  skip_if_not_installed("shiny")
  skip_without_promises()
}

# Runs the event loop and what is reactive until `condition` holds.
flush_until <- function(session, condition, deadline_s = 20) {
  expr <- substitute(condition)
  env <- parent.frame()
  deadline <- Sys.time() + deadline_s
  repeat {
    later::run_now(0.02)
    session$elapse(1)
    session$flushReact()
    if (isTRUE(shiny::isolate(eval(expr, env)))) return(TRUE)
    if (Sys.time() > deadline) return(FALSE)
  }
}

# Evaluates `code` in a server function; queue and session are visible there.
in_server <- function(code, queue) {
  code <- substitute(code)
  frame <- parent.frame()
  server <- function(input, output, session) {
    env <- new.env(parent = frame)
    env$queue <- queue
    env$session <- session
    eval(code, env)
  }
  shiny::testServer(server, {
  })
}

test_that("an invocation runs, is told of while it runs, and succeeds", {
  skip_without_shiny()
  q <- local_queue(1)
  gate <- local_gate()
  in_server(queue = q, {
    task <- task_q_extended_task(queue, global(function(path, x) {
      cat("working")
      taskq::task_progress(0.5, "half")
      while (!file.exists(path)) Sys.sleep(0.005)
      taskq::task_progress(1, "all")
      x * 2
    }))
    expect_identical(shiny::isolate(task$status()), "initial")
    expect_error(shiny::isolate(task$result()), class = "shiny.silent.error")
    expect_identical(shiny::isolate(task$progress()$fraction), NA_real_)
    expect_identical(shiny::isolate(task$output()), list(stdout = "", stderr = ""))
    seen <- character()
    shiny::observe(seen <<- c(seen, task$status()))
    session$flushReact()
    id <- task$invoke(gate$path, x = 21)
    shiny::isolate(task$output())
    expect_true(flush_until(session, identical(task$progress()$message, "half")))
    expect_true(flush_until(session, identical(task$output()$stdout, "working")))
    expect_error(shiny::isolate(task$result()), class = "shiny.silent.error")
    expect_output(print(task), "1 invoked, 1 running")
    # By the token of the session.
    expect_identical(queue$list_tasks(idle = FALSE)$tag, session$token)
    gate$open()
    expect_true(flush_until(session, task$status() == "success"))
    expect_identical(shiny::isolate(task$result()), 42)
    expect_identical(shiny::isolate(task$progress()$fraction), 1)
    expect_identical(shiny::isolate(task$ids()), id)
    expect_length(task$cancel(), 0L)
    session$flushReact()
    expect_identical(seen, c("initial", "running", "success"))
  })
  expect_true(q$is_idle())
})

test_that("many run at once, and each is told of by its id", {
  skip_without_shiny()
  q <- local_queue(2)
  gate <- local_gate()
  in_server(queue = q, {
    task <- task_q_extended_task(queue, global(function(path, x) {
      while (!file.exists(path)) Sys.sleep(0.005)
      if (x == 2) stop("not this one")
      x
    }), tag = "these", timeout = 60000)
    ids <- vapply(1:3, function(x) task$invoke(gate$path, x), "")
    expect_true(wait_until(queue$get_num_running() == 2L))
    expect_identical(unique(queue$list_tasks(idle = FALSE)$tag), "these")
    expect_true(task$cancel(ids[3L]))
    expect_true(flush_until(session, task$status(ids[3L]) == "cancelled"))
    gate$open()
    expect_true(flush_until(session, task$status(ids[1L]) == "success" && task$status(ids[2L]) == "error"))
    expect_identical(shiny::isolate(task$result(ids[1L])), 1L)
    expect_error(shiny::isolate(task$result(ids[2L])), "not this one", class = "taskq_error_task")
    # Shown as a message.
    expect_error(shiny::isolate(task$result(ids[3L])), class = "validation")
    expect_identical(shiny::isolate(task$status()), "cancelled")
    expect_input_error(shiny::isolate(task$status("of another")), "id")
    expect_input_error(task$cancel("of another"), "id")
  })
})

test_that("what came of an earlier invocation is forgotten by the next, unless it is to be kept", {
  skip_without_shiny()
  q <- local_queue(2)
  in_server(queue = q, {
    task <- task_q_extended_task(queue, function(x) x)
    ended <- function(id) flush_until(session, task$status(id) == "success")
    first <- task$invoke(1)
    second <- task$invoke(2)
    # Both ran when the second was invoked.
    expect_true(ended(first) && ended(second))
    expect_identical(shiny::isolate(task$result(first)), 1)
    third <- task$invoke(3)
    expect_identical(shiny::isolate(task$ids()), third)
    expect_identical(shiny::isolate(task$status(first)), "forgotten")
    expect_error(shiny::isolate(task$result(first)), class = "shiny.silent.error")
    expect_identical(shiny::isolate(task$output(first)), list(stdout = "", stderr = ""))
    expect_true(ended(third))
    expect_identical(task$forget(third), stats::setNames(TRUE, third))
    expect_identical(shiny::isolate(task$ids()), character())
    expect_length(task$forget(third), 0L)
    expect_output(print(task), "3 invoked, 0 running")

    kept <- task_q_extended_task(queue, function(x) x, keep = 2)
    ids <- character()
    for (x in 1:4) {
      ids <- c(ids, kept$invoke(x))
      expect_true(flush_until(session, kept$status() == "success"))
    }
    expect_identical(shiny::isolate(kept$ids()), ids[3:4])
    expect_identical(shiny::isolate(kept$result(ids[3L])), 3L)
  })
})

test_that("what runs is not forgotten", {
  skip_without_shiny()
  q <- local_queue(1)
  gate <- local_gate()
  in_server(queue = q, {
    task <- task_q_extended_task(queue, gate$wait)
    id <- task$invoke(gate$path)
    expect_identical(task$forget(), stats::setNames(FALSE, id))
    other <- task$invoke(gate$path)
    expect_identical(shiny::isolate(task$ids()), c(id, other))
    gate$open()
    expect_true(flush_until(session, task$status(id) == "success" && task$status(other) == "success"))
    expect_identical(shiny::isolate(task$result(id)), 42)
  })
})

test_that("the value of an invocation is freed when it is forgotten, in a session, too", {
  skip_without_shiny()
  q <- local_queue(1)
  in_server(queue = q, {
    task <- task_q_extended_task(queue, function(x) new.env())
    freed <- 0L
    for (x in 1:5) {
      task$invoke(x)
      expect_true(flush_until(session, task$status() == "success"))
      reg.finalizer(shiny::isolate(task$result()), function(e) freed <<- freed + 1L)
    }
    # The last look at each is over.
    session$elapse(1000)
    gc()
    expect_identical(freed, 4L)
    task$forget()
    gc()
    expect_identical(freed, 5L)
  })
})

test_that("an invocation that the queue does not take has ended in an error", {
  skip_without_shiny()
  q <- local_queue(1)
  q$kill()
  in_server(queue = q, {
    task <- task_q_extended_task(queue, function() 1)
    task$invoke()
    expect_identical(shiny::isolate(task$status()), "error")
    expect_error(shiny::isolate(task$result()), class = "taskq_error_closed")
    expect_length(task$cancel(), 0L)
  })
})

test_that("an app does not wait for room in a queue", {
  skip_without_shiny()
  q <- local_queue(1, max_waiting = 1)
  q$pause()
  in_server(queue = q, {
    task <- task_q_extended_task(queue, function(x) x)
    ids <- vapply(1:3, function(x) task$invoke(x), "")
    states <- vapply(ids, function(id) shiny::isolate(task$status(id)), "")
    expect_identical(unname(states), c("running", "error", "error"))
    expect_error(shiny::isolate(task$result()), class = "taskq_error_full")
    queue$resume()
    expect_true(flush_until(session, task$status(ids[1L]) == "success"))
  })
  expect_true(q$is_idle())
})

test_that("all that run are cancelled at once, those that wait are never begun", {
  skip_without_shiny()
  q <- local_queue(1)
  in_server(queue = q, {
    task <- task_q_extended_task(queue, global(function() {
      taskq::task_progress(0.5)
      Sys.sleep(100)
    }))
    ids <- vapply(1:5, function(x) task$invoke(), "")
    expect_true(wait_until(!is.na(queue$progress(ids[1L])$fraction)))
    expect_identical(task$cancel(), stats::setNames(rep(TRUE, 5L), ids))
    expect_true(flush_until(session, all(vapply(ids, task$status, "") == "cancelled")))
  })
  # A bar for each, of which one was begun.
  began <- tq_timeline(q$.__enclos_env__$private, NULL)$started_at
  expect_identical(sum(!is.na(began)), 1L)
})

test_that("what runs when the session ends goes on, or is cancelled, as was asked for", {
  skip_without_shiny()
  for (cleanup in c("keep", "cancel")) {
    q <- local_queue(1)
    gate <- local_gate()
    in_server(queue = q, {
      task <- task_q_extended_task(queue, gate$wait, session_cleanup = cleanup)
      task$invoke(gate$path)
      expect_true(wait_until(queue$get_num_running() == 1L))
    })
    # The session has ended.
    if (cleanup == "keep") {
      expect_identical(q$get_num_running(), 1L)
      gate$open()
    }
    expect_true(run_loop_until(q$is_idle() && !length(ls(tq_promise_sets))), label = cleanup)
    totals <- summary(q)$outcomes
    expect_identical(totals[[if (cleanup == "keep") "success" else "cancelled"]], 1)
  }
})

test_that("wrong arguments are named", {
  skip_without_shiny()
  q <- local_queue(0)
  expect_input_error(task_q_extended_task(1, function() 1), "queue")
  expect_input_error(task_q_extended_task(q, 1), "fun")
  expect_input_error(task_q_extended_task(q, function() 1, args = list()), "args")
  expect_input_error(task_q_extended_task(q, function() 1, timout = 1), "timout")
  expect_input_error(task_q_extended_task(q, function() 1, tag = 1), "tag")
  expect_input_error(task_q_extended_task(q, function() 1, session_cleanup = "maybe"), "session_cleanup")
  expect_input_error(task_q_extended_task(q, function() 1, keep = 0), "keep")
  expect_input_error(task_q_extended_task(q, function() 1, refresh = 0), "refresh")
  expect_input_error(task_q_extended_task(q, function() 1, timeout = -1), "timeout")
})

test_that("it is an ExtendedTask to those who have methods for one", {
  skip_without_shiny()
  q <- local_queue(0)
  task <- task_q_extended_task(q, function() 1)
  expect_s3_class(task, c("task_q_extended_task", "ExtendedTask", "R6"), exact = TRUE)
})

test_that("shiny's own ExtendedTask runs on run() as it is", {
  skip_without_shiny()
  skip_if_not_installed("shiny", "1.8.1")
  q <- local_queue(2)
  in_server(queue = q, {
    task <- shiny::ExtendedTask$new(function(x) queue$run(function(x) if (x < 0) stop("negative") else x * 2, list(x)))
    task$invoke(1)
    expect_true(flush_until(session, task$status() == "success"))
    expect_identical(shiny::isolate(task$result()), 2)
    # It has them run one after the other. An observer may miss what comes of all but the last.
    for (x in 2:4) task$invoke(x)
    expect_true(flush_until(session, task$status() == "success" && task$result() == 8))
    expect_identical(summary(queue)$outcomes[["success"]], 4)
    task$invoke(-1)
    # Later versions of shiny warn of it, too.
    suppressWarnings(expect_true(flush_until(session, task$status() == "error")), classes = "rlang_warning")
    expect_error(shiny::isolate(task$result()), "negative")
  })
})
