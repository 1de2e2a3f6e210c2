# The monitor of a queue as a Shiny module, and as an app of its own: what users call, and the checks of that.
#
# | file                  | owns                                                                    |
# | --------------------- | ----------------------------------------------------------------------- |
# | shiny-monitor-ui.R    | the page: all elements but the rows, with names for screen readers      |
# | shiny-monitor-server.R| one browser session: its clock, its commands, and who may give them     |
# | shiny-monitor-view.R  | from the tables of the queue to the rows and cells that one page shows  |
# | shiny-monitor-diff.R  | what the browser has, and what it must be told to have what is          |
# | inst/monitor/         | what the browser does with that; the only place that touches rows       |
#
# What a task says, its id and tag among it, was written by anybody, and so was what a browser sends.

#' A monitor of a queue in a Shiny app
#'
#' @description
#' A Shiny module that shows a queue as it works and steers it: its tasks with state, progress, times and memory, its
#' workers, what a chosen task writes, a timeline; tasks are cancelled, the queue is paused, resumed and
#' resized. `task_q_monitor()` opens it as an app of its own for a queue of this session.
#'
#' The table is sorted, filtered and paged in R, and the browser is told only what has changed on the page it shows, so
#' that it serves queues of ten thousand tasks. While nobody looks (the tab is hidden, or the browser gone), nothing
#' is computed. All of it works by keyboard: in the table, arrow keys move, Enter chooses a task, Space adds one,
#' Escape chooses none.
#'
#' @param id The id of the module, a string: the same for both functions.
#' @param queue A [task_q]. It should be made outside of the server function of the app, so that it is
#'   one for all visitors and outlives each of them.
#' @param ... Must be empty: what follows is given by name. Those of `task_q_monitor()` are `tag`, `controls`,
#'   `max_workers` and `refresh`.
#' @param tag A string: only tasks that were pushed with this tag are shown, counted and
#'   steered, their output is the only one that can be read, and the queue itself cannot be paused or resized.
#'   Default `NULL`: all tasks.
#' @param controls Whether tasks can be cancelled, and the queue paused and resized; default `TRUE`. With `FALSE` the
#'   server refuses that, whatever a browser sends.
#' @param max_workers The largest number of workers that can be set from the page, a whole number from 1, or `Inf`, the
#'   default. The server refuses more, whatever a browser sends.
#' @param refresh A duration, of 100 milliseconds at least: how often to look at the queue; default 500. When a
#'   look takes long, there are fewer, so that it is no more than a fifth of the time of R.
#' @param session_cleanup What happens to tasks when the browser session ends: "keep", the default, lets them go on;
#'   "cancel" cancels those with `tag`, or, where that is `NULL`, those that were pushed with
#'   `tag = session$token`.
#' @param launch Whether to run the app. It then runs until it is interrupted or its window is closed, and leaves
#'   the queue as it is. Default `TRUE`.
#' @return `task_q_monitor_ui()`: HTML, for the user interface of an app. `task_q_monitor_server()`, invisibly: a list
#'   with `selected`, a reactive expression that gives the id of the task whose output is shown, or
#'   `NULL`. `task_q_monitor()`: the queue, invisibly, when the app has ended; with `launch = FALSE`, a
#'   Shiny app object, which runs when it is printed.
#'
#'   All throw `taskq_error_package` (field `packages`) where shiny is not installed, and `taskq_error_input`;
#'   `task_q_monitor_server()` throws `taskq_error_session` when it is not called in a server function.
#' @examplesIf interactive() && requireNamespace("shiny", quietly = TRUE)
#' queue <- task_q$new(2)
#' queue$push_many(function(i) Sys.sleep(i), lapply(1:20, list))
#' task_q_monitor(queue)
#'
#' # In an app:
#' ui <- shiny::fluidPage(task_q_monitor_ui("queue"))
#' server <- function(input, output, session) task_q_monitor_server("queue", queue)
#' shiny::shinyApp(ui, server)
#' queue$close()
#' @name task_q_monitor
NULL

