# From the tables of a queue to what one page of the monitor shows. Pure but for the look itself: a look, a query and
# the time make rows of text. All columns are as long as there are tasks (10 000 are usual) up to the page; only
# what is on it becomes text.

# What the browser may ask for.
tq_monitor_columns <- c(
  id = "Task", state = "State", progress = "Progress", tag = "Tag", tries = "Tries", waited = "Waited", ran = "Ran",
  worker = "Worker", memory = "Memory"
)
# Values of the choice of states, and which of a task's states they stand for; none: all. A count of each of the last
# six stands above the table.
tq_monitor_states <- list(
  all = character(), waiting = "waiting", running = "running",
  done = c("success", "error", "crash", "timeout", "cancelled", "skipped"),
  success = "success", failed = c("error", "crash", "timeout"), cancelled = "cancelled", skipped = "skipped"
)

# The tasks that this monitor may show, as columns, and the workers. `state` is how far a task is or what came of it.
tq_monitor_look <- function(options, now = as.numeric(Sys.time())) {
  look <- tq_checked(rs_queue_tasks(options$handle), NULL)
  tasks <- look$tasks
  if (!is.null(options$tag)) {
    is_shown <- which(tasks$tag == options$tag)
    tasks <- lapply(tasks, `[`, is_shown)
  }
  is_done <- tasks$state == "done"
  tasks$state[is_done] <- tasks$status[is_done]
  tasks$is_done <- is_done
  list(
    tasks = tasks,
    seats = look$seats,
    state = look$state,
    now = now
  )
}

# What a browser asks for, made sure of: it may have sent anything. `input`: a function that gives an input by its name.
tq_monitor_query <- function(input) {
  size <- suppressWarnings(as.integer(tq_word(input("size"), "25")))
  state <- tq_word(input("state"), "all")
  tag <- tq_word(input("tag"), "")
  sort <- input("sort")
  by <- tq_word(if (is.list(sort)) sort$by, "state")
  list(
    find = tolower(substr(trimws(tq_word(input("find"), "")), 1L, tq_limits$monitor_find_chars)),
    state = if (state %in% names(tq_monitor_states)) state else "all",
    # "": all of them, "-": those without a tag, "=x": those with the tag x.
    tag = if (tag == "-" || startsWith(tag, "=")) tag else "",
    size = if (size %in% tq_limits$monitor_sizes) size else tq_limits$monitor_sizes[[1L]],
    by = if (by %in% names(tq_monitor_columns)) by else "state",
    descending = is.list(sort) && isTRUE(sort$descending)
  )
}

# One string that a browser has sent, valid text; else `default`.
tq_word <- function(x, default) {
  if (is.character(x) && length(x) == 1L && !is.na(x) && validUTF8(x)) x else default
}

# Some strings that a browser has sent, as JSON has them.
tq_words <- function(x) {
  x <- as.list(x)
  is_word <- vapply(x, function(word) tq_is_string(word) && validUTF8(word), NA)
  unique(unlist(x[is_word], use.names = FALSE)) %||% character()
}

# The rows of a page, in order: numbers of tasks in the look. A page that is not there is the last one.
tq_monitor_rows <- function(look, query, page) {
  found <- tq_monitor_find(look$tasks, query)
  pages <- max(1L, as.integer(ceiling(length(found) / query$size)))
  page <- min(max(page, 1L), pages)
  ordered <- found[tq_monitor_order(look, found, query)]
  from <- (page - 1L) * query$size
  list(
    rows = ordered[from + seq_len(min(query$size, length(found) - from))],
    page = page, pages = pages, from = from, found = length(found)
  )
}

tq_monitor_find <- function(tasks, query) {
  is_found <- rep(TRUE, length(tasks$id))
  if (query$state != "all") is_found <- tasks$state %in% tq_monitor_states[[query$state]]
  if (query$tag == "-") is_found <- is_found & is.na(tasks$tag)
  if (startsWith(query$tag, "=")) is_found <- is_found & tasks$tag %in% substring(query$tag, 2L)
  found <- which(is_found)
  if (nzchar(query$find) && length(found)) {
    has <- function(column) grepl(query$find, tolower(column[found]), fixed = TRUE)
    found <- found[has(tasks$id) | has(tasks$tag) | has(tasks$message) | has(tasks$state)]
  }
  found
}

