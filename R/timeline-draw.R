# The picture of a timeline: a function of its data and of limits, in base graphics. Everything stands in one plot
# region, so that it can be one of several pictures on a page.
#
# From top to bottom: title and legend in the margin, how many tasks wait, the lanes of the workers, a lane for what
# never began if there is any, the time. Seconds since 1970 are plain numbers here.

# How bars look, in the order in which they are drawn: what matters most comes last. Hues are told apart by those who
# are colour-blind too; in grey, those of the same height (a share of that of the lane) differ in lightness.
tq_bar_styles <- data.frame(
  status = c("starting", "success", "running", "skipped", "cancelled", "retried", "timeout", "error", "crash"),
  label = c("session starts", "success", "running", "skipped", "cancelled", "retried", "timeout", "error", "crash"),
  fill = c("#D4D4D4", "#8CC3E3", "#0072B2", "#C4C4C4", "#8A8A8A", "#E8C93A", "#E69F00", "#C8440E", "#3F0D22"),
  height = c(0.2, 0.8, 0.8, 0.5, 0.5, 0.5, 0.8, 0.8, 0.8),
  # Lines to an inch where it is not solid.
  hatch = c(NA, NA, 25, NA, NA, NA, NA, NA, NA)
)

# How the ends of sessions look: by itself, or as it was asked to.
tq_end_styles <- data.frame(
  end = c("session replaced", "session died"), pch = c(124L, 4L), col = c("#555555", "#3F0D22")
)

# Shares of the plot region: lanes below, the number of waiting tasks above.
tq_panels <- list(lanes = c(0, 0.8), waiting = c(0.85, 1))

# `bars`, `sessions`: of tq_timeline(). `from`, `to`: seconds since 1970 or NULL. `now`: POSIXct. `unlisted`: POSIXct,
# tasks that wait and have no bar. `complete_from`: bars are complete from then on, or NA. Returns what was drawn,
# invisibly, in seconds since the left edge: what is drawn is small, so that numbers keep their precision.
tq_draw_timeline <- function(bars, sessions, from = NULL, to = NULL, now = Sys.time(), unlisted = NULL,
                             complete_from = NA, inline = FALSE, main = NULL) {
  now <- as.double(now)
  if (nrow(bars) == 0L) return(tq_draw_nothing(main))
  edges <- tq_timeline_limits(bars, from, to, now, as.double(complete_from))
  origin <- edges[1L]
  bars <- tq_since(bars, c("queued_at", "started_at", "finished_at"), origin)
  sessions <- tq_since(sessions, c("started_at", "ready_at", "ended_at"), origin)
  now <- now - origin
  limits <- edges - origin
  lanes <- tq_timeline_lanes(bars, sessions, limits)
  shapes <- tq_timeline_shapes(bars, sessions, limits, now)

  ends <- tq_session_ends(sessions, lanes, limits)
  if (any(shapes$lane == 0L)) lanes <- rbind(lanes, data.frame(lane = 0L, label = "never begun"))
  if (inline) lanes$label[lanes$lane == 1L] <- "this session"
  top <- if (is.null(main)) 2.2 else 3.4
  margins <- c(3.4, tq_label_width(lanes$label), top, 1) + 0.1
  before <- graphics::par(mar = margins, mgp = c(2, 0.5, 0), tcl = -0.3, las = 1)
  on.exit(graphics::par(before))
  graphics::plot.new()
  graphics::plot.window(limits, c(0, 1), xaxs = "i", yaxs = "i")
  pixel <- tq_pixel_seconds()

  tq_draw_lanes(lanes)
  runs <- tq_bar_runs(shapes, pixel)
  tq_draw_bars(runs, lanes, pixel)
  tq_draw_ends(ends, lanes)
  waiting <- tq_waiting_steps(bars, as.double(unlisted) - origin, limits, max(16, round(diff(limits) / pixel)))
  tq_draw_waiting(waiting, limits)
  tq_draw_time(limits, origin)
  tq_draw_legend(shapes, ends)
  if (!is.null(main)) graphics::title(main = main, line = 1.9, adj = 0, cex.main = 1.1)
  invisible(list(limits = limits, lanes = lanes, runs = runs, ends = ends, waiting = waiting))
}

