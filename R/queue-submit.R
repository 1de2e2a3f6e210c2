# push(): check, serialize, hand over. Nothing is queued before all three have succeeded.

# `options`: of tq_task_options(), or NULL for a task with the defaults of the queue.
tq_push <- function(private, fun, args, id, options, call) {
  task <- tq_task(private, fun, args, id, options, call)
  while (is.list(pushed <- tq_push_task(private$handle, task, call))) {
    if (!task$block) return(invisible(NULL))
    tq_checked(rs_wait_room(private$handle, 1, Inf), call)
  }
  if (!is.null(private$inline)) tq_inline_run(private$inline, private$handle, call)
  invisible(pushed)
}

# What the native call takes.
tq_task <- function(private, fun, args, id, options, call) {
  if (missing(fun)) tq_missing_error("fun", "a function", call)
  if (!is.function(fun)) tq_check_function(fun, "fun", call)
  portable <- tq_portable(fun)
  if (!is.list(args) || is.object(args)) args <- tq_check_args(args, call)
  if (!is.null(id)) id <- tq_check_id(id, call)
  if (!is.null(options$for_host$given)) tq_check_given(options, args, call)
  if (!is.null(private$inline)) tq_inline_start(private$inline, call)

  # What is absent from the call is left out: most of it has the same value in most tasks.
  rest <- if (length(args)) list(args = args)
  name <- tq_name_of_function(portable$fun, call)
  if (!is.null(name)) rest$name <- name
  if (!is.null(portable$captured)) rest$captured <- portable$captured
  rest <- c(rest, tq_far(private, fun, options))
  list(id = id, fun = portable$fun, rest = rest, for_host = options$for_host, block = !identical(options$block, FALSE))
}

# The id; or a list, the refusal of a queue that is full.
tq_push_task <- function(handle, task, call) {
  pushed <- rs_push(handle, task$id, task$fun, task$rest, task$for_host)
  if (is.list(pushed) && !identical(pushed$code, "full")) tq_push_refused(handle, pushed, call)
  pushed
}

# A pool that cannot start says why at every push.
tq_push_refused <- function(handle, refusal, call) {
  if (identical(refusal$code, "failed")) refusal <- rs_queue_failure(handle)
  tq_checked(refusal, call)
}
