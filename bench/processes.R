# The processes of a rival, found in /proc. What a rival starts carries a mark in its environment:
# a daemon that is started through a shell is nobody's child after a moment, and the children of
# this session belong to all the rivals that are open.

mark_variable <- "TASKQ_BENCH_MARK"

# Starts `n` workers and waits until all are there.
open_pool <- function(peer, n, wait = TRUE) {
  pool <- list(peer = peer, mark = new_mark())
  do.call(Sys.setenv, stats::setNames(list(pool$mark), mark_variable))
  on.exit(Sys.unsetenv(mark_variable))
  start <- Sys.time()
  pool$handle <- peer$start(n)
  if (wait && !is.null(peer$is_ready)) {
    while (!peer$is_ready(pool$handle)) Sys.sleep(0.001)
  }
  pool$seconds <- seconds_since(start)
  pool
}

# Ends them and waits until they are gone, so that they do not disturb who comes next.
close_pool <- function(pool, patience = 20) {
  pool$peer$stop(pool$handle)
  gc(FALSE)
  start <- Sys.time()
  while (length(left <- pool_pids(pool)) && seconds_since(start) < patience) Sys.sleep(0.05)
  if (length(left)) {
    message(pool$peer$name, " left ", length(left), " processes behind; they are killed")
    tools::pskill(left, tools::SIGKILL)
  }
}

pool_pids <- function(pool) {
  needle <- charToRaw(paste0(mark_variable, "=", pool$mark))
  is_marked <- function(pid) length(grepRaw(needle, proc_bytes(pid, "environ"), fixed = TRUE)) > 0
  Filter(is_marked, as.integer(list.files("/proc", "^[0-9]+$")))
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
