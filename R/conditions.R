# Every condition class of taskq, one constructor each; how they print; and the way in which an
# expected failure of the native side becomes a condition.
#
# Thrown at the caller, with the user's call:
#   taskq_error_input      arg, value, remedy          an argument that cannot be
#   taskq_error_duplicate  id                          an id that is in the queue already
#   taskq_error_closed                                 a queue that was closed, or is not of here
#   taskq_error_unknown    ids                         ids that no task in the queue has
#   taskq_error_promised   id                          a task whose result belongs to a promise
#   taskq_error_package    packages                    a suggested package that is not installed
#   taskq_error_full                                   as many tasks wait as may, and the caller does not
#   taskq_error_forked     pid                         a queue of another process
#   taskq_error_system     path (of a trace)           what the operating system refuses
#   taskq_error_start      phase, stderr, exit_code, signal   a pool that cannot start
#   taskq_error_session                                a Shiny module outside of a Shiny session
# Given as a warning:
#   taskq_warning_server                               a queue that is made inside `server` of a Shiny app
# In the `error` of a result, with the id of the task:
#   taskq_error_task       parent, trace, phase        R error in the task
#   taskq_error_crash      signal, exit_code, stderr_tail, max_rss, oom
#   taskq_error_timeout, taskq_error_cancelled, taskq_error_skipped, and taskq_error_start

tq_condition <- function(what, message, call = NULL, ..., fields = list(...)) {
  structure(
    class = c(paste0("taskq_error_", what), "taskq_error", "error", "condition"),
    c(list(message = message, call = call), fields)
  )
}

tq_throw <- function(cnd) stop(cnd)

# `x`, or the condition that it stands for.
tq_checked <- function(x, call) {
  if (!inherits(x, "tq_failure")) return(x)
  fields <- unclass(x)
  if (identical(fields$code, "start")) tq_throw(tq_start_error(fields, call))
  extra <- fields[setdiff(names(fields), c("code", "message"))]
  tq_throw(tq_condition(fields$code, fields$message, call, fields = extra))
}

tq_input_error <- function(arg, value, remedy, call) {
  message <- sprintf("`%s` must be %s, not %s", arg, remedy, tq_describe(value))
  tq_throw(tq_condition("input", message, call, arg = arg, value = value, remedy = remedy))
}

tq_full_error <- function(call) tq_condition("full", "as many tasks wait as may, see `max_waiting`", call)

tq_promised_error <- function(id, call) {
  message <- sprintf(
    "task '%s' has a promise, to which its result belongs: keep that promise, it can be used as often as you like", id
  )
  tq_condition("promised", message, call, id = id)
}

# `failure`: list(phase, message, stderr, exit_code, signal) of the native side.
tq_start_error <- function(failure, call = NULL) {
  phase <- failure$phase %||% "start"
  stderr <- failure$stderr %||% ""
  detail <- c(failure$message, tq_exit_text(failure$exit_code, failure$signal))
  message <- sprintf("the workers cannot start: %s failed", phase)
  if (length(detail)) message <- paste0(message, ": ", paste(detail, collapse = "; "))
  tail <- tq_tail(stderr)
  if (nzchar(tail)) message <- paste0(message, "\nstderr:\n", tail)
  tq_condition("start", message, call, phase = phase, stderr = stderr,
    exit_code = failure$exit_code %||% NA_integer_, signal = failure$signal %||% NA_integer_)
}

tq_task_error <- function(id, parent, trace, phase = "run") {
  reason <- tq_message_of(parent)
  what <- switch(phase,
    receive = "could not be read by the worker",
    packages = "could not attach its packages",
    globals = "could not be given its globals",
    reply = "succeeded, but its result could not be sent",
    "failed"
  )
  hint <- if (identical(phase, "run")) tq_missing_hint(reason)
  message <- paste(c(sprintf("task '%s' %s: %s", id, what, reason), hint), collapse = "\n")
  tq_condition("task", message, task_id = id, parent = parent, trace = trace, phase = phase)
}

tq_crash_error <- function(task) {
  oom <- identical(task$cause, "oom")
  how <- tq_exit_text(task$exit_code, task$signal) %||% switch(task$cause,
    launch = "no process could be made for its session",
    nursery = "the process that its session came from has died",
    "its session is gone"
  )
  if (oom) how <- paste0(how, ", the machine was out of memory")
  message <- sprintf("task '%s' crashed its worker (pid %s): %s", task$id, task$worker, how)
  tq_condition("crash", message,
    task_id = task$id, signal = task$signal, exit_code = task$exit_code,
    stderr_tail = tq_tail(task$stderr_tail), max_rss = task$max_rss, oom = oom
  )
}

tq_timeout_error <- function(task) {
  tq_condition("timeout", sprintf("task '%s' ran out of time", task$id), task_id = task$id,
    stderr_tail = tq_tail(task$stderr_tail))
}

