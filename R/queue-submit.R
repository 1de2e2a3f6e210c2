# push(): check, serialize, hand over. Nothing is queued before all three have succeeded.

tq_push <- function(private, fun, args, id, call) {
  fun <- tq_portable_function(tq_check_function(fun, "fun", call))
  args <- tq_check_args(args, call)
  id <- tq_check_id(id, call)
  handle <- tq_handle(private, call)
  if (!is.null(private$inline)) tq_inline_start(private$inline, call)

  pushed <- .External(C_tq_push, handle, id, fun, list(args = args))
  if (inherits(pushed, "tq_failure")) {
    # A pool that cannot start says why at every push.
    if (identical(pushed$code, "failed")) pushed <- rs_queue_failure(handle)
    tq_checked(pushed, call)
  }
  if (!is.null(private$inline)) tq_inline_run(private$inline, handle, call)
  invisible(pushed)
}