# ---- geometry: nothing below draws ----------------------------------------------------------------

# Columns of times as numbers of seconds since `origin`.
tq_since <- function(frame, columns, origin) {
  for (column in columns) frame[[column]] <- as.double(frame[[column]]) - origin
  frame
}

# Two numbers, the second larger. There is a bar.
tq_timeline_limits <- function(bars, from, to, now, complete_from = NA_real_) {
  is_live <- is.na(bars$finished_at)
  if (is.null(from)) {
    from <- min(as.double(bars$queued_at))
    # Before that, lanes would look idle that were not.
    if (!is.na(complete_from)) from <- max(from, complete_from)
  }
  if (is.null(to)) {
    to <- if (any(is_live)) now else max(as.double(bars$finished_at))
    to <- to + 0.01 * max(to - from, 0)
  }
  # A picture of an instant, or of a time that has not come, is one of a millisecond.
  c(from, max(to, from + 1e-3))
}

# The workers that are seen in these limits, and the pid of the last session of each: lane, label.
tq_timeline_lanes <- function(bars, sessions, limits) {
  began <- as.double(bars$started_at)
  ended <- as.double(bars$finished_at)
  seen <- !is.na(bars$lane) & began <= limits[2L] & (is.na(ended) | ended >= limits[1L])
  gone <- as.double(sessions$ended_at)
  there <- as.double(sessions$started_at) <= limits[2L] & (is.na(gone) | gone >= limits[1L])
  lane <- sort(unique(c(bars$lane[seen], sessions$lane[there])))
  pid <- rep(NA_integer_, length(lane))
  # The last one of each lane wins.
  last <- !is.na(bars$worker)
  pid[match(bars$lane[last], lane, nomatch = 0L)] <- bars$worker[last & bars$lane %in% lane]
  here <- there & !is.na(sessions$worker)
  pid[match(sessions$lane[here], lane)] <- sessions$worker[here]
  data.frame(lane = lane, label = ifelse(is.na(pid), as.character(lane), sprintf("%d: %d", lane, pid)))
}

# Everything that is to be a rectangle: lane (0: never begun), start, end, status.
tq_timeline_shapes <- function(bars, sessions, limits, now) {
  start <- as.double(bars$started_at)
  end <- as.double(bars$finished_at)
  unbegun <- is.na(start) & !is.na(end)
  start[unbegun] <- end[unbegun]
  end[is.na(end)] <- now
  ready <- as.double(sessions$ready_at)
  ready[is.na(ready)] <- as.double(sessions$ended_at)[is.na(ready)]
  ready[is.na(ready)] <- now
  lane <- bars$lane
  lane[is.na(lane)] <- 0L
  shapes <- data.frame(
    lane = c(lane, sessions$lane), start = c(start, as.double(sessions$started_at)), end = c(end, ready),
    status = c(bars$status, rep("starting", nrow(sessions)))
  )
  shown <- !is.na(shapes$start) & shapes$end >= limits[1L] & shapes$start <= limits[2L]
  shapes <- shapes[shown, , drop = FALSE]
  shapes$start <- pmax(shapes$start, limits[1L])
  shapes$end <- pmin(pmax(shapes$end, shapes$start), limits[2L])
  shapes
}

