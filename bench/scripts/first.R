# Rscript scripts/first.R PEER.R
#
# One whole life of a rival in a fresh R process. Prints the seconds from making the queue to its
# first result.

source("peers.R")
peer <- load_peer(commandArgs(trailingOnly = TRUE)[1])
for (package in peer$packages) loadNamespace(package)
task <- as_task(function() 1)

start <- Sys.time()
handle <- peer$start(1)
peer$push(handle, task, list())
stopifnot(identical(peer$pop(handle), 1))
seconds <- as.numeric(Sys.time() - start, units = "secs")

peer$stop(handle)
cat(sprintf("seconds %.9f\n", seconds))
