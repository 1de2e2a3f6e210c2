# What ran, runs and waits: the table of it, the file of it for Perfetto, and the method of plot(). How the picture
# is drawn is the concern of timeline-draw.R.

# One row a bar: attempts that are over, in the order in which they ended (the last 10 000), then those that run, then
# tasks that wait, by the order of pushes (the first 10 000). Kept also of tasks that were popped.
#
# | column      | type      | meaning                                                                       |
# | ----------- | --------- | ----------------------------------------------------------------------------- |
# | id          | character | the id of the task; of a batch of `map()`, "map <k>: <first>-<last element>"  |
# | tag         | character | its tag, or NA                                                                |
# | lane        | integer   | the number of the worker, from 1; NA when it did not begin                    |
# | worker      | integer   | the pid of its session; NA likewise                                           |
# | try         | integer   | how often the task had begun, this time included                              |
# | queued_at   | POSIXct   | since when it waited: its push, or the end of the try before                  |
# | started_at  | POSIXct   | when it began; NA when it did not (yet)                                       |
# | finished_at | POSIXct   | when it ended; NA when it has not                                             |
# | status      | character | "waiting", "running", "retried" (it ended, and is tried again), or how the    |
# |             |           | task ended: the `status` of its result                                        |
# | outcome     | character | how the attempt ended, also when it is retried; NA when it has not            |
#
# Attributes: `sessions`, see below; `unlisted`, since when (POSIXct) the waiting tasks wait that have no row;
# `forgotten_until`, the POSIXct until which ends are missing because they were too many, or NA; `origin`, when the
# queue was made; `now`; `inline`, whether it has no workers, and one lane for this session.
#
# `sessions`, one row a session, those that are gone too (the last 10 000), by lane and time:
#
# | column     | type      | meaning                                                                        |
# | ---------- | --------- | ------------------------------------------------------------------------------ |
# | lane       | integer   | the number of the worker                                                       |
# | worker     | integer   | its pid, NA when there was no process (yet)                                    |
# | started_at | POSIXct   | when it was launched                                                           |
# | ready_at   | POSIXct   | when it was ready for tasks, or NA                                             |
# | ended_at   | POSIXct   | when it was gone, or NA                                                        |
# | how        | character | "retired", "killed", "closed" as it was asked to; "exit", "signal", "launch",  |
# |            |           | "supervisor", "unknown" by itself; NA when it is there                            |
# | code       | integer   | exit status, signal or error number of one that ended by itself, or NA         |
tq_timeline <- function(private, call) {
  view <- tq_checked(rs_queue_timeline(tq_handle(private, call)), call)
  bars <- view$bars
  bars <- list2DF(list(
    id = bars$id, tag = bars$tag, lane = bars$lane, worker = bars$worker, try = bars$tries,
    queued_at = .POSIXct(bars$queued), started_at = .POSIXct(bars$began), finished_at = .POSIXct(bars$ended),
    status = bars$status, outcome = bars$outcome
  ))
  sessions <- view$sessions
  sessions <- list2DF(list(
    lane = sessions$lane, worker = sessions$worker, started_at = .POSIXct(sessions$launched),
    ready_at = .POSIXct(sessions$ready), ended_at = .POSIXct(sessions$ended), how = sessions$how, code = sessions$code
  ))
  structure(bars, sessions = sessions, unlisted = .POSIXct(view$unlisted),
    forgotten_until = .POSIXct(view$forgotten_until), origin = .POSIXct(view$origin), now = .POSIXct(view$now),
    inline = view$inline)
}

