# `globals = "auto"`: what a function uses of the global environment is sent with it, and what that uses; and packages
# that are attached here and used are attached there. The code is walked as for what is captured (src/rust/src/code.rs).

# What a task has for the worker beside its arguments, see R/task-options.R.
tq_far <- function(private, fun, options) {
  if (is.null(private$auto) && !isTRUE(options$auto)) return(options$for_worker)
  tq_add_globals(options$for_worker, fun, private$auto)
}

# `for_worker`: a list with `globals` and `packages`, of which either may be absent. `given`: names of objects that need
# not be looked for. What is in `for_worker` already stays.
tq_add_globals <- function(for_worker, fun, given) {
  if (is.null(fun)) return(for_worker)
  found <- tq_used_globals(fun, c(given, names(for_worker$globals)))
  globals <- c(found$globals, for_worker$globals)
  packages <- union(found$packages, for_worker$packages)
  if (length(globals)) for_worker$globals <- globals
  if (length(packages)) for_worker$packages <- packages
  for_worker
}

tq_used_globals <- function(fun, given) {
  globals <- list()
  packages <- character()
  seen <- list()
  path <- tq_search_path()
  todo <- tq_functions_of(fun)
  while (length(todo)) {
    code <- todo[[1L]]
    todo <- todo[-1L]
    if (any(vapply(seen, identical, NA, code))) next
    seen <- c(seen, code)
    chain <- tq_frames_from(environment(code))
    end <- if (length(chain)) parent.env(chain[[length(chain)]]) else environment(code)
    if (!identical(end, globalenv())) next
    uses <- rs_uses(code)
    for (i in seq_along(uses[[1L]])) {
      name <- uses[[1L]][[i]]
      if (name %in% c(given, names(globals), "...", ".Random.seed")) next
      found <- tq_find_used(name, if (uses[[2L]][[i]] == 2L) "function" else "any", chain, path)
      if (is.character(found$package)) packages <- union(packages, found$package)
      if (found$is_global) globals[name] <- list(tq_portable_value(found$value))
      todo <- c(todo, tq_functions_of(found$value))
    }
  }
  list(globals = globals, packages = packages)
}

# The packages that every session has.
tq_default_packages <- c("base", "methods", "datasets", "utils", "grDevices", "graphics", "stats")

# Where R looks behind the frames of a function, by name, without what every session has.
tq_search_path <- function() {
  places <- setdiff(search(), c("Autoloads", paste0("package:", tq_default_packages)))
  path <- lapply(places, as.environment)
  names(path) <- places
  path
}

# Where the variable is that a function finds: list(value, is_global, package).
tq_find_used <- function(name, mode, chain, path) {
  is_in <- function(env) exists(name, envir = env, mode = mode, inherits = FALSE)
  value_in <- function(env) tq_try(get(name, envir = env, mode = mode, inherits = FALSE))
  for (frame in chain) {
    # A promise may fail, and is forced by what captures it.
    if (isTRUE(tq_try(is_in(frame)))) return(list(value = value_in(frame), is_global = FALSE))
  }
  for (place in names(path)) {
    env <- path[[place]]
    if (!is_in(env)) next
    if (!startsWith(place, "package:")) return(list(value = value_in(env), is_global = TRUE))
    return(list(is_global = FALSE, package = sub("^package:", "", place)))
  }
  list(is_global = FALSE)
}

tq_portable_value <- function(value) if (is.function(value)) tq_portable_function(value) else value

# Those that a value is, or holds: in a list, or in attributes, as models of nls() that start themselves do.
tq_functions_of <- function(value) {
  held <- c(if (is.list(value)) unclass(value), attributes(value))
  c(if (is.function(value)) list(value), Filter(is.function, held))
}
