# Parameter objects of BiocParallel for tests. Each is stopped when its test ends, and leaves no process and file.

local_param <- function(workers = 2L, ..., started = TRUE, frame = parent.frame()) {
  skip_if_not_installed("BiocParallel")
  skip_if_not(file.exists("/proc/self/stat"), "/proc is needed to look for processes")
  fixture_begins()
  param <- TaskqParam(workers, ...)
  if (started) BiocParallel::bpstart(param)
  finish <- function() {
    BiocParallel::bpstop(param)
    fixture_ends()
  }
  do.call(on.exit, list(as.call(list(finish)), add = TRUE, after = FALSE), envir = frame)
  param
}
