# One task: evaluate it and record what happened. Nothing here knows of sockets or queues, so that
# a worker and an inline queue run the very same code.
#
# The handlers are established once around many tasks (tq_guarded); a task that succeeds pays for
# one call, which is made natively (src/rust/src/worker/evaluate.rs). A task that fails unwinds to tq_guarded(), which
# gives the outcome to report.
#
# An outcome is a list; what is absent is empty:
#   value, error, trace, warnings, messages, conditions (of any other class), dropped (number of conditions), phase; of
#   a batch of a map that did not come to its end also element (where it stopped) and batch (what it has done)

# `globals`: where the objects go that a task brings along, and where its function is called. `send`: has the host
# signal an immediateCondition, and says whether it does; NULL where this is the host, and such conditions just go on.
tq_evaluator <- function(globals = globalenv(), send = NULL) {
  globals <- globals  # the value itself: it is read natively
  phase <- "idle"  # idle, receive, packages, globals, run, reply
  first <- 0L      # frame of the function of the task
  calls <- NULL
  batch <- NULL    # of tq_evaluate_batch(), while one is evaluated
  warnings <- list()
  messages <- list()
  conditions <- list()
  dropped <- 0L
  room <- tq_limits$max_condition_bytes  # for conditions, as far as their size is seen at once

  # The frame in which tasks are evaluated; that of the function of the task is the next one.
  begin_below <- function(frame) first <<- frame + 1L

  # What the task wants to find. Whoever runs it takes it away again.
  prepare <- function(call) {
    phase <<- "packages"
    tq_attach_missing(call$packages)
    phase <<- "globals"
    if (!is.null(call$globals)) list2env(call$globals, envir = globals)
    if (!is.null(call$seed)) tq_random_give(call$seed, call$streams %||% 0)
  }

  # Both arguments are promises: reading what was sent is part of the task. `task_call` is a list of what
  # the task has of args, packages, globals and seed.
  evaluate <- function(fun, task_call) {
    phase <<- "receive"
    force(fun)
    force(task_call)
    begin_below(sys.nframe())
    .External(C_tq_call, "rs_evaluate", self, fun, task_call)
  }

  # Called where a task's function would be, for a batch of a map. `work`: its function with its constant
  # arguments.
  run_batch <- function(work, batch) tq_evaluate_batch(self, work, batch)

  # These conditions with one more, or without it when there is no room. What the host is told at once is not lost then.
  with_condition <- function(kept, cnd) {
    is_told <- is_immediate(cnd) && (is.null(send) || tell(cnd))
    size <- tq_own_size(cnd)
    if (length(kept) >= tq_limits$max_conditions || size > room) {
      if (!is_told) dropped <<- dropped + 1L
      return(kept)
    }
    room <<- room - size
    kept[[length(kept) + 1L]] <- cnd
    kept
  }

  is_immediate <- function(cnd) inherits(cnd, "immediateCondition")

  tell <- function(cnd) tryCatch(send(tq_slim_condition(cnd)), error = function(failure) FALSE)

  # Adds the collected conditions to an outcome, and forgets them.
  record <- function(outcome) {
    kinds <- list(warnings = warnings, messages = messages, conditions = conditions)
    kept <- lapply(c(warnings, messages, conditions), tq_slim_condition)
    # Environments count now, with all that they hold.
    fits <- cumsum(vapply(kept, tq_sent_size, 0)) <= tq_limits$max_condition_bytes
    kind <- rep(names(kinds), lengths(kinds))
    for (name in names(kinds)) outcome[[name]] <- kept[fits & kind == name]
    outcome$dropped <- dropped + sum(!fits & !vapply(kept, is_immediate, NA))
    warnings <<- list()
    messages <<- list()
    conditions <<- list()
    dropped <<- 0L
    room <<- tq_limits$max_condition_bytes
    outcome
  }

  failed <- function(cnd) {
    outcome <- list(error = tq_slim_condition(cnd), phase = phase)
    if (!is.null(calls)) outcome$trace <- tq_trace(calls, first)
    leave(outcome)
  }

  # Of no use when the queue has asked for it.
  interrupted <- function(cnd) leave(list(error = simpleError("it was interrupted"), phase = phase))

  leave <- function(outcome) {
    calls <<- NULL
    if (!is.null(batch)) {
      outcome$element <- batch$first + batch$at[[1L]] + 1
      outcome$batch <- tq_batch_value(batch)
      batch <<- NULL
    }
    record(outcome)
  }

  finished <- function() phase <<- "idle"

  # To the handlers of the host, which is here, and then to what R does by itself.
  goes_on <- function(cnd) is.null(send) && is_immediate(cnd)

  # With options(warn = 2) the warning goes on to become an error; below 0 it is dropped, as in R.
  on_warning <- function(cnd) {
    level <- getOption("warn")
    if (isTRUE(level >= 2)) return()
    if (!isTRUE(level < 0)) {
      warnings <<- with_condition(warnings, cnd)
    }
    if (goes_on(cnd)) return()
    tryInvokeRestart("muffleWarning")
  }

  # What message() itself would do comes first, so that a handler further out, in the session of
  # an inline queue, does not keep the text from stderr.
  on_message <- function(cnd) {
    messages <<- with_condition(messages, cnd)
    if (goes_on(cnd)) return()
    restart <- findRestart("muffleMessage", cnd)
    if (!is.null(restart)) {
      # Those of a batch are passed on by map().
      if (is.null(batch)) cat(conditionMessage(cnd), file = stderr())
      invokeRestart(restart)
    }
  }

  # A condition of a class of its own, which goes on: it may be meant for a handler further out, in the session of an
  # inline queue. The others come here, too, after their own handlers.
  on_condition <- function(cnd) {
    if (!inherits(cnd, c("warning", "message", "error", "interrupt"))) conditions <<- with_condition(conditions, cnd)
  }

  # Runs only for errors that the task does not catch. Cheap: the stack may be almost full.
  on_error <- function(cnd) {
    if (identical(phase, "run")) calls <<- sys.calls()
  }

  self <- environment()
}

