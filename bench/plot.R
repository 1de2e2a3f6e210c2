# Rscript bench/plot.R RESULTS.json [FOLDER]
#
# Two pictures in FOLDER, or else beside the results: bench.png, bars of what others cost with taskq
# as 1, and bench-scaling.png, the same work with more workers, more tasks, larger arguments.

this_file <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(this_file), "json.R"), encoding = "UTF-8")

# Of Okabe and Ito's colours, which differ for everybody; and kinds differ in order and name, too.
colours <- c(taskq = "#0072B2", rival = "#E69F00", limit = "#999999")
lines_of <- c("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#999999", "#000000")

# What the picture shows of the table, and under which name.
bars <- c(
  latency = "one empty task, push + pop",
  throughput = "many empty tasks, one by one",
  map_trivial = "map, trivial elements",
  map_spread = "map, 1000-fold spread",
  first_result = "start to first result",
  second_queue = "second queue",
  sessions_100 = "100 sessions ready",
  memory_100 = "memory of a session",
  crash = "crashed session replaced",
  isolate_one = "a fresh session for a task",
  big_argument = "80 MB argument",
  big_result = "80 MB result",
  share_total = "80 MB for 100 tasks"
)
short <- c(
  "parallel PSOCK" = "PSOCK", "article's queue" = "article's", "future multisession" = "future",
  "callr: a new r_session" = "callr", "fork of a bare process" = "fork",
  "Unix socket ping-pong" = "ping-pong", "memfd: write, map, copy" = "memfd"
)
# Beside others, these say little in a small picture.
left_out <- c("mirai, direct", "Unix socket, one way", "serialize + unserialize",
  "serialize + unserialize, twice")

curves <- c(
  at_workers_throughput = "empty tasks a second",
  at_workers_ideal = "sleeping tasks, share of ideal",
  at_tasks_push = "one push",
  at_tasks_pop = "one pop",
  at_tasks_bytes = "memory of a waiting task",
  at_bytes = "push + pop with an argument"
)

main <- function(arguments) {
  if (!length(arguments) %in% 1:2) stop("usage: Rscript bench/plot.R RESULTS.json [FOLDER]")
  folder <- if (is.na(arguments[2])) dirname(arguments[1]) else arguments[2]
  result <- from_json(paste(readLines(arguments[1], encoding = "UTF-8"), collapse = "\n"))
  figures <- Filter(function(figure) !figure$who %in% left_out, result$figures)
  rows <- vapply(figures, `[[`, "", "row")
  draw_bars(figures, intersect(names(bars), rows), head_of(result), file.path(folder, "bench.png"))
  draw_curves(
    figures, intersect(names(curves), rows), result$rows, head_of(result),
    file.path(folder, "bench-scaling.png")
  )
}

head_of <- function(result) {
  sprintf("%d cores, R %s, %s", as.integer(result$machine$cores), result$machine$r, result$machine$date)
}

# Each line of panels is as high as it needs to be.
open_picture <- function(file, heights, columns, panels, margins, below = 0) {
  grDevices::png(
    file, width = 840, height = 0.875 * (34 + 20 * below + sum(heights)), res = 84, type = "cairo", bg = "white"
  )
  places <- seq_len(columns * length(heights))
  places[places > panels] <- 0
  graphics::par(oma = c(below, 0, 2, 0), family = "sans", fg = "#444444", col.axis = "#444444")
  graphics::layout(matrix(places, ncol = columns, byrow = TRUE), heights = heights)
  graphics::par(
    mar = margins, cex = 0.75, cex.main = 1, font.main = 1, mgp = c(1.6, 0.4, 0), tcl = -0.2
  )
}

draw_bars <- function(figures, rows, head, file) {
  drawn <- lapply(rows, function(row) {
    Filter(function(figure) figure$row == row && is.finite(ratio_of(figure)), figures)
  })
  keep <- lengths(drawn) > 1
  if (!any(keep)) return(message("no bars: nothing stands beside a figure of taskq"))
  drawn <- drawn[keep]
  columns <- 3
  line <- (seq_along(drawn) - 1) %/% columns + 1
  most <- tapply(lengths(drawn), line, max)
  open_picture(file, 32 + 16 * most, columns, length(drawn), c(0.5, 7, 1.8, 3.4))
  on.exit(grDevices::dev.off())
  Map(draw_bar_panel, bars[rows[keep]], drawn, most[line])
  graphics::mtext(
    paste0("Cost relative to taskq, log scale, shorter is better; grey: the machine's limit (", head, ")"),
    outer = TRUE, cex = 0.8, line = 0.5
  )
}

