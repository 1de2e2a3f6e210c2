# Life of a queue: open, close, kill, and the guard that every method passes.

# What the sessions are made from.
tq_session_options <- function(name, preload, init, packages, globals, env, libpath, wd, threads,
                               seed, nice, r_args, call) {
  globals <- tq_check_globals(globals, call)
  options <- list(
    name = tq_check_name(name, call),
    preload = tq_check_function(preload, "preload", call, null = TRUE),
    init = tq_check_function(init, "init", call, null = TRUE),
    packages = tq_check_packages(packages, call),
    globals = globals$values,
    auto = if (globals$auto) names(globals$values) %||% character(),
    env = tq_check_env(env, call),
    libpath = tq_check_libpath(libpath, call),
    wd = tq_check_wd(wd, call),
    threads = tq_check_threads(threads, call),
    seed = tq_check_seed(seed, call),
    nice = tq_check_nice(nice, call),
    r_args = tq_check_r_args(r_args, call)
  )
  if (globals$auto) {
    for (fun in options[c("preload", "init")]) options <- tq_add_globals(options, fun, options$auto)
  }
  options
}

# What the scheduler is told.
tq_queue_limits <- function(num_workers, timeout, tries, isolate, max_tasks, max_memory,
                            idle_timeout, max_waiting, fair, call) {
  num_workers <- tq_check_num_workers(num_workers, "num_workers", call)
  list(
    min_workers = as.double(num_workers[[1L]]),
    max_workers = as.double(num_workers[[2L]]),
    timeout = tq_check_duration(timeout, "timeout", call),
    tries = tq_check_count(tries, "tries", call),
    isolate = as.double(tq_check_flag(isolate, "isolate", call)),
    max_tasks = tq_check_count(max_tasks, "max_tasks", call),
    max_memory = tq_check_bytes(max_memory, "max_memory", call),
    idle_timeout = tq_check_duration(idle_timeout, "idle_timeout", call),
    max_waiting = tq_check_count(max_waiting, "max_waiting", call),
    fair = as.double(tq_check_flag(fair, "fair", call))
  )
}

tq_open <- function(private, session, limits, call) {
  open <- if (limits$max_workers > 0L && tq_is_starting()) tq_open_dormant else tq_open_now
  open(private, session, limits, call)
}

tq_open_now <- function(private, session, limits, call) {
  session$thread_env <- tq_thread_env(session$threads, limits$max_workers)
  session$thread_env <- session$thread_env[setdiff(names(session$thread_env), names(session$env))]
  quiet <- tq_quiet_env(session$env)
  session$quiet <- names(quiet)
  session_env <- c(tq_session_env(session$libpath), session$thread_env, quiet)
  log <- tq_log(call)
  if (nzchar(log) || nzchar(Sys.getenv("TASKQ_LOG"))) session_env[["TASKQ_LOG"]] <- log
  if (limits$max_workers == 0L) private$inline <- tq_inline(session)
  config <- c(limits, list(
    setup = if (limits$max_workers == 0L) raw() else tq_setup(session),
    env = c(session_env[setdiff(names(session_env), names(session$env))], session$env),
    wd = session$wd,
    command = tq_session_command("supervisor_main", tq_zygote_title, session$r_args),
    late_variables = names(session$thread_env),
    is_latin1 = as.double(tq_is_latin1(session$env)),
    startup_files = tq_startup_files(session$wd, session$env),
    tempdir = tempdir(check = TRUE),
    tmpdir = if ("TMPDIR" %in% names(session$env)) session$env[["TMPDIR"]] else ""
  ))
  tq_warn_in_server(call)
  private$name <- session$name
  private$session <- tq_session
  private$auto <- session$auto
  private$handle <- tq_checked(rs_queue_open(config), call)
  private$plain <- if (is.null(session$auto)) private$handle
}

# A queue for each visitor is hardly ever meant.
tq_warn_in_server <- function(call) {
  if (!isNamespaceLoaded("shiny") || is.null(shiny::getDefaultReactiveDomain())) return(invisible())
  message <- "this queue is made inside `server`: each visitor gets sessions of their own, which end with the queue"
  hint <- "make it outside, before `shinyApp()`: it is shared by all visitors then, and outlives them"
  tq_warn("server", message, call, body = c(i = hint))
}

# Whether the sessions write Latin-1: their locale is that of the host, if `env` says nothing else.
tq_is_latin1 <- function(env) {
  value <- function(name) if (name %in% names(env)) env[[name]] else Sys.getenv(name)
  locale <- Filter(nzchar, vapply(c("LC_ALL", "LC_CTYPE", "LANG"), value, ""))
  length(locale) > 0L && "ISO8859-1" %in% utils::localeToCharset(locale[[1L]])[1L]
}

# What a worker needs before its first task. What the user's objects need to be read (library
# paths, packages) travels beside them, not among them.
tq_setup <- function(session) {
  objects <- list(
    preload = if (!is.null(session$preload)) tq_portable_function(session$preload),
    init = if (!is.null(session$init)) tq_portable_function(session$init),
    globals = session$globals
  )
  setup <- list(
    # Nothing of a user is to be loaded or run before the first task.
    is_plain = !length(session$packages) && !length(objects$globals) && is.null(objects$preload) &&
      is.null(objects$init),
    libpath = session$libpath,
    packages = session$packages,
    seed = session$seed,
    threads = session$thread_env,
    quiet = session$quiet,
    nice = session$nice,
    title = tq_title(session$name),
    command = tq_session_command("session_main", tq_title(session$name), session$r_args),
    objects = serialize(rs_without_sources(objects), NULL, xdr = FALSE)
  )
  serialize(setup, NULL, xdr = FALSE)
}

tq_close <- function(private, grace, call) {
  grace_ms <- tq_check_duration(grace, "grace", call)
  if (tq_is_dormant(private)) private$inline$end(call)
  handle <- tq_handle(private, call)
  tq_checked(rs_queue_close(handle, grace_ms), call)
  gone <- tq_checked(rs_wait_closed(handle, grace_ms + tq_limits$kill_wait_ms), call)
  invisible(isTRUE(gone))
}

tq_kill <- function(private, call) {
  if (tq_is_dormant(private)) private$inline$end(call)
  handle <- tq_handle(private, call)
  tq_checked(rs_queue_kill(handle), call)
  gone <- tq_checked(rs_wait_closed(handle, tq_limits$kill_wait_ms), call)
  invisible(isTRUE(gone))
}

# The native queue of this object. A queue that was saved and restored has none.
tq_handle <- function(private, call) {
  if (identical(private$session, tq_session)) {
    if (!is.null(private$inline)) tq_wake(private, call)
    return(private$handle)
  }
  tq_throw(tq_closed_error("this queue belongs to another R session: it cannot be saved, restored or sent", call))
}
