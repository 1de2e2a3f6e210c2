# What the browser has of a monitor, and what it must be told to have what is. The message is the difference: parts that
# are as they were are not in it, and of a table only the cells that changed, by the id of their row. So in the browser
# focus, choice and scrolling stay where they are.

# What a browser has that has just come.
tq_mirror <- function() {
  mirror <- new.env(parent = emptyenv())
  mirror$parts <- list()
  mirror
}

# The parts of `now` that the browser does not have; it has them then. A part with `order` and `cells` is a table.
# Empty: there is nothing to tell.
tq_mirror_update <- function(mirror, now) {
  news <- list()
  for (name in names(now)) {
    had <- mirror$parts[[name]]
    part <- now[[name]]
    if (identical(had, part)) next
    news[[name]] <- if (is.list(part) && !is.null(part[["cells"]])) tq_table_news(had, part) else part
    mirror$parts[[name]] <- part
  }
  news
}

# `order` is there when rows came, went or moved; `rows`: of each that changed its id and what is new in it.
tq_table_news <- function(had, now) {
  was <- match(now$order, had$order)
  changed <- lapply(names(now$cells), function(column) {
    old <- had$cells[[column]][was]
    if (is.null(old)) rep(TRUE, length(was)) else is.na(was) | now$cells[[column]] != old
  })
  changed <- matrix(unlist(changed), length(was))
  rows <- lapply(which(rowSums(changed) > 0), function(row) {
    list(id = now$order[[row]], set = lapply(now$cells[changed[row, ]], `[[`, row))
  })
  c(
    if (!identical(had$order, now$order)) list(order = as.list(now$order)),
    list(rows = rows)
  )
}

# The ends of tasks since the last look, for those who listen to the page. It says few sentences: what ends meanwhile is
# summed up.
tq_herald <- function() {
  herald <- new.env(parent = emptyenv())
  herald$done <- NULL
  herald$pending <- list(id = character(), state = character())
  herald$said_at <- -Inf
  herald
}

# The sentence to say now, or NULL. The first look tells nothing: what is done then is no news.
tq_herald_hear <- function(herald, look) {
  tasks <- look$tasks
  done <- tasks$serial[tasks$is_done]
  if (is.null(herald$done)) {
    herald$done <- done
    return(NULL)
  }
  is_new <- tasks$is_done & !tasks$serial %in% herald$done
  herald$done <- done
  herald$pending$id <- c(herald$pending$id, tasks$id[is_new])
  herald$pending$state <- c(herald$pending$state, tasks$state[is_new])
  if (!length(herald$pending$id) || look$now - herald$said_at < tq_limits$monitor_say_s) return(NULL)
  sentence <- tq_ends_text(herald$pending$id, herald$pending$state)
  herald$pending <- list(id = character(), state = character())
  herald$said_at <- look$now
  sentence
}

tq_ends_text <- function(ids, states) {
  words <- c(
    success = "finished", error = "failed", crash = "crashed", timeout = "ran out of time",
    cancelled = "cancelled", skipped = "skipped"
  )
  if (length(ids) == 1L) return(sprintf("Task %s: %s.", tq_short_text(ids), words[[states]]))
  counts <- table(factor(states, names(words)))
  counts <- counts[counts > 0]
  parts <- paste(tq_big(as.integer(counts)), words[names(counts)])
  sprintf("%s tasks ended: %s.", tq_big(length(ids)), paste(trimws(parts), collapse = ", "))
}
