# The state of a session that every task finds: it is saved after `init`, and after each task, when its
# result is sent, the session goes back to it. What differs is found out natively (src/rust/src/state.rs,
# taskq-sys/src/snapshot.rs) and is nothing, most of the time; only where it is not, R code runs, for that part.

#' What a task finds in its session
#'
#' A worker runs one task after another, and each finds the session as `init` has left it, and what `everywhere()` has
#' called since.
#'
#' @section What is put back:
#' After each task, also after one that has failed or was interrupted, when its result is on its way:
#' * the working directory, also when the task has deleted the one it was in,
#' * the temporary directory, when it is gone: it is made again, empty, under the same name,
#' * environment variables, options, the locale and the library paths,
#' * objects in the global environment: those that were added are removed, those that were changed
#'   or removed are as before,
#' * the search path: what was attached is detached, what was detached is attached again,
#' * sinks; connections and graphics devices that the task has opened are closed, silently,
#' * time limits ([setTimeLimit()], [setSessionTimeLimit()]) are lifted,
#' * the file mode creation mask, the signal mask, what an interrupt does, and soft resource limits,
#' * the random numbers: their generator is the one that `init` has chosen (see [RNGkind()]), and each
#'   task has numbers of its own,
#' * what packages remember of clusters, backends and plans: `parallel::setDefaultCluster()`, the backend
#'   of foreach, `future::plan()`,
#' * hooks ([setHook()]), and S3 methods that were registered for generics of base, stats and utils.
#'
#' What cannot be put back costs the session: it ends, and another one takes its place, which takes about as
#' long as a session takes to start. No task is blamed for it. This is done when a task
#' * has left a connection open that something still uses, as the cluster of a `future::plan("multisession")`, or a
#'   [pipe()], because closing that waits for the command,
#' * has closed a connection, a graphics device, or a connection to a database (of DBI) that `init` has opened,
#' * has defined S4 classes or methods, or reference classes, in the global environment,
#' * has unloaded a package that was there before, or has locked the global environment.
#'
#' What tasks are to find open again and again is opened in `init`, or by `everywhere()`.
#'
#' @section What stays:
#' * loaded namespaces and DLLs, with the hooks and S3 methods that they have registered; the options that are there for
#'   the first time after a task that has loaded a namespace, because they may be the ones by which that package works,
#' * what packages keep in variables of their own, beside what is named above,
#' * what compiled code keeps in variables of its own, its threads, and memory it does not give back,
#' * objects that were changed by reference: environments, R6 objects, a `data.table`, the tables of an S4 generic
#'   that `init` has made, the position in a file that `init` has opened,
#' * the mark of [debug()] on a function of a package,
#' * files, also in the session's temporary directory: a result may name them,
#' * processes that the task has started, until their session ends.
#'
#' A task that must not find any of this, or must not leave it, is run with `isolate`; a queue whose
#' sessions must not collect it has `max_tasks` or `max_memory`.
#'
#' @section Without workers:
#' A queue that runs its tasks inline (`num_workers = 0`) puts back the working directory, the variables
#' of its `env`, the random numbers, sinks, and the `packages` and `globals` of the task. All else stays
#' in your session as the task has left it, and so does what cannot be put back: a working directory that the
#' task has removed, a sink whose connection it has closed.
#'
#' @examples
#' q <- task_q$new(1, init = function() options(digits = 4))
#' q$push(function() { options(digits = 10); Sys.setenv(LEFT = "here"); x <<- 1 })
#' q$push(function() list(digits = getOption("digits"), left = Sys.getenv("LEFT"), x = exists("x")))
#' str(q$collect(progress = FALSE)$result[[2]])
#' q$close()
#' @name taskq-state
NULL

# The bits of src/rust/src/state.rs.
tq_state_parts <- c(
  directory = 1L, environment = 2L, interrupt = 4L, limit = 8L, locale = 16L, options = 32L,
  objects = 64L, search = 128L, probe = 256L, devices = 512L, libpath = 1024L, random = 2048L,
  registries = 4096L, tables = 8192L, namespaces = 16384L, opened = 32768L
)

