# What a session watches besides its own state (worker-state.R): the places where packages remember by what they run the
# work that is given to them, R's own hooks and registered methods, and what `init` has opened.

# By package: the environments in which it remembers a cluster, a backend or a plan. They are put back as `init` has
# left them or, when a task has loaded the package, as they were right after that.
tq_registries <- list(
  doParallel = function(package) list(package$.options),
  foreach = function(package) list(package$.foreachGlobals),
  future = function(package) list(environment(package$plan)),
  parallel = function(package) list(package$.reg)
)

# Packages with the generics for which most S3 methods are registered.
tq_table_owners <- c("base", "stats", "utils")

# How an environment is watched, for src/rust/src/state.rs.
tq_watching <- list(exactly = 0L, grows = 1L, large = 2L)

tq_watch_registries <- function() {
  for (package in names(tq_registries)) {
    event <- packageEvent(package, "onLoad")
    is_set <- any(vapply(getHook(event), identical, NA, tq_watch_package))
    if (!is_set) setHook(event, tq_watch_package)
    if (isNamespaceLoaded(package)) tq_watch_package(package)
  }
  tq_watch("hooks", .userHooksEnv, tq_watching$grows)
  for (package in tq_table_owners) {
    tq_watch(package, asNamespace(package)[[".__S3MethodsTable__."]], tq_watching$grows + tq_watching$large)
  }
}

# Also called by R, when the package was loaded.
tq_watch_package <- function(package, ...) {
  namespace <- asNamespace(package)
  places <- tq_registries[[package]](namespace)
  for (i in seq_along(places)) {
    # Another version of the package may keep it elsewhere.
    if (is.environment(places[[i]]) && !identical(places[[i]], namespace)) {
      tq_watch(paste(package, i), places[[i]], tq_watching$exactly)
    }
  }
}

tq_watch <- function(name, env, how) {
  if (is.environment(env)) rs_state_watch(name, env, how)
}

# Whether what `init` has opened is open. External pointers are looked at natively; the class of a connection, or of one
# to a database, knows it otherwise.
tq_watch_opened <- function(home) {
  pointers <- list()
  databases <- list()
  steps <- tq_limits$watch_steps
  look <- function(x, depth) {
    # A variable may have no value.
    if (missing(x) || steps == 0L || depth == 0L) return()
    steps <<- steps - 1L
    if (typeof(x) == "externalptr") pointers[[length(pointers) + 1L]] <<- x
    if (isS4(x) && methods::is(x, "DBIConnection")) databases[[length(databases) + 1L]] <<- x
    if (is.list(x)) for (i in seq_along(x)) look(.subset2(x, i), depth - 1L)
    if (is.environment(x)) for (name in ls(x, all.names = TRUE)) look(tq_value_in(name, x), depth - 1L)
    for (attribute in attributes(x)) look(attribute, depth - 1L)
  }
  for (value in rs_state_objects()) look(value, tq_limits$watch_depth)
  numbers <- setdiff(home$connections, 0:2)
  connection_ids <- lapply(numbers, tq_connection_id)
  is_valid <- if (length(databases)) DBI::dbIsValid
  # Runs after each task. An error says no.
  is_open <- function() {
    for (i in seq_along(numbers)) {
      if (!identical(attr(getConnection(numbers[[i]]), "conn_id"), connection_ids[[i]])) return(FALSE)
    }
    for (database in databases) if (!is_valid(database)) return(FALSE)
    TRUE
  }
  is_needed <- length(numbers) + length(databases) > 0L
  rs_state_opened(pointers, if (is_needed) as.call(list(is_open)))
}

# The pointer by which R tells two connections with the same number apart.
tq_connection_id <- function(number) attr(getConnection(number), "conn_id")

# The value of a variable, or the code of a promise or of an active binding, which are not evaluated.
tq_value_in <- function(name, env) {
  if (bindingIsActive(name, env)) return(NULL)
  eval(call("substitute", as.name(name), env))
}
