# One browser session of a monitor: when it looks at the queue, what it sends, and the commands it takes. A browser may
# send anything: what is not in the view of this monitor at that moment is refused here, whatever the page shows.
#
# | input     | from                     | meaning                                                      |
# | --------- | ------------------------ | ------------------------------------------------------------ |
# | monitor   | the page itself          | which page this is (it may have been drawn anew), and whether it is seen |
# | find, state, tag, size | their fields | the filter, see tq_monitor_query()                          |
# | sort, page | headers, buttons        | list(by, descending); the number of a page                   |
# | chosen    | rows                     | list(n, ids, current): the n-th choice of this page          |
# | cancel, pause, resume, workers, resize | their controls | commands                             |
#
# The one message, "taskq-monitor", has the parts of tq_monitor_parts() that have changed, and what was written and
# said.

tq_monitor_server <- function(input, output, session, options) {
  monitor <- tq_monitor_state(options)
  selected <- shiny::reactiveVal(NULL)
  timeline <- shiny::reactiveVal(0)
  commands <- shiny::reactiveVal(0)
  # What a command has changed is shown at once.
  command <- function(run) {
    monitor$notice <- ""
    tryCatch(run(), taskq_error = function(cnd) monitor$notice <- cnd$message)
    selected(monitor$chosen$current)
    commands(shiny::isolate(commands()) + 1)
  }

  shiny::observe({
    page <- input$monitor
    if (!is.list(page) || !isTRUE(page$shown)) return()
    commands()
    query <- tq_monitor_query(function(name) input[[name]])
    began <- tq_clock_ms()
    message <- tq_monitor_tick(monitor, tq_word(page$instance, ""), query)
    if (length(message)) {
      to <- list(to = session$ns("monitor"), instance = monitor$instance)
      session$sendCustomMessage("taskq-monitor", c(to, message))
    }
    selected(monitor$chosen$current)
    if (monitor$draws) timeline(shiny::isolate(timeline()) + 1)
    # The rest of the time belongs to the app.
    shiny::invalidateLater(max(options$refresh_ms, 4 * (tq_clock_ms() - began)), session)
  })

  shiny::observeEvent(input$page, {
    if (is.numeric(input$page) && length(input$page) == 1L && is.finite(input$page)) {
      command(function() monitor$page <- as.integer(min(max(input$page, 1), 1e6)))
    }
  })
  shiny::observeEvent(input$chosen, command(function() tq_monitor_choose(monitor, input$chosen)))
  if (options$controls) {
    shiny::observeEvent(input$cancel, command(function() tq_monitor_cancel(monitor)))
  }
  # These concern the tasks of everybody.
  if (options$controls && is.null(options$tag)) {
    shiny::observeEvent(input$pause, command(function() options$queue$pause()))
    shiny::observeEvent(input$resume, command(function() options$queue$resume()))
    shiny::observeEvent(input$resize, command(function() tq_monitor_resize(monitor, input$workers)))
  }
  if (is.null(options$tag)) {
    output$timeline <- shiny::renderPlot({
      timeline()
      began <- tq_clock_ms()
      plot(options$queue)
      monitor$draw_ms <- tq_clock_ms() - began
    }, alt = "Timeline: a lane for each worker, a bar for each task. The table of tasks says the same in words.")
  }
  list(selected = shiny::reactive(selected()))
}

tq_clock_ms <- function() proc.time()[["elapsed"]] * 1000

# What is kept of a browser session.
tq_monitor_state <- function(options) {
  monitor <- new.env(parent = emptyenv())
  monitor$options <- options
  monitor$instance <- NULL       # the page that has what `mirror` says
  monitor$mirror <- tq_mirror()
  monitor$herald <- tq_herald()
  monitor$page <- 1L
  monitor$filter <- NULL         # of the last look: another one begins at the first page
  monitor$chosen <- list(n = 0, ids = character(), current = NULL)
  monitor$output <- NULL         # how much of which task's output the page has
  monitor$reason <- tq_monitor_reasons(options$handle)
  monitor$notice <- ""
  monitor$draws <- FALSE         # whether the last look asks for the timeline
  monitor$drawn <- NULL          # which tasks it was drawn from
  monitor$drawn_at <- -Inf
  monitor$draw_ms <- 0
  monitor
}

