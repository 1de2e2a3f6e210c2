# task_q_extended_task(): invocations of one function on a queue, as reactives.

#' A background task of a Shiny app
#'
#' An object like `shiny::ExtendedTask` whose work runs on a queue, and that can do more: any number of
#' invocations run at once, each can be cancelled, and progress and output are there while they run. Works
#' with shiny 1.7 and newer. Make it inside `server`; make the queue outside.
#'
#' What `status()` and its like tell is reactive, as it is of an `ExtendedTask`, and each takes the `id` of an
#' invocation; `NULL`, the default, is the latest. The end of an invocation is told by an event; its progress
#' and output are looked at every `refresh` milliseconds, while it runs.
#'
#' An invocation belongs to the queue: it goes on when the browser session ends, unless `session_cleanup` is
#' "cancel". Its result leaves the queue when it is done, and is kept here until it is forgotten: by `invoke()`, as
#' `keep` says, or by `forget()`. What has not ended is never forgotten.
#'
#' @section Methods:
#' * `invoke(...)`: runs `fun(...)` on the queue, beside what runs already. Returns the id of the invocation,
#'   invisibly, and does not wait. When the queue does not take it, because it is full or closed, it has ended
#'   in an error at once. Else the oldest that have ended are forgotten, so that `keep` are left.
#' * `status(id = NULL)`: "initial" when nothing was invoked, "running" from `invoke()` to the end (so also
#'   while it waits for a worker), then "success", "error" or "cancelled"; "forgotten" of one that was.
#' * `result(id = NULL)`: the value. Before the end the output that asks is left as it is, as by
#'   `shiny::req()`; one that asks for what was forgotten is empty. An error is thrown: that of the promise, whose
#'   message is made for visitors, see `promise()` of [task_q]. That of a cancelled one shows as a message, not as an
#'   error.
#' * `progress(id = NULL)`: a list with `fraction`, `message` and `at`, see [task_progress()].
#' * `output(id = NULL)`: a list with the strings `stdout` and `stderr`.
#' * `cancel(id = NULL)`: ends an invocation, see `cancel()` of [task_q]; `NULL` ends all that have not ended.
#'   Returns `TRUE` for each that ends by this, named by id. Not reactive.
#' * `forget(id = NULL)`: value, error and output of an invocation are kept no longer; `NULL` forgets all that
#'   have ended. Returns `TRUE` for each that has ended, `FALSE` for one that runs, named by id, invisibly. Not
#'   reactive.
#' * `ids()`: the ids of all invocations that are not forgotten, oldest first.
#'
#' @param queue A `task_q`.
#' @param fun A function, see `push()` of [task_q].
#' @param ... Options of `push()` for every invocation, by name; not `args`, `id` and `block`.
#' @param tag The tag of every invocation, a string; or `NULL`, the default: the token of the session.
#' @param session_cleanup With "keep", the default, invocations go on when the browser session ends. With
#'   "cancel" they are cancelled then.
#' @param keep How many invocations `invoke()` keeps, the new one among them: a whole number from 1, or `Inf`.
#'   With 1, the default, it is as in `shiny::ExtendedTask`: the results that are there are those of the latest
#'   invocation, and of those that ran when it was invoked.
#' @param refresh A duration, at least 10 milliseconds; default 250.
#' @return An object of class `task_q_extended_task`, also of class `ExtendedTask`, so that
#'   `bslib::bind_task_button()` takes it. Throws `taskq_error_input`, and `taskq_error_package` without shiny,
#'   promises and later.
#' @examplesIf interactive() && requireNamespace("shiny", quietly = TRUE)
#' queue <- task_q$new(2)
#'
#' ui <- shiny::fluidPage(
#'   shiny::actionButton("go", "Go"), shiny::actionButton("stop", "Cancel"),
#'   shiny::textOutput("progress"), shiny::textOutput("result")
#' )
#' server <- function(input, output, session) {
#'   task <- task_q_extended_task(queue, function(n) {
#'     for (i in seq_len(n)) {
#'       Sys.sleep(1)
#'       taskq::task_progress(i / n)
#'     }
#'     n
#'   })
#'   shiny::observeEvent(input$go, task$invoke(5))
#'   shiny::observeEvent(input$stop, task$cancel())
#'   output$progress <- shiny::renderText(format(task$progress()$fraction))
#'   output$result <- shiny::renderText(task$result())
#' }
#' shiny::shinyApp(ui, server)
#' queue$close()
#' @export
task_q_extended_task <- function(queue, fun, ..., tag = NULL, session_cleanup = c("keep", "cancel"),
                                 keep = 1, refresh = 250) {
  call <- sys.call()
  tq_need(c("shiny", "promises", "later"), "task_q_extended_task()", call)
  queue <- tq_check_queue(queue, call)
  tq_check_function(fun, "fun", call)
  options <- list(...)
  allowed <- setdiff(names(formals(queue$push)), c("fun", "args", "id", "...", "block", "tag"))
  if (length(options) && !(tq_has_names(options) && all(names(options) %in% allowed))) {
    tq_refuse_arguments(names(options) %||% "", allowed, call)
  }
  tag <- tq_check_label(tag, "tag", call)
  session_cleanup <- tq_check_choice(session_cleanup, c("keep", "cancel"), "session_cleanup", call)
  keep <- tq_check_count(keep, "keep", call)
  refresh <- tq_check_refresh(refresh, tq_limits$follow_ms, call)
  session <- shiny::getDefaultReactiveDomain()
  # All that push() has by default, but for these.
  defaults <- lapply(as.list(formals(queue$push))[c(allowed, "tag", "block")], eval, baseenv())
  given <- c(options, tag = tag %||% session$token, block = FALSE)
  defaults[names(given)] <- given
  options <- do.call(tq_task_options, c(defaults, list(call = call)), quote = TRUE)
  tq_extended_task$new(session, queue, fun, options, session_cleanup, keep, refresh)
}

