# The processes of a rival, found in /proc. What a rival starts carries a mark in its environment:
# a daemon that is started through a shell has no parent of ours after a moment, and the children of
# this session belong to all the rivals that are open.

mark_variable <- "TASKQ_BENCH_MARK"

# Starts `n` workers and waits until all are there.
open_pool <- function(peer, n, wait = TRUE, mark = new_mark()) {
  pool <- list(peer = peer, mark = mark)
  do.call(Sys.setenv, stats::setNames(list(pool$mark), mark_variable))
  on.exit(Sys.unsetenv(mark_variable))
  start <- Sys.time()
  pool$handle <- peer$start(n)
  if (wait && !is.null(peer$is_ready)) await_ready(pool)
  pool$seconds <- seconds_since(start)
  pool
}

# To look at a thousand workers takes time: the pauses are as long as four looks, so that the
# looking does not slow down what it waits for by much.
await_ready <- function(pool) {
  repeat {
    start <- Sys.time()
    if (pool$peer$is_ready(pool$handle)) return()
    Sys.sleep(max(0.001, 4 * seconds_since(start)))
  }
}

# Ends them and waits until they are gone, so that they do not disturb who comes next.
close_pool <- function(pool) {
  pool$peer$stop(pool$handle)
  gc(FALSE)
  await_end(pool$mark, pool$peer$name)
}

await_end <- function(mark, name, patience = 20) {
  start <- Sys.time()
  while (length(left <- marked_pids(mark)) && seconds_since(start) < patience) Sys.sleep(0.01)
  if (length(left)) {
    message(name, " left ", length(left), " processes behind; they are killed")
    tools::pskill(left, tools::SIGKILL)
  }
}

marked_pids <- function(mark) {
  needle <- charToRaw(paste0(mark_variable, "=", mark))
  is_marked <- function(pid) length(grepRaw(needle, proc_bytes(pid, "environ"), fixed = TRUE)) > 0
  Filter(is_marked, as.integer(list.files("/proc", "^[0-9]+$")))
}

# How often each thread of these processes was put on a core after another one: by its own will or
# not. A thread that sleeps all the time is not counted once more.
switches_of <- function(pids) {
  tasks <- unlist(lapply(pids, function(pid) {
    file.path(pid, "task", list.files(file.path("/proc", pid, "task")))
  }))
  counts <- vapply(tasks, function(task) {
    lines <- strsplit(rawToChar(proc_bytes(task, "status")), "\n")[[1]]
    switches <- grep("ctxt_switches:", lines, value = TRUE)
    sum(as.numeric(sub(".*\t", "", switches)))
  }, 0)
  stats::setNames(counts, tasks)
}

# Proportional set size in bytes: a page that k processes share counts as 1/k in each.
pss_of <- function(pids) {
  kilobytes <- vapply(pids, function(pid) {
    lines <- strsplit(rawToChar(proc_bytes(pid, "smaps_rollup")), "\n")[[1]]
    line <- grep("^Pss:", lines, value = TRUE)
    if (length(line)) as.numeric(gsub("[^0-9]", "", line)) else 0
  }, 0)
  sum(kilobytes) * 1024
}

new_mark <- local({
  k <- 0L
  function() {
    k <<- k + 1L
    paste(Sys.getpid(), k, "", sep = "-")
  }
})

# A process may end while it is looked at.
proc_bytes <- function(pid, file) {
  tryCatch(
    suppressWarnings(readBin(file.path("/proc", pid, file), "raw", 1e6)),
    error = function(e) raw()
  )
}

seconds_since <- function(start) as.numeric(Sys.time() - start, units = "secs")
