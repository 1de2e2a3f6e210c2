# What pop() returns. Its fields, their types and order stand in taskq-record/src/result.rs.

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
      tq_task_error(task$id, reason, NULL, what = tq_subject(task))
    } else {
      tq_task_error(task$id, outcome[["error"]], outcome[["trace"]], outcome[["phase"]] %||% "run",
        what = tq_subject(task))
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
  types <- rs_result_types()
  column <- function(name, type) {
    if (type == "list") lapply(results, `[[`, name) else vapply(results, `[[`, vector(type, 1L), name)
  }
  tq_frame(Map(column, names(types), types), "taskq_results")
}

#' @export
format.taskq_result <- function(x, ...) {
  seconds <- if (is.na(x$seconds)) "" else paste(",", tq_seconds_text(x$seconds))
  worker <- if (is.na(x$worker)) "" else sprintf(", worker %d", x$worker)
  lines <- sprintf("<taskq_result> task %s: %s%s%s", tq_quote(x$task_id), x$status, seconds, worker)
  if (x$tries > 1L) lines <- paste0(lines, sprintf(", %d tries", x$tries))
  if (nzchar(x$stdout)) lines <- c(lines, "stdout:", tq_tail(x$stdout))
  if (nzchar(x$stderr)) lines <- c(lines, "stderr:", tq_tail(x$stderr))
  for (field in c("warnings", "messages", "conditions")) {
    if (length(x[[field]])) lines <- c(lines, sprintf("%s: %d", field, length(x[[field]])))
  }
  lost <- attr(x, "dropped")
  if (!is.null(lost)) {
    lost <- paste(trimws(format(lost, scientific = FALSE)), names(lost), collapse = ", ")
    lines <- c(lines, paste("dropped:", lost))
  }
  lines
}

#' @export
print.taskq_result <- function(x, ...) {
  result <- x
  lines <- format(x)
  writeLines(c(tq_paint(lines[1L], if (x$status == "success") "good" else "bad"), lines[-1L]))
  if (is.null(x$error)) {
    cat("result:\n")
    tq_print_value(x$result)
  } else {
    cat("error:\n")
    # What a crash shows of it stands above.
    if (nzchar(x$stderr)) x$error$stderr_tail <- NULL
    print(x$error)
  }
  invisible(result)
}

# A large value would push what stands above it off the screen.
tq_print_value <- function(value, lines = tq_limits$value_lines) {
  if (as.double(utils::object.size(value)) <= tq_limits$small_value_bytes) return(print(value))
  old <- options(max.print = min(getOption("max.print"), tq_limits$line_values * lines))
  on.exit(options(old))
  shown <- utils::capture.output(print(value))
  is_end <- grepl("getOption(\"max.print\")", shown, fixed = TRUE)
  writeLines(tq_cut(utils::head(shown[!is_end], lines)))
  if (length(shown) > lines || any(is_end)) {
    bytes <- format(utils::object.size(value), units = "auto")
    cat(tq_paint(sprintf("# ... and more: %s, %s", tq_describe_size(value), bytes), "faint"), "\n", sep = "")
  }
}

tq_describe_size <- function(value) {
  if (length(dim(value)) == 2L) return(sprintf("%d rows and %d columns", nrow(value), ncol(value)))
  tq_number_of(tq_length_of(value), "element")
}
