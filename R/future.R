# `plan(task_q_future)`: futures as tasks. What a future evaluates, captures and relays is future's own code, in the
# worker as well; here it is only sent and fetched.
#
# Up to version 1.39 of future a backend is a class of futures with methods, and its constructor is the strategy; since
# 1.40 it is a `FutureBackend`. Both have the same tasks, results and failures here. The methods are registered when
# future is loaded.

#' Run futures on a queue
#'
#' After `future::plan(task_q_future, workers = 4)` all that uses futures runs on the workers of a queue: future,
#' future.apply, furrr, doFuture, and `promises::future_promise()`.
#'
#' Values, random numbers, errors, conditions and output are those of [future::multisession] on the same code, since
#' future itself makes them. What is different:
#' * The workers are forked, with what `preload` has loaded, and start in milliseconds after the first.
#' * `future()` never waits for a free worker: what is more than the workers waits in the queue.
#' * A worker that dies is the error of its future, a `FutureError` (since future 1.40 a `FutureInterruptError`) that
#'   says how it has died. Another one takes its place.
#' * After each future a worker is set back to what `preload` and `init` have left: see [taskq-state].
#' * Conditions of class `immediateCondition`, so those of progressr, are signalled here when a future is asked for,
#'   whether it is resolved or for its value, also those of other futures of the plan.
#'
#' @param ... Arguments of [future::future()], for which future calls this function. It is not called by users.
#' @param workers The number of workers, a whole number from 1, or a function that gives it. The default is that of
#'   [future::multisession].
#' @param preload,init,env,libpath,wd,max_tasks,max_memory,threads,nice,r_args Options of the queue, see
#'   [`task_q$new()`][task_q], set by `plan()` and `future::tweak()`. Packages and globals are found by future. The
#'   workers start with `plan()`. When they cannot, `plan()` throws a `FutureError`; since future 1.40 the first
#'   future does.
#' @return A future. A plan has a queue of its own, which ends when another plan is set, and with this session.
#' @examplesIf requireNamespace("future", quietly = TRUE)
#' library(future)
#' plan(task_q_future, workers = 2)
#' f <- future(Sys.getpid())
#' value(f)
#' plan(sequential)
#' @export
task_q_future <- function(..., workers = future::availableCores(), preload = NULL, init = NULL, env = character(),
                          libpath = .libPaths(), wd = getwd(), max_tasks = Inf, max_memory = Inf, threads = NULL,
                          nice = 0L, r_args = character()) {
  options <- mget(tq_future_options)
  future <- future::MultiprocessFuture(...)
  class(future) <- c("TaskqFuture", class(future))
  future$workers <- tq_future_workers(workers)
  future$find_queue <- function() tq_future_queue(future$workers, options)
  if (!future$lazy) future <- future::run(future)
  invisible(future)
}

tq_future_options <- setdiff(names(formals(task_q_future)), c("...", "workers"))

# What future asks of a strategy, see its vignette "Implementing a future backend".
class(task_q_future) <- c("task_q_future", "multiprocess", "future", "function")
attr(task_q_future, "init") <- TRUE
attr(task_q_future, "tweakable") <- c("workers", tq_future_options)
attr(task_q_future, "factory") <- function(..., workers = future::availableCores()) {
  given <- list(...)
  backend <- do.call(future::MultiprocessFutureBackend, given[!names(given) %in% tq_future_options])
  backend$workers <- tq_future_workers(workers)
  backend$options <- given[names(given) %in% tq_future_options]
  backend$queue <- tq_future_start(backend$workers, backend$options)
  backend$futureClasses <- c("TaskqFuture", backend$futureClasses)
  backend$reg <- "taskq"  # future's registry of what runs: ours is the queue
  class(backend) <- c("TaskqFutureBackend", class(backend))
  backend
}

tq_future_workers <- function(workers) {
  if (is.function(workers)) workers <- workers()
  tq_check_own_workers(workers, "workers", quote(plan(task_q_future)))
}

# ---- queues ----

# Those of the plan that future up to 1.39 has: each a list(workers, options, queue).
tq_future <- new.env(parent = emptyenv())

tq_future_start <- function(workers, options) do.call(task_q$new, c(list(workers), options))

# The queue of a plan with these arguments. The end of a plan shows only by this: future stops the cluster that stands
# in its registry. So one stands there that means all of our queues.
tq_future_queue <- function(workers, options) {
  for (known in tq_future$queues) {
    if (identical(known[1:2], list(workers, options)) && !known[[3L]]$is_closed()) return(known[[3L]])
  }
  queue <- tq_future_start(workers, options)
  tq_future$queues <- c(tq_future$queues, list(list(workers, options, queue)))
  registry <- environment(tq_future_own("ClusterRegistry"))
  registry$cluster <- structure(list("taskq"), class = c("taskq_future_queues", "cluster"))
  queue
}

tq_future_stop <- function(cl = NULL) {
  for (known in tq_future$queues) known[[3L]]$kill()
  tq_future$queues <- NULL
}

# A function that future keeps to itself.
tq_future_own <- function(name) get(name, envir = asNamespace("future"))

tq_future_free <- function(queue, workers) {
  busy <- if (is.null(queue)) 0L else queue$get_num_waiting() + queue$get_num_running()
  max(0L, workers - busy)
}

# ---- a future ----

# future records an immediateCondition as one that was signalled, and lets it go on to the session, which has the host
# signal it. Since 1.40 it does so by itself.
tq_future_expression <- function(future, ...) NextMethod(immediateConditions = TRUE)

