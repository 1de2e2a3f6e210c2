# q$promise() and q$run(): the value of a task as a promise. No polling: when a task is done that was promised to an
# event loop of the package later, the native side has this loop call tq_settle(), once for all that are done by then.
#
# A promise set holds the promises of one queue that are pending. It does not keep the queue alive, but what the native
# side has of it: a queue that is collected is killed, and its promise set then rejects what was promised.

# The promise sets with promises that are pending, by number.
tq_promise_sets <- new.env(parent = emptyenv())

# `whole`: the promise resolves, however the task ends, to a list of its `result` and its last `progress`.
tq_promise <- function(private, id, call, whole = FALSE) {
  tq_need(c("later", "promises"), "promises", call)
  handle <- tq_handle(private, call)
  task <- tq_find_one(handle, id, call)
  rs_set_waker(tq_settle)
  loop <- later::current_loop()$id
  in_app <- isNamespaceLoaded("shiny") && !is.null(shiny::getDefaultReactiveDomain())
  promise <- NULL
  # A task that is promised and has no promise would never leave the queue.
  suspendInterrupts({
    promise_set <- tq_promise_set(private, call)
    promised <- tq_checked(rs_queue_promise(handle, task, loop), call)
    if (promised) {
      promise <- promises::promise(function(resolve, reject) {
        tq_loop_hold(loop)
        promise <- list(resolve = resolve, reject = reject, whole = whole, in_app = in_app, loop = loop)
        tq_promise_set_add(promise_set, task, promise)
      })
    }
  })
  if (is.null(promise)) tq_throw(tq_promised_error(id, call))
  promise
}

# The queue takes a task that may wait for room even when it is full: an event loop must not wait.
tq_run <- function(private, fun, args, id, options, call) {
  tq_need(c("later", "promises"), "promises", call)
  task <- tq_task(private, fun, args, id, options, call)
  run <- tryCatch(tq_run_task(private, task, call), taskq_error_closed = function(cnd) tq_throw(tq_visible_error(cnd)))
  if (is.null(run)) promises::promise_reject(tq_visible_error(tq_full_error(call))) else run$promise
}

# The `id` and the `promise` of a task of tq_task(), or NULL where the queue is full. A Ctrl-C must not find a task that
# was pushed, but has no promise yet: its id would be lost.
tq_run_task <- function(private, task, call, whole = FALSE) {
  handle <- tq_handle(private, call)
  run <- suspendInterrupts({
    pushed <- tq_push_task(handle, task, call)
    if (!is.list(pushed)) list(id = pushed, promise = tq_promise(private, pushed, call, whole))
  })
  if (!is.null(run) && !is.null(private$inline)) tq_inline_run(private$inline, handle, call)
  run
}

# The promise set of a queue, which is only seen while something is pending.
tq_promise_set <- function(private, call) {
  if (is.null(private$promise_set)) {
    promise_set <- new.env(parent = emptyenv())
    promise_set$handle <- tq_checked(rs_queue_holder(private$handle), call)
    tq_session$promise_sets <- (tq_session$promise_sets %||% 0) + 1
    promise_set$name <- format(tq_session$promise_sets, scientific = FALSE)
    promise_set$pending <- new.env(parent = emptyenv())
    promise_set$count <- 0L
    private$promise_set <- promise_set
  }
  private$promise_set
}

# `promise`: how it is settled, `resolve` and `reject`; what it resolves to, `whole`; the number of its `loop`; whether
# it is of a Shiny app.
tq_promise_set_add <- function(promise_set, task, promise) {
  assign(tq_serial_key(task), promise, envir = promise_set$pending)
  promise_set$count <- promise_set$count + 1L
  assign(promise_set$name, promise_set, envir = tq_promise_sets)
}

tq_promise_set_remove <- function(promise_set, task) {
  key <- tq_serial_key(task)
  promise <- promise_set$pending[[key]]
  rm(list = key, envir = promise_set$pending)
  promise_set$count <- promise_set$count - 1L
  if (promise_set$count == 0L) rm(list = promise_set$name, envir = tq_promise_sets)
  tq_loop_release(promise$loop)
  promise
}

