# C code in tasks that does what no task should.

# Compiles it: list(library, version: of what is sent), for hostile_finish().
local_hostile <- function(frame = parent.frame()) {
  library <- local_library(frame, "hostile", c(
    "#include <Rinternals.h>",
    "#include <unistd.h>",
    "SEXP hostile_write(SEXP fd, SEXP bytes) {",
    "  return ScalarInteger((int) write(asInteger(fd), RAW(bytes), XLENGTH(bytes)));",
    "}"
  ))$library
  # What is of another version ends the session.
  q <- local_queue(1)
  payload <- serialize(list(value = "forged"), NULL, xdr = FALSE)
  for (version in 1:100) {
    q$push(hostile_finish, list(list(library = library, version = version), version, payload))
    if (identical(q$pop(20000)$result, "forged")) break
  }
  list(library = library, version = version)
}

# For a task: says on its session's task socket that task `serial` has ended, with `payload` as its outcome.
hostile_finish <- function(hostile, serial, payload) {
  varint <- function(x) {
    out <- raw()
    while (x >= 128) {
      out <- c(out, as.raw(x %% 128 + 128))
      x <- x %/% 128
    }
    c(out, as.raw(x))
  }
  # Finished: its number among the messages, the task and its first attempt, success, six amounts, the payload.
  message <- c(as.raw(2), varint(serial), as.raw(1), as.raw(0), raw(6L), varint(length(payload)), raw(3L))
  size <- function(x, bytes) as.raw(length(x) %/% 256^(seq_len(bytes) - 1L) %% 256)
  head <- c(charToRaw("tq"), as.raw(hostile$version), as.raw(0), size(message, 4L), size(payload, 8L))
  numbers <- list.files("/proc/self/fd")
  socket <- min(as.integer(numbers[grepl("^socket", Sys.readlink(file.path("/proc/self/fd", numbers)))]))
  dll <- dyn.load(hostile$library)
  .Call(dll$hostile_write, socket, c(head, message, payload))
}
