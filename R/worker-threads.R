# Threads of other packages in the processes of a queue. A process that has one cannot be forked, so packages are asked
# to start none before sessions are forked, and where one does all the same it is found out which, for the warning.

# In the environment of the zygote, and so of its supervisors: each keeps a package from starting a thread at its load.
tq_quiet_variables <- c(
  # cli's only tells its progress bars when to draw; and with cli comes all of the tidyverse.
  CLI_NO_THREAD = "true",
  # In arrow, that of an allocator which gives memory back. Without it, it does so when memory is next asked for.
  JE_ARROW_MALLOC_CONF = "background_thread:false"
)

# Those that neither the user nor the environment has set: these stay, and are what tasks find.
tq_quiet_env <- function(env) {
  is_free <- is.na(Sys.getenv(names(tq_quiet_variables), NA)) & !names(tq_quiet_variables) %in% names(env)
  tq_quiet_variables[is_free]
}

# In a session, from which nothing is forked: what is loaded from now on is as it is elsewhere, in children, too.
# `quiet`: the names of the variables.
tq_end_quiet <- function(quiet) {
  if (!length(quiet)) return(invisible())
  Sys.unsetenv(quiet)
  if ("CLI_NO_THREAD" %in% quiet && isNamespaceLoaded("cli")) {
    tq_call_cli("cli_tick_set")
    tq_call_cli("cli_tick_resume", TRUE)
  }
}

# In a supervisor, when cli has been loaded. Without its thread a progress bar would be drawn at each step, which is a
# line where there is no terminal, and takes longer than most steps. In a supervisor it would not be seen: it is not
# drawn.
tq_pause_cli <- function(quiet) if ("CLI_NO_THREAD" %in% quiet) tq_call_cli("cli_tick_pause", FALSE)

# What cli's tests do with its thread; not exported. A progress bar is no reason for a session not to come up.
tq_call_cli <- function(name, ...) {
  fun <- get0(name, asNamespace("cli"), mode = "function")
  if (!is.null(fun)) try(fun(...), silent = TRUE)
}

# ---- which step has brought a thread ----

# Counts threads between the steps of a supervisor's start, of which each is `phase` of tq_phase(); what they rise by is
# noted natively. `quiet`: as above.
tq_thread_watch <- function(quiet) {
  known <- 1L
  look <- function(phase, packages = character()) {
    now <- rs_num_threads()
    if (now > known) rs_supervisor_note_threads(phase, packages, now - known)
    known <<- now
  }
  # What was there before anything of the queue. R code starts no thread: it is none of a package without other code.
  has_code <- function(name) !is.null(asNamespace(name)[[".__NAMESPACE__."]][["DLLs"]])
  look("boot", Filter(has_code, setdiff(loadedNamespaces(), c(tq_own_namespaces, "taskq"))))
  if (isNamespaceLoaded("cli")) tq_pause_cli(quiet)
  loaded <- function(phase, package) {
    look(phase, package)
    if (package == "cli") tq_pause_cli(quiet)
  }
  list(look = look, during = function(phase, expr) tq_watch_loading(look, loaded, phase, expr))
}

# Those that R comes with, of which none starts a thread.
tq_own_namespaces <- c("base", "compiler", "datasets", "grDevices", "graphics", "grid", "methods", "parallel",
  "splines", "stats", "stats4", "tcltk", "tools", "utils")

# Calls `loaded` after each package that is loaded while `expr` is evaluated, and its imports before it. R runs a hook
# then; for which packages has to be said before, so it is for all there are.
tq_watch_loading <- function(look, loaded, phase, expr) {
  hook <- list(function(package, ...) loaded(phase, package))
  events <- sprintf(packageEvent("%s", "onLoad"), unique(unlist(lapply(.libPaths(), list.files))))
  # ?setHook names this environment; calling that function a thousand times would be felt.
  hooks <- .userHooksEnv
  list2env(lapply(mget(events, hooks, ifnotfound = list(list())), c, hook), hooks)
  on.exit({
    is_other <- function(fun) !identical(fun, hook[[1L]])
    left <- lapply(mget(events, hooks, ifnotfound = list(list())), Filter, f = is_other)
    left <- left[lengths(left) > 0L]
    rm(list = intersect(setdiff(events, names(left)), names(hooks)), envir = hooks)
    list2env(left, hooks)
  })
  force(expr)
  # What it has done beyond loading packages.
  look(phase)
}
