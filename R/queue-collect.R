# poll() and pop(). They wait and hand over; scheduling happens elsewhere. The native wait lets
# Ctrl-C through; nothing has been taken from the queue at that time.

tq_poll <- function(private, timeout, call) {
  timeout_ms <- tq_check_pop_timeout(timeout, call)
  handle <- tq_handle(private, call)
  tq_checked(rs_wait(handle, timeout_ms), call)
  tq_checked(rs_queue_done(handle), call)
}

# Two phases: the result is built completely while the task is still in the queue; then the task
# is taken out and the result handed over by a native call that R cannot interrupt, and that is
# the last thing evaluated. Should a finalizer have popped this very task meanwhile, it pops anew.
tq_pop <- function(private, timeout, call) {
  timeout_ms <- tq_check_pop_timeout(timeout, call)
  handle <- private$handle
  task <- rs_peek(handle, timeout_ms)
  if (is.null(task)) return(NULL)
  if (is.null(task$serial)) tq_checked(task, call)
  result <- tq_result(task, rs_queue_failure(handle))
  .External(C_tq_call, "rs_commit", handle, task$serial, result, function() tq_pop(private, timeout, call))
}

# Elsewhere one pops by id.
tq_check_pop_timeout <- function(timeout, call) {
  hint <- if (is.character(timeout)) {
    "the first task that is done is popped; for certain tasks there is `q$collect(ids)`"
  }
  tq_check_duration(timeout, "timeout", call, hint)
}