# A loop with promises that are pending has a timer far away, so that who waits until the loop is empty, as
# shiny::testServer() does, waits for them.
tq_loops <- new.env(parent = emptyenv())

tq_loop_hold <- function(loop) {
  held <- tq_loops[[format(loop)]]
  if (is.null(held)) {
    held <- new.env(parent = emptyenv())
    held$pending <- 0L
    tq_loop_wind(held)
    assign(format(loop), held, envir = tq_loops)
  }
  held$pending <- held$pending + 1L
}

# In the current loop. When it goes off it is wound again.
tq_loop_wind <- function(held, seconds = tq_limits$loop_timer_s) {
  held$unwind <- later::later(function() tq_loop_wind(held), seconds)
}

tq_loop_release <- function(loop) {
  held <- tq_loops[[format(loop)]]
  held$pending <- held$pending - 1L
  if (held$pending > 0L) return()
  rm(list = format(loop), envir = tq_loops)
  held$unwind()
}

# Only ever compared with another one.
tq_serial_key <- as.character

# Called in an event loop: settles what was promised to it and is done. What users do with a promise runs later, so that
# no error and no interrupt can come from it.
tq_settle <- function(loop) {
  suspendInterrupts({
    until <- proc.time()[["elapsed"]] + tq_limits$settle_ms / 1000
    for (promise_set in as.list(tq_promise_sets)) {
      if (rs_has_conditions(promise_set$handle)) tq_relay_later(promise_set$handle)
      while (is.double(task <- rs_queue_kept(promise_set$handle, loop))) {
        tq_settle_one(promise_set, task)
        if (proc.time()[["elapsed"]] > until) return(rs_wake_loop(loop))
      }
    }
  })
}

# In the current loop, before what comes of results that are settled now: handlers of users are not called from within
# tq_settle(), which has to come to its end. A loop calls back without any handlers, whatever is established around it;
# those of globalCallingHandlers() are meant for all that R does.
tq_relay_later <- function(handle) {
  relay <- function() rs_relay(handle)
  later::later(function() do.call(withCallingHandlers, c(list(quote(relay())), globalCallingHandlers())))
}

tq_settle_one <- function(promise_set, task) {
  result <- tryCatch(
    tq_result(rs_outcome(promise_set$handle, task), rs_queue_failure(promise_set$handle)),
    error = function(cnd) list(status = "error", error = cnd)
  )
  promise <- tq_promise_set_remove(promise_set, task)
  progress <- if (promise$whole) tq_progress_of(rs_queue_progress(promise_set$handle, task))
  rs_settled(promise_set$handle, task)
  if (!identical(result$status, "success")) {
    result$error <- tq_visible_error(result$error)
    if (promise$in_app) tq_log_error(result$error)
  }
  if (promise$whole) return(promise$resolve(list(result = result, progress = progress)))
  if (identical(result$status, "success")) promise$resolve(result$result) else promise$reject(result$error)
}

#' A result as a promise
#'
#' Makes a promise of a result that was popped, so that it can be used where a promise is wanted. Needs the
#' package promises.
#' @usage \method{as.promise}{taskq_result}(x)
#' @param x A `taskq_result`, from `pop()` of [task_q].
#' @return A [promises::promise]: resolved to the `result` of a task that succeeded, rejected with the `error`
#'   of any other, with a message for visitors: see `promise()` of [task_q].
#' @examplesIf requireNamespace("promises", quietly = TRUE) && requireNamespace("later", quietly = TRUE)
#' q <- task_q$new(1)
#' q$push(function() 6 * 7)
#' promises::then(promises::as.promise(q$pop(Inf)), print)
#' while (!later::loop_empty()) later::run_now(0.1)
#' q$close()
#' @exportS3Method promises::as.promise
as.promise.taskq_result <- function(x) { # nolint: object_name_linter.
  if (identical(x$status, "success")) return(promises::promise_resolve(x$result))
  promises::promise_reject(tq_visible_error(x$error))
}