# The same with neighbours of one status that are narrow, and less than a pixel apart, as one: lane, start, end, status,
# count. In the order in which they are drawn, and none narrower than a pixel.
tq_bar_runs <- function(shapes, pixel) {
  n <- nrow(shapes)
  if (n == 0L) return(cbind(shapes, count = integer()))
  rank <- match(shapes$status, tq_bar_styles$status)
  # What starts with a lane is no neighbour of what runs in it.
  shapes <- shapes[order(shapes$lane, shapes$status == "starting", shapes$start, shapes$end), , drop = FALSE]
  is_narrow <- shapes$end - shapes$start < 2 * pixel
  follows <- c(FALSE, shapes$lane[-1L] == shapes$lane[-n] & shapes$status[-1L] == shapes$status[-n] &
    is_narrow[-1L] & is_narrow[-n] & shapes$start[-1L] - shapes$end[-n] < pixel)
  run <- cumsum(!follows)
  first <- which(!follows)
  last <- c(first[-1L] - 1L, n)
  runs <- data.frame(lane = shapes$lane[first], start = shapes$start[first], end = shapes$end[last],
    status = shapes$status[first], count = tabulate(run))
  runs$end <- pmax(runs$end, runs$start + pixel)
  runs[order(match(runs$status, tq_bar_styles$status)), , drop = FALSE]
}

# The ends of sessions after which something else was to be seen in the lane: lane, at, end.
tq_session_ends <- function(sessions, lanes, limits) {
  at <- as.double(sessions$ended_at)
  shown <- !is.na(at) & sessions$how != "closed" & at >= limits[1L] & at <= limits[2L] & sessions$lane %in% lanes$lane
  is_asked <- sessions$how %in% c("retired", "killed")
  data.frame(lane = sessions$lane[shown], at = at[shown],
    end = tq_end_styles$end[ifelse(is_asked[shown], 1L, 2L)])
}

# How many tasks waited: `at`, `count` from then on. No more than `columns` steps, each with the most tasks that waited
# in it.
tq_waiting_steps <- function(bars, unlisted, limits, columns) {
  begin <- c(as.double(bars$queued_at), unlisted)
  end <- as.double(bars$started_at)
  end[is.na(end)] <- as.double(bars$finished_at)[is.na(end)]
  end <- end[!is.na(end)]
  at <- c(begin, end)
  change <- rep(c(1L, -1L), c(length(begin), length(end)))
  # What comes and goes in one instant was there.
  sorted <- order(at, -change)
  at <- at[sorted]
  count <- cumsum(change[sorted])
  before <- findInterval(limits[1L], at, left.open = TRUE)
  first <- if (before > 0L) count[before] else 0L
  inside <- at >= limits[1L] & at <= limits[2L]
  at <- c(limits[1L], at[inside])
  count <- c(first, count[inside])
  if (length(at) > columns) {
    width <- diff(limits) / columns
    column <- pmin(floor((at - limits[1L]) / width), columns - 1)
    is_last <- c(column[-1L] != column[-length(column)], TRUE)
    at_last <- count[is_last]
    shown <- column[is_last]
    # What waited at the end of the column before, did so at the begin of this one.
    most <- pmax(as.vector(tapply(count, column, max)), c(first, at_last[-length(at_last)]))
    # A column in which nothing changes keeps what the last change left.
    quiet <- which(diff(c(shown, columns)) > 1)
    at <- limits[1L] + width * c(shown, shown[quiet] + 1)
    count <- c(most, at_last[quiet])
    sorted <- order(at)
    at <- at[sorted]
    count <- count[sorted]
  }
  list(at = at, count = count)
}

# ---- drawing ----------------------------------------------------------------------------------

# How many seconds a pixel is wide; where there are none, a 96th of an inch.
tq_pixel_seconds <- function() {
  usr <- graphics::par("usr")
  per_inch <- grDevices::dev.size("px")[1L] / grDevices::dev.size("in")[1L]
  if (!is.finite(per_inch) || per_inch < 72) per_inch <- 96
  (usr[2L] - usr[1L]) / (graphics::par("pin")[1L] * per_inch)
}

# The width of the margin, in lines, that holds these labels.
tq_label_width <- function(labels) {
  inches <- max(graphics::strwidth(c(labels, "waiting 00"), "inches", cex = 0.8 * graphics::par("cex")))
  inches / graphics::par("csi") + 0.9
}