tq_cancelled_error <- function(task) {
  message <- c(sprintf("task '%s' was cancelled", task$id), tq_cause_text(task))
  tq_condition("cancelled", paste(message, collapse = ": "), task_id = task$id)
}

tq_skipped_error <- function(task) {
  message <- sprintf("task '%s' was skipped, because task '%s' did not succeed", task$id, task$after)
  tq_condition("skipped", message, task_id = task$id, after = task$after)
}

tq_cause_text <- function(task) if (tq_is_string(task$cause)) task$cause

# "could not find function" and "object not found", in English and in the language of this session.
tq_missing_hint <- function(message) {
  name <- tq_missing_name(message)
  if (is.null(name)) return(NULL)
  where <- if (exists(name, envir = globalenv(), inherits = FALSE)) {
    sprintf("`%s` exists only in the host session", name)
  } else {
    sprintf("if `%s` exists in the host session only", name)
  }
  sprintf("(%s: send it in `args` or `globals`, or write pkg::%s)", where, name)
}

tq_missing_name <- function(message) {
  quotes <- "['\"`\u2018\u2019\u201c\u201d]"
  formats <- c("could not find function \"%s\"", "object '%s' not found")
  for (format in unique(c(formats, gettext(formats, domain = "R")))) {
    around <- strsplit(paste0(format, "\r"), paste0(quotes, "?%s", quotes, "?"))[[1L]]
    around <- paste0("\\Q", sub("\r", "", around, fixed = TRUE), "\\E")
    pattern <- paste(around, collapse = paste0(quotes, "(.+?)", quotes))
    found <- tryCatch(regmatches(message, regexec(pattern, message, perl = TRUE))[[1L]],
      error = function(cnd) character())
    if (length(found) == 2L) return(found[[2L]])
  }
  NULL
}

tq_exit_text <- function(exit_code, signal) {
  if (length(signal) == 1L && !is.na(signal)) {
    return(sprintf("killed by signal %d (%s)", signal, tq_signal_name(signal)))
  }
  if (length(exit_code) == 1L && !is.na(exit_code)) {
    return(sprintf("its session ended with exit status %d", exit_code))
  }
  NULL
}

# By number, as Linux has them. Real-time signals are given as a number.
tq_signal_name <- function(signal) {
  names <- c("HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU",
    "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS")
  if (signal %in% seq_along(names)) paste0("SIG", names[[signal]]) else "unnamed"
}

tq_tail <- function(text, lines = tq_limits$stderr_tail_lines) {
  if (!tq_is_string(text)) return("")
  all <- strsplit(text, "\n", fixed = TRUE, useBytes = TRUE)[[1L]]
  tail <- paste(utils::tail(all, lines), collapse = "\n")
  Encoding(tail) <- Encoding(text)
  tail
}

tq_shorten <- function(text, limit) {
  if (nchar(text, "bytes") <= limit) return(text)
  tryCatch(paste0(substr(text, 1L, limit - 3L), "..."), error = function(cnd) "(not valid text)")
}

# A value in a few words, for the message of an error.
tq_describe <- function(x) {
  if (is.null(x)) return("NULL")
  if (is.function(x)) return("a function")
  if (is.atomic(x) && length(x) == 1L && !is.object(x)) {
    text <- deparse(x, nlines = 1L)
    return(tq_shorten(text, 60L))
  }
  if (is.language(x)) return("an unevaluated expression")
  sprintf("an object of class \"%s\" and length %d", class(x)[1L], tq_length_of(x))
}

tq_length_of <- function(x) tryCatch(as.integer(length(x)), error = function(cnd) NA_integer_)

# A method of conditionMessage() is code of somebody else.
tq_message_of <- function(cnd) {
  text <- tryCatch(conditionMessage(cnd), error = function(e) NULL)
  if (is.character(text) && length(text) >= 1L && !is.na(text[1L])) {
    tq_shorten(paste(text, collapse = "\n"), tq_limits$max_message_chars)
  } else {
    "(the error has no message)"
  }
}

#' @export
print.taskq_error <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

#' @export
format.taskq_error <- function(x, ...) {
  lines <- c(tq_head_line(x), conditionMessage(x))
  parent <- x$parent
  for (level in seq_len(tq_limits$max_parents)) {
    if (!inherits(parent, "condition")) break
    lines <- c(lines, paste("Caused by", tq_head_line(parent)), paste0("  ", tq_message_of(parent)))
    # The message of an rlang error tells of its parents already.
    parent <- if (is.list(parent) && !inherits(parent, "rlang_error")) unclass(parent)$parent
  }
  if (length(x$stderr_tail) && nzchar(x$stderr_tail)) lines <- c(lines, "stderr:", x$stderr_tail)
  c(lines, if (!is.null(x$trace)) format(x$trace))
}

tq_head_line <- function(cnd) {
  call <- tryCatch(conditionCall(cnd), error = function(failure) NULL)
  paste0("<", class(cnd)[1L], ">", if (!is.null(call)) paste(" in", tq_call_text(call)))
}
