# Tests of map() count how often each element was evaluated.

# Lines that elements append to a file, one each; a line is written by one system call.
local_tally <- function(frame = parent.frame()) {
  path <- tempfile("tally-")
  file.create(path)
  do.call(on.exit, list(bquote(unlink(.(path))), add = TRUE), envir = frame)
  list(path = path, count = function() table(as.integer(readLines(path))))
}

note_element <- function(i, path) {
  cat(paste0(i, "\n"), file = path, append = TRUE)
  i
}
# As one that is written at the prompt.
environment(note_element) <- globalenv()