tq_future_run <- function(future, ...) {
  if (future$state != "created") tq_future_fail(future, "can be launched once only")
  tq_future_own("assertOwner")(future)
  tq_future_launch(future, future$find_queue())
}

tq_future_backend_launch <- function(backend, future, ...) {
  if (is.null(backend$queue)) backend$queue <- tq_future_start(backend$workers, backend$options)
  tq_future_launch(future, backend$queue)
}

# What it takes along is serialized here, not by the queue: it travels as with other backends, whatever it holds.
tq_future_launch <- function(future, queue) {
  bytes <- serialize(list(future::getExpression(future), as.list(future$globals)), NULL, xdr = FALSE)
  label <- future$label
  future$queue <- queue
  future$task <- tryCatch(
    queue$push(tq_future_evaluate, list(bytes), tag = if (tq_is_string(label)) label),
    taskq_error = function(cnd) tq_future_fail(future, conditionMessage(cnd))
  )
  future$state <- "running"
  invisible(future)
}

tq_future_resolved <- function(x, run = TRUE, timeout = NULL, ...) {
  if (x$state == "created") {
    if (run) future::run(x)
    return(FALSE)
  }
  if (is.null(x$result)) {
    tq_future_own("assertOwner")(x)
    timeout <- timeout %||% getOption("future.resolved.timeout", 0.01)
    if (timeout < 0) timeout <- Inf
    if (!x$queue$wait(x$task, timeout * 1000, progress = FALSE)) return(FALSE)
  }
  tq_future_own("signalEarly")(x, ...)
  TRUE
}

tq_future_result <- function(future, ...) {
  if (is.null(future$result)) {
    if (future$state == "created") future <- future::run(future)
    tq_future_own("assertOwner")(future)
    result <- tq_future_fetch(future)
    is_result <- inherits(result, "FutureResult")
    future$result <- result
    if (is_result || !future$state %in% c("canceled", "interrupted")) {
      future$state <- if (is_result) "finished" else "failed"
    }
  }
  if (inherits(future$result, "FutureError")) stop(future$result)
  future$result
}

# A FutureResult, or the FutureError of a future that has none. An interrupt while it waits changes nothing.
tq_future_fetch <- function(future) {
  result <- tryCatch(future$queue$pop(Inf, id = future$task), taskq_error = identity)
  if (inherits(result, "taskq_error")) return(tq_future_error(future, conditionMessage(result)))
  value <- result$result
  if (inherits(value, c("FutureResult", "FutureError"))) return(value)
  cause <- if (is.null(result$error)) "its value is not that of a future" else conditionMessage(result$error)
  is_ended <- !identical(result$status, "error")
  tq_future_error(future, sub(paste("task", tq_quote(result$task_id)), "its task", cause, fixed = TRUE), is_ended)
}

# `is_ended`: its worker has died, or it was ended from outside.
tq_future_error <- function(future, cause, is_ended = FALSE) {
  label <- if (is.null(future$label)) "<none>" else future$label
  message <- sprintf("Future (%s) of class %s: %s", tq_quote(label), class(future)[[1L]], cause)
  make <- if (is_ended) get0("FutureInterruptError", asNamespace("future"))
  if (is.null(make)) make <- future::FutureError
  make(message, future = future)
}

tq_future_fail <- function(future, cause) stop(tq_future_error(future, cause))

# The task.
tq_future_evaluate <- function(bytes) {
  sent <- unserialize(bytes)
  list2env(sent[[2L]], globalenv())
  eval(sent[[1L]], globalenv())
}

# ---- future's generics ----

# Each for the class named first. One that this version of future does not have is left out.
tq_future_methods <- list(
  list("TaskqFuture", "getExpression", tq_future_expression),
  list("TaskqFuture", "run", tq_future_run),
  list("TaskqFuture", "resolved", tq_future_resolved),
  list("TaskqFuture", "result", tq_future_result),
  list("TaskqFutureBackend", "launchFuture", tq_future_backend_launch),
  list("TaskqFutureBackend", "interruptFuture", function(backend, future, ...) {
    if (backend$interrupts) {
      future$queue$cancel(future$task)
      future$state <- "interrupted"
    }
    future
  }),
  list("TaskqFutureBackend", "stopWorkers", function(backend, ...) {
    if (!is.null(backend$queue)) backend$queue$kill()
    backend$queue <- NULL
    TRUE
  }),
  list("TaskqFutureBackend", "nbrOfWorkers", function(evaluator) evaluator$workers),
  list("TaskqFutureBackend", "nbrOfFreeWorkers", function(evaluator, ...) {
    tq_future_free(evaluator$queue, evaluator$workers)
  }),
  list("task_q_future", "nbrOfWorkers", function(evaluator) tq_future_workers(eval(formals(evaluator)$workers))),
  list("task_q_future", "nbrOfFreeWorkers", function(evaluator, ...) {
    future <- evaluator(NULL, lazy = TRUE)
    tq_future_free(future$find_queue(), future$workers)
  })
)

# Called when future or taskq is loaded, whichever comes last.
tq_future_register <- function() {
  future <- asNamespace("future")
  is_old <- !exists("FutureBackend", future)
  for (method in tq_future_methods) {
    # The new API has a run() and an expression of its own.
    if (!is_old && method[[2L]] %in% c("getExpression", "run")) next
    if (exists(method[[2L]], future)) registerS3method(method[[2L]], method[[1L]], method[[3L]], envir = future)
  }
  registerS3method("stopCluster", "taskq_future_queues", tq_future_stop, envir = asNamespace("parallel"))
}
