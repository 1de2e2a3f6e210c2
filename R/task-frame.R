# The columns of list_tasks() and list_workers(): the one place that defines their names, order
# and types. The words for states are those of the task queue that this package began with.

# No task and no worker.
tq_task_prototype <- function() {
  time <- .POSIXct(numeric())
  list(
    id = character(), idle = logical(), state = character(), fun = list(), args = list(),
    worker = list(), result = list(), status = character(), tag = character(),
    priority = integer(), tries = integer(), progress = numeric(), message = character(),
    queued_at = time, started_at = time, finished_at = time
  )
}

# `view`: the columns `tasks` of rs_queue_tasks(); `seats`: likewise, or NULL for no idle rows;
# `objects`: a list each of fun, args, result of the tasks, or NULL for none of them.
tq_task_frame <- function(view, seats = NULL, objects = NULL) {
  tasks <- length(view$id)
  idle <- length(seats$seat)
  rows <- tasks + idle
  columns <- tq_task_prototype()
  for (name in names(columns)) columns[[name]] <- tq_missing_rows(columns[[name]], rows)

  here <- seq_len(tasks)
  there <- tasks + seq_len(idle)
  columns$idle <- rep(c(FALSE, TRUE), c(tasks, idle))
  columns$priority[here] <- as.integer(view$priority)
  columns$priority[there] <- 0L
  columns$tag[here] <- view$tag
  columns$progress[here] <- view$progress
  columns$message[here] <- view$message
  columns$id[here] <- view$id
  columns$state[here] <- view$state
  columns$worker[here] <- tq_pids(view$worker, view$state == "running")
  columns$status[here] <- view$status
  columns$tries[here] <- as.integer(view$tries)
  columns$queued_at[here] <- .POSIXct(view$queued)
  columns$started_at[here] <- .POSIXct(view$started)
  columns$finished_at[here] <- .POSIXct(view$finished)
  if (!is.null(objects)) {
    for (name in c("fun", "args", "result")) columns[[name]][here] <- objects[[name]]
  }

  columns$id[there] <- paste0(rep(".idle-", idle), seats$seat)
  columns$state[there] <- seats$state
  columns$worker[there] <- tq_pids(seats$worker, seats$state %in% c("running", "ready"))
  columns$tries[there] <- integer(idle)
  tq_frame(columns, "taskq_tasks")
}

# | column     | type      | meaning                                                 |
# | ---------- | --------- | ------------------------------------------------------- |
# | worker     | integer   | pid, NA while there is no process                       |
# | state      | character | starting, idle, busy or leaving                         |
# | task_id    | character | the task that it runs, or NA                            |
# | tasks_done | integer   | tasks that this session has run                         |
# | started_at | POSIXct   | when the session was started                            |
# | rss        | double    | bytes of memory that are resident                       |
# | cpu        | double    | seconds of processor time                               |
tq_worker_frame <- function(seats) {
  tq_frame(list(
    worker = as.integer(seats$worker),
    state = as.character(seats$activity),
    task_id = as.character(seats$task),
    tasks_done = as.integer(seats$tasks_done),
    started_at = .POSIXct(as.double(seats$started)),
    rss = as.double(seats$rss),
    cpu = as.double(seats$cpu)
  ), "taskq_workers")
}

tq_missing_rows <- function(column, rows) {
  if (is.list(column)) vector("list", rows) else column[rep(NA_integer_, rows)]
}

tq_pids <- function(pids, shown) {
  lapply(seq_along(pids), function(i) if (shown[[i]] && !is.na(pids[[i]])) pids[[i]])
}

# A tibble without tibble. Our own class comes first, to print well where tibble is not there.
tq_frame <- function(columns, class) {
  structure(columns,
    row.names = .set_row_names(length(columns[[1L]])),
    class = c(class, "tbl_df", "tbl", "data.frame")
  )
}

#' @export
print.taskq_tasks <- function(x, ...) tq_print_frame(x, "task", ...)

#' @export
print.taskq_workers <- function(x, ...) tq_print_frame(x, "worker", ...)

#' @export
print.taskq_results <- function(x, ...) tq_print_frame(x, "result", ...)

tq_print_frame <- function(x, what, ...) {
  if (!tq_has_tibble()) return(tq_print_plain(x, what))
  tibble <- x
  class(tibble) <- setdiff(class(x), c("taskq_tasks", "taskq_workers", "taskq_results"))
  print(tibble, ...)
  invisible(x)
}

# Columns that say nothing, and those for which there is no room, are named below the table.
tq_print_plain <- function(x, what, n = tq_limits$table_rows) {
  columns <- as.list(x)
  shown <- seq_len(min(nrow(x), n))
  cells <- lapply(columns, function(column) tq_cut(tq_format_column(column[shown]), tq_limits$cell_chars))
  empty <- nrow(x) > 0L & vapply(columns, function(column) all(tq_is_void(column)), NA)
  widths <- mapply(function(name, cell) max(tq_columns(c(name, cell)), na.rm = TRUE), names(cells), cells)
  has_room <- logical(length(cells))
  has_room[!empty] <- cumsum(widths[!empty] + 1L) <= tq_width()
  cat(sprintf("# %s\n", tq_number_of(nrow(x), what)))
  table <- as.data.frame(cells[has_room], stringsAsFactors = FALSE, optional = TRUE)
  if (nrow(table) && ncol(table)) print(table, right = FALSE, row.names = FALSE)
  notes <- c(
    if (nrow(x) > n) sprintf("# ... %d more", nrow(x) - n),
    tq_note_columns("no room", names(columns)[nrow(x) > 0L & !empty & !has_room]),
    tq_note_columns("empty", names(columns)[empty])
  )
  cat(sprintf("%s\n", tq_paint(notes, "faint")), sep = "")
  invisible(x)
}

tq_note_columns <- function(why, names) {
  if (!length(names)) return(NULL)
  sub("^(?!#)", "#   ", tq_wrap(sprintf("# %s: %s", why, toString(names)), tq_width() - 4L), perl = TRUE)
}

tq_has_tibble <- function() requireNamespace("tibble", quietly = TRUE)

tq_is_void <- function(column) {
  if (is.list(column)) return(vapply(column, function(x) is.null(x) || identical(x, list()), NA))
  is.na(column) | (is.character(column) & !nzchar(column))
}

tq_format_column <- function(column) {
  if (is.list(column)) return(vapply(column, tq_format_cell, ""))
  if (inherits(column, "POSIXct")) return(ifelse(is.na(column), "", format(column, "%H:%M:%S")))
  if (is.character(column)) return(ifelse(is.na(column), "", encodeString(column)))
  ifelse(is.na(column), "", format(column, digits = 4L, big.mark = if (is.double(column)) " " else ""))
}

tq_format_cell <- function(x) {
  if (is.null(x) || identical(x, list())) return("")
  if (is.function(x)) return("<fn>")
  if (is.character(x) && length(x) == 1L && !is.object(x)) return(encodeString(x))
  if (is.atomic(x) && length(x) == 1L && !is.object(x)) return(format(x))
  if (inherits(x, "taskq_result")) return(sprintf("<%s>", x$status))
  if (inherits(x, "taskq_error")) return(sprintf("<%s>", sub("taskq_error_", "", class(x)[1L])))
  sprintf("<%s [%d]>", class(x)[1L], tq_length_of(x))
}
