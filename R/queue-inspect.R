# What a queue says about itself. Nothing here waits.

tq_count <- function(private, state, call) {
  counts <- tq_checked(rs_queue_counts(tq_handle(private, call)), call)
  counts[[match(state, c("waiting", "running", "done"))]]
}

tq_is_idle <- function(private, call) {
  sum(tq_checked(rs_queue_counts(tq_handle(private, call)), call)) == 0L
}

tq_list_tasks <- function(private, idle, payload, call) {
  idle <- tq_check_flag(idle, "idle", call)
  payload <- tq_check_flag(payload, "payload", call)
  handle <- tq_handle(private, call)
  view <- tq_checked(rs_queue_tasks(handle), call)
  seats <- if (idle) tq_checked(rs_queue_seats(handle), call)
  objects <- if (payload) lapply(view$serial, tq_task_objects, handle = handle)
  tq_task_frame(view, seats, objects)
}

# Function, arguments and result of one task. What was freed, or cannot be read here, is NULL.
tq_task_objects <- function(serial, handle) {
  sent <- tryCatch(.External(C_tq_payload, handle, serial), error = function(cnd) NULL)
  done <- tryCatch(.External(C_tq_outcome, handle, serial), error = function(cnd) NULL)
  if (inherits(sent, "tq_failure")) sent <- NULL
  if (inherits(done, "tq_failure")) done <- NULL
  fun <- if (is.null(sent$call$batch)) sent$fun else sent$fun$fun
  result <- if (!is.null(done)) tq_result(done, rs_queue_failure(handle))
  list(fun = fun, args = if (!is.null(sent)) sent$call$args %||% list(), result = result)
}

tq_list_workers <- function(private, call) {
  tq_worker_frame(tq_checked(rs_queue_seats(tq_handle(private, call)), call))
}

tq_print_queue <- function(self, private) {
  title <- paste0("<task_q", if (!is.null(private$name)) paste0(" \"", private$name, "\""))
  if (!identical(private$session, tq_session)) {
    cat(title, "> of another R session\n", sep = "")
    return(invisible(self))
  }
  handle <- private$handle
  state <- rs_queue_state(handle)
  if (inherits(state, "tq_failure")) {
    cat(title, "> ", state$message, "\n", sep = "")
    return(invisible(self))
  }
  counts <- rs_queue_counts(handle)
  seats <- rs_queue_seats(handle)
  workers <- if (is.null(private$inline)) {
    activity <- table(factor(seats$activity, c("starting", "idle", "busy", "leaving")))
    activity <- activity[activity > 0]
    detail <- paste(activity, names(activity), collapse = ", ")
    sprintf("%d%s", length(seats$seat), if (nzchar(detail)) paste0(" (", detail, ")") else "")
  } else {
    "none, tasks run inline in this session"
  }
  cat(title, "> ", state, "\n", sep = "")
  cat("  workers: ", workers, "\n", sep = "")
  tasks <- paste(counts, c("waiting", "running", "done"), collapse = ", ")
  cat("  tasks:   ", tasks, "\n", sep = "")
  invisible(self)
}
