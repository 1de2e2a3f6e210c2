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
