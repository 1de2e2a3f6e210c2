# poll() and pop(). They wait and hand over; scheduling happens elsewhere. The native wait lets
# Ctrl-C through; nothing has been taken from the queue at that time.

tq_poll <- function(private, timeout, new, call) {
  timeout_ms <- tq_check_pop_timeout(timeout, call)
  new <- tq_check_flag(new, "new", call)
  handle <- tq_handle(private, call)
  tq_checked(rs_wait(handle, timeout_ms, new), call)
  if (!new) return(tq_checked(rs_queue_done(handle), call))
  # What they are told of last is this: a Ctrl-C must not come between.
  rs_tell(handle)
}

# Two phases: the result is built completely while the task is still in the queue; then the task
# is taken out and the result handed over by a native call that R cannot interrupt, and that is
# the last thing evaluated. Should a finalizer have popped this very task meanwhile, it pops anew.
tq_pop <- function(private, timeout, id, call) {
  timeout_ms <- tq_check_pop_timeout(timeout, call)
  if (!is.null(id)) id <- tq_check_one_id(id, "the id of one task, or NULL", call)
  handle <- private$handle
  task <- rs_peek(handle, timeout_ms, id)
  if (is.null(task)) return(NULL)
  if (is.null(task$serial)) tq_checked(task, call)
  result <- tq_result(task, rs_queue_failure(handle))
  .External(C_tq_call, "rs_commit", handle, task$serial, result,
    function() tq_pop(private, timeout, id, call))
}

# Elsewhere the id comes first.
tq_check_pop_timeout <- function(timeout, call) {
  hint <- if (tq_is_string(timeout)) {
    sprintf("`q$pop(id = %s)` pops the task of this id", encodeString(timeout, quote = "\""))
  }
  tq_check_duration(timeout, "timeout", call, hint)
}
