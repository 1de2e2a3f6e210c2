# promise(), run(): values of tasks as promises, settled by the event loop.

test_that("a promise resolves to the value of its task, or is rejected with its error", {
  skip_without_promises()
  q <- local_queue(2)
  expect_identical(await(q$run(function(x) x + 1, list(41))), 42)
  expect_null(await(q$run(function() NULL)))
  failed <- caught(await(q$run(function() stop("no good"))))
  expect_s3_class(failed, "taskq_error_task")
  expect_identical(conditionMessage(failed$parent), "no good")
  expect_s3_class(caught(await(q$run(function() quit(status = 3)))), "taskq_error_crash")
  expect_s3_class(caught(await(q$run(function() Sys.sleep(100), timeout = 50))), "taskq_error_timeout")
  id <- q$push(function() Sys.sleep(100), tag = "mine")
  promise <- q$promise(id)
  expect_true(q$cancel(id)[[1L]])
  cancelled <- caught(await(promise))
  expect_s3_class(cancelled, "taskq_error_cancelled")
  expect_identical(cancelled$task_id, id)
  expect_true(q$is_idle())
  expect_identical(nrow(q$list_tasks(idle = FALSE)), 0L)
})

test_that("a task that is done, runs or waits can be promised, once", {
  skip_without_promises()
  q <- local_queue(1)
  gate <- local_gate()
  done <- q$push(function() "done")
  q$wait()
  running <- q$push(gate$wait, list(gate$path))
  waiting <- q$push(function() "waited")
  promises <- lapply(c(done, running, waiting), q$promise)
  again <- caught(q$promise(running))
  expect_s3_class(again, "taskq_error_promised")
  expect_identical(again$id, running)
  expect_match(conditionMessage(again), "keep that promise")
  gate$open()
  expect_identical(lapply(promises, await), list("done", 42, "waited"))
  # Popped by the promise.
  gone <- caught(q$promise(done))
  expect_s3_class(gone, "taskq_error_unknown")
  expect_match(conditionMessage(gone), "popped")
  expect_s3_class(caught(q$promise("nobody")), "taskq_error_unknown")
  expect_input_error(q$promise(1), "id")
})

test_that("what is promised is passed over by all else that takes tasks, and can be watched", {
  skip_without_promises()
  q <- local_queue(1)
  gate <- local_gate()
  mine <- q$push(global(function(path) {
    cat("here")
    taskq::task_progress(0.5, "half")
    while (!file.exists(path)) Sys.sleep(0.005)
    "mine"
  }), list(gate$path))
  promise <- q$promise(mine)
  other <- q$push(function() "other")
  expect_true(wait_until(identical(q$progress(mine)$message, "half")))
  expect_true(wait_until(identical(q$output(mine)$stdout, "here")))
  expect_true(mine %in% q$list_tasks()$id)
  expect_s3_class(caught(q$collect(c(other, mine))), "taskq_error_promised")
  gate$open()
  q$wait(progress = FALSE)
  expect_identical(q$poll(), other)
  expect_identical(q$get_num_done(), 1L)
  expect_identical(q$collect(progress = FALSE)$task_id, other)
  expect_null(q$pop(1000))
  expect_identical(await(promise), "mine")
})

test_that("one wake-up is under way for each loop, however many tasks are done", {
  skip_without_promises()
  skip_on_cran()
  q <- local_queue(2)
  gate <- local_gate()
  later::run_now(0)
  sum <- 0
  # The timer of a loop with promises that are pending is there once.
  pending <- lapply(1:2, function(i) q$run(gate$wait, list(gate$path)))
  before <- length(later:::list_queue())
  for (i in 1:2000) {
    promises::then(q$run(function(i) i, list(i)), function(value) sum <<- sum + value)
  }
  expect_length(later:::list_queue(), before)
  gate$open()
  q$wait(progress = FALSE)
  expect_length(later:::list_queue(), before + 1L)
  expect_true(run_loop_until(sum == 2000 * 2001 / 2))
  expect_length(ls(tq_promise_sets), 0L)
  # Nothing is asked for while nothing is done.
  q$pause()
  promise <- q$run(function() 1)
  later::run_now(0)
  expect_gt(later::next_op_secs(), 3000)
  q$resume()
  expect_identical(await(promise), 1)
})

