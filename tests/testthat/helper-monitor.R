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

# Runs `expr` in the server of a monitor that is looked at. `messages()` are those so far, `page()` and `output()` are
# what the browser shows, `send(...)` sets inputs.
test_monitor <- function(q, expr, ..., browser = mock_browser()) {
  skip_on_cran()
  force(browser)
  expr <- substitute(expr)
  around <- parent.frame()
  # The clock of this session is set by the test: a look takes none of its time, however busy the machine is.
  local_binding("tq_clock_ms", function() 0)
  shiny::testServer(task_q_monitor_server, args = list(id = "m", queue = q, ...), session = browser, expr = {
    env <- new.env(parent = around)
    env$session <- session
    env$messages <- function() browser$messages
    env$last <- function(part) newest(browser$messages, part)
    env$page <- function() shown_page(browser$messages)
    env$output <- function() shown_output(browser$messages)
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

# The output of the chosen task after these messages: NULL before there is one, and when it is gone. A look can bring
# the text and the next one the state, so that the newest message alone does not have all of it.
shown_output <- function(messages) {
  shown <- NULL
  for (news in lapply(messages, `[[`, "output")) {
    if (is.null(news)) next
    if (isTRUE(news$ended)) {
      shown <- NULL
      next
    }
    if (news$reset) shown <- list(stdout = "", stderr = "")
    for (stream in c("stdout", "stderr")) shown[[stream]] <- paste0(shown[[stream]], news[[stream]]$text)
    shown[c("id", "state", "error")] <- news[c("id", "state", "error")]
  }
  shown
}

# How often the monitors look at a queue from now on.
local_looks <- function(frame = parent.frame()) {
  counter <- new.env()
  counter$looks <- 0
  look <- asNamespace("taskq")$tq_monitor_look
  local_binding("tq_monitor_look", function(...) {
    counter$looks <- counter$looks + 1
    look(...)
  }, frame)
  counter
}

# Has `name` be another function in the package until `frame` ends.
local_binding <- function(name, value, frame = parent.frame()) {
  namespace <- asNamespace("taskq")
  put <- function(value) {
    get("unlockBinding", baseenv())(name, namespace)
    assign(name, value, namespace)
    lockBinding(name, namespace)
  }
  do.call(on.exit, list(as.call(list(put, namespace[[name]])), add = TRUE), envir = frame)
  put(value)
}
