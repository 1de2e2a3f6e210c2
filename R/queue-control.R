# Life of a queue: open, close, kill, and the guard that every method passes.

tq_open <- function(private, num_workers, name, preload, init, packages, globals, env, libpath,
                    wd, call) {
  num_workers <- tq_check_num_workers(num_workers, call)
  name <- tq_check_name(name, call)
  preload <- tq_check_function(preload, "preload", call, null = TRUE)
  init <- tq_check_function(init, "init", call, null = TRUE)
  packages <- tq_check_packages(packages, call)
  globals <- tq_check_globals(globals, call)
  env <- tq_check_env(env, call)
  libpath <- tq_check_libpath(libpath, call)
  wd <- tq_check_wd(wd, call)

  if (num_workers == 0L) {
    private$inline <- tq_inline(preload, init, packages, globals, env, wd)
    setup <- raw()
  } else {
    setup <- tq_setup(preload, init, packages, globals, libpath, name)
  }
  session_env <- tq_session_env(libpath)
  config <- list(
    num_workers = num_workers,
    name = if (is.null(name)) "" else enc2utf8(name),
    setup = setup,
    env = c(session_env[setdiff(names(session_env), names(env))], env),
    wd = wd,
    r_home = R.home(),
    command = tq_session_command("nursery_main", name),
    tempdir = tempdir()
  )
  private$name <- name
  private$session <- tq_session
  private$handle <- tq_checked(rs_queue_open(config), call)
}

# What a worker needs before its first task. What the user's objects need to be read (library
# paths, packages) travels beside them, not among them.
tq_setup <- function(preload, init, packages, globals, libpath, name) {
  objects <- list(
    preload = if (!is.null(preload)) tq_portable_function(preload),
    init = if (!is.null(init)) tq_portable_function(init),
    globals = globals
  )
  setup <- list(
    libpath = libpath,
    packages = packages,
    command = tq_session_command("session_main", name),
    objects = serialize(objects, NULL, xdr = FALSE)
  )
  serialize(setup, NULL, xdr = FALSE)
}

tq_close <- function(private, grace, call) {
  grace_ms <- tq_check_duration(grace, "grace", call)
  handle <- tq_handle(private, call)
  tq_checked(rs_queue_close(handle, grace_ms), call)
  gone <- tq_checked(.External(C_tq_wait_closed, handle, grace_ms + tq_limits$kill_wait_ms), call)
  invisible(isTRUE(gone))
}

tq_kill <- function(private, call) {
  handle <- tq_handle(private, call)
  tq_checked(rs_queue_kill(handle), call)
  gone <- tq_checked(.External(C_tq_wait_closed, handle, tq_limits$kill_wait_ms), call)
  invisible(isTRUE(gone))
}

# The native queue of this object. A queue that was saved and restored has none.
tq_handle <- function(private, call) {
  if (identical(private$session, tq_session)) return(private$handle)
  message <- paste(
    "this queue belongs to another R session: a queue cannot be saved, restored or sent;",
    "make a new one with task_q$new()"
  )
  tq_throw(tq_condition("closed", message, call))
}
