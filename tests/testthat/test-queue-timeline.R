timeline_of <- function(q) tq_timeline(q$.__enclos_env__$private, NULL)

# Nothing in a lane overlaps; each bar begins and ends in a session of its lane that was ready.
expect_orderly <- function(bars) {
  ran <- bars[!is.na(bars$started_at), ]
  sessions <- attr(bars, "sessions")
  end <- ran$finished_at
  end[is.na(end)] <- attr(bars, "now")
  expect_true(all(ran$queued_at <= ran$started_at & ran$started_at <= end))
  for (lane in split(data.frame(ran, end), ran$lane)) {
    lane <- lane[order(lane$started_at, lane$end), ]
    # Seconds since 1970 are that exact.
    expect_true(all(diff(as.double(c(rbind(lane$started_at, lane$end)))) > -1e-6))
  }
  for (i in seq_len(if (attr(bars, "inline")) 0L else nrow(ran))) {
    here <- sessions$lane == ran$lane[i] & sessions$worker %in% ran$worker[i] & !is.na(sessions$ready_at)
    expect_true(any(here & sessions$ready_at <= ran$started_at[i]))
  }
}

test_that("the timeline of a queue on which nothing ran is empty, with all its columns", {
  q <- local_queue(1)
  bars <- timeline_of(q)
  expect_named(bars, c("id", "tag", "lane", "worker", "try", "queued_at", "started_at", "finished_at", "status",
    "outcome"))
  expect_identical(nrow(bars), 0L)
  expect_identical(vapply(bars, function(column) class(column)[1L], ""), c(
    id = "character", tag = "character", lane = "integer", worker = "integer", try = "integer", queued_at = "POSIXct",
    started_at = "POSIXct", finished_at = "POSIXct", status = "character", outcome = "character"
  ))
  expect_named(attr(bars, "sessions"), c("lane", "worker", "started_at", "ready_at", "ended_at", "how", "code"))
})

test_that("every end is remembered after its task was popped, with the times of its result", {
  q <- local_queue(2)
  q$push(function() Sys.sleep(0.02), id = "fine", tag = "mine")
  q$push(function() stop("no"), id = "bad")
  q$push(function() 1, id = "after", after = "bad")
  results <- pop_all(q)
  bars <- timeline_of(q)
  expect_setequal(bars$id, c("fine", "bad", "after"))
  rownames(bars) <- bars$id
  for (id in bars$id) {
    expect_identical(bars[id, "status"], results[[id]]$status)
    times <- results[[id]]$times
    expect_equal(as.double(bars[id, "queued_at"]), as.double(times[["queued"]]), tolerance = 1e-12)
    expect_equal(as.double(bars[id, "started_at"]), as.double(times[["started"]]), tolerance = 1e-12)
    expect_equal(as.double(bars[id, "finished_at"]), as.double(times[["finished"]]), tolerance = 1e-12)
  }
  expect_identical(bars["fine", "tag"], "mine")
  expect_identical(bars["fine", "worker"], results$fine$worker)
  expect_identical(bars["after", "lane"], NA_integer_)
  expect_identical(bars["after", "try"], 0L)
  expect_orderly(bars)
})

test_that("each try is a bar, and a session that dies is replaced in its lane", {
  q <- local_queue(1)
  q$push(function() if (taskq::task_attempt() < 3) tools::pskill(Sys.getpid(), 9) else "up", id = "t", tries = 3)
  expect_identical(q$pop(20000)$result, "up")
  bars <- timeline_of(q)
  expect_identical(bars$status, c("retried", "retried", "success"))
  expect_identical(bars$outcome, c("crash", "crash", "success"))
  expect_identical(bars$try, 1:3)
  expect_identical(as.double(bars$queued_at[2:3]), as.double(bars$finished_at[1:2]))
  sessions <- attr(bars, "sessions")
  expect_identical(sessions$how, c("signal", "signal", NA))
  expect_identical(sessions$code, c(9L, 9L, NA))
  expect_identical(sessions$worker, bars$worker)
  expect_orderly(bars)
})

test_that("what runs and what waits is there, and goes on being there as it ends", {
  q <- local_queue(1)
  gate <- local_gate()
  q$push(gate$wait, list(gate$path), id = "runs")
  expect_true(wait_until(q$get_num_running() == 1))
  q$push(function() 1, id = "waits")
  bars <- timeline_of(q)
  expect_identical(bars$id, c("runs", "waits"))
  expect_identical(bars$status, c("running", "waiting"))
  expect_identical(is.na(bars$started_at), c(FALSE, TRUE))
  expect_identical(bars$lane, c(1L, NA))
  expect_true(all(is.na(bars$finished_at)))
  gate$open()
  pop_all(q)
  expect_identical(timeline_of(q)$status, c("success", "success"))
})

test_that("batches of a map have names that tell their elements", {
  q <- local_queue(2)
  q$map(1:5, function(i) i, chunk = 2)
  bars <- timeline_of(q)
  expect_setequal(bars$id, c("map 1: 1-2", "map 1: 3-4", "map 1: 5"))
  expect_identical(unique(bars$status), "success")
})

