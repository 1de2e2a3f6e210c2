# q$promise() and q$run(): the value of a task as a promise. No polling: when a task is done that was promised to an
# event loop of the package later, the native side has this loop call tq_settle(), once for all that are done by then.
#
# A desk holds the promises of one queue that are pending. It does not keep the queue alive, but what the native side
# has of it: a queue that is collected is killed, and its desk then rejects what was promised.

# The desks with promises that are pending, by number.
tq_desks <- new.env(parent = emptyenv())

# `whole`: the promise resolves, however the task ends, to a list of its `result` and its last `progress`.
tq_promise <- function(private, id, call, whole = FALSE) {
  tq_need(c("later", "promises"), "promises", call)
  handle <- tq_handle(private, call)
  task <- tq_find_one(handle, id, call)
  rs_hang_bell(tq_settle)
  loop <- later::current_loop()$id
  in_app <- isNamespaceLoaded("shiny") && !is.null(shiny::getDefaultReactiveDomain())
  promise <- NULL
  # A task that is promised and has no promise would never leave the queue.
  suspendInterrupts({
    desk <- tq_desk(private, call)
    promised <- tq_checked(rs_queue_promise(handle, task, loop), call)
    if (promised) {
      promise <- promises::promise(function(resolve, reject) {
        tq_loop_hold(loop)
        tq_desk_add(desk, task, list(resolve = resolve, reject = reject, whole = whole, in_app = in_app, loop = loop))
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

# The desk of a queue, which is only seen while something is pending.
tq_desk <- function(private, call) {
  if (is.null(private$desk)) {
    desk <- new.env(parent = emptyenv())
    desk$handle <- tq_checked(rs_queue_holder(private$handle), call)
    tq_session$desks <- (tq_session$desks %||% 0) + 1
    desk$name <- format(tq_session$desks, scientific = FALSE)
    desk$pending <- new.env(parent = emptyenv())
    desk$count <- 0L
    private$desk <- desk
  }
  private$desk
}

# `promise`: how it is settled, `resolve` and `reject`; what it resolves to, `whole`; the number of its `loop`; whether
# it is of a Shiny app.
tq_desk_add <- function(desk, task, promise) {
  assign(tq_serial_key(task), promise, envir = desk$pending)
  desk$count <- desk$count + 1L
  assign(desk$name, desk, envir = tq_desks)
}

tq_desk_remove <- function(desk, task) {
  key <- tq_serial_key(task)
  promise <- desk$pending[[key]]
  rm(list = key, envir = desk$pending)
  desk$count <- desk$count - 1L
  if (desk$count == 0L) rm(list = desk$name, envir = tq_desks)
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
    for (desk in as.list(tq_desks)) {
      while (is.double(task <- rs_queue_kept(desk$handle, loop))) {
        tq_settle_one(desk, task)
        if (proc.time()[["elapsed"]] > until) return(rs_ring(loop))
      }
    }
  })
}

tq_settle_one <- function(desk, task) {
  result <- tryCatch(
    tq_result(rs_outcome(desk$handle, task), rs_queue_failure(desk$handle)),
    error = function(cnd) list(status = "error", error = cnd)
  )
  promise <- tq_desk_remove(desk, task)
  progress <- if (promise$whole) tq_progress_of(rs_queue_progress(desk$handle, task))
  rs_settled(desk$handle, task)
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
