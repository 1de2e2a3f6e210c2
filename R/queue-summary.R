# summary(): what the queue has done in all its life.

#' What a queue has done
#'
#' Counts and times of a queue since it was made, tasks that were popped included. The batches in which `map()` sends
#' its elements count as tasks, popped when the map has them. Does not wait.
#' @param object A [task_q].
#' @param ... Not used.
#' @return A list of class `taskq_summary`, which prints in a few lines, with the elements
#'   * `name`: the name of the queue, a string, or `NULL`
#'   * `state`: "open", "paused", "failed", "closing" or "closed"
#'   * `tasks`: a numeric vector with the names `pushed` (all so far), `waiting`, `running`, `done` (at
#'     present) and `popped`
#'   * `outcomes`: how tasks have ended, a numeric vector with the names `success`, `error`, `crash`,
#'     `timeout`, `cancelled` and `skipped`
#'   * `retries`: how many tries were followed by another one, a number
#'   * `sessions`: a numeric vector with the names `started`, `died` (ended by themselves: in a task, while idle, or
#'     to be replaced after a task, see [taskq-state]) and `recycled` (told to end, so that another one takes
#'     their place)
#'   * `seconds`: a numeric vector with the names `run` (all tries together), `mean_run` (of a try) and
#'     `mean_wait` (of a task, before it was begun); `NA` when there was none
#' @section Errors:
#' `taskq_error_forked` and `taskq_error_closed`, as all methods of [task_q].
#' @examples
#' q <- task_q$new(2)
#' for (i in 1:5) q$push(sqrt, list(i))
#' q$push(function() stop("no"))
#' q$wait(progress = FALSE)
#' summary(q)
#' summary(q)$outcomes[["error"]]
#' q$close()
#' @export
summary.task_q <- function(object, ...) {
  private <- object$.__enclos_env__$private
  call <- sys.call()
  handle <- tq_handle(private, call)
  now <- tq_checked(rs_queue_totals(handle), call)
  totals <- now$totals
  counts <- now$counts
  structure(
    list(
      name = private$name,
      state = now$state,
      tasks = c(
        pushed = totals$submitted, waiting = counts[[1L]], running = counts[[2L]], done = counts[[3L]],
        popped = totals$taken
      ),
      outcomes = c(
        success = totals$success, error = totals$error, crash = totals$crash, timeout = totals$timeout,
        cancelled = totals$cancelled, skipped = totals$skipped
      ),
      retries = totals$retries,
      sessions = c(
        started = totals$sessions_ready, died = totals$sessions_died, recycled = totals$sessions_recycled
      ),
      seconds = c(
        run = totals$run_time,
        mean_run = if (totals$attempts > 0) totals$run_time / totals$attempts else NA_real_,
        mean_wait = if (totals$begun > 0) totals$wait_time / totals$begun else NA_real_
      )
    ),
    class = "taskq_summary"
  )
}

#' @export
format.taskq_summary <- function(x, ...) {
  part <- function(label, values) {
    counts <- paste(format(values, trim = TRUE, scientific = FALSE), names(values))
    tq_wrap(paste0(formatC(paste0("  ", label), width = -12L), paste(counts, collapse = ", ")), exdent = 10L)
  }
  seconds <- x$seconds[!is.na(x$seconds)]
  texts <- c(run = "%s run in all", mean_run = "%s a run", mean_wait = "%s of waiting a task")
  times <- mapply(sprintf, texts[names(seconds)], vapply(seconds, tq_seconds_text, ""))
  c(
    tq_queue_title(x$name, x$state),
    part("tasks:", x$tasks),
    part("outcomes:", x$outcomes),
    paste0("  retries:  ", format(x$retries, scientific = FALSE)),
    part("sessions:", x$sessions),
    paste0("  time:     ", paste(times, collapse = ", "))
  )
}

#' @export
print.taskq_summary <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}
