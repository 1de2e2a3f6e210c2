# What becomes of a function on its way to a worker. Serialization itself is native.
#
# A function sees in the worker what it can see there anyway: the global environment, or its package. Of the frames in
# which it was made, those of functions and of local(), it takes along what it uses (src/rust/src/capture.rs,
# R/capture.R).

# | environment of the function                  | in the worker                                            |
# | -------------------------------------------- | -------------------------------------------------------- |
# | none (a primitive)                           | as it is                                                 |
# | a crate, or an S4 generic                    | as it is: its environment belongs to it                  |
# | a namespace, base, an attached package       | as it is: a reference to the package                     |
# | a frame                                      | a frame with what it uses, above what the frame was above |
# | what is attached and no package              | the global environment                                   |
#
# list(fun, captured): the function that is sent, which is the same at each push, and what it captures: a list, an
# environment, or NULL.
tq_portable <- function(fun) rs_portable(fun)

# Both in one, for what is sent once.
tq_portable_function <- function(fun) {
  portable <- tq_portable(fun)
  tq_with_captured(portable$fun, portable$captured)
}

tq_with_captured <- function(fun, captured) rs_with_captured(fun, captured)

# A frame of a function, of local() or the like: an environment that other processes do not have.
tq_is_frame <- function(env) {
  if (identical(env, globalenv()) || tq_is_package_env(env)) return(FALSE)
  is.null(attr(env, "name", exact = TRUE)) || !tq_is_attached(env)
}

tq_is_package_env <- function(env) {
  isNamespace(env) || identical(env, baseenv()) || identical(env, emptyenv()) ||
    startsWith(environmentName(env), "package:")
}

tq_is_attached <- function(env) {
  any(vapply(search(), function(place) identical(as.environment(place), env), NA))
}

# How a function of a package is called, so that what looks at its call finds one that can be evaluated anywhere, as
# update() does: "stats::lm", where `call`, of push(), names it so. Otherwise the function itself stands in its call.
tq_name_of_function <- function(fun, call) {
  namespace <- environment(fun)
  if (!is.function(fun) || is.null(namespace) || !isNamespace(namespace)) return(NULL)
  said <- call$fun %||% if (length(call) > 1L) call[[2L]]
  if (is.call(said) && length(said) == 3L && as.character(said[[1L]])[1L] %in% c("::", ":::")) said <- said[[3L]]
  if (!is.symbol(said)) return(NULL)
  name <- as.character(said)
  if (!identical(get0(name, namespace, inherits = FALSE), fun)) return(NULL)
  c(getNamespaceName(namespace)[[1L]], name)
}

# In the worker, called natively: the call's first part. `request`: list(fun, name), see tq_name_of_function(). The
# package may be another one here.
tq_head_of_call <- function(request) {
  fun <- request[[1L]]
  name <- request[[2L]]
  namespace <- tryCatch(asNamespace(name[[1L]]), error = function(cnd) NULL)
  here <- if (!is.null(namespace)) get0(name[[2L]], namespace, inherits = FALSE)
  if (!identical(here, fun, ignore.bytecode = TRUE, ignore.srcref = TRUE)) return(fun)
  is_exported <- name[[1L]] == "base" || name[[2L]] %in% getNamespaceExports(namespace)
  as.call(lapply(c(if (is_exported) "::" else ":::", name), as.name))
}

# Called natively, for bytes that were written in another locale.
tq_read_quietly <- function(payload) suppressWarnings(rs_read(payload))

# The same for bytes that may be none of an object: in a list; or why it cannot be read, a condition.
tq_read_with_care <- function(payload) {
  tryCatch(list(rs_read(payload)), error = function(cnd) {
    tq_check_problem(cnd)
    cnd
  })
}
