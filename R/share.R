# share(): vectors in memory that processes have in common. All of it is native (src/rust/src/share.rs, src/shared.c).

#' Share a large object with the workers
#'
#' `share()` gives a copy of an object whose vectors lie in shared memory. As an argument of a task, at any depth, in
#' `globals` of `push()`, or in the value of a task, such a vector is not copied: what travels is a handle of some
#' bytes, and every process sees the same pages of memory.
#'
#' A shared vector is a vector: it can be read, subset, computed with, printed and saved as any other, with the same
#' results. Whoever changes it changes a copy of their own, as always in R. Saved with [saveRDS()] or [serialize()] it
#' is plain data, which loads without taskq.
#'
#' Vectors of less than a kilobyte stay as they are, and so do the attributes, except for long names, dimnames, levels
#' and row names, which are shared, too.
#'
#' The memory is freed when the last process has let go of the last vector of an object: when R has collected it, or
#' the process has ended, however it did. A worker collects what a task has left behind 0.3 seconds after its last task.
#'
#' Where there is no shared memory (it exists on Linux), or it is short, `share()` gives the object itself. Everything
#' works as before then; it only costs the copies. The same happens when more than 200 shared objects go with the
#' arguments or the value of one task (50 with its function), to those beyond; and when a process holds more shared
#' objects and large arguments than a quarter of the files that it may open (`ulimit -n`). `globals` of
#' [`task_q$new()`][task_q] travel once, as plain data; forked workers have them in common anyway.
#'
#' C code that asks R for a pointer by which it may write gets private pages of the same memory: they cost memory where
#' they are written, not where they are read. A vector that was in fact changed in that way is sent as plain data.
#'
#' @param x An atomic vector, a list, or a data frame; a list may hold these at any depth. With all attributes:
#'   factors, dates, matrices. `NULL` is itself.
#' @return The same object, [identical()] to `x`, with its vectors in shared memory. Sharing what is shared already
#'   costs nothing.
#' @section Errors:
#' `taskq_error_input` when `x` is or holds anything else: a function, an environment, a call, an S4 object. The message
#' says where it is, and so does the field `path`.
#' @export
#' @examples
#' x <- share(list(table = data.frame(a = runif(1e4), b = "text"), limit = 0.5))
#' q <- task_q$new(1)
#' for (i in 1:3) q$push(function(x, i) mean(x$table$a[seq_len(i * 1000)] > x$limit), list(x, i))
#' while (!is.null(result <- q$pop(10000))) print(result$result)
#' q$close()
share <- function(x) {
  if (missing(x)) tq_missing_error("x", "made of atomic vectors, lists and data frames", sys.call())
  shared <- rs_share(x)
  if (length(shared) == 2L) tq_unshareable(x, shared[[1L]], shared[[2L]], sys.call())
  shared[[1L]]
}

# `where`: an index for each level.
tq_unshareable <- function(x, where, found, call) {
  path <- "x"
  for (index in where) {
    name <- names(x)[index]
    is_named <- length(name) && !is.na(name) && nzchar(name)
    path <- if (is_named) paste0(path, "$", name) else paste0(path, "[[", index, "]]")
    x <- .subset2(x, index)
  }
  remedy <- "made of atomic vectors, lists and data frames"
  but <- if (path == "x") "not" else sprintf("but `%s` is", path)
  message <- sprintf("`x` must be %s, %s %s", remedy, but, tq_describe(found))
  hint <- "send it as it is, beside what is shared"
  tq_throw(tq_condition("input", message, call, body = c(i = hint),
    fields = list(arg = "x", value = found, remedy = remedy, path = path)))
}
