# Runs a measure: all rivals and limits take turns, so that a machine that becomes slower or faster
# meanwhile does so for all of them.

run_measure <- function(measure, peers, settings) {
  entries <- c(
    lapply(peers, function(peer) peer_entry(measure, peer, settings)),
    unname(Map(limit_entry, names(measure$limits), measure$limits))
  )
  for (round in seq_len(settings$repeats)) {
    # Each round begins with another one.
    order <- (seq_along(entries) + round - 2) %% length(entries) + 1
    for (entry in entries[order]) run_once(entry, settings)
  }
  for (entry in entries) {
    if (!is.null(entry$state)) attempt(entry, entry$finish(entry$state), settings)
  }
  entries
}

peer_entry <- function(measure, peer, settings) {
  kind <- if (peer$name == "taskq") "taskq" else "rival"
  entry <- new_entry(peer$name, kind, measure$once, measure$finish)
  attempt(entry, entry$state <- measure$prepare(peer), settings)
  entry
}

limit_entry <- function(name, once) new_entry(name, "limit", function(state) once(), NULL)

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
  entry
}

# A slow rival gets fewer turns when its time is spent, but always one.
run_once <- function(entry, settings) {
  if (!is.null(entry$error) || entry$spent > settings$budget) return()
  gc(FALSE)
  start <- Sys.time()
  attempt(entry, entry$values <- c(entry$values, list(entry$once(entry$state))), settings)
  entry$spent <- entry$spent + seconds_since(start)
}

# What fails or takes too long, fails for this one alone.
attempt <- function(entry, expr, settings) {
  setTimeLimit(elapsed = settings$patience)
  on.exit(setTimeLimit())
  tryCatch(expr, error = function(e) {
    entry$error <- conditionMessage(e)
    message(entry$name, " failed: ", entry$error)
  })
}

# A list of samples: row, who, kind ("taskq", "rival" or "limit"), values.
entry_samples <- function(entry) {
  found <- unique(unlist(lapply(entry$values, names)))
  lapply(found, function(row) {
    values <- vapply(entry$values, function(v) v[[row]], 0)
    list(row = row, who = entry$name, kind = entry$kind, values = I(values))
  })
}

# One line for each sample, with its ratio to taskq in what it costs: above 1, taskq is cheaper.
summarise <- function(samples) {
  figures <- data.frame(
    row = vapply(samples, `[[`, "", "row"),
    who = vapply(samples, `[[`, "", "who"),
    kind = vapply(samples, `[[`, "", "kind"),
    median = vapply(samples, function(s) stats::median(s$values), 0),
    min = vapply(samples, function(s) min(s$values), 0),
    max = vapply(samples, function(s) max(s$values), 0),
    repeats = vapply(samples, function(s) length(s$values), 0L)
  )
  ours <- figures[figures$kind == "taskq", ]
  base <- ours$median[match(figures$row, ours$row)]
  more_is_better <- vapply(figures$row, function(row) rows[[row]]$unit == "tasks/s", TRUE)
  figures$ratio <- ifelse(more_is_better, base / figures$median, figures$median / base)
  figures[order(match(figures$row, names(rows))), ]
}

# Goals whose figures are all there.
judge <- function(figures) {
  median_of <- function(row, who) figures$median[figures$row == row & figures$who == who]
  judged <- lapply(goals, function(goal) {
    value <- median_of(goal$row, "taskq")
    bound <- if (is.numeric(goal$than)) goal$than else median_of(goal$than[1], goal$than[2])
    if (!length(value) || !length(bound)) return(NULL)
    times <- if (is.null(goal$times)) 1 else goal$times
    unit <- rows[[goal$row]]$unit
    text <- show_value(times * bound, unit)
    if (is.character(goal$than)) {
      factor <- if (times == 1) "" else paste(format(times), "x ")
      text <- paste0(text, " (", factor, goal$than[2], ")")
    }
    data.frame(
      row = goal$row,
      goal = paste("at", goal$at, text),
      value = value,
      reached = if (goal$at == "most") value <= times * bound else value >= times * bound
    )
  })
  do.call(rbind, judged)
}

show_value <- function(x, unit) {
  scaled <- function(steps, suffixes) {
    step <- max(1, sum(abs(x) >= steps))
    paste(format(signif(x / steps[step], 3), digits = 3, scientific = FALSE), suffixes[step])
  }
  switch(unit,
    seconds = scaled(c(1e-6, 1e-3, 1), c("\u00b5s", "ms", "s")),
    bytes = scaled(c(1e3, 1e6, 1e9), c("kB", "MB", "GB")),
    "tasks/s" = paste(format(signif(x, 3), scientific = FALSE), "/s")
  )
}

# Goals compare figures of one measure, so a measure can be printed when it is done.
print_table <- function(figures) {
  judged <- judge(figures)
  for (row in unique(figures$row)) {
    unit <- rows[[row]]$unit
    cat("\n", rows[[row]]$title, "\n", sep = "")
    here <- figures[figures$row == row, ]
    for (i in seq_len(nrow(here))) {
      line <- here[i, ]
      name <- if (line$kind == "limit") paste0("(", line$who, ")") else line$who
      span <- paste(show_value(line$min, unit), "to", show_value(line$max, unit))
      ratio <- if (is.na(line$ratio)) "" else sprintf("%9.2f x", line$ratio)
      cat(sprintf(
        "  %s %s %s   %s  %d\n",
        pad(name, 33), pad(show_value(line$median, unit), -12), pad(ratio, -11),
        pad(span, 24), line$repeats
      ))
    }
    for (i in which(judged$row == row)) {
      cat("  goal: ", judged$goal[i], ": ", if (judged$reached[i]) "reached" else "MISSED", "\n",
        sep = ""
      )
    }
  }
}

# formatC counts bytes, not characters.
pad <- function(x, width) {
  blanks <- strrep(" ", max(0, abs(width) - nchar(x)))
  if (width < 0) paste0(blanks, x) else paste0(x, blanks)
}
