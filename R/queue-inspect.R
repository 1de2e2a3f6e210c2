# What a queue says about itself. Nothing here waits.

tq_count <- function(private, state, call) {
  counts <- tq_checked(rs_queue_counts(tq_handle(private, call)), call)
  counts[[match(state, c("waiting", "running", "done"))]]
}

tq_is_idle <- function(private, call) {
  sum(tq_checked(rs_queue_counts(tq_handle(private, call)), call)) == 0L
}

tq_num_free <- function(private, call) tq_checked(rs_queue_num_idle(tq_handle(private, call)), call)

# What was saved and restored can be asked, too: it is as good as closed.
tq_is_closed <- function(private, call) {
  if (!identical(private$session, tq_session)) return(TRUE)
  tq_checked(rs_queue_state(tq_handle(private, call)), call) %in% c("closing", "closed")
}

tq_list_tasks <- function(private, idle, payload, call) {
  idle <- tq_check_flag(idle, "idle", call)
  payload <- tq_check_flag(payload, "payload", call)
  handle <- tq_handle(private, call)
  now <- tq_checked(if (payload) rs_queue_objects(handle) else rs_queue_tasks(handle), call)
  objects <- if (payload) tq_task_objects(handle, now$objects, length(now$tasks$serial))
  tq_task_frame(now$tasks, if (idle) now$seats, objects)
}

# Functions, arguments and results of `n` tasks, as a snapshot has them: a list of each. What was freed, or cannot be
# read here, is NULL.
tq_task_objects <- function(handle, snapshot, n) {
  on.exit(rs_objects_free(snapshot))
  lists <- list(fun = vector("list", n), args = vector("list", n), done = vector("list", n), at = numeric(1L))
  # It fills these lists, and goes on behind what cannot be read.
  while (lists$at < n) {
    tryCatch(rs_objects(snapshot, lists), error = function(cnd) NULL)
  }
  failure <- NULL
  delayedAssign("failure", rs_queue_failure(handle))
  is_done <- which(lengths(lists$done) > 0L)
  result <- vector("list", n)
  result[is_done] <- lapply(lists$done[is_done], function(done) tq_result(done, failure))
  list(fun = lists$fun, args = lists$args, result = result)
}

tq_list_workers <- function(private, call) {
  tq_worker_frame(tq_checked(rs_queue_seats(tq_handle(private, call)), call)$seats)
}

tq_print_queue <- function(self, private) {
  cat(tq_format_queue(private), sep = "\n")
  invisible(self)
}

tq_format_queue <- function(private) {
  if (!identical(private$session, tq_session)) {
    advice <- "  it cannot be used here: make a new queue with `task_q$new()`"
    return(c(tq_queue_title(private$name, "of another R session"), advice))
  }
  handle <- private$handle
  now <- rs_queue_seats(handle)
  if (inherits(now, "tq_failure")) {
    return(c(tq_queue_title(private$name, "of another process"), paste0("  ", now$message)))
  }
  failure <- if (identical(now$state, "failed")) tq_start_error(now$failure)
  workers <- if (is.null(private$inline)) tq_worker_counts(now$seats) else "none, tasks run inline in this session"
  reason <- c(failure$message, failure$body[names(failure$body) == "x"])
  c(
    tq_queue_title(private$name, now$state),
    paste0("  workers: ", workers),
    paste0("  tasks:   ", paste(now$counts, c("waiting", "running", "done"), collapse = ", ")),
    if (!is.null(failure)) tq_wrap(paste0("  ", reason), exdent = 2L)
  )
}

# The state is painted as that of a traffic light.
tq_queue_title <- function(name, state) {
  style <- switch(state, open = "good", paused = , closing = "busy", closed = "faint", "bad")
  name <- if (is.null(name)) "" else sprintf(" \"%s\"", tq_cut(encodeString(name), tq_width() - 32L))
  paste0("<task_q", name, "> ", tq_paint(state, style))
}

tq_worker_counts <- function(seats) {
  activity <- table(factor(seats$activity, c("starting", "idle", "busy", "leaving")))
  activity <- activity[activity > 0]
  detail <- paste(activity, names(activity), collapse = ", ")
  paste0(length(seats$seat), if (nzchar(detail)) paste0(" (", detail, ")"))
}