# One look: the message for the browser, empty when there is nothing new.
tq_monitor_tick <- function(monitor, instance, query) {
  if (!identical(monitor$instance, instance)) {
    monitor$instance <- instance
    monitor$mirror <- tq_mirror()
    monitor$output <- NULL
  }
  monitor$draws <- FALSE
  look <- tryCatch(tq_monitor_look(monitor$options), taskq_error = identity)
  if (inherits(look, "condition")) {
    parts <- list(alert = look$message, head = list(state = "gone", can = list()))
    return(tq_mirror_update(monitor$mirror, parts))
  }
  filter <- query[c("find", "state", "tag", "size")]
  if (!is.null(monitor$filter) && !identical(filter, monitor$filter)) monitor$page <- 1L
  monitor$filter <- filter
  tq_monitor_forget(monitor, look)
  message <- tq_mirror_update(monitor$mirror, tq_monitor_parts(monitor, look, query))
  message$output <- tq_monitor_output(monitor, look)
  message$say <- tq_herald_hear(monitor$herald, look)
  tq_monitor_plan_drawing(monitor, look)
  message
}

# All that the page shows, but for output.
tq_monitor_parts <- function(monitor, look, query) {
  options <- monitor$options
  page <- tq_monitor_rows(look, query, monitor$page)
  monitor$page <- page$page
  chosen <- match(monitor$chosen$ids, look$tasks$id)
  list(
    head = tq_monitor_head(look, options),
    alert = tq_monitor_alert(look, options),
    notice = monitor$notice,
    tags = as.list(tq_monitor_tags(look, query, options)),
    tasks = list(order = look$tasks$id[page$rows], cells = tq_monitor_cells(look, page$rows, monitor$reason)),
    page = list(
      page = page$page, pages = page$pages, by = query$by, descending = query$descending,
      shown = if (page$found) {
        sprintf("%s\u2013%s of %s", tq_big(page$from + 1L), tq_big(page$from + length(page$rows)), tq_big(page$found))
      } else {
        if (length(look$tasks$id)) "No task is found" else "No tasks"
      }
    ),
    chosen = list(
      n = monitor$chosen$n, ids = as.list(monitor$chosen$ids), current = monitor$chosen$current,
      active = sum(!look$tasks$is_done[chosen])
    ),
    workers = tq_monitor_workers(look, options$tag)
  )
}

# Why the queue does nothing, if so.
tq_monitor_alert <- function(look, options) {
  switch(look$state,
    failed = {
      failure <- tq_checked_failure(options$handle)
      if (is.null(failure)) "The workers cannot start." else conditionMessage(failure)
    },
    closing = "The queue is closing: it takes no new tasks.",
    closed = "The queue is closed. What was done and not popped is still here.",
    ""
  )
}

tq_checked_failure <- function(handle) {
  failure <- rs_queue_failure(handle)
  if (is.null(failure)) NULL else tq_start_error(unclass(failure))
}

# Takes what a browser has chosen, as far as it is here to be seen.
tq_monitor_choose <- function(monitor, sent) {
  if (!is.list(sent)) return(invisible())
  ids <- utils::head(tq_words(sent$ids), tq_limits$monitor_chosen)
  current <- tq_words(sent$current)
  here <- tq_monitor_look(monitor$options)$tasks$id
  refused <- setdiff(c(ids, current), here)
  monitor$chosen <- list(
    n = if (is.numeric(sent$n) && length(sent$n) == 1L) sent$n else 0,
    ids = ids[ids %in% here],
    current = if (length(current) == 1L && current %in% here) current
  )
  if (length(refused)) {
    monitor$notice <- sprintf("Refused: %s is not a task that is shown here.", tq_short_text(refused[[1L]]))
  }
}

# Tasks that were popped are not chosen any more.
tq_monitor_forget <- function(monitor, look) {
  chosen <- monitor$chosen
  chosen$ids <- chosen$ids[chosen$ids %in% look$tasks$id]
  if (!is.null(chosen$current) && !chosen$current %in% look$tasks$id) chosen["current"] <- list(NULL)
  monitor$chosen <- chosen
}

