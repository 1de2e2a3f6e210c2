# Rscript scripts/waiting.R PEER.R N
#
# N tasks wait in the queue of a rival that has one worker, which is busy until a gate opens. Prints
# the seconds of one push, of running one, of one pop, and the bytes of one that waits. Of taskq
# also: one push with N waiting and with 100, which take turns, and list_tasks().

for (file in c("peers.R", "processes.R")) source(file)
arguments <- commandArgs(trailingOnly = TRUE)
peer <- load_peer(arguments[1])
n <- as.integer(arguments[2])
for (package in peer$packages) loadNamespace(package)

empty <- as_task(function(...) NULL)
# The pause is of no account: nothing is measured until this task is over.
gate <- as_task(function(begun, gate) {
  file.create(begun)
  while (!file.exists(gate)) Sys.sleep(0.02)
})

open_gated <- function() {
  pool <- open_pool(peer, 1)
  for (i in 1:200) {
    peer$push(pool$handle, empty, list())
    peer$pop(pool$handle)
  }
  pool$begun <- tempfile("begun-")
  pool$gate <- tempfile("gate-")
  peer$push(pool$handle, gate, list(pool$begun, pool$gate))
  deadline <- Sys.time() + 20
  while (!file.exists(pool$begun)) {
    if (Sys.time() > deadline) stop("the first task did not begin")
    Sys.sleep(0.001)
  }
  pool
}

push_some <- function(pool, n) {
  start <- Sys.time()
  for (i in seq_len(n)) peer$push(pool$handle, empty, list())
  seconds_since(start)
}

memory <- function(pool) {
  gc(FALSE)
  pss_of(c(Sys.getpid(), marked_pids(pool$mark)))
}

say <- function(name, value) cat(sprintf("%s %.9f\n", name, value))

pool <- open_gated()
before <- memory(pool)
say("push", push_some(pool, n) / n)
# Pages and arenas hide the few tasks.
if (n >= 1e4) say("bytes", (memory(pool) - before) / n)

more <- 0
if (is_taskq(peer)) {
  if (n == 1e5) {
    listing <- numeric()
    while (length(listing) < 5 && sum(listing) < 10) {
      start <- Sys.time()
      stopifnot(nrow(pool$handle$list_tasks(idle = FALSE)) == n + 1)
      listing <- c(listing, seconds_since(start))
    }
    say("list_tasks", stats::median(listing))
  }
  block <- 500
  few <- open_gated()
  push_some(few, 100)
  turns <- replicate(11, {
    # The first tasks stay, so that a push always finds a hundred or more of them.
    known <- few$handle$list_tasks(idle = FALSE, payload = FALSE)$id
    with_few <- push_some(few, block)
    added <- setdiff(few$handle$list_tasks(idle = FALSE, payload = FALSE)$id, known)
    stopifnot(all(few$handle$cancel(added)))
    for (id in added) few$handle$pop(Inf)
    with_many <- push_some(pool, block)
    more <<- more + block
    c(with_few, with_many) / block
  })
  say("push_100", stats::median(turns[1, ]))
  say("push_many", stats::median(turns[2, ]))
  invisible(file.create(few$gate))
  close_pool(few)
  unlink(c(few$gate, few$begun))
}

start <- Sys.time()
invisible(file.create(pool$gate))
peer$settle(pool$handle)
say("run", seconds_since(start) / (n + more))
start <- Sys.time()
for (i in seq_len(n + more + 1)) peer$pop(pool$handle)
say("pop", seconds_since(start) / (n + more))
close_pool(pool)
unlink(c(pool$gate, pool$begun))
