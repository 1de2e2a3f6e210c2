# `TaskqParam` of BiocParallel: the class, and the methods that BiocParallel asks of a backend (its help page
# "DeveloperInterface"). What happens between host and workers stands in biocparallel-loop.R.
#
# A loop of BiocParallel sends messages to nodes, one at a time, and awaits the answer of any. Here a message is a task,
# and the nodes are as many tasks as may be under way; which worker runs one is for the queue to say.

#' Run BiocParallel on a queue
#'
#' After `BiocParallel::register(TaskqParam(4))`, all that uses BiocParallel runs on the workers of a queue:
#' `BiocParallel::bplapply()`, `BiocParallel::bpiterate()`, `BiocParallel::bpvec()`, and packages that take a `BPPARAM`.
#'
#' Results, random numbers, errors and logs are those of `BiocParallel::SnowParam()` with the same arguments. So
#' functions find their variables as there: `exportvariables` sends what they use of the global environment.
#'
#' What is different from `SnowParam()`:
#' * The sessions start in the time of a fork, with BiocParallel loaded.
#' * A worker that dies takes nothing with it but its elements, those of one task of BiocParallel (see `tasks`). Their
#'   results are errors of class "worker_comm_error" that say how it has died. Another worker takes its place, and
#'   `BPREDO` runs what is missing.
#' * After Ctrl-C a parameter object that was started can be used again.
#' * Workers keep loaded packages, but no variables, options and attached packages from one task to the next. What
#'   they need is given to the queue, by `init`, `packages` and `globals`.
#'
#' @param workers The number of workers, a whole number from 1; default 4. `bpworkers(x) <- 8` changes it, also while
#'   `x` is started. With 1 BiocParallel runs loops in this session, unless `fallback` is `FALSE` or `x` is started.
#' @param tasks,stop.on.error,progressbar,RNGseed,timeout,exportglobals,exportvariables As in
#'   `BiocParallel::SnowParam()`. The unit of `timeout` is seconds. `tasks` is 0 by default, one task a worker, and with
#'   a progress bar one task an element.
#' @param log,threshold,logdir,resultdir,jobname,force.GC,fallback As in `BiocParallel::SnowParam()`.
#' @param ... Options of the queue, see [`task_q$new()`][task_q], for instance `init`, `packages`, `globals`,
#'   `max_memory`, and `tries` for elements whose worker dies.
#' @return An object of the reference class `TaskqParam`, a `BiocParallelParam`. Nothing is started before
#'   `BiocParallel::bpstart()`, or the first loop, which stops it again at its end. A started one that is forgotten ends
#'   when R collects it, and with this session.
#'
#'   Throws `taskq_error_package` when BiocParallel is not installed, `taskq_error_input` when `workers` or an option of
#'   the queue cannot be, and R's own error for other arguments. A loop throws what it throws with `SnowParam()`, and
#'   `taskq_error_start` when the sessions cannot start.
#' @examplesIf requireNamespace("BiocParallel", quietly = TRUE)
#' library(BiocParallel)
#' param <- TaskqParam(2, RNGseed = 1)
#' bplapply(1:2, function(i) rnorm(1), BPPARAM = param)
#' @export
# nolint start: object_name_linter. BiocParallel's names.
TaskqParam <- function(workers = 4L, tasks = if (progressbar) .Machine$integer.max else 0L, stop.on.error = TRUE,
                       progressbar = FALSE, RNGseed = NULL, timeout = NA_integer_, exportglobals = TRUE,
                       exportvariables = TRUE, log = FALSE, threshold = "INFO", logdir = NA_character_,
                       resultdir = NA_character_, jobname = "BPJOB", force.GC = FALSE, fallback = TRUE, ...) {
  call <- sys.call()
  tq_need("BiocParallel", "TaskqParam()", call)
  options <- list(...)
  tq_check_own_options(options, call)
  fields <- BiocParallel::.prototype_update(BiocParallel::.BiocParallelParam_prototype,
    workers = tq_check_own_workers(workers, "workers", call), tasks = as.integer(tasks), stop.on.error = stop.on.error,
    progressbar = progressbar, RNGseed = if (!is.null(RNGseed)) as.integer(RNGseed), timeout = as.integer(timeout),
    exportglobals = exportglobals, exportvariables = exportvariables, log = log, threshold = threshold,
    logdir = logdir, resultdir = resultdir, jobname = jobname, force.GC = force.GC, fallback = fallback
  )
  param <- do.call(tq_bp$TaskqParam, c(fields, list(queue.options = options)))
  methods::validObject(param)
  param
}
# nolint end

