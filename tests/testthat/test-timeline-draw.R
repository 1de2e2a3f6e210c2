time <- function(x) .POSIXct(as.double(x))

# One row a bar: lane, start, end, status.
some_bars <- function(lane, start, end, status = "success", queued = 0) {
  data.frame(id = paste0(".", seq_along(lane)), tag = NA_character_, lane = lane, worker = 100L + lane, try = 1L,
    queued_at = time(queued), started_at = time(start), finished_at = time(end), status = status, outcome = status)
}
some_sessions <- function(lane = integer(), start = numeric(), ready = start, end = NA_real_, how = NA_character_) {
  n <- length(lane)
  data.frame(lane = lane, worker = 100L + lane, started_at = time(start), ready_at = time(ready),
    ended_at = time(rep_len(end, n)), how = rep_len(how, n), code = rep_len(NA_integer_, n))
}

# The picture as a matrix of colours.
picture <- function(code, width = 400, height = 300) {
  skip_if_not(capabilities("cairo"))
  file <- local_path()
  grDevices::bmp(file, width, height, type = "cairo")
  tryCatch(code, finally = grDevices::dev.off())
  # The lowest line of pixels comes first, and each is as long as whole words. A pixel is blue, green, red and perhaps a
  # fourth byte, or the number of such a colour where these are few.
  bytes <- readBin(file, "integer", file.size(file), size = 1L, signed = FALSE)
  word <- function(at) sum(bytes[at + 1:4] * 256^(0:3))
  each <- bytes[28 + 1] / 8
  line <- 4 * ceiling(width * each / 4)
  lines <- matrix(bytes[word(10) + seq_len(line * height)], line)[, height:1]
  channel <- function(k) {
    if (each > 1) return(lines[seq(k, by = each, length.out = width), ])
    bytes[14 + word(14) + 4 * lines[seq_len(width), ] + k]
  }
  t(matrix(grDevices::rgb(channel(3), channel(2), channel(1), maxColorValue = 255), width))
}

# What was drawn, without looking at it.
drawn <- function(...) {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  tq_draw_timeline(...)
}

test_that("the limits hold all that is known, or what is asked for", {
  bars <- some_bars(1:2, c(12, 14), c(13, 20), queued = c(10, 11))
  expect_equal(tq_timeline_limits(bars, NULL, NULL, 50), c(10, 20.1))
  # From where nothing is missing.
  expect_equal(tq_timeline_limits(bars, NULL, NULL, 50, 12.5)[1], 12.5)
  expect_equal(tq_timeline_limits(bars, 11, 15, 50), c(11, 15))
  bars$finished_at[2] <- NA
  expect_equal(tq_timeline_limits(bars, NULL, NULL, 50), c(10, 50.4))
  # What has not come yet is no reason to fail.
  expect_true(diff(tq_timeline_limits(bars, 60, NULL, 50)) > 0)
})

test_that("narrow neighbours of one kind become one bar, and wide ones do not", {
  bars <- some_bars(rep(1L, 6), c(0, 0.1, 0.2, 5, 6, 9), c(0.09, 0.19, 0.3, 5.99, 8, 9.1))
  runs <- tq_bar_runs(tq_timeline_shapes(bars, some_sessions(), c(0, 10), 10), pixel = 0.1)
  expect_equal(runs$start, c(0, 5, 6, 9))
  expect_equal(runs$end, c(0.3, 5.99, 8, 9.1))
  expect_identical(runs$count, c(3L, 1L, 1L, 1L))
})

test_that("a failure among many successes keeps a bar of its own, at least a pixel wide and on top", {
  n <- 10000
  start <- seq(0, 100, length.out = n)
  bars <- some_bars(rep(1L, n), start, start + 0.009, status = replace(rep("success", n), 5000, "error"))
  runs <- tq_bar_runs(tq_timeline_shapes(bars, some_sessions(), c(0, 100), 100), pixel = 0.1)
  expect_identical(runs$status, c("success", "success", "error"))
  expect_gte(runs$end[3] - runs$start[3], 0.1)
  expect_identical(sum(runs$count), 10000L)
})

