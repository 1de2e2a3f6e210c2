#' taskq: a task queue on a pool of warm R sessions
#'
#' A queue made by [task_q] runs functions in parallel R sessions on this machine. Tasks are
#' pushed, run in the background, and popped. The scheduler is a native thread of this process:
#' tasks move on by themselves, whatever R does meanwhile.
#'
#' @section Glossary:
#' * *task*: a function and its arguments, with an id. It has exactly one outcome.
#' * *try* (attempt): one run of a task. A task is run once, unless it was pushed with more `tries`.
#' * *worker*: an R session of the queue that runs one task at a time.
#' * *supervisor*: the R process from which the workers of a queue are forked.
#' * *zygote*: the R process from which the supervisors of queues are forked.
#' * *result*: what [task_q] gives for a task that is done, of class `taskq_result`.
#'
#' @section Log:
#' `options(taskq.log = list(level = "debug", file = "taskq.log"))` has all queues of this R session write down what
#' they do, for who looks for a fault. The environment variable `TASKQ_LOG` does the same without a change of the
#' program, as `TASKQ_LOG=debug:taskq.log`; the option wins. Either is looked at whenever a queue is made, and counts
#' for all queues from then on; `"off"`, which is the default, ends it.
#'
#' | level | what is written, with all above |
#' | --- | --- |
#' | `"error"` | faults of taskq itself |
#' | `"warn"` | crashes, time limits, starts that fail |
#' | `"info"` | begin and end of queues and workers |
#' | `"debug"` | each step of each task |
#'
#' A level alone, as `options(taskq.log = "info")`, writes to standard error, and leaves out what the workers themselves
#' have to say. Each line has the date, the level, the process id, the part of taskq, what has happened, the number of
#' the queue in this R session, and the seconds since that was made. Ids of tasks are in it; functions, arguments,
#' results, output and messages of errors are not.
#'
#' @keywords internal
#' @useDynLib taskq, .registration = TRUE
#' @importFrom R6 R6Class
"_PACKAGE"

.onLoad <- function(libname, pkgname) {
  # Queues stop when this R session ends, also when nothing has collected them before.
  reg.finalizer(tq_session, function(session) if (!isTRUE(session$is_over)) rs_exit(), onexit = TRUE)
  tq_when_loaded("BiocParallel", "tq_bp_define")
  tq_when_loaded("future", "tq_future_register")
  tq_when_loaded("parallel", "tq_cluster_register")
}

# Has our function of this name called once both packages are loaded, whichever comes last.
tq_when_loaded <- function(package, name) {
  setHook(packageEvent(package, "onLoad"), function(...) {
    if (isNamespaceLoaded("taskq")) get(name, envir = asNamespace("taskq"))()
  })
  if (isNamespaceLoaded(package)) get(name)()
}

.onUnload <- function(libpath) {
  tq_bp_forget()
  # The scheduler threads must have ended before their code is unmapped.
  rs_exit()
  tq_session$is_over <- TRUE
  # Shared vectors that somebody still has are read by this code.
  gc()
  # Nor may what an event loop is about to call.
  if (rs_num_segments() == 0 && !rs_was_rung()) library.dynam.unload("taskq", libpath)
}

# What marks the queues of this session. A queue that was saved and restored carries a copy, so
# its marker is no longer identical to this one.
tq_session <- new.env(parent = emptyenv())

`%||%` <- function(x, y) if (is.null(x)) y else x
