# What pop() returns. Its fields, their types and order are native (src/host-result.c).

# `task`: what the native side tells of a task that is done; `failure`: why the pool has failed, a
# promise that is looked at only for a task that had no worker.
tq_result <- function(task, failure = NULL) {
  result <- task$result
  outcome <- task$outcome
  if (task$status != "success") result$error <- tq_result_error(task, outcome, failure)
  if (task$dropped > 0 || length(outcome$dropped)) {
    lost <- c(bytes = as.double(task$dropped), conditions = as.double(outcome$dropped))
    attr(result, "dropped") <- if (any(lost > 0)) lost[lost > 0]
  }
  result
}

tq_result_error <- function(task, outcome, failure) {
  switch(task$status,
    error = if (identical(task$cause, "no-worker")) {
      tq_no_worker_error(task, failure)
    } else if (is.null(outcome[["error"]])) {
      reason <- simpleError(tq_cause_text(task) %||% "it ended without a result")
      tq_task_error(task$id, reason, NULL)
    } else {
      tq_task_error(task$id, outcome[["error"]], outcome[["trace"]], outcome[["phase"]] %||% "run")
    },
    crash = tq_crash_error(task),
    timeout = tq_timeout_error(task),
    cancelled = tq_cancelled_error(task),
    skipped = tq_skipped_error(task)
  )
}

# The pool failed before this task had a worker.
tq_no_worker_error <- function(task, failure) {
  cnd <- tq_start_error(failure)
  cnd$task_id <- task$id
  cnd
}

# What collect() returns: one row a task, the fields of the results as columns.
tq_result_frame <- function(results) {
  column <- function(name, type) vapply(results, `[[`, type, name)
  values <- function(name) lapply(results, `[[`, name)
  tq_frame(list(
    result = values("result"),
    stdout = column("stdout", ""),
    stderr = column("stderr", ""),
    error = values("error"),
    task_id = column("task_id", ""),
    status = column("status", ""),
    warnings = values("warnings"),
    messages = values("messages"),
    tries = column("tries", 0L),
    worker = column("worker", 0L),
    times = values("times"),
    seconds = column("seconds", 0),
    cpu = column("cpu", 0),
    max_rss = column("max_rss", 0)
  ), "taskq_results")
}

#' @export
format.taskq_result <- function(x, ...) {
  seconds <- if (is.na(x$seconds)) "" else sprintf(", %s s", format(round(x$seconds, 3)))
  worker <- if (is.na(x$worker)) "" else sprintf(", worker %d", x$worker)
  lines <- sprintf("<taskq_result> task '%s': %s%s%s", x$task_id, x$status, seconds, worker)
  if (nzchar(x$stdout)) lines <- c(lines, "stdout:", tq_tail(x$stdout))
  if (nzchar(x$stderr)) lines <- c(lines, "stderr:", tq_tail(x$stderr))
  for (field in c("warnings", "messages")) {
    if (length(x[[field]])) lines <- c(lines, sprintf("%s: %d", field, length(x[[field]])))
  }
  lost <- attr(x, "dropped")
  if (!is.null(lost)) {
    lost <- paste(trimws(format(lost)), names(lost), collapse = ", ")
    lines <- c(lines, paste("dropped:", lost))
  }
  lines
}

#' @export
print.taskq_result <- function(x, ...) {
  cat(format(x), sep = "\n")
  if (is.null(x$error)) {
    cat("result:\n")
    print(x$result)
  } else {
    cat("error:\n")
    print(x$error)
  }
  invisible(x)
}