# The state as it is now is what every task finds; but for that of the process, of which a fork has its own.
# `seed`: that of the queue, or NULL.
tq_home <- function(seed) {
  tq_random_begin(seed, rs_task_random)
  home <- new.env(parent = emptyenv())
  home$probe <- tq_state_probe()
  # Compiled now, so that no task pays for it.
  for (i in 1:3) home$probe()
  home$options <- options()
  home$locale <- tq_locale()
  home$connections <- getAllConnections()
  home$sinks <- home$probe()[1:2]
  home$devices <- tq_devices()
  home$libpath <- .libPaths()
  home$search <- tq_search()
  home$namespaces <- tq_namespaces()
  home$definitions <- tq_definitions()
  home$bare <- tq_is_bare()
  rs_state_begin(as.call(list(home$probe)), as.call(list(tq_lift_time_limits)),
    environment(.libPaths), tq_namespace_registry())
  tq_watch_registries()
  rs_state_save(sum(tq_state_parts))
  tq_watch_opened(home)
  home
}

# What has no pointer to compare: depth of the sinks, connection of the messages, open connections.
# sink.number() spends most of its time in match.arg(), more than all other checks together take; so this
# is made of what it and getAllConnections() do in the end, where that is a single call as it has always been.
tq_state_probe <- function() {
  probe <- function() c(sink.number("output"), sink.number("message"), getAllConnections())
  inner <- body(sink.number)[[length(body(sink.number))]]
  is_internal <- function(x) is.call(x) && identical(x[[1L]], as.name(".Internal"))
  if (is_internal(inner) && length(inner[[2L]]) == 2L && is_internal(body(getAllConnections))) {
    to_output <- to_message <- inner
    to_output[[c(2L, 2L)]] <- TRUE
    to_message[[c(2L, 2L)]] <- FALSE
    body(probe) <- as.call(list(as.name("c"), to_output, to_message, body(getAllConnections)))
    environment(probe) <- baseenv()
  }
  probe
}

# In this order: setTimeLimit() takes over a limit of the session.
tq_lift_time_limits <- function() {
  setSessionTimeLimit()
  setTimeLimit()
}

# Whether nothing is loaded but R's own compiled code, and ours, which set no resource limits.
tq_is_bare <- function() {
  own <- c("(embedding)", "base", "grDevices", "graphics", "grid", "internet", "lapack", "methods", "parallel",
    "splines", "stats", "stats4", "taskq", "tcltk", "tools", "utils")
  all(names(getLoadedDLLs()) %in% own)
}

# `changed`: the parts as a number. Returns when nothing differs any more; otherwise the session ends, and another one
# takes its place.
tq_go_home <- function(home, changed) {
  problem <- tryCatch(
    suppressMessages(suppressWarnings(tq_go_home_in_rounds(home, changed))),
    error = tq_message_of
  )
  if (is.null(problem)) return(invisible())
  while (sink.number() > 0L) sink()
  if (sink.number("message") != 2L) sink(type = "message")
  cat("taskq: the session is replaced, because it could not be put back: ", problem, "\n", file = stderr(), sep = "")
  quit("no", status = 1L, runLast = FALSE)
}