# Called natively: what a task has beside its function, with the values of other tasks among its arguments. `request`:
# that, and the outcomes of these by the names of the arguments, of which one that cannot be read is NULL.
tq_with_given <- function(request) {
  call <- request[[1L]]
  given <- request[[2L]]
  for (name in names(given)) {
    if (is.null(given[[name]])) stop(simpleError(sprintf("the value that is its argument `%s` cannot be read", name)))
  }
  call$args <- c(call$args, lapply(given, `[[`, "value"))
  call
}

tq_attach_missing <- function(packages) {
  for (package in setdiff(packages, sub("^package:", "", search()))) {
    suppressPackageStartupMessages(library(package, character.only = TRUE))
  }
}

# `expr`, or the outcome of the task in which an error or an interrupt has ended it. The verdict
# of such an outcome is in its attribute.
tq_guarded <- function(evaluator, expr) {
  tryCatch(
    withCallingHandlers(expr,
      warning = evaluator$on_warning,
      message = evaluator$on_message,
      error = evaluator$on_error,
      condition = evaluator$on_condition
    ),
    error = function(cnd) structure(evaluator$failed(cnd), verdict = "error"),
    interrupt = function(cnd) structure(evaluator$interrupted(cnd), verdict = "interrupted")
  )
}

#' Inside a task
#'
#' What code can ask about the task that it runs in, and say of it.
#'
#' @return
#' * `is_worker()`: `TRUE` in a worker session of a queue, also while its R starts and reads profiles; `FALSE`
#'   elsewhere, also in an inline queue.
#' * `task_id()`: the id of the running task, a string; `NULL` outside a task.
#' * `task_attempt()`: the number of this run of the task, a whole number from 1; `NULL` outside a
#'   task.
#' * `task_progress()`: `NULL`, invisibly. Outside a task it does nothing.
#'
#' None of them waits. Only `task_progress()` can fail, with a `taskq_error_input`, when it is given
#' something else than described.
#' @examples
#' is_worker()
#' task_id()
#'
#' q <- task_q$new(1)
#' q$push(function() taskq::task_id(), id = "who-am-i")
#' q$pop(Inf)$result
#' q$push(function(n) {
#'   for (i in seq_len(n)) taskq::task_progress(i / n, paste("step", i))
#' }, list(100))
#' q$pop(Inf)$status
#' second_time <- function() if (taskq::task_attempt() < 2) stop("not yet") else "done"
#' q$push(second_time, tries = 2, retry_on = "error")
#' q$pop(Inf)$result
#' q$close()
#' @export
task_id <- function() {
  if (!is.null(tq_session$inline_id)) return(tq_session$inline_id)
  rs_task_id()
}

#' @rdname task_id
#' @export
task_attempt <- function() {
  if (!is.null(tq_session$inline_id)) return(tq_session$inline_tries)
  rs_task_attempt()
}

#' @rdname task_id
#' @export
is_worker <- function() rs_is_worker() || tq_is_starting()
