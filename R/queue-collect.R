# poll() and pop(). They wait and hand over; scheduling happens elsewhere. The native wait lets
# Ctrl-C through; nothing has been taken from the queue at that time.

tq_poll <- function(private, timeout, call) {
  timeout_ms <- tq_check_duration(timeout, "timeout", call)
  handle <- tq_handle(private, call)
  tq_await(private, handle, timeout_ms, tq_deadline(timeout_ms), call, function() {
    ids <- tq_checked(rs_queue_done(handle), call)
    if (length(ids)) ids
  }) %||% character()
}

tq_pop <- function(private, timeout, call) {
  timeout_ms <- tq_check_duration(timeout, "timeout", call)
  handle <- tq_handle(private, call)
  tq_pop_until(private, handle, timeout_ms, tq_deadline(timeout_ms), call)
}

# Two phases: the result is built completely while the task is still in the queue; then the task
# is taken out and the result handed over with no point between at which R could jump away.
tq_pop_until <- function(private, handle, timeout_ms, deadline_ms, call) {
  task <- tq_await(private, handle, timeout_ms, deadline_ms, call, function() {
    tq_checked(.External(C_tq_peek, handle), call)
  })
  if (is.null(task)) return(NULL)
  result <- tq_result(task, rs_queue_failure(handle))
  suspendInterrupts({
    taken <- .External(C_tq_commit, handle, task$serial, result)
    if (is.null(taken)) {
      # A callback or finalizer that ran meanwhile has popped this very task.
      allowInterrupts(tq_pop_until(private, handle, timeout_ms, deadline_ms, call))
    } else {
      taken
    }
  })
}

# `look()` until it finds something, the queue is empty, or the time is over; NULL for the latter.
tq_await <- function(private, handle, timeout_ms, deadline_ms, call, look) {
  repeat {
    found <- look()
    # After the look, so that a task which the failure has ended does not come before its reason.
    tq_tell_failure(private, handle, call)
    if (!is.null(found) || timeout_ms == 0) return(found)
    if (sum(tq_checked(rs_queue_counts(handle), call)) == 0L) return(NULL)
    left_ms <- if (is.finite(deadline_ms)) deadline_ms - tq_now_ms() else Inf
    if (left_ms <= 0) return(NULL)
    # The native wait counts by a clock that nobody sets; more than was asked for is never waited.
    tq_checked(.External(C_tq_wait, handle, min(left_ms, timeout_ms)), call)
  }
}

tq_deadline <- function(timeout_ms) {
  if (timeout_ms == 0 || timeout_ms == Inf) timeout_ms else tq_now_ms() + timeout_ms
}

tq_now_ms <- function() as.double(Sys.time()) * 1000

`%||%` <- function(x, y) if (is.null(x)) y else x