tq_extended_task <- R6Class("task_q_extended_task",
  cloneable = FALSE,
  public = list(
    initialize = function(session, queue, fun, options, session_cleanup, keep, refresh) {
      private$session <- session
      private$queue <- queue
      private$fun <- fun
      private$options <- options
      private$keep <- keep
      private$refresh <- refresh
      private$all <- shiny::reactiveVal(character())
      private$jobs <- new.env(parent = emptyenv())
      if (session_cleanup == "cancel" && !is.null(private$session)) private$session$onSessionEnded(self$cancel)
      # For the methods that others have for it.
      class(self) <- c("task_q_extended_task", "ExtendedTask", "R6")
      self
    },
    invoke = function(...) {
      job <- tq_job()
      id <- tryCatch(private$start(job, list(...), sys.call()), taskq_error = function(cnd) {
        job$end("error", error = tq_visible_error(cnd))
        private$refused <- private$refused + 1
        sprintf(".failed-%.0f", private$refused)
      })
      private$jobs[[id]] <- job
      ids <- shiny::isolate(private$all())
      # What the queue does not take takes nothing's place.
      ended <- if (is.null(job$ended)) Filter(private$has_ended, ids)
      private$drop(utils::head(ended, max(0, length(ids) + 1 - private$keep)), add = id)
      invisible(id)
    },
    status = function(id = NULL) {
      job <- private$job(id)
      if (is.null(job)) private$absent(id) else job$status()
    },
    result = function(id = NULL) {
      job <- private$job(id)
      if (is.null(job)) shiny::req(FALSE)
      switch(job$status(), running = tq_req_progress(), success = job$ended$value, stop(job$ended$error))
    },
    progress = function(id = NULL) {
      job <- private$job(id)
      if (is.null(job)) tq_progress_of(NULL) else job$progress()
    },
    output = function(id = NULL) {
      job <- private$job(id)
      if (is.null(job)) return(list(stdout = "", stderr = ""))
      job$shows_output <- TRUE
      job$output()
    },
    cancel = function(id = NULL) {
      if (!is.null(id)) shiny::isolate(private$job(id))
      ids <- id %||% shiny::isolate(private$all())
      running <- Filter(function(id) !private$has_ended(id), ids)
      if (!length(running)) return(invisible(logical()))
      # All at once, so that none is begun in the place of another. One that has just ended may be in its promise
      # already.
      cancelled <- tryCatch(private$queue$cancel(running), taskq_error_unknown = function(cnd) {
        private$queue$cancel(setdiff(running, cnd$ids))
      })
      ends <- running %in% names(which(cancelled))
      names(ends) <- running
      invisible(ends)
    },
    forget = function(id = NULL) {
      if (!is.null(id)) shiny::isolate(private$job(id))
      ids <- shiny::isolate(private$all())
      if (!is.null(id)) ids <- intersect(id, ids)
      has_ended <- vapply(ids, private$has_ended, NA)
      private$drop(ids[has_ended])
      invisible(has_ended)
    },
    ids = function() private$all(),
    print = function(...) {
      ids <- shiny::isolate(private$all())
      running <- sum(!vapply(ids, private$has_ended, NA))
      cat(sprintf("<task_q_extended_task> %d invoked, %d running\n", length(ids) + length(private$forgotten), running))
      invisible(self)
    }
  ),
  private = list(
    session = NULL, queue = NULL, fun = NULL, keep = NULL, refresh = NULL,
    options = NULL,  # of tq_task_options()
    all = NULL,   # the ids, reactive
    jobs = NULL,  # by id, see tq_job()
    forgotten = character(),  # ids
    refused = 0,  # how many the queue did not take
    # Puts an invocation on the queue; its id. An app must not wait, so a queue that is full refuses.
    start = function(job, args, call) {
      queue <- private$queue$.__enclos_env__$private
      task <- tq_task(queue, private$fun, args, NULL, private$options, call)
      run <- tq_run_task(queue, task, call, whole = TRUE)
      if (is.null(run)) tq_throw(tq_full_error(call))
      promises::then(run$promise, function(whole) tq_job_end(job, whole))
      # Without a session, in a test for instance, somebody else has to look.
      if (!is.null(private$session)) tq_job_observe(job, private$queue, run$id, private$refresh, private$session)
      run$id
    },
    # NULL when there is none, or it was forgotten.
    job = function(id) {
      ids <- private$all()
      if (is.null(id)) return(if (length(ids)) private$jobs[[ids[length(ids)]]])
      if (!tq_is_string(id) || !id %in% c(ids, private$forgotten)) {
        tq_input_error("id", id, "the id of an invocation", sys.call(-1L))
      }
      private$jobs[[id]]
    },
    absent = function(id) if (is.null(id) && !length(private$forgotten)) "initial" else "forgotten",
    has_ended = function(id) !is.null(private$jobs[[id]]$ended),
    drop = function(ids, add = NULL) {
      rm(list = as.character(ids), envir = private$jobs)
      private$forgotten <- c(private$forgotten, ids)
      private$all(c(setdiff(shiny::isolate(private$all()), ids), add))
    }
  )
)