# ---- the class ----

# Where class and methods live: BiocParallel is only suggested, so they are made when it is loaded, and our namespace is
# closed then.
tq_bp <- new.env()

# Called when BiocParallel or taskq is loaded, whichever comes last, in workers, too: a parameter object may be among
# what a function takes along.
tq_bp_define <- function() {
  assign(".packageName", "taskq", envir = tq_bp)
  # A parameter object may be in the frame of a function that travels, and so may its class: without what is here. To
  # serialize() this is our namespace.
  assign(".__NAMESPACE__.", list2env(list(spec = c(name = "taskq"))), envir = tq_bp)
  tq_bp$TaskqParam <- methods::setRefClass("TaskqParam", contains = "BiocParallelParam", where = tq_bp,
    fields = list(queue.options = "list", started = "character"))
  # For what it is cleaned up after a loop.
  methods::setClass("TaskqManager", contains = "TaskManager", where = tq_bp)
  methods::setOldClass("taskq_bp_loop", where = tq_bp)
  methods::setOldClass("taskq_bp_job", where = tq_bp)
  bp <- asNamespace("BiocParallel")
  for (method in tq_bp_methods) {
    generic <- getExportedValue(bp, method[[1L]])
    methods::setMethod(generic, method[[2L]], method[[3L]], where = tq_bp)
  }
}

# Our own again, if taskq is loaded a second time.
tq_bp_forget <- function() {
  if (is.null(tq_bp$TaskqParam)) return(invisible())
  if (isNamespaceLoaded("BiocParallel")) {
    for (method in tq_bp_methods) {
      generic <- getExportedValue("BiocParallel", method[[1L]])
      methods::removeMethod(generic, method[[2L]], where = tq_bp)
    }
  }
  classes <- c("TaskqParam", "TaskqManager", "taskq_bp_loop", "taskq_bp_job")
  for (class in classes) methods::removeClass(class, where = tq_bp)
}

# Each: generic, signature, method.
tq_bp_methods <- list(
  list("bpisup", "TaskqParam", function(x) !is.null(tq_bp_link(x))),
  list("bpstart", "TaskqParam", function(x, ...) {
    if (BiocParallel::bpisup(x)) stop("cluster already started")
    tq_bp_start(x)
    BiocParallel::.bpstart_impl(x)
  }),
  list("bpstop", "TaskqParam", function(x) {
    tq_bp_stop(x)
    BiocParallel::.bpstop_impl(x)
  }),
  list("bpworkers<-", c("TaskqParam", "numeric"), function(x, value) {
    x$workers <- tq_check_own_workers(value, "workers", sys.call())
    link <- tq_bp_link(x)
    if (!is.null(link)) link$queue$resize(x$workers)
    x
  }),
  list("bplog<-", c("TaskqParam", "logical"), function(x, value) {
    x$log <- value
    x
  }),
  list("bpthreshold<-", c("TaskqParam", "character"), function(x, value) {
    x$threshold <- value
    x
  }),
  list("bpbackend", "TaskqParam", function(x) tq_bp_loop(x)),
  list(".manager", "TaskqParam", function(BPPARAM) { # nolint: object_name_linter.
    # BiocParallel need not be attached, so callNextMethod() does not find it.
    of_all <- methods::selectMethod(BiocParallel::.manager, "BiocParallelParam")
    methods::as(of_all(BPPARAM), "TaskqManager")
  }),
  list(".manager_cleanup", "TaskqManager", function(manager) tq_bp_abandon(manager$backend)),
  list(".send_to", "taskq_bp_loop", function(backend, node, value) tq_bp_send(backend, node, value)),
  list(".recv_any", "taskq_bp_loop", function(backend) tq_bp_receive(backend)),
  list(".recv", "taskq_bp_job", function(worker) tq_bp_job_next(worker)),
  list(".send", "taskq_bp_job", function(worker, value) worker$answer <- value),
  list(".close", "taskq_bp_job", function(worker) invisible(worker))
)