# NULL, or what cannot be put back.
tq_go_home_in_rounds <- function(home, changed) {
  # Putting one part back may change another: detaching a package runs code of that package.
  for (round in seq_len(tq_limits$state_rounds)) {
    is_changed <- bitwAnd(changed, tq_state_parts) != 0L
    parts <- names(tq_state_parts)[is_changed]
    problem <- tq_gone_for_good(home, parts)
    if (!is.null(problem)) return(problem)
    loaded <- if ("namespaces" %in% parts) tq_note_namespaces(home)
    if ("probe" %in% parts) tq_restore_sinks(home)
    if (length(loaded) && "tables" %in% parts) {
      # Packages register methods, and set hooks, when they are loaded.
      rs_state_save(tq_state_parts[["tables"]])
      changed <- changed - tq_state_parts[["tables"]]
    }
    problem <- rs_state_restore(changed)
    if (!is.null(problem)) return(problem)
    if ("search" %in% parts) tq_restore_search(home)
    if ("devices" %in% parts) tq_restore_devices(home)
    if ("libpath" %in% parts) .libPaths(home$libpath)
    if ("locale" %in% parts) tq_restore_locale(home)
    if ("options" %in% parts) tq_restore_options(home, loaded)
    if ("random" %in% parts) tq_random_renew()
    rs_state_save(sum(tq_state_parts[c("options", "search", "libpath")][
      c("options", "search", "libpath") %in% parts]))
    # When nothing of the task's is in the way any more.
    if ("probe" %in% parts) {
      problem <- tq_restore_connections(home)
      if (!is.null(problem)) return(problem)
    }
    changed <- rs_state_changed()
    if (is.null(changed)) return(NULL)
  }
  paste(names(tq_state_parts)[bitwAnd(changed, tq_state_parts) != 0L], collapse = ", ")
}

# What a task has done that cannot be undone, or NULL.
tq_gone_for_good <- function(home, parts) {
  if ("opened" %in% parts) return("a task has closed a connection of `init`")
  if ("probe" %in% parts && length(setdiff(home$connections, getAllConnections()))) {
    return("a task has closed a connection of `init`")
  }
  if ("devices" %in% parts && length(setdiff(home$devices, tq_devices()))) {
    return("a task has closed a graphics device of `init`")
  }
  if ("objects" %in% parts && !identical(tq_definitions(), home$definitions)) {
    return("a task has defined S4 classes or methods, which R remembers")
  }
  if ("namespaces" %in% parts || "search" %in% parts) {
    is_there <- vapply(names(home$namespaces), function(name) {
      identical(.getNamespace(name), home$namespaces[[name]])
    }, NA)
    if (!all(is_there)) return(paste("a task has unloaded the package", names(home$namespaces)[!is_there][1L]))
  }
  NULL
}

# Where R notes S4 classes and methods that are defined in the global environment; they are also in tables of its own.
tq_definitions <- function() grep("^\\.__[CT]__", ls(globalenv(), all.names = TRUE), value = TRUE)

# Loaded packages, with their environments.
tq_namespaces <- function() {
  registry <- tq_namespace_registry()
  # To read an active binding would run code.
  is_plain <- function(name) !bindingIsActive(as.name(name), registry)
  mget(Filter(is_plain, names(registry)), envir = registry)
}

# Where R keeps them: the length of it tells whether one was loaded.
tq_namespace_registry <- function() {
  inner <- body(loadedNamespaces)
  if (is.call(inner) && length(inner) == 2L && identical(inner[[1L]], as.name("names"))) {
    registry <- eval(inner[[2L]], baseenv())
    if (is.environment(registry)) return(registry)
  }
  emptyenv()
}

# What is loaded stays. Returns the names of what is new.
tq_note_namespaces <- function(home) {
  loaded <- setdiff(loadedNamespaces(), names(home$namespaces))
  home$namespaces <- tq_namespaces()
  rs_state_save(tq_state_parts[["namespaces"]])
  loaded
}

tq_restore_sinks <- function(home) {
  while (sink.number() > home$sinks[[1L]]) sink()
  if (sink.number("message") == home$sinks[[2L]]) return()
  tq_unsink_messages()
  if (home$sinks[[2L]] != 2L) sink(getConnection(home$sinks[[2L]]), type = "message")
}

# What sink(type = "message") calls, but with -1: from the connection that it leaves, R would never let go.
tq_unsink_messages <- function() {
  unsink <- function() NULL
  body(unsink) <- as.call(list(as.name(".Internal"), call("sink", -1L, FALSE, TRUE, FALSE)))
  environment(unsink) <- baseenv()
  unsink()
}

