# Runs a measure: all rivals and limits take turns, so that a machine that becomes slower or faster
# meanwhile does so for all of them. The k-th values of two entries belong to the same round.

# | field of a measure | what it is                                                              |
# | ------------------ | ----------------------------------------------------------------------- |
# | `who(peers)`       | who takes part; left out: all                                           |
# | `prepare(peer)`    | once before the repeats: what `once` gets; left out: the peer itself    |
# | `warm_up(state)`   | once after it; left out: nothing                                        |
# | `once(state)`      | one repeat: a named vector, row = figure                                |
# | `finish(state)`    | once after them                                                         |
# | `rivals`           | named functions: each a repeat as `once`, of what others do in one call |
# | `limits`           | the same, of what the machine or R allows                               |
# | `most_repeats`     | fewer repeats than the others; left out: no                             |
#
# A curve is a measure for each place: `at`, the places; `of(x)`, the measure at one of them; and
# `rows`, the rows whose figures belong to the place. Other rows that it yields stand in the table.

run_measure <- function(measure, peers, settings) {
  if (!is.null(measure$at)) return(run_curve(measure, peers, settings))
  if (!is.null(measure$who)) peers <- measure$who(peers)
  entries <- c(
    lapply(peers, function(peer) peer_entry(measure, peer, settings)),
    plain_entries("rival", measure$rivals),
    plain_entries("limit", measure$limits)
  )
  on.exit(for (entry in entries) {
    if (!is.null(entry$state)) attempt(entry, entry$finish(entry$state), settings)
  })
  for (round in seq_len(min(settings$repeats, measure$most_repeats))) {
    # Each round begins with another one.
    order <- (seq_along(entries) + round - 2) %% length(entries) + 1
    for (entry in entries[order]) run_once(entry, settings)
  }
  entries
}

# A rival that has failed at one place, or that took long, is not asked at the next, which is harder.
run_curve <- function(curve, peers, settings) {
  found <- list()
  for (x in curve$at) {
    entries <- run_measure(curve$of(x), peers, settings)
    for (entry in entries) {
      entry$x <- x
      entry$curve_rows <- curve$rows
      one <- entry$spent / length(entry$values)
      if (entry$kind != "rival" || (is.null(entry$error) && one < settings$turn)) next
      peers <- Filter(function(peer) peer$name != entry$name, peers)
    }
    found <- c(found, entries)
  }
  found
}

peer_entry <- function(measure, peer, settings) {
  kind <- if (is_taskq(peer)) "taskq" else "rival"
  entry <- new_entry(peer$name, kind, measure$once, measure$finish)
  prepare <- if (is.null(measure$prepare)) identity else measure$prepare
  attempt(entry, entry$state <- prepare(peer), settings)
  if (is_usable(entry) && !is.null(measure$warm_up)) {
    attempt(entry, measure$warm_up(entry$state), settings)
  }
  entry
}

plain_entries <- function(kind, functions) {
  functions <- Filter(Negate(is.null), functions)
  unname(Map(
    function(name, once) new_entry(name, kind, function(state) once(), NULL),
    names(functions), functions
  ))
}

new_entry <- function(name, kind, once, finish) {
  entry <- new.env()
  entry$name <- name
  entry$kind <- kind
  entry$once <- once
  entry$finish <- if (is.null(finish)) function(state) NULL else finish
  entry$state <- NULL
  entry$values <- list()
  entry$spent <- 0
  entry$error <- NULL
  entry$missing <- NULL
  entry$x <- NULL
  entry
}

is_usable <- function(entry) is.null(entry$error) && is.null(entry$missing)

# A slow rival gets fewer turns when its time is spent, but always one. taskq gets all.
run_once <- function(entry, settings) {
  if (!is_usable(entry)) return()
  if (entry$spent > settings$budget && entry$kind == "rival") return()
  gc(FALSE)
  start <- Sys.time()
  attempt(entry, entry$values <- c(entry$values, list(entry$once(entry$state))), settings)
  entry$spent <- entry$spent + seconds_since(start)
}

# What fails or takes too long, fails for this one alone.
attempt <- function(entry, expr, settings) {
  setTimeLimit(elapsed = settings$patience)
  on.exit(setTimeLimit())
  tryCatch(expr,
    bench_missing = function(e) entry$missing <- conditionMessage(e),
    error = function(e) {
      entry$error <- conditionMessage(e)
      message(entry$name, " failed: ", entry$error)
    }
  )
}

# Ends a measure of something that this version of a package does not have, or that this machine
# has no room for.
not_here <- function(what) {
  stop(structure(class = c("bench_missing", "error", "condition"), list(message = what, call = NULL)))
}

# A list of samples: row, who, kind ("taskq", "rival" or "limit"), x (NULL: in the table), values.
entry_samples <- function(entry) {
  found <- unique(unlist(lapply(entry$values, names)))
  lapply(found, function(row) {
    values <- unlist(lapply(entry$values, function(v) if (row %in% names(v)) v[[row]]))
    x <- if (is.null(entry$curve_rows) || row %in% entry$curve_rows) entry$x
    list(row = row, who = entry$name, kind = entry$kind, x = x, values = I(values))
  })
}
