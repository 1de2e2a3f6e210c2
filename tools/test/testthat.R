# Runs tests/testthat against the installed package: each file in an R process of its own, one more at a time than
# there are processors, because a third of the time of tests is waiting. A file is printed with its counts and its
# time when it ends. One that takes too long is stopped, and the test that was running is named. What a file has left
# behind, processes or files, is a failure of that file, and is removed, so that it cannot disturb the others. The
# counts of all tests (passed, failed, skipped) are written to the file named by COUNTS.
#
# Arguments: names of files without "test-" and ".R", to run only these; --repeat N: each of them N times; --load N:
# while N processes compute; --at-a-time N.

arguments <- commandArgs(trailingOnly = TRUE)
option <- function(name, default) {
  at <- match(name, arguments)
  if (is.na(at)) return(default)
  value <- as.integer(arguments[[at + 1L]])
  arguments <<- arguments[-c(at, at + 1L)]
  value
}
runs <- option("--repeat", 1L)
load <- option("--load", 0L)
at_a_time <- option("--at-a-time", max(1L, parallel::detectCores(), na.rm = TRUE) + 1L)

# For one file. The longest takes a fifth of it on two idle processors.
limit_s <- 180 * max(1, load / at_a_time)
# What is ending when a file has ended gets this time.
patience_s <- 10

# Outside R's temporary directory, which is private: tests run hosts of other users.
run_folder <- tempfile("testthat-", dirname(tempdir()))
dir.create(run_folder)

all_files <- function() {
  paths <- list.files("tests/testthat", "^test-.*\\.R$", full.names = TRUE)
  names <- sub("^test-(.*)\\.R$", "\\1", basename(paths))
  # A long one should not be the last.
  names[order(-file.size(paths))]
}

begin <- function(name) {
  folder <- tempfile(paste0(name, "-"), run_folder)
  paths <- file.path(folder, c("tmp", "results.rds", "test", "log"))
  dir.create(folder)
  dir.create(paths[[1L]])
  process <- processx::process$new(file.path(R.home("bin"), "Rscript"),
    c("tools/test/testthat-file.R", name, paths[2:3]), stdout = paths[[4L]], stderr = "2>&1",
    env = c("current", TMPDIR = paths[[1L]], TASKQ_TEST_FILE = folder))
  list(name = name, process = process, folder = folder, tmp = paths[[1L]], results = paths[[2L]], test = paths[[3L]],
    log = paths[[4L]], began = Sys.time())
}

seconds_of <- function(file) as.numeric(difftime(Sys.time(), file$began, units = "secs"))

# What a file of /proc holds: nothing when its process has ended.
bytes_of <- function(path) tryCatch(suppressWarnings(readBin(path, "raw", 1e6)), error = function(cnd) raw())

# Processes that carry the mark of this file in their environment.
processes_of <- function(file) {
  mark <- charToRaw(paste0("TASKQ_TEST_FILE=", file$folder))
  is_marked <- function(path) length(grepRaw(mark, bytes_of(path), fixed = TRUE)) > 0L
  as.integer(basename(dirname(Filter(is_marked, Sys.glob("/proc/[0-9]*/environ")))))
}

left_by <- function(file) {
  pids <- processes_of(file)
  command <- function(pid) {
    line <- bytes_of(sprintf("/proc/%d/cmdline", pid))
    line[line == 0] <- as.raw(32)
    sprintf("process %d: %s", pid, rawToChar(line))
  }
  c(vapply(pids, command, ""), sprintf("file %s", list.files(file$tmp, all.files = TRUE, no.. = TRUE)))
}

# Waits for what is ending. Returns what stays, which it ends.
clean_up_after <- function(file, patience_s) {
  deadline <- Sys.time() + patience_s
  while (length(left <- left_by(file)) && Sys.time() < deadline) Sys.sleep(0.05)
  while (length(pids <- processes_of(file))) {
    tools::pskill(pids, tools::SIGKILL)
    Sys.sleep(0.05)
  }
  unlink(file$tmp, recursive = TRUE)
  left
}

# Prints how a file ended; returns its counts.
conclude <- function(file, was_stopped = FALSE) {
  seconds <- seconds_of(file)
  file$process$kill()
  status <- file$process$get_exit_status()
  left <- clean_up_after(file, if (was_stopped) 0 else patience_s)
  results <- if (file.exists(file$results)) readRDS(file$results)
  failed <- results$failed > 0 | results$error
  skipped <- results$skipped & !failed
  faults <- character()
  test <- paste(if (file.exists(file$test)) readLines(file$test, warn = FALSE) else "the start", collapse = " ")
  if (was_stopped) {
    faults <- sprintf("Stopped after %.0f s, in: %s", seconds, test)
  } else if (is.null(results) || !identical(status, 0L)) {
    faults <- sprintf("The process ended with status %s; the last test: %s", format(status), test)
  }
  if (length(left) && !was_stopped) faults <- c(faults, paste("Left behind:", left))
  counts <- c(sum(!failed & !skipped), sum(failed) + (length(faults) > 0L), sum(skipped))
  cat(sprintf("%-24s %4d passed %2d failed %2d skipped %6.1f s\n", file$name, counts[[1L]], counts[[2L]], counts[[3L]],
    seconds))
  if (counts[[2L]] > 0L) cat(readLines(file$log, warn = FALSE), faults, sep = "\n")
  list(counts = counts, slow = data.frame(test = sprintf("%s: %s", rep(file$name, NROW(results)), results$test),
    seconds = as.numeric(results$real)))
}

busy <- lapply(seq_len(load), function(i) processx::process$new("sh", c("-c", "while :; do :; done")))
waiting <- if (length(arguments)) arguments else all_files()
waiting <- rep(waiting, runs)
running <- list()
ended <- list()
began <- Sys.time()
while (length(waiting) || length(running)) {
  while (length(waiting) && length(running) < at_a_time) {
    running <- c(running, list(begin(waiting[[1L]])))
    waiting <- waiting[-1L]
  }
  remaining_s <- limit_s - max(vapply(running, seconds_of, 0))
  processx::poll(lapply(running, `[[`, "process"), max(0, ceiling(remaining_s * 1000)))
  has_ended <- !vapply(running, function(file) file$process$is_alive(), NA)
  is_late <- !has_ended & vapply(running, seconds_of, 0) >= limit_s
  ended <- c(ended, Map(conclude, running[has_ended | is_late], is_late[has_ended | is_late]))
  running <- running[!has_ended & !is_late]
}
for (process in busy) process$kill()
unlink(run_folder, recursive = TRUE)

counts <- Reduce(`+`, lapply(ended, `[[`, "counts"))
if (nzchar(counts_file <- Sys.getenv("COUNTS"))) writeLines(paste(counts, collapse = " "), counts_file)
slow <- do.call(rbind, lapply(ended, `[[`, "slow"))
slow <- utils::head(slow[order(-slow$seconds), ], 10L)
cat("Slowest:", sprintf("%5.1f s %s", slow$seconds, slow$test), sep = "\n  ")
cat(sprintf("%d passed, %d failed, %d skipped; %d files in %.0f s\n", counts[[1L]], counts[[2L]], counts[[3L]],
  length(ended), as.numeric(difftime(Sys.time(), began, units = "secs"))))
quit(status = as.integer(counts[[2L]] > 0L))