draw_bar_panel <- function(title, figures, most) {
  rank <- match(vapply(figures, `[[`, "", "kind"), names(colours))
  ratio <- vapply(figures, ratio_of, 0)
  figures <- figures[order(rank, ratio)]
  ratio <- vapply(figures, ratio_of, 0)
  names <- vapply(figures, `[[`, "", "who")
  names <- ifelse(names %in% names(short), short[names], names)
  # All bars begin at the left end, which a limit may be near to.
  from <- min(0.3, ratio) / 1.6
  to <- max(10, ratio)
  at <- rev(seq_along(figures)) + most - length(figures)
  x <- log10(ratio / from)
  graphics::plot.new()
  graphics::plot.window(c(0, log10(to / from)), c(0.4, most + 0.6), xaxs = "i", yaxs = "i")
  graphics::title(title, line = 0.4, adj = 0)
  kind <- vapply(figures, `[[`, "", "kind")
  graphics::segments(log10(1 / from), min(at) - 0.5, y1 = max(at) + 0.5, col = colours[["taskq"]], lty = 3)
  graphics::rect(0, at - 0.36, x, at + 0.36, col = colours[kind], border = NA)
  graphics::mtext(names, 2, at = at, las = 1, cex = 0.72, line = 0.3)
  graphics::text(x, at, format_ratio(ratio), pos = 4, offset = 0.25, xpd = NA, cex = 0.95)
}

draw_curves <- function(figures, shown, rows, head, file) {
  if (!length(shown)) return(message("no curves in the results"))
  lines <- ceiling(length(shown) / 3)
  open_picture(file, rep(215, lines), 3, length(shown), c(2.9, 4.4, 1.8, 0.8), below = 1.5)
  on.exit(grDevices::dev.off())
  who <- unique(vapply(Filter(function(f) f$row %in% shown, figures), `[[`, "", "who"))
  colour <- stats::setNames(rep_len(lines_of, length(who)), who)
  for (i in seq_along(shown)) {
    here <- Filter(function(figure) figure$row == shown[i], figures)
    draw_curve_panel(curves[[shown[i]]], here, rows[[shown[i]]], colour)
  }
  graphics::mtext(paste0("Scaling (", head, ")"), outer = TRUE, cex = 0.8, line = 0.5)
  # One legend for all panels, below them.
  graphics::par(fig = c(0, 1, 0, 1), mar = rep(0, 4), oma = rep(0, 4), new = TRUE)
  graphics::plot.new()
  graphics::legend(
    "bottom", ifelse(who %in% names(short), short[who], who), horiz = TRUE, bty = "n", cex = 0.9,
    col = colour, lwd = 2, pch = seq_along(who), seg.len = 2.5
  )
}

draw_curve_panel <- function(title, figures, row, colour) {
  x <- vapply(figures, function(figure) figure$x, 0)
  y <- vapply(figures, function(figure) figure$median, 0)
  who <- vapply(figures, `[[`, "", "who")
  share <- row$unit == "of ideal"
  graphics::plot(
    x, y, type = "n", log = if (share) "x" else "xy", xlab = row$x, ylab = "", axes = FALSE,
    ylim = if (share) c(0, 1) else range(y) * c(0.7, 1.5)
  )
  graphics::title(title, line = 0.4, adj = 0)
  graphics::grid(col = "#e5e5e5", lty = 1)
  places <- sort(unique(x))
  if (length(places) > 7) places <- places[c(TRUE, FALSE, FALSE)]
  graphics::axis(1, places, vapply(places, count_text, ""), lwd = 0, lwd.ticks = 1, cex.axis = 0.9)
  ticks <- if (share) seq(0, 1, 0.25) else 10^seq(floor(log10(min(y))), ceiling(log10(max(y))))
  graphics::axis(2, ticks, vapply(ticks, tick_text, "", row$unit), lwd = 0, lwd.ticks = 1, las = 1, cex.axis = 0.9)
  for (name in unique(who)) {
    here <- which(who == name)
    here <- here[order(x[here])]
    # Points of their own shape: colour alone is not for everybody.
    graphics::lines(x[here], y[here], col = colour[[name]], lwd = 2, type = "b", pch = match(name, names(colour)))
  }
}

ratio_of <- function(figure) if (is.null(figure$ratio)) NA_real_ else figure$ratio

format_ratio <- function(ratio) {
  vapply(ratio, function(x) format(signif(x, 2), big.mark = " ", scientific = x < 1e-3), "")
}

count_text <- function(n) {
  step <- max(1, sum(n >= c(1, 1e3, 1e6, 1e9)))
  paste0(n / c(1, 1e3, 1e6, 1e9)[step], c("", " k", " M", " G")[step])
}

tick_text <- function(x, unit) {
  if (unit == "bytes") return(paste0(sub("([0-9])$", "\\1 ", count_text(x)), "B"))
  if (unit != "seconds") return(count_text(x))
  step <- max(1, sum(x * 1.001 >= c(1e-6, 1e-3, 1)))
  paste(format(round(x / c(1e-6, 1e-3, 1)[step], 2)), c("\u00b5s", "ms", "s")[step])
}

main(commandArgs(trailingOnly = TRUE))
