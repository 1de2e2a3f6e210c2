# Rscript scripts/sessions.R PEER.R N
#
# N sessions of a rival in a fresh R process: the seconds until all are ready, and the memory of
# one of them. Whatever the rival starts beside its sessions is shared out among them.

for (file in c("peers.R", "processes.R")) source(file)
arguments <- commandArgs(trailingOnly = TRUE)
peer <- load_peer(arguments[1])
n <- as.integer(arguments[2])
for (package in peer$packages) loadNamespace(package)

pool <- open_pool(peer, n)
bytes <- pss_of(marked_pids(pool$mark)) / n
cat(sprintf("seconds %.9f\nbytes %.0f\n", pool$seconds, bytes))
close_pool(pool)