# One invocation. `ended` is NULL until it has, then a list of `value` and `error`.
tq_job <- function() {
  job <- new.env(parent = emptyenv())
  job$ended <- NULL
  job$shows_output <- FALSE
  job$status <- shiny::reactiveVal("running")
  job$progress <- shiny::reactiveVal(tq_progress_of(NULL))
  job$output <- shiny::reactiveVal(list(stdout = "", stderr = ""))
  job$end <- function(status, value = NULL, error = NULL) {
    job$ended <- list(value = value, error = error)
    job$status(status)
  }
  job
}

tq_job_end <- function(job, whole) {
  result <- whole$result
  job$progress(whole$progress)
  job$output(list(stdout = result$stdout %||% "", stderr = result$stderr %||% ""))
  status <- if (result$status %in% c("success", "cancelled")) result$status else "error"
  job$end(status, result$result, result$error)
}

# Shiny keeps an observer, and so its job, as long as the session, unless it is destroyed.
tq_job_observe <- function(job, queue, id, refresh, session) {
  observer <- shiny::observe(domain = session, {
    if (job$status() != "running") return(observer$destroy())
    shiny::invalidateLater(refresh, session)
    # It may have ended, and be in its promise.
    tryCatch({
      job$progress(queue$progress(id))
      if (job$shows_output) job$output(queue$output(id))
    }, taskq_error_unknown = function(cnd) NULL)
  })
}

# Leaves the output as it is, and where Shiny knows of it, busy.
tq_req_progress <- function() {
  shiny::req(FALSE, cancelOutput = if (utils::packageVersion("shiny") >= "1.8.1") "progress" else TRUE)
}
