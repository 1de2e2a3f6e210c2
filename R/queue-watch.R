# wait(), collect(), output(), progress(), position(): following tasks on their way. What waits can be
# interrupted; nothing has been taken from the queue at that time.

tq_wait <- function(private, ids, timeout, progress, call) {
  timeout_ms <- tq_check_duration(timeout, "timeout", call)
  progress <- tq_check_flag(progress, "progress", call)
  handle <- tq_handle(private, call)
  invisible(tq_wait_for(handle, tq_find(handle, ids, call), timeout_ms, progress, call))
}

# `tasks`: serial numbers, NULL for all tasks. TRUE when all are done.
tq_wait_for <- function(handle, tasks, timeout_ms, progress, call) {
  if (!progress) return(tq_checked(rs_wait_all(handle, tasks, timeout_ms), call))
  state <- tq_progress_state(handle, tasks)
  bar <- tq_progress_bar(state$total)
  on.exit(bar$end())
  deadline <- proc.time()[["elapsed"]] * 1000 + timeout_ms
  repeat {
    left <- deadline - proc.time()[["elapsed"]] * 1000
    slice <- max(0, min(left, tq_limits$redraw_ms))
    finished <- tq_checked(rs_wait_all(handle, tasks, slice), call)
    state <- tq_progress_state(handle, tasks)
    bar$update(state$done, state$total)
    if (finished || left <= slice) return(finished)
  }
}

# Called natively by all that waits: a condition that a task has signalled, and that is to be seen at once.
tq_signal <- function(cnd) {
  if (inherits(cnd, "warning")) {
    warning(cnd)
  } else if (inherits(cnd, "message")) {
    message(cnd)
  } else {
    signalCondition(cnd)
  }
}

# Called natively: `count` of them cannot be signalled.
tq_warn_of_lost <- function(count) {
  warning(sprintf("%s that tasks have signalled %s lost: there were too many at once, or they cannot be read",
    tq_number_of(count, "condition"), if (count == 1) "is" else "are"), call. = FALSE)
}

tq_progress_state <- function(handle, tasks) {
  if (!is.null(tasks)) return(list(done = rs_queue_num_done(handle, tasks), total = length(tasks)))
  counts <- rs_queue_counts(handle)
  list(done = counts[[3L]], total = sum(counts))
}

# A bar that is drawn by cli where that is installed; `update(done, total)` and `end()`.
tq_progress_bar <- function(total, what = "Tasks", cli = requireNamespace("cli", quietly = TRUE)) {
  if (cli) {
    # cli looks for its functions from here.
    env <- new.env(parent = baseenv())
    bar <- cli::cli_progress_bar(what, total = total, clear = TRUE, .envir = env, auto_terminate = FALSE)
    return(list(
      update = function(done, total) cli::cli_progress_update(set = done, total = total, id = bar, .envir = env),
      end = function() cli::cli_progress_done(id = bar, .envir = env)
    ))
  }
  bar <- utils::txtProgressBar(style = 3, file = stderr())
  list(
    update = function(done, total) utils::setTxtProgressBar(bar, if (total) done / total else 1),
    end = function() close(bar)
  )
}

# As in pop(), the tasks leave the queue in the last call, when the frame is built.
tq_collect <- function(private, ids, timeout, progress, call) {
  timeout_ms <- tq_check_duration(timeout, "timeout", call)
  progress <- tq_check_flag(progress, "progress", call)
  handle <- tq_handle(private, call)
  tasks <- tq_find(handle, ids, call)
  if (!is.null(tasks)) {
    # A task that is named twice is collected once.
    is_first <- !duplicated(tasks)
    tasks <- tasks[is_first]
    ids <- ids[is_first]
    promised <- ids[tq_checked(rs_queue_promised(handle, tasks), call)]
    if (length(promised)) tq_throw(tq_promised_error(promised[1L], call))
  }
  tq_wait_for(handle, tasks, timeout_ms, progress, call)
  if (is.null(tasks)) tasks <- tq_checked(rs_queue_done_serials(handle), call)
  done <- lapply(tasks, function(task) rs_outcome(handle, task))
  is_done <- !vapply(done, is.null, NA)
  failure <- rs_queue_failure(handle)
  frame <- tq_result_frame(lapply(done[is_done], tq_result, failure = failure))
  .External(C_tq_call, "rs_commit_all", handle, tasks[is_done], frame, function() {
    tq_collect(private, ids, 0, FALSE, call)
  })
}

tq_output <- function(private, id, call) {
  handle <- tq_handle(private, call)
  task <- tq_find_one(handle, id, call)
  tq_checked(rs_queue_output(handle, task), call)
}

tq_progress <- function(private, id, call) {
  handle <- tq_handle(private, call)
  task <- tq_find_one(handle, id, call)
  last <- if (is.null(private$inline)) {
    tq_checked(rs_queue_progress(handle, task), call)
  } else if (identical(tq_session$inline_id, id)) {
    tq_inline_progress()
  }
  tq_progress_of(last)
}

# `last`: NULL when nothing was told.
tq_progress_of <- function(last) {
  list(
    fraction = last$fraction %||% NA_real_,
    message = last$message %||% NA_character_,
    at = .POSIXct(last$at %||% NA_real_)
  )
}

tq_position <- function(private, id, call) {
  handle <- tq_handle(private, call)
  task <- tq_find_one(handle, id, call)
  tq_checked(rs_queue_position(handle, task), call)
}

# The serial numbers of tasks; NULL stays NULL, for all of them.
tq_find <- function(handle, ids, call, arg = "ids") {
  if (is.null(ids)) return(NULL)
  if (!is.character(ids) || anyNA(ids)) {
    tq_input_error(arg, ids, "a character vector of ids, as `push()` returns them", call)
  }
  tq_checked(rs_queue_find(handle, tq_check_text(ids, arg, call)), call)
}

tq_find_one <- function(handle, id, call) {
  if (missing(id)) tq_missing_error("id", "the id of one task", call)
  tq_find(handle, tq_check_one_id(id, "the id of one task", call), call)
}

tq_check_one_id <- function(id, remedy, call) {
  if (!tq_is_string(id)) tq_input_error("id", id, remedy, call)
  tq_check_text(id, "id", call)
}
