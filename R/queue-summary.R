# summary(): what the queue has done in all its life.

#' @export
summary.task_q <- function(object, ...) {
  private <- object$.__enclos_env__$private
  call <- sys.call()
  handle <- tq_handle(private, call)
  totals <- tq_checked(rs_queue_totals(handle), call)
  counts <- rs_queue_counts(handle)
  structure(
    list(
      name = private$name,
      state = rs_queue_state(handle),
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
  part <- function(values) paste(format(values, trim = TRUE), names(values), collapse = ", ")
  seconds <- function(x) if (is.na(x)) "-" else paste(format(signif(x, 3)), "s")
  name <- if (is.null(x$name)) "" else sprintf(" \"%s\"", x$name)
  c(
    sprintf("<task_q%s> %s", name, x$state),
    paste0("  tasks:    ", part(x$tasks)),
    paste0("  outcomes: ", part(x$outcomes)),
    paste0("  retries:  ", format(x$retries)),
    paste0("  sessions: ", part(x$sessions)),
    sprintf(
      "  time:     %s run in all, %s a run, %s of waiting a task",
      seconds(x$seconds[["run"]]), seconds(x$seconds[["mean_run"]]), seconds(x$seconds[["mean_wait"]])
    )
  )
}

#' @export
print.taskq_summary <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}