# Order of the tasks `found`. By state: what runs, what waits, and what is done, the last one first. Ties are in the
# order of the pushes, and what has no value comes last, in both directions.
tq_monitor_order <- function(look, found, query) {
  tasks <- look$tasks
  at <- function(column) tasks[[column]][found]
  keys <- switch(query$by,
    state = list(
      ifelse(at("is_done"), 3L, ifelse(at("state") == "running", 1L, 2L)),
      ifelse(at("is_done"), -at("finished"), 0)
    ),
    id = tq_natural_keys(at("id")),
    tag = list(at("tag")),
    progress = list(at("progress")),
    tries = list(at("tries")),
    waited = list(tq_monitor_waited(look, found)),
    ran = list(tq_monitor_ran(look, found)),
    worker = list(tq_monitor_pid(look, found)),
    memory = list(tq_monitor_memory(look, found))
  )
  descending <- rep(query$descending, length(keys))
  do.call(order, c(unname(keys), list(seq_along(found)), list(
    decreasing = c(descending, FALSE), na.last = TRUE, method = "radix"
  )))
}

# So that ".10" comes after ".9".
tq_natural_keys <- function(ids) {
  zygote <- sub("[0-9]{1,15}$", "", ids)
  list(zygote, suppressWarnings(as.numeric(substring(ids, nchar(zygote) + 1L))))
}

tq_monitor_waited <- function(look, rows) {
  tasks <- look$tasks
  began <- tasks$started[rows]
  # A task that was never begun has waited until its end.
  began[is.na(began)] <- tasks$finished[rows][is.na(began)]
  began[is.na(began)] <- look$now
  pmax(began - tasks$queued[rows], 0)
}

tq_monitor_ran <- function(look, rows) {
  tasks <- look$tasks
  ended <- tasks$finished[rows]
  ended[tasks$state[rows] == "running"] <- look$now
  pmax(ended - tasks$started[rows], 0)
}

tq_monitor_pid <- function(look, rows) {
  pid <- look$tasks$worker[rows]
  pid[look$tasks$state[rows] != "running"] <- NA
  pid
}

tq_monitor_memory <- function(look, rows) {
  look$seats$rss[match(tq_monitor_pid(look, rows), look$seats$worker, incomparables = NA)]
}

# The texts of some rows, columns as the browser knows them. What has no value is "". `reason`: a function that gives
# the reason why a task failed, by its number.
tq_monitor_cells <- function(look, rows, reason) {
  tasks <- look$tasks
  state <- tasks$state[rows]
  ran <- tq_monitor_ran(look, rows)
  is_running <- state == "running"
  progress <- ifelse(state == "success" & !is.na(tasks$progress[rows]), 1, tasks$progress[rows])
  message <- tasks$message[rows]
  has_failed <- state %in% tq_monitor_states$failed
  message[has_failed] <- vapply(tasks$serial[rows][has_failed], reason, "")
  list(
    tag = tq_short_text(tasks$tag[rows]),
    state = state,
    progress = ifelse(is.na(progress), "", sprintf("%.3f", pmin(pmax(progress, 0), 1))),
    message = tq_short_text(message),
    tries = ifelse(tasks$tries[rows] > 0, as.character(tasks$tries[rows]), ""),
    waited = tq_span(tq_monitor_waited(look, rows), whole = state == "waiting"),
    ran = tq_span(ran, whole = is_running),
    worker = tq_text_of(tq_monitor_pid(look, rows)),
    memory = tq_memory_text(tq_monitor_memory(look, rows))
  )
}