#' Picture of a task queue
#'
#' Draws what the workers of a queue did and do: a lane for each worker, a bar for each time that a task ran, above
#' them how many tasks waited. Uses base graphics.
#'
#' The colour of a bar says how it ended; one that is tried again is "retried", and one that runs is hatched and
#' ends now. Tasks that ended and had never begun stand in a lane of their own. Where bars are too narrow for the
#' picture, neighbours that ended alike are drawn as one, and those that failed are drawn on top, as wide as can be
#' seen. A lane shows the process id of its present, or last, session; when a session starts, is replaced or dies, the
#' lane is marked.
#'
#' The last 10 000 bars are there, also of tasks that were popped. By default the picture begins where they are
#' complete. The same is written to a file, with all its details, by the method `trace()` of [task_q].
#' @param x A [task_q].
#' @param from,to What time is shown: a POSIXct; a number of seconds since the queue was made; or a negative number, so
#'   many seconds ago. Default `NULL`: all that is known, until now or, when nothing waits or runs, the last end.
#' @param ... Graphical parameters for this picture, see [graphics::par()].
#' @param main The title, a string; default `NULL`: the name of the queue.
#' @return The data of the picture, invisibly: a data frame with one row a bar and the columns `id`, `tag` (character),
#'   `lane` (number of the worker), `worker` (pid), `try` (integers), `queued_at`, `started_at`, `finished_at` (POSIXct,
#'   `NA` when not yet), `status` ("waiting", "running", "retried" or the status of a result) and `outcome` (how the
#'   attempt ended, also when it was retried). Its attribute `sessions` is a data frame with one row a session and the
#'   columns `lane`, `worker` (integers), `started_at`, `ready_at`, `ended_at` (POSIXct), `how` (how it ended,
#'   character) and `code` (exit status or signal, integer); `NA` for what is not (yet). Throws `taskq_error_input`.
#' @examples
#' q <- task_q$new(2)
#' for (i in 1:20) q$push(function(i) Sys.sleep(i / 1000), list(i))
#' q$wait(progress = FALSE)
#' plot(q)
#' q$close()
#' @export
plot.task_q <- function(x, from = NULL, to = NULL, ..., main = NULL) {
  call <- sys.call()
  private <- x$.__enclos_env__$private
  bars <- tq_timeline(private, call)
  origin <- attr(bars, "origin")
  now <- attr(bars, "now")
  from <- tq_check_instant(from, "from", origin, now, call)
  to <- tq_check_instant(to, "to", origin, now, call)
  if (!is.null(main) && !tq_is_string(main)) tq_input_error("main", main, "a string, or NULL", call)
  # R's numbers of seconds since 1970 tell microseconds apart, no more.
  if (!is.null(from) && !is.null(to) && to - from < 1e-5) {
    tq_input_error("to", to, "later than `from`", call)
  }
  settings <- list(...)
  if (length(settings)) {
    before <- graphics::par(settings)
    on.exit(graphics::par(before))
  }
  tq_draw_timeline(bars, attr(bars, "sessions"), from, to, now, unlisted = attr(bars, "unlisted"),
    complete_from = attr(bars, "forgotten_until"), inline = attr(bars, "inline"), main = main %||% private$name)
  invisible(bars)
}

# As a number of seconds since 1970; NULL stays NULL.
tq_check_instant <- function(x, arg, origin, now, call) {
  if (is.null(x)) return(NULL)
  if (is.numeric(unclass(x)) && length(x) == 1L && is.finite(x)) {
    if (inherits(x, "POSIXct")) return(as.double(x))
    if (is.numeric(x) && !is.object(x)) return(as.double(if (x < 0) now else origin) + x)
  }
  remedy <- "a POSIXct, a number of seconds since the queue was made, or a negative number of seconds before now"
  tq_input_error(arg, x, remedy, call)
}

tq_write_trace <- function(private, file, call) {
  if (missing(file)) tq_missing_error("file", "the path of a file", call)
  if (!tq_is_string(file)) tq_input_error("file", file, "the path of a file", call)
  path <- path.expand(file)
  if (!dir.exists(dirname(path)) || dir.exists(path)) {
    tq_input_error("file", file, "the path of a file in a directory that exists", call)
  }
  name <- enc2utf8(private$name %||% "taskq")
  tq_checked(rs_queue_trace(tq_handle(private, call), name, charToRaw(enc2native(path))), call)
  invisible(file)
}
