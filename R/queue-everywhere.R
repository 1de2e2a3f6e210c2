# everywhere(): broadcasts, which all sessions run, those that are there and those that come. Which session runs one
# when is decided in taskq-core (sched/everywhere.rs). In a session it is no task: nothing is put back after it.

tq_everywhere <- function(private, fun, args, call) {
  if (missing(fun)) tq_missing_error("fun", "a function", call)
  tq_check_function(fun, "fun", call)
  args <- tq_check_args(args, call)
  handle <- tq_handle(private, call)
  if (!is.null(private$inline)) return(tq_inline_everywhere(private$inline, handle, fun, args, call))
  work <- c(list(fun = tq_portable_function(fun), args = args), tq_far(private, fun, NULL))
  values <- rs_everywhere(handle, work)
  if (inherits(values, "tq_failure")) tq_push_refused(handle, values, call)
  values
}

# An inline queue has one session, this one.
tq_inline_everywhere <- function(inline, handle, fun, args, call) {
  state <- rs_queue_state(handle)
  if (state %in% c("closing", "closed")) tq_throw(tq_closed_error("this queue is closed", call))
  tq_inline_start(inline, call)
  work <- list(fun = tq_inline_function(fun, inline$frame), args = args)
  list(tryCatch(tq_run_broadcast(work), error = function(cnd) {
    tq_throw(tq_everywhere_error(list(message = tq_error_line(cnd)), call))
  }))
}

# `work`: list(fun, args, globals, packages). In a frame of its own, as that of a task.
tq_run_broadcast <- function(work) {
  tq_attach_missing(work$packages)
  if (length(work$globals)) list2env(work$globals, envir = globalenv())
  do.call(work$fun, as.list(work$args), quote = TRUE)
}

# R would write it when the session ends.
tq_tell_warning <- function(cnd) {
  cat("Warning: ", tq_message_of(cnd), "\n", file = stderr(), sep = "")
  tryInvokeRestart("muffleWarning")
}

# In a session, between two tasks. An error ends it. Returns what tasks find from now on. `seed`: of the queue, or NULL.
tq_session_run_broadcast <- function(seed) {
  tq_enter_tempdir(rs_session_make_temp_dir, rs_session_failed)
  tq_phase("everywhere", {
    outcome <- list(value = withCallingHandlers(tq_run_broadcast(rs_broadcast()), warning = tq_tell_warning))
    home <- tq_home(seed)
    rs_state_process(home$bare)
    tq_checked(rs_ran(outcome), NULL)
  }, rs_session_failed)
  home
}
