# What becomes of a function on its way to a worker. Serialization itself is native.
#
# A function sees in the worker what it can see there anyway: the global environment, or its
# package. The frame in which it was written stays behind, because it may hold anything.

# | environment of the function                  | in the worker                          |
# | -------------------------------------------- | -------------------------------------- |
# | none (a primitive)                           | as it is                               |
# | a crate, or an S4 generic                    | as it is: its environment belongs to it |
# | a namespace, base, an attached package       | as it is: a reference to the package   |
# | a frame of a function of a package           | the namespace of that package          |
# | any other                                    | the global environment                 |
tq_portable_function <- function(fun) {
  env <- environment(fun)
  if (is.null(env) || identical(env, globalenv())) return(fun)
  if (inherits(fun, "crate") || isS4(fun) || tq_is_package_env(env)) return(fun)
  top <- topenv(env)
  environment(fun) <- if (isNamespace(top)) top else globalenv()
  fun
}

tq_is_package_env <- function(env) {
  isNamespace(env) || identical(env, baseenv()) || identical(env, emptyenv()) ||
    startsWith(environmentName(env), "package:")
}