# The middle of a lane, and half of its height, in the coordinates of the plot.
tq_lane_middle <- function(lane, lanes) {
  panel <- tq_panels$lanes
  panel[2L] - (match(lane, lanes$lane) - 0.5) / nrow(lanes) * diff(panel)
}
tq_lane_half <- function(lanes) diff(tq_panels$lanes) / max(nrow(lanes), 3) / 2

tq_draw_lanes <- function(lanes) {
  if (nrow(lanes) == 0L) return(invisible())
  usr <- graphics::par("usr")
  middle <- tq_lane_middle(lanes$lane, lanes)
  half <- diff(tq_panels$lanes) / nrow(lanes) / 2
  odd <- seq_along(middle) %% 2L == 1L
  graphics::rect(usr[1L], middle[odd] - half, usr[2L], middle[odd] + half, col = "#0000000A", border = NA)
  # As many labels as there is room for.
  line <- 1.15 * graphics::strheight("0", cex = 0.8)
  every <- ceiling(line / (2 * half))
  shown <- seq_along(middle) %% every == 1L %% every
  graphics::mtext(lanes$label[shown], side = 2, line = 0.4, at = middle[shown], cex = 0.8 * graphics::par("cex"))
}

tq_draw_bars <- function(runs, lanes, pixel) {
  style <- tq_bar_styles[match(runs$status, tq_bar_styles$status), ]
  middle <- tq_lane_middle(runs$lane, lanes)
  half <- tq_lane_half(lanes) * style$height
  # A gap of a pixel between neighbours that have the room.
  right <- runs$end - ifelse(runs$end - runs$start > 4 * pixel & runs$status != "running", pixel, 0)
  solid <- is.na(style$hatch)
  draw <- function(which, ...) {
    if (any(which)) {
      graphics::rect(runs$start[which], middle[which] - half[which], right[which], middle[which] + half[which], ...)
    }
  }
  # In the order of the styles: what was drawn before is covered.
  for (status in unique(runs$status)) {
    which <- runs$status == status
    fill <- tq_bar_styles$fill[tq_bar_styles$status == status]
    if (all(solid[which])) {
      draw(which, col = fill, border = NA)
    } else {
      draw(which, col = "#0072B21A", border = NA)
      draw(which, col = fill, border = NA, density = style$hatch[which][1L], angle = 45, lwd = 0.7)
      graphics::segments(runs$start[which], middle[which] - half[which], runs$start[which], middle[which] + half[which],
        col = fill)
    }
  }
}

tq_draw_ends <- function(ends, lanes) {
  style <- tq_end_styles[match(ends$end, tq_end_styles$end), ]
  # Not larger than a lane is high.
  high <- 2 * tq_lane_half(lanes) / graphics::strheight("M")
  y <- tq_lane_middle(ends$lane, lanes)
  cex <- min(1, 0.8 * high)
  # On a light ground, whatever bar it is on.
  graphics::points(ends$at, y, pch = style$pch, col = "white", cex = cex, lwd = 4)
  graphics::points(ends$at, y, pch = style$pch, col = style$col, cex = cex, lwd = 1.5)
}

tq_draw_waiting <- function(waiting, limits) {
  panel <- tq_panels$waiting
  most <- max(waiting$count, 1)
  y <- panel[1L] + waiting$count / most * diff(panel)
  x <- c(waiting$at, limits[2L])
  n <- length(waiting$at)
  corners <- list(x = rep(x, c(1L, rep(2L, n - 1L), 1L)), y = rep(y, each = 2L))
  graphics::polygon(c(corners$x, rev(limits)), c(corners$y, panel[1L], panel[1L]), col = "#E3DFEA", border = NA)
  graphics::lines(corners$x, corners$y, col = "#6A5A8C")
  graphics::segments(limits[1L], panel[1L], limits[2L], panel[1L], col = "#BBBBBB")
  label <- c("0", format(most, big.mark = " ", scientific = FALSE))
  graphics::mtext(label, side = 2, line = 0.4, at = panel, cex = 0.8 * graphics::par("cex"), padj = c(0.4, 0.8))
  graphics::mtext("waiting", side = 2, line = 0.4, at = mean(panel), cex = 0.8 * graphics::par("cex"), col = "#6A5A8C")
}