#' @rdname task_q_monitor
#' @export
task_q_monitor_ui <- function(id, ...) {
  call <- sys.call()
  tq_check_dots(..., owner = task_q_monitor_ui, call = call)
  tq_check_monitor_id(id, call)
  tq_need("shiny", "the monitor", call)
  tq_monitor_ui(shiny::NS(id))
}

#' @rdname task_q_monitor
#' @export
task_q_monitor_server <- function(id, queue, ..., tag = NULL, controls = TRUE, max_workers = Inf, refresh = 500,
                                  session_cleanup = c("keep", "cancel")) {
  call <- sys.call()
  tq_check_dots(..., owner = task_q_monitor_server, call = call)
  tq_check_monitor_id(id, call)
  options <- tq_monitor_options(queue, tag, controls, max_workers, refresh, call)
  cancels <- tq_check_choice(session_cleanup, c("keep", "cancel"), "session_cleanup", call) == "cancel"
  tq_need("shiny", "the monitor", call)
  if (is.null(shiny::getDefaultReactiveDomain())) {
    tq_throw(tq_condition("session", "`task_q_monitor_server()` was called outside of a Shiny session", call,
      body = c(i = "call it inside the server function of an app, or call `task_q_monitor()`")))
  }
  invisible(shiny::moduleServer(id, function(input, output, session) {
    if (cancels) tq_cancel_at_end(session, queue, options$tag %||% session$token)
    tq_monitor_server(input, output, session, options)
  }))
}

#' @rdname task_q_monitor
#' @export
task_q_monitor <- function(queue, ..., launch = TRUE) {
  call <- sys.call()
  given <- tq_monitor_dots(..., call = call)
  options <- tq_monitor_options(queue, given$tag, given$controls, given$max_workers, given$refresh, call)
  launch <- tq_check_flag(launch, "launch", call)
  tq_need("shiny", "the monitor", call)
  app <- shiny::shinyApp(tq_monitor_page(options$name), function(input, output, session) {
    task_q_monitor_server("monitor", queue, tag = options$tag, controls = options$controls,
      max_workers = options$max_workers, refresh = options$refresh_ms)
  })
  if (!launch) return(app)
  shiny::runApp(app)
  invisible(queue)
}

# What the server of a monitor is told once and for all.
tq_monitor_options <- function(queue, tag, controls, max_workers, refresh, call) {
  tq_check_queue(queue, call)
  private <- queue$.__enclos_env__$private
  list(
    queue = queue,
    handle = tq_handle(private, call),
    name = private$name,
    is_inline = !is.null(private$inline),
    tag = tq_check_label(tag, "tag", call),
    controls = tq_check_flag(controls, "controls", call),
    max_workers = tq_check_count(max_workers, "max_workers", call),
    refresh_ms = tq_check_refresh(refresh, tq_limits$monitor_refresh_ms, call)
  )
}

tq_monitor_dots <- function(..., call) {
  accepted <- function(tag = NULL, controls = TRUE, max_workers = Inf, refresh = 500) {
    list(tag = tag, controls = controls, max_workers = max_workers, refresh = refresh)
  }
  if (...length() && !all(tq_names_of(...) %in% names(formals(accepted)))) {
    tq_refuse_arguments(tq_names_of(...), names(formals(accepted)), call)
  }
  accepted(...)
}

# As ...names(), which says NULL where nothing has a name.
tq_names_of <- function(...) names(list(...)) %||% rep("", ...length())

# Tasks of a visitor end with the session, whether a monitor is still looked at or not.
tq_cancel_at_end <- function(session, queue, tag) {
  # A queue that is closed by then has cancelled them already.
  session$onSessionEnded(function() tryCatch(queue$cancel(tag = tag), taskq_error = function(cnd) NULL))
}

tq_check_monitor_id <- function(id, call) {
  if (!tq_is_string(id)) tq_input_error("id", id, "one non-empty string", call)
}