# Connections that a task has left open. R closes those that are not in use; what is left then, a package has
# remembered, and would use again. NULL, or why they cannot be closed.
tq_restore_connections <- function(home) {
  left <- setdiff(getAllConnections(), home$connections)
  if (length(left)) {
    # To close it would wait for its command.
    if ("pipe" %in% vapply(left, tq_connection_class, "")) return("a task has left a pipe open")
    # What is young takes R a fraction of the time, and most of the time that is enough.
    for (full in c(FALSE, TRUE)) {
      gc(full = full)
      left <- setdiff(getAllConnections(), home$connections)
      if (!length(left)) break
    }
    if (length(left)) {
      return(paste("a package uses a connection that a task has left open:", tq_connection_class(left[[1L]])))
    }
    # A connection may have had the number of a standard descriptor that the task had closed.
    tq_checked(rs_session_restore_output(), NULL)
  }
  rs_state_save(tq_state_parts[["probe"]])
  NULL
}

tq_connection_class <- function(number) class(getConnection(number))[[1L]]

tq_search <- function() lapply(seq_along(search())[-1L], as.environment)

# From the top: what is not ours goes, what is missing is put where it was. Both may attach or detach more
# than was asked for, so each step looks again.
tq_restore_search <- function(home) {
  for (step in seq_len(10L * length(search()))) {
    foreign <- which(!vapply(tq_search(), tq_is_among, NA, home$search))
    if (!length(foreign)) break
    detach(pos = foreign[[1L]] + 1L, character.only = TRUE, force = TRUE)
  }
  for (at in seq_along(home$search)) {
    if (!tq_is_among(home$search[[at]], tq_search())) {
      home$search[[at]] <- tq_attach_again(home$search[[at]], at + 1L)
    }
  }
}

tq_is_among <- function(env, envs) {
  for (other in envs) if (identical(env, other)) return(TRUE)
  FALSE
}

tq_attach_again <- function(env, pos) {
  name <- attr(env, "name")
  if (startsWith(name, "package:")) {
    package <- sub("package:", "", name, fixed = TRUE)
    library(package, character.only = TRUE, pos = pos, warn.conflicts = FALSE)
  } else {
    # What the user had attached, in a session that is ours: here this is no bad practice.
    put_back <- match.fun("attach")
    put_back(env, pos = pos, name = name, warn.conflicts = FALSE)
  }
  as.environment(pos)
}

# The number of a device, or nothing where there is none.
tq_devices <- function() if (isNamespaceLoaded("grDevices")) grDevices::dev.list()

tq_restore_devices <- function(home) {
  for (device in rev(setdiff(tq_devices(), home$devices))) grDevices::dev.off(device)
  home$devices <- tq_devices()
  rs_state_save(tq_state_parts[["devices"]])
}

tq_locale_categories <- c("LC_COLLATE", "LC_CTYPE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME",
  "LC_MESSAGES", "LC_PAPER", "LC_MEASUREMENT")

tq_locale <- function() vapply(tq_locale_categories, Sys.getlocale, "")

tq_restore_locale <- function(home) {
  now <- tq_locale()
  for (category in names(now)[now != home$locale]) {
    Sys.setlocale(category, home$locale[[category]])
  }
}

# A package sets options when it is loaded, and works with them from then on. `loaded`: the packages that are new.
tq_restore_options <- function(home, loaded) {
  now <- options()
  added <- setdiff(names(now), names(home$options))
  if (length(loaded)) {
    home$options[added] <- now[added]
  } else if (length(added)) {
    options(structure(vector("list", length(added)), names = added))
  }
  same <- function(name) identical(now[[name]], home$options[[name]])
  differ <- names(home$options)[!vapply(names(home$options), same, NA)]
  if (length(differ)) options(home$options[differ])
}
