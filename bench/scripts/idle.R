# Rscript scripts/idle.R PEER.R READY
#
# A session with two warm workers that waits for its input and does nothing. Makes the file READY
# when it is so.

source("peers.R")
arguments <- commandArgs(trailingOnly = TRUE)
peer <- load_peer(arguments[1])
handle <- peer$start(2)
for (i in 1:4) {
  peer$push(handle, as_task(function() NULL), list())
  peer$pop(handle)
}
invisible(file.create(arguments[2]))
readLines(file("stdin"), 1)
peer$stop(handle)