test_that("an inline queue has one lane, this session", {
  q <- local_queue(0)
  for (i in 1:3) q$push(function() Sys.sleep(0.002))
  bars <- timeline_of(q)
  expect_identical(bars$lane, rep(1L, 3))
  expect_identical(bars$worker, rep(Sys.getpid(), 3))
  expect_true(attr(bars, "inline"))
  expect_identical(nrow(attr(bars, "sessions")), 0L)
  expect_orderly(bars)
})

test_that("no more than the last 10 000 ends are kept, and it is known since when they are complete", {
  q <- local_queue(2)
  q$push(function() 1, id = "first")
  q$pop(20000)
  expect_true(is.na(attr(timeline_of(q), "forgotten_until")))
  q$pause()
  ids <- q$push_many(function(i) i, lapply(1:10000, list))
  q$cancel(ids)
  bars <- timeline_of(q)
  expect_identical(nrow(bars), 10000L)
  expect_false("first" %in% bars$id)
  expect_true(attr(bars, "forgotten_until") <= min(bars$finished_at))
})

test_that("so many waiting tasks have a row, and of the others it is known since when they wait", {
  q <- local_queue(1)
  q$pause()
  q$push_many(function(i) i, lapply(1:10005, list))
  bars <- timeline_of(q)
  expect_identical(nrow(bars), 10000L)
  expect_length(attr(bars, "unlisted"), 5L)
  expect_s3_class(attr(bars, "unlisted"), "POSIXct")
})

# ---- trace() ----

test_that("trace() writes every task to a file that is JSON, and nothing overlaps in it", {
  skip_if_not_installed("jsonlite")
  q <- local_queue(2, name = "the queue")
  strange <- "a \"quoted\" \\ id\n\u00e9"
  q$push(function() 1, id = strange, tag = "t")
  q$push(function() if (taskq::task_attempt() == 1) stop("once") else 2, id = "again", tries = 2, retry_on = "error")
  ids <- q$push_many(function(i) Sys.sleep(0.001), lapply(1:40, list))
  results <- pop_all(q)
  file <- local_path()
  expect_identical(withVisible(q$trace(file)), list(value = file, visible = FALSE))
  trace <- jsonlite::fromJSON(file, simplifyVector = FALSE)
  events <- trace$traceEvents
  expect_identical(trace$otherData$queue, "the queue")
  kind <- vapply(events, function(event) event$ph, "")
  names <- vapply(events, function(event) event$name, "")
  tasks <- events[vapply(events, function(event) !is.null(event$args$id), NA)]
  expect_setequal(vapply(tasks, function(event) event$args$id, ""), names(results))
  status <- vapply(tasks, function(event) event$args$status, "")
  expect_identical(as.vector(table(status)[c("retried", "success")]), c(1L, 42L))
  slices <- events[kind == "X"]
  frame <- data.frame(tid = vapply(slices, function(event) event$tid, 1L),
    ts = vapply(slices, function(event) as.double(event$ts), 1),
    dur = vapply(slices, function(event) as.double(event$dur), 1))
  expect_true(all(frame$dur >= 0))
  for (lane in split(frame, frame$tid)) {
    lane <- lane[order(lane$ts, lane$dur), ]
    expect_true(all(lane$ts[-1] - (lane$ts + lane$dur)[-nrow(lane)] > -1e-3))
  }
  threads <- events[names == "thread_name"]
  expect_setequal(vapply(threads, function(event) event$args$name, ""), c("worker 1", "worker 2"))
  counts <- vapply(events[names == "waiting"], function(event) event$args$tasks, 1L)
  expect_true(all(counts >= 0) && max(counts) > 0)
  expect_identical(counts[length(counts)], 0L)
})

test_that("trace() replaces a file, writes to a name that is not ASCII, and leaves no other file", {
  q <- local_queue(0)
  dir <- local_path()
  dir.create(dir)
  file <- file.path(dir, "tr\u00e4ce.json")
  writeLines("before", file)
  q$trace(file)
  expect_match(readLines(file, warn = FALSE)[1L], "^\\{")
  expect_identical(list.files(dir, all.files = TRUE, no.. = TRUE), basename(file))
})

test_that("trace() keeps the mode of a file that it replaces", {
  q <- local_queue(0)
  file <- local_path()
  writeLines("before", file)
  on.exit(unlink(file), add = TRUE)
  for (mode in c("600", "664")) {
    Sys.chmod(file, mode, use_umask = FALSE)
    q$trace(file)
    expect_identical(format(file.mode(file)), mode)
  }
})

test_that("trace() refuses what is no path, and tells of a file that cannot be written", {
  q <- local_queue(0)
  for (bad in list(NULL, 1, character(), c("a", "b"), NA_character_, "", file.path(tempdir(), "no", "such"),
    tempdir())) {
    error <- expect_error(q$trace(bad), class = "taskq_error_input")
    expect_identical(error$arg, "file")
    expect_identical(conditionCall(error)[[1L]], quote(q$trace))
  }
  error <- expect_error(q$trace("/dev/null"), class = "taskq_error_system")
  expect_identical(error$path, "/dev/null")
  expect_match(conditionMessage(error), "/dev/null", fixed = TRUE)
})

test_that("trace() and plot() still tell of a queue that is closed", {
  q <- local_queue(1)
  run_task(q, function() 1)
  q$close()
  bars <- timeline_of(q)
  expect_identical(bars$status, "success")
  expect_identical(attr(bars, "sessions")$how, "closed")
  file <- local_path()
  q$trace(file)
  expect_gt(file.size(file), 0)
})
