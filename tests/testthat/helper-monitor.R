# A browser session without a browser, for the monitor: it keeps what it is sent, and applies it to a page of its own as
# inst/monitor/monitor.js does.

mock_browser <- function() {
  skip_if_not_installed("shiny", "1.7")
  browser <- shiny::MockShinySession$new()
  browser$messages <- list()
  browser$sendCustomMessage <- function(type, message) {
    if (type == "taskq-monitor") browser$messages <- c(browser$messages, list(message))
  }
  browser
}

# Runs `expr` in the server of a monitor that is looked at. `messages()` are those so far, `page()` is what the browser
# shows, `send(...)` sets inputs.
test_monitor <- function(q, expr, ..., browser = mock_browser()) {
  force(browser)
  expr <- substitute(expr)
  around <- parent.frame()
  shiny::testServer(task_q_monitor_server, args = list(id = "m", queue = q, ...), session = browser, expr = {
    env <- new.env(parent = around)
    env$session <- session
    env$messages <- function() browser$messages
    env$last <- function(part) newest(browser$messages, part)
    env$page <- function() shown_page(browser$messages)
    env$send <- function(...) session$setInputs(...)
    env$refresh <- function() session$elapse(500)
    # Looks again and again until it holds.
    env$sees <- function(condition) {
      condition <- substitute(condition)
      from <- parent.frame()
      wait_until({
        session$elapse(500)
        isTRUE(eval(condition, from))
      })
    }
    session$setInputs(monitor = list(instance = "page-1", shown = TRUE))
    eval(expr, env)
  })
}

# The newest `part` of the messages.
newest <- function(messages, part) {
  has <- Filter(function(message) !is.null(message[[part]]), messages)
  if (length(has)) has[[length(has)]][[part]]
}

# The table of tasks after these messages: a list of texts for each id, in order.
shown_page <- function(messages, table = "tasks") {
  rows <- list()
  for (message in messages) rows <- apply_table(rows, message[[table]])
  rows
}

apply_table <- function(rows, news) {
  if (is.null(news)) return(rows)
  if (!is.null(news$order)) rows <- rows[intersect(names(rows), unlist(news$order))]
  for (row in news$rows) rows[[row$id]] <- utils::modifyList(as.list(rows[[row$id]]), row$set)
  if (!is.null(news$order)) rows <- rows[as.character(unlist(news$order))]
  rows
}

# How often the monitors look at a queue from now on.
local_looks <- function(frame = parent.frame()) {
  counter <- new.env()
  counter$looks <- 0
  namespace <- asNamespace("taskq")
  look <- namespace$tq_monitor_look
  put <- function(value) {
    get("unlockBinding", baseenv())("tq_monitor_look", namespace)
    assign("tq_monitor_look", value, namespace)
    lockBinding("tq_monitor_look", namespace)
  }
  put(function(...) {
    counter$looks <- counter$looks + 1
    look(...)
  })
  do.call(on.exit, list(as.call(list(put, look)), add = TRUE), envir = frame)
  counter
}