test_that("a loop is not empty while promises are pending in it, and empty afterwards", {
  skip_without_promises()
  q <- local_queue(1)
  other <- later::create_loop(parent = NULL)
  on.exit(later::destroy_loop(other), add = TRUE)
  values <- numeric()
  note <- function(value) values <<- c(values, value)
  promises::then(q$run(function() 1), note)
  promises::then(q$run(function() 2), note)
  later::with_loop(other, promises::then(q$run(function() 3), note))
  # As shiny::testServer() does, and a user who knows nothing of the queue.
  while (!later::loop_empty()) later::run_now(1)
  expect_identical(values, c(1, 2))
  while (!later::loop_empty(other)) later::run_now(1, loop = other)
  expect_identical(values, c(1, 2, 3))
  expect_length(ls(tq_loops), 0L)
})

test_that("the timer of a loop is wound again when it has gone off", {
  skip_without_promises()
  later::with_temp_loop({
    wound <- new.env()
    tq_loop_wind(wound, 0)
    later::run_now(0)
    expect_gt(later::next_op_secs(), 3000)
    wound$unwind()
    expect_true(later::loop_empty())
  })
})

test_that("testServer() waits for an output that is a promise", {
  skip_if_not_installed("shiny")
  skip_without_promises()
  q <- local_queue(1)
  server <- function(input, output, session) {
    output$value <- shiny::renderText(promises::then(q$run(function(x) x * 2, list(input$x)), paste))
    output$failed <- shiny::renderText(q$run(function() stop("no data today")))
  }
  utils::capture.output(type = "message", shiny::testServer(server, {
    session$setInputs(x = 21)
    expect_identical(output$value, "42")
    expect_error(output$failed, "^no data today$")
  }))
})

test_that("a promise belongs to the loop in which it was made", {
  skip_without_promises()
  q <- local_queue(1)
  loop <- later::create_loop(parent = NULL)
  on.exit(later::destroy_loop(loop), add = TRUE)
  value <- NULL
  later::with_loop(loop, promises::then(q$run(function() "private"), function(x) value <<- x))
  expect_identical(await(q$run(function() "global")), "global")
  expect_null(value)
  deadline <- Sys.time() + 20
  while (is.null(value) && Sys.time() < deadline) later::run_now(0.05, loop = loop)
  expect_identical(value, "private")
})

test_that("promises of a queue that ends are rejected, or keep what was done", {
  skip_without_promises()
  q <- local_queue(1)
  done <- watch_promise(q$run(function() "done"))
  q$wait(progress = FALSE)
  running <- watch_promise(q$run(function() Sys.sleep(100)))
  waiting <- watch_promise(q$run(function() 1))
  q$kill()
  expect_true(run_loop_until(done$settled && running$settled && waiting$settled))
  expect_identical(done$value, "done")
  expect_s3_class(running$error, "taskq_error_cancelled")
  expect_s3_class(waiting$error, "taskq_error_cancelled")
  expect_s3_class(caught(q$run(function() 1)), "taskq_error_closed")
})

test_that("promises of a queue that is collected are rejected, or keep what was done", {
  skip_without_promises()
  fixture_begins()
  q <- task_q$new(1)
  done <- watch_promise(q$run(function() "done"))
  q$wait(progress = FALSE)
  running <- watch_promise(q$run(function() Sys.sleep(1000)))
  expect_true(wait_until(q$get_num_running() == 1L))
  rm(q)
  gc()
  expect_true(run_loop_until(done$settled && running$settled))
  expect_identical(done$value, "done")
  expect_s3_class(running$error, "taskq_error_cancelled")
  expect_length(ls(tq_promise_sets), 0L)
  gc()
  fixture_ends()
})

test_that("what a promise was used for may fail, or use the queue", {
  skip_without_promises()
  q <- local_queue(2)
  failing <- promises::then(q$run(function() 1), function(value) stop("in a callback"))
  expect_error(await(failing), "in a callback")
  deeper <- promises::then(q$run(function() 1), function(value) {
    q$push(function() "pushed in a callback")
    popped <- q$pop(20000)$result
    promises::then(q$run(function(x) x + 1, list(value)), function(value) list(popped, value))
  })
  expect_identical(await(deeper), list("pushed in a callback", 2))
})

