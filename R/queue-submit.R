# push(): check, serialize, hand over. Nothing is queued before all three have succeeded.

tq_push <- function(private, fun, args, id, call) {
  if (missing(fun)) tq_input_error("fun", NULL, "a function", call)
  if (!is.function(fun)) tq_check_function(fun, "fun", call)
  if (!identical(environment(fun), globalenv())) fun <- tq_portable_function(fun)
  if (!is.list(args) || is.object(args)) args <- tq_check_args(args, call)
  if (!is.null(id)) id <- tq_check_id(id, call)
  if (!is.null(private$inline)) tq_inline_start(private$inline, call)

  # What is absent from the call is left out: most of it has the same value in most tasks.
  rest <- if (length(args)) list(args = args)
  pushed <- .External(C_tq_push, private$handle, id, fun, rest)
  if (is.list(pushed)) {
    # A pool that cannot start says why at every push.
    if (identical(pushed$code, "failed")) pushed <- rs_queue_failure(private$handle)
    tq_checked(pushed, call)
  }
  if (!is.null(private$inline)) tq_inline_run(private$inline, private$handle, call)
  invisible(pushed)
}