# In seconds where the time is short, by the clock where it is long.
tq_draw_time <- function(limits, origin) {
  span <- diff(limits)
  cex <- 0.85 * graphics::par("cex")
  if (span <= 300) {
    scale <- if (span < 1) 1000 else 1
    at <- pretty(c(0, span * scale))
    at <- at[at <= span * scale]
    graphics::axis(1, at / scale, at, cex.axis = 0.85)
    unit <- if (span < 1) "milliseconds" else "seconds"
    text <- sprintf("%s since %s", unit, format(.POSIXct(origin), "%H:%M:%S"))
  } else {
    at <- pretty(.POSIXct(origin + limits))
    inside <- as.double(at) >= origin & as.double(at) <= origin + span
    graphics::axis(1, as.double(at)[inside] - origin, (attr(at, "labels") %||% format(at))[inside], cex.axis = 0.85)
    text <- format(.POSIXct(origin), "%Y-%m-%d")
  }
  graphics::mtext(text, side = 1, line = 1.9, cex = cex)
}

# What occurs, and how often, in a row above the picture, or in two.
tq_draw_legend <- function(shapes, ends) {
  counts <- table(factor(shapes$status, tq_bar_styles$status))
  bars <- tq_bar_styles[counts > 0, ]
  label <- sprintf("%s (%s)", bars$label, format(as.vector(counts[counts > 0]), big.mark = " ", trim = TRUE))
  label[bars$status == "starting"] <- "session starts"
  marks <- tq_end_styles[tq_end_styles$end %in% ends$end, ]
  label <- c(label, marks$end)
  if (!length(label)) return(invisible())
  cex <- 0.8
  em <- graphics::strwidth("m", cex = cex)
  advance <- graphics::strwidth(label, cex = cex) + 3 * em
  usr <- graphics::par("usr")
  # Wrapped by width.
  row <- integer(length(label))
  x <- numeric(length(label))
  at <- usr[1L]
  for (i in seq_along(label)) {
    if (i > 1L && at + advance[i] - em > usr[2L]) {
      row[i:length(label)] <- row[i] + 1L
      at <- usr[1L]
    }
    x[i] <- at
    at <- at + advance[i]
  }
  line <- 1.5 * graphics::strheight("M", cex = cex)
  y <- usr[4L] + 1.1 * line + (max(row) - row) * line
  half <- 0.35 * line
  i <- seq_len(nrow(bars))
  tall <- half * pmax(bars$height, 0.3) / 0.8
  fill <- ifelse(is.na(bars$hatch), bars$fill, "#0072B21A")
  graphics::rect(x[i], y[i] - tall, x[i] + 1.2 * em, y[i] + tall, col = fill, border = NA, xpd = NA)
  hatched <- which(!is.na(bars$hatch))
  if (length(hatched)) {
    graphics::rect(x[hatched], y[hatched] - tall[hatched], x[hatched] + 1.2 * em, y[hatched] + tall[hatched],
      col = bars$fill[hatched], border = NA, density = 25, lwd = 0.7, xpd = NA)
  }
  j <- nrow(bars) + seq_len(nrow(marks))
  graphics::points(x[j] + 0.6 * em, y[j], pch = marks$pch, col = marks$col, cex = 0.8, lwd = 1.5, xpd = NA)
  graphics::text(x + 1.6 * em, y, label, adj = c(0, 0.5), cex = cex, xpd = NA)
}

tq_draw_nothing <- function(main) {
  graphics::plot.new()
  graphics::plot.window(c(0, 1), c(0, 1))
  graphics::box(col = "#BBBBBB")
  graphics::text(0.5, 0.5, "nothing has run, and nothing waits", col = "#555555")
  if (!is.null(main)) graphics::title(main = main, adj = 0, cex.main = 1.1)
  invisible(NULL)
}
