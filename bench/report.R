# From samples to figures, and to the text that shows them.

# One line for each sample, with its ratio to taskq in what it costs: above 1, taskq is cheaper. The
# ratio is the median of the ratios of those rounds that both have taken part in.
summarise <- function(samples, rows) {
  base_of <- function(s) {
    for (t in samples) if (t$kind == "taskq" && t$row == s$row && identical(t$x, s$x)) return(t$values)
  }
  figures <- data.frame(
    row = vapply(samples, `[[`, "", "row"),
    who = vapply(samples, `[[`, "", "who"),
    kind = vapply(samples, `[[`, "", "kind"),
    x = vapply(samples, function(s) if (is.null(s$x)) NA_real_ else as.numeric(s$x), 0),
    median = vapply(samples, function(s) stats::median(s$values), 0),
    min = vapply(samples, function(s) min(s$values), 0),
    max = vapply(samples, function(s) max(s$values), 0),
    repeats = vapply(samples, function(s) length(s$values), 0L),
    ratio = vapply(samples, function(s) cost_ratio(s$values, base_of(s), rows[[s$row]]$unit), 0)
  )
  figures[order(match(figures$row, names(rows))), ]
}

cost_ratio <- function(values, base, unit) {
  rounds <- seq_len(min(length(values), length(base)))
  if (!length(rounds)) return(NA_real_)
  ratio <- stats::median(unclass(values)[rounds] / unclass(base)[rounds])
  # Two figures of no wake-ups at all are equal.
  if (is.nan(ratio)) return(1)
  if (more_is_better(unit)) 1 / ratio else ratio
}

# | column     | what it is                                                         |
# | ---------- | ------------------------------------------------------------------ |
# | `goal`     | in words                                                           |
# | `value`    | what is reached: taskq's figure, or how many times the other's     |
# | `share`    | cost over the cost that the goal allows: up to 1 it is reached     |
# | `reached`  | NA where something that the goal speaks of was not measured        |
judge <- function(figures, rows, all = FALSE) {
  judged <- lapply(Filter(function(goal) all || goal$row %in% figures$row, goals), function(goal) {
    unit <- rows[[goal$row]]$unit
    ours <- figures[figures$row == goal$row & figures$kind == "taskq", ]
    relative <- is.character(goal$than)
    value <- if (relative) times_of(goal, ours, figures, unit) else ours$median
    if (!length(value)) value <- NA_real_
    bound <- if (relative) goal$times else goal$than
    share <- if (more_is_better(unit)) bound / value else value / bound
    # Nothing at all where nothing is allowed.
    if (is.nan(share) && !is.na(value)) share <- 0
    text <- if (relative) paste(format(goal$times), "x", goal$of) else show_value(bound, unit)
    data.frame(
      row = goal$row, goal = paste(goal$at, text), relative = relative,
      value = value, share = share, reached = share <= 1
    )
  })
  do.call(rbind, judged)
}

# taskq's figure as a multiple of the one that the goal names. In the same row it is the median of
# the rounds' ratios.
times_of <- function(goal, ours, figures, unit) {
  if (!nrow(ours)) return(NA_real_)
  if (length(goal$than) == 2) {
    there <- figures$row == goal$than[1] & figures$who == goal$than[2]
    return(ours$median / figures$median[there])
  }
  cost <- figures$ratio[figures$row == goal$row & figures$who == goal$than]
  if (more_is_better(unit)) cost else 1 / cost
}

show_value <- function(x, unit) {
  if (is.na(x)) return("-")
  scaled <- function(steps, suffixes) {
    step <- max(1, sum(abs(x) >= steps))
    paste(format(signif(x / steps[step], 3), digits = 3, scientific = FALSE), suffixes[step])
  }
  switch(unit,
    seconds = scaled(c(1e-6, 1e-3, 1), c("\u00b5s", "ms", "s")),
    bytes = scaled(c(1, 1e3, 1e6, 1e9), c("B", "kB", "MB", "GB")),
    paste(format(signif(x, 3), scientific = FALSE, big.mark = " "), unit)
  )
}

# What one measure has found. Goals compare figures of one measure, so they can be judged here.
print_measure <- function(figures, rows) {
  judged <- judge(figures[is.na(figures$x), ], rows)
  for (row in unique(figures$row)) {
    here <- figures[figures$row == row, ]
    if (is.null(rows[[row]]$x)) {
      print_row(here, rows[[row]])
      for (i in which(judged$row == row)) {
        cat("  goal: ", judged$goal[i], ": ", verdict(judged$reached[i]), "\n", sep = "")
      }
    } else {
      print_curve(here, rows[[row]])
    }
  }
}