test_that("lanes and kinds are never mixed, and what is outside is left out", {
  bars <- some_bars(c(1L, 2L, 1L, 1L), c(0, 0, 0.01, 50), c(0.01, 0.01, 0.02, 60),
    status = c("success", "success", "crash", "success"))
  shapes <- tq_timeline_shapes(bars, some_sessions(), c(0, 10), 60)
  expect_identical(nrow(shapes), 3L)
  runs <- tq_bar_runs(shapes, pixel = 1)
  expect_identical(nrow(runs), 3L)
  # A bar is cut at the edge.
  shapes <- tq_timeline_shapes(bars, some_sessions(), c(55, 58), 60)
  expect_equal(c(shapes$start, shapes$end), c(55, 58))
})

test_that("what never began has lane 0, and what runs ends now", {
  bars <- some_bars(c(NA, 1L), c(NA, 2), c(3, NA), status = c("skipped", "running"))
  shapes <- tq_timeline_shapes(bars, some_sessions(2L, 1, NA), c(0, 10), 9)
  expect_equal(shapes$lane, c(0, 1, 2))
  expect_equal(shapes$start, c(3, 2, 1))
  expect_equal(shapes$end, c(3, 9, 9))
  expect_identical(shapes$status, c("skipped", "running", "starting"))
})

test_that("the number of waiting tasks is right at every instant", {
  set.seed(1)
  queued <- runif(300, 0, 10)
  begun <- queued + rexp(300)
  bars <- some_bars(rep(1L, 300), begun, begun + 1, queued = queued)
  bars[1:20, c("started_at", "finished_at")] <- NA
  steps <- tq_waiting_steps(bars, unlisted = c(3, 3), c(2, 8), 1e6)
  expect_false(is.unsorted(steps$at))
  expect_equal(c(steps$at[1], steps$count[1]), c(2, sum(queued < 2 & (is.na(bars$started_at) | begun >= 2))))
  for (at in seq(2.005, 7.995, by = 0.27)) {
    waiting <- sum(queued <= at & (is.na(bars$started_at) | begun > at)) + 2 * (at >= 3)
    expect_equal(steps$count[findInterval(at, steps$at)], waiting)
  }
})

test_that("with less room than steps, each column shows the most tasks that waited in it", {
  queued <- c(0, 0.1, 0.2, 5.1, 5.2)
  begun <- c(0.3, 0.35, 9, 5.15, 5.25)
  bars <- some_bars(rep(1L, 5), begun, begun + 1, queued = queued)
  steps <- tq_waiting_steps(bars, numeric(), c(0, 10), 5)
  expect_true(length(steps$at) <= 2 * 5)
  shown <- function(at) steps$count[findInterval(at, steps$at)]
  expect_equal(shown(c(1, 3, 5, 7, 9.5)), c(3, 1, 2, 1, 1))
})

test_that("a lane has the pid of its last session", {
  bars <- some_bars(c(1L, 1L), c(0, 2), c(1, 3))
  bars$worker <- c(7L, 8L)
  expect_identical(tq_timeline_lanes(bars, some_sessions(), c(0, 10))$label, "1: 8")
  sessions <- some_sessions(c(1L, 1L, 2L), c(0, 4, 0))
  sessions$worker <- c(8L, 9L, NA)
  expect_identical(tq_timeline_lanes(bars, sessions, c(0, 10))$label, c("1: 9", "2"))
  # A lane that was not there at that time is not shown.
  expect_identical(tq_timeline_lanes(bars, some_sessions(), c(5, 10))$lane, integer())
})

test_that("sessions that end by themselves and those that are replaced are marked, but not the end of the queue", {
  sessions <- some_sessions(rep(1L, 5), 0:4, end = c(1, 2, 3, 4, NA),
    how = c("signal", "retired", "killed", "closed", NA))
  ends <- tq_session_ends(sessions, data.frame(lane = 1L, label = "1"), c(0, 10))
  expect_identical(ends$end, c("session died", "session replaced", "session replaced"))
  expect_equal(ends$at, 1:3)
})