# The workers: their numbers and texts, up to a limit. With a tag, what others do is not told.
tq_monitor_workers <- function(look, tag) {
  seats <- look$seats
  shown <- seq_len(min(length(seats$seat), tq_limits$monitor_workers))
  task <- seats$task[shown]
  if (!is.null(tag)) task[!is.na(task) & !task %in% look$tasks$id] <- "(another task)"
  list(
    order = as.character(seats$seat[shown]),
    cells = list(
      worker = tq_text_of(seats$worker[shown]),
      state = seats$activity[shown],
      task = ifelse(is.na(task), "", task),
      tasks = tq_text_of(seats$tasks_done[shown]),
      memory = tq_memory_text(seats$rss[shown]),
      cpu = tq_span(seats$cpu[shown], whole = FALSE)
    )
  )
}

# The line above the tables, and which controls there are.
tq_monitor_head <- function(look, options) {
  tasks <- look$tasks
  counts_of <- c("waiting", "running", "success", "failed", "cancelled", "skipped")
  tasks_in <- vapply(counts_of, function(state) sum(tasks$state %in% tq_monitor_states[[state]]), 0L)
  activity <- look$seats$activity
  kinds <- c("busy", "idle", "starting", "leaving")
  counts <- vapply(kinds, function(kind) sum(activity == kind), 0L)
  is_open <- look$state %in% c("open", "paused")
  steers <- options$controls && is.null(options$tag)
  list(
    name = options$name %||% "",
    state = look$state,
    counts = as.list(vapply(tasks_in, tq_big, "")),
    workers = tq_big(length(activity)),
    max_workers = if (is.finite(options$max_workers)) options$max_workers,
    activity = paste(counts[counts > 0L], kinds[counts > 0L], collapse = ", "),
    more = max(0L, length(activity) - tq_limits$monitor_workers),
    can = list(
      cancel = options$controls,
      pause = steers && look$state == "open",
      resume = steers && look$state == "paused",
      resize = steers && is_open && !options$is_inline,
      tag = is.null(options$tag),
      timeline = is.null(options$tag)
    )
  )
}

# Tags to choose from. With more than a page can list, the text that is looked for finds the others.
tq_monitor_tags <- function(look, query, options) {
  if (!is.null(options$tag)) return(NULL)
  tags <- unique(look$tasks$tag)
  tags <- sort(tags[!is.na(tags)], method = "radix")
  chosen <- if (startsWith(query$tag, "=")) substring(query$tag, 2L)
  tags <- utils::head(tags, tq_limits$monitor_tags)
  unique(c(chosen[!chosen %in% tags], tags))
}

tq_text_of <- function(x) ifelse(is.na(x), "", format(x, trim = TRUE, scientific = FALSE))

# As long as a page shows; the rest of a text of many lines is in the output of its task.
tq_short_text <- function(x) {
  ifelse(is.na(x), "", substr(x, 1L, tq_limits$monitor_text_chars))
}

tq_big <- function(n) format(n, big.mark = ",", trim = TRUE, scientific = FALSE)

tq_memory_text <- function(bytes) {
  ifelse(is.na(bytes), "", ifelse(bytes < 1e9, sprintf("%.0f MB", bytes / 1e6), sprintf("%.1f GB", bytes / 1e9)))
}

# Seconds as people say them; `whole`: as a clock that runs shows them.
tq_span <- function(seconds, whole) {
  whole <- rep_len(whole, length(seconds))
  # Rounded first, so that 59.97 is "1 min", not "60.0 s".
  seconds <- ifelse(whole | seconds >= 10, floor(seconds), seconds)
  minutes <- seconds %/% 60
  ifelse(is.na(seconds), "",
    ifelse(seconds >= 3600, sprintf("%.0f h %02.0f min", minutes %/% 60, minutes %% 60),
      ifelse(seconds >= 60, sprintf("%.0f min %02.0f s", minutes, seconds %% 60),
        ifelse(whole | seconds >= 10, sprintf("%.0f s", seconds),
          ifelse(seconds < 1, sprintf("%.0f ms", floor(seconds * 1000)),
            sprintf("%.1f s", floor(seconds * 10) / 10))))))
}
