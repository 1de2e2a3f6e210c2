# The options of a task: what push() takes beside the function, its arguments and its id.
#
# | part    | holds                             | goes to                                        |
# | ------- | --------------------------------- | ---------------------------------------------- |
# | `for_host`  | what follows, by name             | the scheduler; NULL is the queue's default     |
# | `for_worker`   | packages, globals, seed           | the worker, beside the arguments               |
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
  for_worker <- list()
  if (length(packages)) for_worker$packages <- packages
  if (length(globals)) for_worker$globals <- globals
  if (!is.null(seed)) for_worker$seed <- seed
  after <- tq_check_after(after, call)
  list(
    for_host = c(list(
      timeout = if (!is.null(timeout)) tq_check_duration(timeout, "timeout", call),
      tries = if (!is.null(tries)) tq_check_count(tries, "tries", call),
      retry_on = tq_check_retry_on(retry_on, call),
      backoff = tq_check_backoff(backoff, call),
      priority = tq_check_priority(priority, call),
      isolate = if (!is.null(isolate)) tq_check_flag(isolate, "isolate", call),
      after = after$ids,
      tag = tq_check_label(tag, "tag", call),
      replace = tq_check_label(replace, "replace", call),
      may_exceed = may_exceed && block
    ), if (!is.null(after$given)) list(given = after$given)),
    for_worker = for_worker,
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

# `given`: for each of the `ids` the argument that its value is, or ""; NULL where none is one.
tq_check_after <- function(x, call) {
  if (is.null(x)) return(list(ids = character()))
  if (!is.character(x) || anyNA(x)) {
    tq_input_error("after", x, "a character vector of ids of tasks in the queue, or NULL", call)
  }
  given <- names(x)
  given[is.na(given)] <- ""
  if (anyDuplicated(given[nzchar(given)])) {
    hint <- "a name says which argument the value of that task is"
    tq_input_error("after", x, "ids with different names, or without", call, hint)
  }
  given <- if (any(nzchar(given))) tq_check_text(given, "after", call)
  list(ids = tq_check_text(unname(x), "after", call), given = given)
}

# An argument is given once: by its value, or as that of another task.
tq_check_given <- function(options, args, call) {
  both <- intersect(options$for_host$given, names(args))
  both <- both[nzchar(both)]
  if (!length(both)) return(invisible())
  message <- sprintf("the argument `%s` is given twice: in `args`, and by `after`", both[[1L]])
  remedy <- "names that `args` does not have"
  tq_throw(tq_condition("input", message, call, arg = "after", value = both[[1L]], remedy = remedy,
    body = c(i = "a name in `after` says which argument the value of that task is")))
}