test_that("every status of a bar has a look, and looks of the same height differ in lightness", {
  expect_true(all(c("success", "error", "crash", "timeout", "cancelled", "skipped", "retried", "running") %in%
    tq_bar_styles$status))
  light <- function(fill) drop(c(0.299, 0.587, 0.114) %*% grDevices::col2rgb(fill))
  # Those that are hatched and those without a lane of a worker apart.
  solid <- tq_bar_styles[is.na(tq_bar_styles$hatch) & tq_bar_styles$status != "skipped", ]
  for (same in split(solid$fill, solid$height)) {
    if (length(same) > 1L) expect_gt(min(diff(sort(light(same)))), 12)
  }
})

test_that("bars are drawn where and when they ran, in the colour of their end", {
  bars <- some_bars(c(1L, 2L), c(0, 5), c(5, 10), status = c("success", "error"))
  pixels <- picture(tq_draw_timeline(bars, some_sessions(), 0, 10, time(10)))
  centre <- function(status) {
    colMeans(which(pixels == tq_bar_styles$fill[tq_bar_styles$status == status] &
      row(pixels) > 60, arr.ind = TRUE))
  }
  success <- centre("success")
  error <- centre("error")
  expect_true(success[["row"]] < error[["row"]])
  expect_true(success[["col"]] < error[["col"]])
})

test_that("an empty queue has a frame that says so", {
  none <- some_bars(1L, 0, 1)[0, ]
  expect_null(drawn(none, some_sessions()))
  pixels <- picture(tq_draw_timeline(none, some_sessions()))
  expect_gt(sum(pixels != "#FFFFFF"), 500)
})

test_that("no bars, one instant, and an interval where nothing is can be drawn", {
  bars <- some_bars(1L, 1, 1)
  expect_identical(nrow(drawn(bars, some_sessions(1L, 0))$runs), 2L)
  none <- bars[0, ]
  expect_null(drawn(none, some_sessions(1:2, c(1, 1)), from = 0, now = time(2)))
  expect_identical(nrow(drawn(bars, some_sessions(), from = 5, to = 6, now = time(10))$runs), 0L)
})

test_that("10 000 tasks on 100 workers are drawn in less than a second", {
  skip_on_cran()
  n <- 10000
  start <- runif(n, 0, 1000)
  bars <- some_bars(rep_len(1:100, n), start, start + 0.01, queued = 0,
    status = sample(c("success", "error", "cancelled"), n, TRUE))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  tq_draw_timeline(bars, some_sessions(1:100, rep(0, 100)), now = time(1000))
  seconds <- min(replicate(3, system.time(
    tq_draw_timeline(bars, some_sessions(1:100, rep(0, 100)), now = time(1000)))[["elapsed"]]))
  expect_lt(seconds, 1)
})

test_that("plot() gives the timeline back, invisibly, and puts the graphical parameters back", {
  q <- local_queue(1)
  run_task(q, function() 1)
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  before <- graphics::par(no.readonly = TRUE)
  shown <- withVisible(plot(q))
  expect_false(shown$visible)
  expect_identical(shown$value$status, "success")
  expect_s3_class(shown$value, "data.frame")
  plot(q, from = 0, to = Sys.time(), cex = 0.7, main = "again")
  plot(q, from = -60)
  after <- graphics::par(no.readonly = TRUE)
  same <- setdiff(names(before), c("usr", "xaxp", "yaxp", "fig", "plt", "pin", "page"))
  expect_identical(after[same], before[same])
})

test_that("plot() refuses limits that cannot be", {
  q <- local_queue(0)
  for (bad in list("now", NA, Inf, 1:2, as.Date("2026-01-01"), list(1), sum, TRUE, quote(x), globalenv())) {
    error <- expect_error(plot(q, from = bad), class = "taskq_error_input")
    expect_identical(error$arg, "from")
  }
  expect_identical(expect_error(plot(q, from = 2, to = 1), class = "taskq_error_input")$arg, "to")
  expect_identical(expect_error(plot(q, main = 1), class = "taskq_error_input")$arg, "main")
})