test_that("an interrupt of the loop loses nothing", {
  skip_without_promises()
  skip_on_cran()
  q <- local_queue(2)
  values <- numeric()
  pushed <- 0
  push <- function() {
    pushed <<- pushed + 1
    promises::then(q$run(function(i) i, list(pushed)), function(x) values <<- c(values, x))
  }
  # One signal a round, which ends it; the loop always has something to do.
  rounds <- 20L
  interrupts <- 0L
  for (i in seq_len(rounds)) {
    deadline <- Sys.time() + 20
    interrupts <- interrupts + tryCatch({
      interrupt_in(i * 0.0037)
      while (Sys.time() < deadline) {
        while (pushed - length(values) < 100) push()
        later::run_now(0.02)
      }
      0L
    }, interrupt = function(cnd) 1L, "Rcpp::exception" = function(cnd) {
      # So says later that one came within a callback.
      if (nzchar(conditionMessage(cnd))) stop(cnd)
      1L
    })
  }
  expect_identical(interrupts, rounds)
  expect_true(run_loop_until(q$is_idle() && !length(ls(tq_promise_sets)) && later::loop_empty()))
  # What was interrupted may be a run() that has pushed nothing, or whose promise was lost; or a callback, before it
  # has noted its value.
  expect_lte(pushed - length(values), interrupts)
  expect_identical(anyDuplicated(values), 0L)
})

test_that("R ends while tasks with promises end", {
  skip_without_promises()
  ended <- vapply(1:5, function(i) {
    in_host(function() {
      q <- taskq::task_q$new(2)
      for (i in 1:60) q$run(function() NULL)
      # At any moment of their ends.
      later::run_now(stats::runif(1, 0, 0.05))
      TRUE
    }, deadline_s = 30)
  }, NA)
  expect_true(all(ended))
})

test_that("an inline queue settles its promises in the loop, too", {
  skip_without_promises()
  q <- local_queue(0)
  seen <- watch_promise(q$run(function(x) x * 2, list(21)))
  expect_false(seen$settled)
  expect_true(run_loop_until(seen$settled))
  expect_identical(seen$value, 42)
  expect_error(await(q$run(function() stop("inline"))), "inline")
})

test_that("run() takes what push() takes, and is rejected where push() returns NULL", {
  skip_without_promises()
  expect_identical(formals(task_q$public_methods$run), formals(task_q$public_methods$push))
  q <- local_queue(1, max_waiting = 1)
  q$pause()
  first <- q$run(function() taskq::task_id(), id = "named", tag = "t", priority = 2)
  full <- caught(await(q$run(function() 1, block = FALSE)))
  expect_s3_class(full, "taskq_error_full")
  q$resume()
  expect_identical(await(first), "named")
  expect_input_error(q$run(1), "fun")
  wrong <- caught(q$run(function() 1, timout = 5))
  expect_s3_class(wrong, "taskq_error_input")
  expect_identical(wrong$call[[1L]], quote(q$run))
})

test_that("run() does not wait for room: its task does, in the order of the calls, and push() has room after it", {
  skip_without_promises()
  q <- local_queue(1, max_waiting = 1)
  gate <- local_gate()
  order <- character()
  note <- function(value) order <<- c(order, value)
  q$push(gate$wait, list(gate$path))
  expect_true(wait_until(q$get_num_running() == 1L))
  for (name in c("a", "b", "c")) promises::then(q$run(function(x) x, list(name), id = name, tag = "mine"), note)
  # They are in the queue: listed, counted, cancelled like any other.
  expect_identical(q$get_num_waiting(), 3L)
  expect_null(q$push(function() 1, block = FALSE))
  refused <- caught(await(q$run(function() 1, block = FALSE)))
  expect_s3_class(refused, "taskq_error_full")
  expect_identical(conditionMessage(refused), "Too many tasks are waiting. Please try again later.")
  later::later(function() gate$open(), 0.05)
  expect_true(run_loop_until(length(order) == 3L))
  expect_identical(order, c("a", "b", "c"))
  expect_identical(await(q$run(function() "room")), "room")
})

test_that("push(block = TRUE) has room when what run() has put into the queue before has begun", {
  skip_without_promises()
  q <- local_queue(1, max_waiting = 1)
  stamp <- function() as.numeric(Sys.time())
  promised <- lapply(1:3, function(i) watch_promise(q$run(stamp)))
  id <- q$push(stamp)
  expect_true(run_loop_until(all(vapply(promised, `[[`, NA, "settled"))))
  q$wait(progress = FALSE)
  expect_gt(q$pop(0)$result, max(vapply(promised, `[[`, 0, "value")))
})

