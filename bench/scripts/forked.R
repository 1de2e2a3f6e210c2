# Rscript scripts/forked.R
#
# parallel::mcparallel() from a session that has loaded nothing else: the seconds of one task.

one <- function() {
  job <- parallel::mcparallel(1)
  stopifnot(identical(parallel::mccollect(job)[[1]], 1))
}

for (i in 1:3) one()
start <- Sys.time()
for (i in 1:50) one()
cat(sprintf("seconds %.9f\n", as.numeric(Sys.time() - start, units = "secs") / 50))
