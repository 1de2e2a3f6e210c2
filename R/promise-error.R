# What a promise is rejected with, and what an extended task throws: an error that may be shown to a visitor of an app.
#
# It is the error that the result of the task would have had, with the same class and fields, but for these:
#   message  what a visitor reads: the message of the error in the task, or a sentence without ids, pids and advice
#   detail   what the result would have said; print() shows it, with the advice and the trace
#   call     the call that failed inside the task
# conditionMessage() is the message alone. Classes of Shiny's that the error in the task had are kept, so that
# safeError(), req() and validate() mean in a task what they mean in an output.

tq_visible_error <- function(error) {
  if (inherits(error, "taskq_error") && is.null(error$detail)) {
    parent <- if (inherits(error, "taskq_error_task")) error$parent
    error$detail <- error$message
    error$message <- if (is.null(parent)) tq_visitor_text(error) else tq_visible_message(parent)
    error["call"] <- list(tq_task_call(parent))
    class(error) <- c(grep("^taskq_error", class(error), value = TRUE), tq_shiny_class(error, parent))
  }
  tq_with_stack(error)
}

# The error of a task that was cancelled is shown as a message, and ends no page: somebody has wished for it.
tq_shiny_class <- function(error, parent) {
  if (inherits(error, "taskq_error_cancelled")) return(c("validation", "shiny.silent.error", "error", "condition"))
  if (any(startsWith(class(parent), "shiny."))) class(parent) else c("error", "condition")
}

# An empty message is what req() has; it must not become "(the error has no message)".
tq_visible_message <- function(parent) {
  if (inherits(parent, "shiny.silent.error") && !nzchar(conditionMessage(parent))) "" else tq_message_of(parent)
}

tq_visitor_text <- function(error) {
  switch(sub("^taskq_error_", "", class(error)[1L]),
    crash = if (isTRUE(error$oom)) "The task was stopped: memory is short." else "The task ended unexpectedly.",
    timeout = "The task took too long and was stopped.",
    cancelled = "The task was cancelled.",
    skipped = "The task was skipped, because one that it needs did not succeed.",
    full = "Too many tasks are waiting. Please try again later.",
    start = , closed = "The task could not be started.",
    error$message
  )
}

# `fun(...)` is how any function of a task is called.
tq_task_call <- function(parent) {
  call <- tryCatch(conditionCall(parent), error = function(cnd) NULL)
  if (!identical(call, quote(fun(...)))) call
}

# Shiny writes the calls of an error to its log, and 1.7 fails where it has none, as one that was never thrown in this
# session; the page then stops for ever. They are in this attribute, and each has the number of its caller.
tq_with_stack <- function(error) {
  if (!is.null(attr(error, "stack.trace", exact = TRUE))) return(error)
  texts <- if (inherits(error$trace, "taskq_trace")) error$trace$call
  names <- sub("\\(.*", "", gsub("[\r\n].*", "", c("task", texts)))
  calls <- lapply(names, function(name) as.call(list(as.name(if (nzchar(name)) name else "task"))))
  attr(calls, "parents") <- seq_along(calls) - 1L
  structure(error, stack.trace = calls)
}

# For the log of an app, which otherwise has what its visitors see. What was asked for is no fault.
tq_log_error <- function(error) {
  if (inherits(error, "shiny.silent.error") || !isTRUE(getOption("show.error.messages"))) return(invisible())
  try(writeLines(format(error), stderr()), silent = TRUE)
}
