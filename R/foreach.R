# `registerDoTaskq()`: iterations of foreach as elements of `map()`. What foreach means by its options is done by its
# own functions; ours is what goes to the workers and how they evaluate an iteration.

#' Run foreach on a queue
#'
#' After `registerDoTaskq(4)` all that uses [foreach::%dopar%] runs on the workers of a queue, caret for instance.
#'
#' Results, their order, errors and exported variables are those of doParallel with a cluster. What is different:
#' * Iterations go to the workers in batches whose size follows the time that they take, and are shared out anew at the
#'   end, so there is nothing to be tuned.
#' * Messages and warnings of iterations are signalled here when the loop has ended, and conditions of progressr while
#'   it runs.
#' * A worker that dies is an error of the iterations that it ran, which says how it has died; `.errorhandling` decides
#'   what becomes of it. Another worker takes its place.
#' * After each batch a worker is set back to what `packages`, `preload` and `init` have left: see [taskq-state].
#'
#' @param queue A queue with workers, which the user ends; or the number of workers of a queue that is made here, and
#'   ends when another backend is registered, and with this session. Default 4.
#' @param ... Options of the queue that is made, see [`task_q$new()`][task_q], for instance `packages`, `threads`.
#' @return `NULL`, invisibly. Throws `taskq_error_package` when foreach is not installed, and `taskq_error_input` when
#'   an argument cannot be.
#' @examplesIf requireNamespace("foreach", quietly = TRUE)
#' library(foreach)
#' registerDoTaskq(2)
#' foreach(i = 1:4, .combine = c) %dopar% i^2
#' registerDoSEQ()
#' @export
registerDoTaskq <- function(queue = 4L, ...) { # nolint: object_name_linter. As those of other backends.
  call <- sys.call()
  tq_need("foreach", "registerDoTaskq()", call)
  given <- queue
  if (inherits(queue, "task_q")) {
    if (...length()) tq_input_error("...", list(...), "empty where a queue is given", call)
  } else {
    workers <- tq_check_own_workers(queue, "queue", call)
    options <- list(...)
    tq_check_own_options(options, call)
    queue <- do.call(task_q$new, c(list(workers), options))
  }
  is_own <- !identical(queue, given)
  foreach::setDoPar(tq_foreach, list2env(list(queue = queue, is_own = is_own, attached = NULL)), tq_foreach_info)
  invisible()
}

tq_foreach_info <- function(data, item) {
  switch(item,
    workers = max(1L, nrow(data$queue$list_workers())),
    name = "doTaskq",
    version = utils::packageVersion("taskq")
  )
}

# What foreach calls for a loop. `loop`: the foreach object; `data`: an environment of queue, is_own (it is ours alone),
# attached (packages in all of its workers).
tq_foreach <- function(loop, expr, envir, data) {
  iterations <- iterators::iter(loop)
  accumulate <- foreach::makeAccum(iterations)
  found <- tq_foreach_exports(loop, expr, envir)
  arguments <- as.list(iterations)
  packages <- setdiff(c(found$packages, loop$packages), data$attached)
  if (length(packages) && data$is_own) {
    # They stay attached, as in a cluster.
    data$queue$everywhere(tq_attach_missing, list(packages))
    data$attached <- c(data$attached, packages)
  }
  work <- list(expr = expr, env = found$env, packages = packages)
  results <- data$queue$map(arguments, tq_foreach_evaluate, list(work = work), on_error = "keep", progress = FALSE)
  tryCatch(accumulate(results, seq_along(results)), error = function(cnd) {
    cat("error calling combine function:\n")
    print(cnd)
  })
  error <- foreach::getErrorValue(iterations)
  if (identical(loop$errorHandling, "stop") && !is.null(error)) {
    message <- sprintf('task %d failed - "%s"', foreach::getErrorIndex(iterations), conditionMessage(error))
    stop(simpleError(message, call = expr))
  }
  foreach::getResult(iterations)
}

# list(env, packages): the variables that the expression uses of `envir`, with those of `.export`, and the packages of
# functions that it uses.
tq_foreach_exports <- function(loop, expr, envir) {
  say <- function(what, names) if (loop$verbose && length(names)) cat(what, ": ", toString(names), "\n", sep = "")
  # What is not exported is found where the code is from: in its package, or the global environment of the worker.
  frame <- function(...) {
    list(...)
    environment()
  }
  environment(frame) <- topenv(envir)
  dots <- tryCatch(eval(quote(list(...)), envir), error = function(cnd) NULL)
  env <- if (is.null(dots)) new.env(parent = topenv(envir)) else do.call(frame, dots)
  packages <- foreach::getexports(expr, env, envir, bad = union(loop$noexport, loop$argnames))
  say("variables that are found", ls(env))
  already <- intersect(loop$export, ls(env))
  if (length(already)) warning("already exporting variable(s): ", toString(already))
  for (name in setdiff(loop$export, already)) {
    if (!exists(name, envir)) stop(sprintf('unable to find variable "%s"', name))
    value <- get(name, envir)
    # Functions see the other variables that are exported.
    if (is.function(value) && (identical(environment(value), globalenv()) || identical(environment(value), envir))) {
      environment(value) <- env
    }
    assign(name, value, envir = env)
  }
  say("variables of .export", setdiff(loop$export, already))
  list(env = env, packages = packages)
}

# One iteration, in a worker. An error is its value, as foreach expects it.
tq_foreach_evaluate <- function(arguments, work) {
  tryCatch({
    tq_attach_missing(work$packages)
    # A loop within it has no workers here, and is not to warn of that.
    if (isNamespaceLoaded("foreach")) foreach::registerDoSEQ()
    env <- new.env(parent = work$env)
    list2env(arguments, env)
    eval(work$expr, env)
  }, error = function(cnd) cnd)
}
