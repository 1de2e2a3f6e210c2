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
  objects <- if (payload) tq_task_objects(handle, view$serial)
  tq_task_frame(view, seats, objects)
}

# Functions, arguments and results of tasks: a list of each. What was freed, or cannot be read here, is NULL.
tq_task_objects <- function(handle, serials) {
  n <- length(serials)
  lists <- list(fun = vector("list", n), args = vector("list", n), done = vector("list", n), at = numeric(1L))
  # It fills these lists, and goes on behind what cannot be read.
  while (lists$at < n) {
    refusal <- tryCatch(.External(C_tq_objects, handle, serials, lists), error = function(cnd) NULL)
    tq_checked(refusal, NULL)
  }
  failure <- NULL
  delayedAssign("failure", rs_queue_failure(handle))
  is_done <- which(lengths(lists$done) > 0L)
  result <- vector("list", n)
  result[is_done] <- lapply(lists$done[is_done], function(done) tq_result(done, failure))
  list(fun = lists$fun, args = lists$args, result = result)
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