test_that("what a promise is rejected with has a message for visitors, and the rest for developers", {
  skip_without_promises()
  q <- local_queue(1)
  q$push(function() stop("first"), id = "failed")
  errors <- list(
    task = q$run(function() stop("no data today")),
    missing = q$run(function() not_there$x),
    crash = q$run(function() quit(status = 7)),
    timeout = q$run(function() Sys.sleep(600), timeout = 50),
    skipped = q$run(function() 1, after = "failed"),
    cancelled = q$run(function() Sys.sleep(600), id = "cancelled")
  )
  q$cancel("cancelled")
  errors <- lapply(lapply(errors, watch_promise), function(seen) {
    run_loop_until(seen$settled)
    seen$error
  })
  texts <- c("no data today", "object 'not_there' not found", "The task ended unexpectedly.",
    "The task took too long and was stopped.", "The task was skipped, because one that it needs did not succeed.",
    "The task was cancelled.")
  expect_identical(unname(vapply(errors, conditionMessage, "")), texts)
  # What Shiny shows.
  expect_identical(unname(vapply(errors, `[[`, "", "message")), texts)
  classes <- c("task", "task", "crash", "timeout", "skipped", "cancelled")
  expect_identical(unname(vapply(errors, function(e) class(e)[1L], "")), paste0("taskq_error_", classes))
  expect_true(all(vapply(errors, inherits, NA, c("taskq_error", "error"))))
  expect_output(print(errors$missing), "task '.*' failed: object 'not_there' not found.*send it in `args` or")
  expect_output(print(errors$crash), "task '.*' crashed its worker \\(pid .*exit status 7")
  expect_identical(conditionMessage(errors$task$parent), "no data today")
  expect_identical(errors$crash$exit_code, 7L)
  expect_identical(errors$cancelled$task_id, "cancelled")
  # What Shiny cannot do without, see promise-error.R.
  stacks <- lapply(errors, attr, "stack.trace", exact = TRUE)
  expect_true(all(lengths(stacks) > 0L))
  expect_identical(lapply(stacks, function(calls) length(attr(calls, "parents"))), as.list(lengths(stacks)))
  expect_s3_class(q$pop(0)$error, "taskq_error_task")
  popped <- run_task(q, function() stop("no data today"))
  expect_match(conditionMessage(popped$error), "^task '.*' failed: no data today$")
  expect_identical(conditionMessage(caught(await(promises::as.promise(popped)))), "no data today")
  q$kill()
  expect_identical(conditionMessage(caught(q$run(function() 1))), "The task could not be started.")
  expect_match(conditionMessage(caught(q$push(function() 1))), "the queue is closed")
})

test_that("safeError(), req() and validate() mean in a task what they mean in an output", {
  skip_if_not_installed("shiny")
  skip_without_promises()
  q <- local_queue(1)
  rejected <- function(...) caught(await(q$run(...)))
  expect_s3_class(rejected(function() stop(shiny::safeError("may be read"))), "shiny.custom.error")
  quiet <- rejected(function() shiny::req(FALSE))
  expect_s3_class(quiet, "shiny.silent.error")
  expect_identical(conditionMessage(quiet), "")
  expect_s3_class(rejected(function() shiny::req(FALSE, cancelOutput = TRUE)), "shiny.output.cancel")
  chosen <- rejected(function() shiny::validate(shiny::need(FALSE, "choose one"), errorClass = "mine"))
  expect_s3_class(chosen, "validation")
  expect_s3_class(chosen, "mine")
  expect_identical(conditionMessage(chosen), "choose one")
})

test_that("a result that was popped is a promise where one is wanted", {
  skip_without_promises()
  q <- local_queue(1)
  expect_identical(await(promises::as.promise(run_task(q, function() 5))), 5)
  expect_error(await(promises::as.promise(run_task(q, function() stop("failed")))), "failed")
})

test_that("a suggested package that is missing is named", {
  cnd <- caught(tq_need("notThere", "promises", quote(q$promise("a"))))
  expect_s3_class(cnd, "taskq_error_package")
  expect_identical(cnd$packages, "notThere")
  expect_match(conditionMessage(cnd), "install.packages(\"notThere\")", fixed = TRUE)
})

test_that("a queue that is made inside server is warned of", {
  skip_if_not_installed("shiny")
  local_queue(0)
  server <- function(input, output, session) {
    expect_warning(queue <- task_q$new(0), class = "taskq_warning_server")
    queue$close()
  }
  shiny::testServer(server, expect_true(TRUE))
})
