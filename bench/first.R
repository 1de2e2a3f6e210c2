# One whole life of a rival in a fresh R process: `Rscript first.R <bench directory> <peer file>`.
# Prints the seconds from making the queue to its first result.

arguments <- commandArgs(trailingOnly = TRUE)
source(file.path(arguments[1], "peers.R"))
peer <- load_peer(arguments[2])
for (package in peer$packages) loadNamespace(package)
task <- as_task(function() 1)

start <- Sys.time()
handle <- peer$start(1)
peer$push(handle, task, list())
stopifnot(identical(peer$pop(handle), 1))
seconds <- as.numeric(Sys.time() - start, units = "secs")

peer$stop(handle)
cat(sprintf("%.9f\n", seconds))
