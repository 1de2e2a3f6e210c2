# How far a task is, as the task itself says. In a worker this is a note in shared memory that the host
# looks at when it wants to know; nothing is sent.

#' @param fraction How much of the task is done, a number from 0 to 1; `NA` when that is not known.
#' @param message What the task is doing, a string; `NULL`, the default, for nothing. A text of more
#'   than some 200 bytes is cut.
#' @details
#' `task_progress()` may be called as often as one likes: it notes the latest state where the
#' queue can see it, which takes some microseconds, and sends nothing. In a process that the
#' task has forked it does nothing.
#' @rdname task_id
#' @export
task_progress <- function(fraction, message = NULL) {
  call <- sys.call()
  fraction <- tq_check_fraction(if (missing(fraction)) NULL else fraction, call)
  message <- tq_check_progress_message(message, call)
  if (is.null(tq_session$inline_id)) {
    rs_task_progress(fraction, message %||% "")
  } else {
    at <- Sys.time()
    tq_session$inline_progress <- list(fraction = fraction, message = message, at = at)
  }
  invisible()
}

# What the running task of an inline queue has said last: list(fraction, message, at), or NULL.
tq_inline_progress <- function() tq_session$inline_progress

tq_check_fraction <- function(x, call) {
  valid <- (is.numeric(x) || identical(x, NA)) && length(x) == 1L && (is.na(x) || (x >= 0 && x <= 1))
  if (!valid) tq_input_error("fraction", x, "a number from 0 to 1, or NA", call)
  if (is.na(x)) NA_real_ else as.double(x)
}

# In UTF-8. Bytes that are none become their numbers.
tq_check_progress_message <- function(x, call) {
  if (is.null(x)) return(NULL)
  if (!is.character(x) || length(x) != 1L || is.na(x)) {
    tq_input_error("message", x, "one string, or NULL", call)
  }
  tq_text(as.character(x))
}
