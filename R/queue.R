#' A task queue
#'
#' @description
#' A queue of tasks and a pool of R sessions, its workers, that run them in parallel. Tasks move
#' on by themselves: each method tells how things are now.
#'
#' A duration is a number of milliseconds or a `difftime`; `0` does not wait, `Inf` waits for ever.
#' What waits can be interrupted with Ctrl-C, and nothing is lost then.
#'
#' @details
#' # What a task sees
#' The environment of the function becomes the global environment of the worker, unless the
#' function belongs to a package or is a crate (`carrier::crate()`). So a function sees its
#' arguments, `globals`, and `pkg::name`. A function that was made inside a function of a package
#' sees the namespace of that package.
#'
#' # A result
#' A list of class `taskq_result` with the fields, always all of them:
#' `result` (`NULL` on failure), `stdout`, `stderr` (strings), `error` (`NULL` on success),
#' `task_id`, `status` ("success", "error", "crash", "timeout", "cancelled" or "skipped"),
#' `warnings`, `messages` (lists of condition objects), `tries`, `worker` (pid), `times` (POSIXct
#' with the names `queued`, `started`, `finished`), `seconds`, `cpu` (seconds) and `max_rss`
#' (bytes).
#' What exceeds a limit of the captured output or conditions is counted in the attribute "dropped".
#'
#' The `error` of a task has class `taskq_error_task` (an R error; `$parent` is the original
#' condition, `$trace` a data frame of the calls), `taskq_error_crash` (`$signal`, `$exit_code`,
#' `$stderr_tail`, `$max_rss`, `$oom`), `taskq_error_timeout`, `taskq_error_cancelled`,
#' `taskq_error_skipped`, or `taskq_error_start` when no worker could be started for it.
#'
#' # Errors
#' All methods throw `taskq_error_input` for an argument that cannot be (fields `arg`, `value`,
#' `remedy`), `taskq_error_forked` in a forked child of the session that made the queue, and
#' `taskq_error_closed` for a queue that was saved and restored. All of them are `taskq_error`s.
#'
#' @examples
#' q <- task_q$new(2)
#' q$push(function(x) x + 1, list(x = 41))
#' q$push(function() stop("This failed, sorry"), id = "bad")
#' while (!q$is_idle()) print(q$pop(Inf))
#' q$close()
#' @export
task_q <- R6Class("task_q",
  cloneable = FALSE,
  public = list(

    #' @description
    #' Makes a queue. Returns at once: the sessions start in the background, and tasks may be
    #' pushed meanwhile. They end when the queue is closed or collected, or this session ends.
    #' @param num_workers Number of sessions, a whole number from 0 to 1000; default 4. With 0,
    #'   tasks run inline: in this session, inside `push()`. At most 2 under `R CMD check`.
    #' @param ... Must be empty.
    #' @param name A string that names the queue in `print()` and in the titles of its processes,
    #'   or `NULL`.
    #' @param preload A function without arguments that is run once, before any worker exists; what
    #'   it loads, all workers share. Or `NULL`.
    #' @param init A function without arguments that is run in every worker before its first task,
    #'   also in one that replaces another. Or `NULL`.
    #' @param packages Names of packages that are attached in every worker, a character vector.
    #' @param globals A named list of objects that are put in the global environment of every
    #'   worker.
    #' @param env Environment variables of the workers, a named character vector.
    #' @param libpath Library paths of the workers, a character vector; default those of this
    #'   session.
    #' @param wd Working directory of the workers; default that of this session.
    #' @return A new `task_q`. A `preload`, `init` or start of a worker that fails makes the next
    #'   `push()`, `poll()` or `pop()` throw `taskq_error_start` (fields `phase`, `stderr`,
    #'   `exit_code`, `signal`).
    initialize = function(num_workers = 4L, ..., name = NULL, preload = NULL, init = NULL,
                          packages = character(), globals = list(), env = character(),
                          libpath = .libPaths(), wd = getwd()) {
      tq_check_dots(..., owner = task_q$public_methods$initialize, call = tq_new_call())
      tq_open(private, num_workers, name, preload, init, packages, globals, env, libpath, wd,
        call = tq_new_call())
    },

    #' @description
    #' Queues `do.call(fun, args)`. Never waits for a worker.
    #' @param fun A function.
    #' @param args A list of its arguments, with or without names. Each is passed as a value.
    #' @param id A string that is not the id of another task in the queue and does not start with
    #'   ".idle-", or `NULL` for ".1", ".2" and so on.
    #' @param ... Must be empty.
    #' @return The id, invisibly. Throws `taskq_error_duplicate` (field `id`), `taskq_error_closed`,
    #'   and `taskq_error_start` when the workers cannot start. An error of this method means that
    #'   nothing was queued.
    push = function(fun, args = list(), id = NULL, ...) {
      if (...length()) tq_check_dots(..., owner = task_q$public_methods$push, call = sys.call())
      tq_push(private, fun, args, id, call = sys.call())
    },

    #' @description
    #' Which tasks are done. Waits until there is one, the queue is empty, or the time is over.
    #' @param timeout A duration; default 0.
    #' @return The ids of all tasks that are done, oldest push first, a character vector, possibly
    #'   of length 0. Nothing is removed. Throws `taskq_error_start` once when the workers cannot
    #'   start.
    poll = function(timeout = 0) tq_poll(private, timeout, call = sys.call()),

    #' @description
    #' The result of the oldest task that is done. The task leaves the queue for good. Waits until
    #' there is one, the queue is empty, or the time is over.
    #' @param timeout A duration; default 0.
    #' @return A `taskq_result`, see above; `NULL` when the time is over or the queue is empty.
    #'   Throws `taskq_error_start` once when the workers cannot start.
    pop = function(timeout = 0) tq_pop(private, timeout, call = sys.call()),

    #' @description
    #' The number of tasks that wait for a worker.
    #' @return A whole number. Does not wait.
    get_num_waiting = function() tq_count(private, "waiting", call = sys.call()),

    #' @description
    #' The number of tasks that a worker runs.
    #' @return A whole number. Does not wait.
    get_num_running = function() tq_count(private, "running", call = sys.call()),

    #' @description
    #' The number of tasks that are done and were not popped.
    #' @return A whole number. Does not wait.
    get_num_done = function() tq_count(private, "done", call = sys.call()),

    #' @description
    #' Whether the queue has no task in any state.
    #' @return `TRUE` or `FALSE`. Does not wait.
    is_idle = function() tq_is_idle(private, call = sys.call()),

    #' @description
    #' All tasks, oldest push first, then one row for each worker. Does not wait.
    #'
    #' The row of a worker, ".idle-1" and so on, is "running" while its session starts, "ready"
    #' while it is free, and "waiting" while it runs a task. The rows that are "running" or "ready"
    #' are as many as there are workers.
    #' @param idle Whether to add the rows of the workers; default `TRUE`.
    #' @param payload Whether to fill the columns `fun`, `args` and `result`; default `TRUE`. It
    #'   takes time for many or large tasks.
    #' @return A data frame, of class `tbl_df` too, with the columns `id` (character), `idle`
    #'   (logical), `state` ("waiting", "running", "ready" or "done"), `fun`, `args`, `worker` (pid
    #'   or `NULL`), `result` (lists), `status` (character), `tag` (character), `priority`, `tries`
    #'   (integers), `progress` (double), `message` (character), `queued_at`, `started_at` and
    #'   `finished_at` (POSIXct). The function and arguments of a task that is done may be `NULL`.
    list_tasks = function(idle = TRUE, payload = TRUE) {
      tq_list_tasks(private, idle, payload, call = sys.call())
    },

    #' @description
    #' The sessions of the queue. Does not wait.
    #' @return A data frame with one row a worker and the columns `worker` (pid, integer), `state`
    #'   ("starting", "idle", "busy" or "leaving"), `task_id` (character), `tasks_done` (integer),
    #'   `started_at` (POSIXct), `rss` (bytes) and `cpu` (seconds, doubles).
    list_workers = function() tq_list_workers(private, call = sys.call()),

    #' @description
    #' Closes the queue: it refuses new tasks, waits for those it has, then kills what is left.
    #' Leaves no process and no file. Tasks that did not finish end as "cancelled"; what is done
    #' can still be listed and popped.
    #' @param grace A duration, how long to wait for tasks; default 1000.
    #' @return `TRUE`, invisibly, when no process is left. Closing twice does nothing.
    close = function(grace = 1000) tq_close(private, grace, call = sys.call()),

    #' @description
    #' Closes the queue at once: running tasks are killed.
    #' @return As `close()`.
    kill = function() tq_kill(private, call = sys.call()),

    #' @description
    #' Prints the state of the queue in three lines. Does not wait.
    #' @param ... Not used.
    #' @return The queue, invisibly.
    print = function(...) tq_print_queue(self, private)
  ),
  private = list(
    handle = NULL,   # the native queue; it stops when this is collected
    session = NULL,  # marks the R session that the handle belongs to
    name = NULL,
    inline = NULL    # what inline.R keeps of a queue without workers
  )
)

# The call to `task_q$new()` that is being evaluated; the methods of R6 stand between.
tq_new_call <- function() {
  for (call in rev(sys.calls())) {
    if (is.call(call) && is.call(call[[1L]]) && identical(call[[1L]][[1L]], quote(`$`)) &&
      identical(call[[1L]][[3L]], quote(new))) {
      return(call)
    }
  }
  NULL
}