print_row <- function(figures, row) {
  cat("\n", row$title, "\n", sep = "")
  for (i in seq_len(nrow(figures))) {
    line <- figures[i, ]
    span <- paste(show_value(line$min, row$unit), "to", show_value(line$max, row$unit))
    ratio <- if (is.na(line$ratio)) "" else sprintf("%9.2f x", line$ratio)
    cat(sprintf(
      "  %s %s %s   %s  %d\n",
      pad(named(line), 33), pad(show_value(line$median, row$unit), -16), pad(ratio, -11),
      pad(span, 30), line$repeats
    ))
  }
}

print_curve <- function(figures, row) {
  cat("\n", row$title, ", over ", row$x, "\n", sep = "")
  who <- unique(figures$who)
  cat("  ", pad("", 14), vapply(who, pad, "", -24), "\n", sep = "")
  for (x in unique(figures$x)) {
    cells <- vapply(who, function(name) {
      median <- figures$median[figures$x == x & figures$who == name]
      pad(if (length(median)) show_value(median, row$unit) else "-", -24)
    }, "")
    cat("  ", pad(count_text(x), 14), cells, "\n", sep = "")
  }
}

# The table of the goals that something was measured for, or of all: a header and a matrix of text.
goal_table <- function(figures, rows, all) {
  figures <- figures[is.na(figures$x), ]
  judged <- judge(figures, rows, all)
  header <- c("work", "goal", "reached", "cost / goal", "best rival", "limit", "")
  if (is.null(judged)) return(list(header = header, cells = matrix("", 0, length(header))))
  cells <- lapply(seq_len(nrow(judged)), function(i) {
    line <- judged[i, ]
    row <- rows[[line$row]]
    first <- i == match(line$row, judged$row)
    here <- figures[figures$row == line$row, ]
    rivals <- here[here$kind == "rival", ]
    cost <- if (more_is_better(row$unit)) -rivals$median else rivals$median
    limits <- here[here$kind == "limit", ]
    limit <- if (is.null(row$limit)) 1 else match(row$limit, limits$who)
    c(
      if (first) row$title else "",
      line$goal,
      show_reached(line, if (first) ours_of(here), row$unit),
      if (is.na(line$share)) "-" else format_ratio(line$share),
      if (first && nrow(rivals)) beside(rivals[which.min(cost), ], row$unit) else "",
      if (first && nrow(limits)) beside(limits[limit, ], row$unit) else "",
      verdict(line$reached)
    )
  })
  list(header = header, cells = do.call(rbind, cells))
}

ours_of <- function(figures) figures$median[figures$kind == "taskq"]

# taskq's own figure stands in the first line of a row.
show_reached <- function(line, ours, unit) {
  if (!line$relative) return(show_value(line$value, unit))
  if (is.na(line$value)) return("-")
  times <- paste(format_ratio(line$value), "x")
  if (length(ours)) paste0(show_value(ours, unit), " = ", times) else times
}

# Somebody's figure, and what it costs where taskq costs 1.
beside <- function(line, unit) {
  ratio <- if (is.na(line$ratio)) "" else paste0(" = ", format_ratio(line$ratio), " x")
  paste0(line$who, " ", show_value(line$median, unit), ratio)
}

print_table <- function(table) {
  lines <- rbind(table$header, table$cells)
  widths <- apply(nchar(lines), 2, max)
  for (i in seq_len(nrow(lines))) {
    text <- paste(mapply(pad, lines[i, ], widths), collapse = "  ")
    cat(sub(" +$", "", text), "\n", sep = "")
    if (i == 1) cat(strrep("-", sum(widths) + 2 * (length(widths) - 1)), "\n", sep = "")
  }
}

named <- function(line) if (line$kind == "limit") paste0("(", line$who, ")") else line$who

verdict <- function(reached) {
  if (is.na(reached)) "not measured" else if (reached) "reached" else "MISSED"
}

format_ratio <- function(ratio) {
  vapply(ratio, function(x) format(signif(x, 3), big.mark = " ", scientific = x > 0 && x < 1e-3), "")
}

# formatC counts bytes, not characters.
pad <- function(x, width) {
  blanks <- strrep(" ", max(0, abs(width) - nchar(x)))
  if (width < 0) paste0(blanks, x) else paste0(x, blanks)
}
