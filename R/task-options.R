# The options of a task: what push() takes beside the function, its arguments and its id.
#
# | part    | holds                             | goes to                                        |
# | ------- | --------------------------------- | ---------------------------------------------- |
# | `near`  | what follows, by name             | the scheduler; NULL is the queue's default     |
# | `far`   | packages, globals, seed           | the worker, beside the arguments               |
# | `auto`  | TRUE or FALSE                     | push() itself: `globals` with "auto"           |
# | `block` | TRUE or FALSE                     | push() itself, when the queue is full          |
#
# `may_exceed`: one that may wait for room (`block`) waits for it in the queue.

tq_task_options <- function(timeout, tries, retry_on, backoff, priority, after, isolate, packages,
                            globals, tag, seed, block, replace, call, may_exceed = FALSE) {
  block <- tq_check_flag(block, "block", call)
  packages <- tq_check_packages(packages, call)
  checked <- tq_check_globals(globals, call)
  globals <- checked$values
  seed <- tq_check_seed(seed, call, vector = TRUE)
  far <- list()
  if (length(packages)) far$packages <- packages
  if (length(globals)) far$globals <- globals
  if (!is.null(seed)) far$seed <- seed
  list(
    near = list(
      timeout = if (!is.null(timeout)) tq_check_duration(timeout, "timeout", call),
      tries = if (!is.null(tries)) tq_check_count(tries, "tries", call),
      retry_on = tq_check_retry_on(retry_on, call),
      backoff = tq_check_backoff(backoff, call),
      priority = tq_check_priority(priority, call),
      isolate = if (!is.null(isolate)) tq_check_flag(isolate, "isolate", call),
      after = tq_check_after(after, call),
      tag = tq_check_label(tag, "tag", call),
      replace = tq_check_label(replace, "replace", call),
      may_exceed = may_exceed && block
    ),
    far = far,
    auto = checked$auto,
    block = block
  )
}

tq_retry_reasons <- c("crash", "timeout", "error")

tq_check_retry_on <- function(x, call) {
  if (is.character(x) && all(x %in% tq_retry_reasons)) return(x)
  remedy <- paste("some of", tq_enumerate(dQuote(tq_retry_reasons, FALSE)))
  tq_input_error("retry_on", x, remedy, call, tq_meant_hint(x, tq_retry_reasons))
}

tq_check_backoff <- function(x, call) {
  backoff <- tq_check_duration(x, "backoff", call)
  if (is.finite(backoff)) return(backoff)
  tq_input_error("backoff", x, "a finite number of milliseconds, or a difftime", call)
}

tq_check_priority <- function(x, call) {
  limit <- .Machine$integer.max
  valid <- is.numeric(x) && length(x) == 1L && !is.na(x) && x == trunc(x) && abs(x) <= limit
  if (valid) return(as.double(x))
  tq_input_error("priority", x, "a whole number", call)
}

tq_check_after <- function(x, call) {
  if (is.null(x)) return(character())
  if (is.character(x) && !anyNA(x)) return(tq_check_text(x, "after", call))
  tq_input_error("after", x, "a character vector of ids of tasks in the queue, or NULL", call)
}
