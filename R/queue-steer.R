# cancel(), resize(), pause(), resume(): what changes the course of tasks and workers. Nothing here
# waits: what is asked for happens in the background.

tq_cancel <- function(private, ids, tag, grace, call) {
  if (is.null(ids) == is.null(tag)) {
    message <- sprintf("which tasks are to be cancelled must be said by `ids` or by `tag`, not by %s",
      if (is.null(ids)) "none of them" else "both")
    hint <- if (is.null(ids)) "for all of them: `q$cancel(q$list_tasks(idle = FALSE)$id)`"
    tq_throw(tq_condition("input", message, call, fields = list(arg = "ids", value = ids, remedy = "ids or tag"),
      body = c(i = hint)))
  }
  grace_ms <- tq_check_duration(grace, "grace", call)
  tag <- tq_check_label(tag, "tag", call)
  handle <- tq_handle(private, call)
  tasks <- if (is.null(tag)) tq_find(handle, ids, call) else tq_checked(rs_queue_tagged(handle, tag), call)
  tq_checked(rs_queue_cancel(handle, tasks, grace_ms), call)
}

tq_resize <- function(self, private, n, call) {
  if (missing(n)) tq_missing_error("n", "a number of workers", call)
  size <- tq_check_num_workers(n, "n", call)
  handle <- tq_handle(private, call)
  if (!is.null(private$inline)) {
    tq_throw(tq_condition("input", "a queue that runs its tasks inline (`num_workers = 0`) cannot be resized", call,
      arg = "n", value = n, remedy = "a new queue", body = c(i = "make a new queue with `task_q$new()`")))
  }
  tq_checked(rs_queue_resize(handle, size[[1L]], size[[2L]]), call)
  invisible(self)
}

tq_pause <- function(self, private, call) {
  tq_checked(rs_queue_pause(tq_handle(private, call)), call)
  invisible(self)
}

tq_resume <- function(self, private, call) {
  handle <- tq_handle(private, call)
  tq_checked(rs_queue_resume(handle), call)
  if (!is.null(private$inline)) tq_inline_run(private$inline, handle, call)
  invisible(self)
}
