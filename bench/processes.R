# The processes of a rival, found in /proc. What a rival starts carries a mark in its environment,
# because a daemon that is started through a shell is nobody's child after a moment.

mark_variable <- "TASKQ_BENCH_MARK"

# Starts `n` workers and waits until all are there.
open_pool <- function(peer, n, wait = TRUE) {
  pool <- list(peer = peer, mark = new_mark(), before = child_pids(Sys.getpid()))
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
  if (!dir.exists("/proc/self")) return(integer())
  all <- setdiff(all_pids(), Sys.getpid())
  needle <- charToRaw(paste0(mark_variable, "=", pool$mark))
  is_marked <- function(pid) length(grepRaw(needle, proc_bytes(pid, "environ"), fixed = TRUE)) > 0
  marked <- Filter(is_marked, all)
  union(marked, descendants(setdiff(child_pids(Sys.getpid()), pool$before)))
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

all_pids <- function() as.integer(list.files("/proc", "^[0-9]+$"))

# A process may end while it is looked at.
proc_bytes <- function(pid, file) {
  tryCatch(
    suppressWarnings(readBin(file.path("/proc", pid, file), "raw", 1e6)),
    error = function(e) raw()
  )
}

child_pids <- function(parent) {
  pids <- all_pids()
  pids[vapply(pids, parent_pid, 0L) %in% parent]
}

descendants <- function(pids) {
  found <- integer()
  while (length(pids)) {
    found <- c(found, pids)
    pids <- child_pids(pids)
  }
  found
}

# 0 for a process that is gone or dead already.
parent_pid <- function(pid) {
  fields <- sub("^.*\\) ", "", rawToChar(proc_bytes(pid, "stat")))
  fields <- strsplit(fields, " ", fixed = TRUE)[[1]]
  if (length(fields) < 2 || fields[1] == "Z") 0L else as.integer(fields[2])
}

seconds_since <- function(start) as.numeric(Sys.time() - start, units = "secs")