tq_monitor_cancel <- function(monitor) {
  tasks <- tq_monitor_look(monitor$options)$tasks
  ids <- monitor$chosen$ids
  ids <- ids[ids %in% tasks$id[!tasks$is_done]]
  ended <- if (length(ids)) monitor$options$queue$cancel(ids) else logical()
  monitor$notice <- if (any(ended)) {
    sprintf(ngettext(sum(ended), "%d task is being cancelled.", "%d tasks are being cancelled."), sum(ended))
  } else {
    "No chosen task is there to cancel: those that are done stay as they are."
  }
}

tq_monitor_resize <- function(monitor, workers) {
  most <- monitor$options$max_workers
  if (is.numeric(workers) && any(workers > most, na.rm = TRUE)) {
    monitor$notice <- sprintf("Refused: this monitor sets %s workers at most.", tq_big(most))
  } else {
    monitor$options$queue$resize(workers)
  }
}

# What the chosen task has written since the last look: `reset` begins anew. NULL when there is nothing to tell.
tq_monitor_output <- function(monitor, look) {
  had <- monitor$output
  id <- monitor$chosen$current
  if (is.null(id)) {
    monitor$output <- NULL
    if (is.null(had)) return(NULL)
    return(list(id = had$id, ended = TRUE, gone = !had$id %in% look$tasks$id))
  }
  row <- match(id, look$tasks$id)
  serial <- look$tasks$serial[[row]]
  is_same <- !is.null(had) && had$serial == serial
  if (is_same && had$is_done) return(NULL)
  if (!is_same) had <- list(tries = 0, to = c(0, 0), state = "")
  news <- tq_checked(
    rs_queue_output_since(monitor$options$handle, serial, had$tries, had$to, tq_limits$monitor_output_bytes), NULL
  )
  if (is.null(news)) return(NULL)
  to <- c(news$stdout$to, news$stderr$to)
  # A new try begins anew what the last one has written.
  resets <- !is_same || any(had$to > 0 & (to < had$to | news$tries != had$tries))
  state <- look$tasks$state[[row]]
  # The end of what it wrote may come a moment later than this look's table.
  is_done <- news$done && look$tasks$is_done[[row]]
  monitor$output <- list(
    id = id, serial = serial, tries = news$tries, to = to, state = state, is_done = is_done
  )
  has_text <- nzchar(news$stdout$text) || nzchar(news$stderr$text)
  if (!resets && !has_text && !is_done && state == had$state) return(NULL)
  list(
    id = id, reset = resets, state = state,
    stdout = news$stdout[c("text", "skipped")], stderr = news$stderr[c("text", "skipped")],
    error = if (is_done && state != "success") tq_monitor_error(monitor$options$handle, serial) else ""
  )
}

# A function that gives the first line of what went wrong with a task, which it reads once. Its row names the task.
tq_monitor_reasons <- function(handle) {
  known <- new.env(parent = emptyenv())
  function(serial) {
    key <- format(serial, scientific = FALSE)
    if (is.null(known[[key]])) {
      # The memory for them is bounded: those that are still shown are read again.
      if (length(known) >= tq_limits$monitor_reasons) rm(list = ls(known), envir = known)
      known[[key]] <- sub("\n.*", "", tq_monitor_error(handle, serial, brief = TRUE))
    }
    known[[key]]
  }
}

# What went wrong with a task that is done. `brief`: without saying of which task.
tq_monitor_error <- function(handle, serial, brief = FALSE) {
  done <- tryCatch(rs_outcome(handle, serial), error = function(cnd) NULL)
  if (!is.list(done)) return("")
  error <- tq_result(done, rs_queue_failure(handle))$error
  if (!inherits(error, "condition")) return("")
  if (!brief) return(tq_message_of(error))
  if (inherits(error$parent, "condition")) return(tq_message_of(error$parent))
  sub(paste(tq_subject(list(id = error$task_id)), ""), "", tq_message_of(error), fixed = TRUE)
}

# The timeline is drawn again when something moves, and takes no more than a twentieth of the time.
tq_monitor_plan_drawing <- function(monitor, look) {
  waits <- max(tq_limits$monitor_timeline_s, 0.02 * monitor$draw_ms)
  if (look$now - monitor$drawn_at < waits) return(invisible())
  drawn <- list(look$tasks$serial, look$tasks$state, look$seats$worker)
  if (identical(drawn, monitor$drawn) && !any(look$tasks$state == "running")) return(invisible())
  monitor$drawn <- drawn
  monitor$drawn_at <- look$now
  monitor$draws <- TRUE
}
