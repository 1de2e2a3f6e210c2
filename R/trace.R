# The calls of a failed task, and what is cut off an error object before it travels: data that a
# call has embedded, and environments that an error drags along.

# `calls`: sys.calls() at the error; the function of the task stands at `first`.
tq_trace <- function(calls, first) {
  calls <- tq_trim_calls(calls, first)
  dropped <- length(calls) - tq_limits$max_trace
  half <- tq_limits$max_trace %/% 2L
  keep <- seq_along(calls)
  if (dropped > 0L) keep <- c(seq_len(half), seq.int(length(calls) - half + 1L, length(calls)))
  calls <- calls[keep]
  places <- lapply(calls, tq_place_of)
  # The function of the task was called from code of ours.
  if (length(places)) places[[1L]] <- list(file = NA_character_, line = NA_integer_)
  trace <- data.frame(
    number = keep,
    call = vapply(calls, tq_call_text, ""),
    file = vapply(places, `[[`, "", "file"),
    line = vapply(places, `[[`, 0L, "line"),
    stringsAsFactors = FALSE
  )
  class(trace) <- c("taskq_trace", class(trace))
  trace
}

# Frames of ours below the task, and of R's signalling machinery above the error, say nothing.
tq_trim_calls <- function(calls, first) {
  calls <- as.list(calls)
  last <- length(calls) - 1L
  if (first < 1L || first > last) return(list())
  # R could not even enter the function, because the arguments do not fit.
  if (tq_head_text(calls[[first]]) == ".handleSimpleError") return(list())
  machinery <- c(".handleSimpleError", ".signalSimpleWarning", "withRestarts", "withOneRestart",
    "doWithOneRestart", "signalCondition", "signal_abort", "base::signalCondition")
  drop <- function(is_noise) while (last > first && is_noise(tq_head_text(calls[[last]]))) last <<- last - 1L
  drop(function(head) head %in% machinery)
  # A misuse of taskq is told of the method that was called.
  if (last > first && tq_head_text(calls[[last]]) == "stop" && tq_head_text(calls[[last - 1L]]) == "tq_throw") {
    drop(function(head) head == "stop" || startsWith(head, "tq_"))
  }
  calls[seq.int(first, last)]
}

tq_head_text <- function(call) {
  head <- if (is.call(call)) call[[1L]]
  if (is.symbol(head)) return(as.character(head))
  if (is.call(head) && length(head) == 3L && is.symbol(head[[1L]])) {
    return(paste(deparse(head, nlines = 1L), collapse = ""))
  }
  ""
}

tq_place_of <- function(call) {
  ref <- attr(call, "srcref")
  file <- tryCatch(basename(attr(ref, "srcfile")$filename), error = function(cnd) character())
  if (length(file) != 1L || !nzchar(file)) file <- NA_character_
  list(file = file, line = if (is.null(ref)) NA_integer_ else as.integer(ref[[1L]]))
}

tq_call_text <- function(call) {
  text <- tryCatch(
    trimws(deparse(tq_slim_call(call), width.cutoff = 500L, nlines = 2L)),
    error = function(cnd) "<call>"
  )
  tq_shorten(if (length(text) > 1L) paste(text[1L], "...") else text, tq_limits$max_call_chars)
}

# A call without the data that do.call() and its like have put into it, and not larger than one can read: what
# is cut off stands as `...`.
tq_slim_call <- function(call) {
  left <- tq_limits$max_call_parts
  slim <- function(call, depth) {
    left <<- left - 1L
    if (left < 0L || depth + is.call(call) > tq_limits$max_call_depth) return(quote(...))
    if (is.call(call)) return(slim_parts(call, depth + 1L))
    if (is.symbol(call) || is.pairlist(call) || tq_is_small_constant(call)) return(call)
    if (inherits(call, "srcref")) return(NULL)
    as.name(sprintf("<%s>", class(call)[1L]))
  }
  slim_parts <- function(call, depth) {
    # A function that do.call() or a task has called, see src/rust/src/for_worker/evaluate.rs.
    if (is.function(call[[1L]])) return(quote(fun(...)))
    kept <- attributes(call)
    # To reach part i of a call takes i steps, and that of a list one.
    parts <- as.list(call)
    if (length(parts) > tq_limits$max_call_width) {
      parts <- c(parts[seq_len(tq_limits$max_call_width)], quote(...))
    }
    for (i in seq_along(parts)) {
      if (!identical(parts[[i]], quote(expr = ))) parts[i] <- list(slim(parts[[i]], depth)) # nolint
    }
    call <- as.call(parts)
    for (name in setdiff(names(kept), c("names", "srcref", "srcfile", "wholeSrcref"))) {
      attr(call, name) <- kept[[name]]
    }
    call
  }
  slim(call, 0L)
}

tq_is_small_constant <- function(x) {
  is.atomic(x) && is.null(attributes(x)) && length(x) <= tq_limits$max_constant &&
    (!is.character(x) || all(nchar(x, "bytes") <= tq_limits$max_call_chars, na.rm = TRUE))
}

# A condition that is safe to send: same class and message, no embedded data, nothing huge.
tq_slim_condition <- function(cnd, depth = 0L) {
  tryCatch(tq_slim_fields(cnd, depth), error = function(failure) {
    plain <- simpleError(tq_message_of(cnd))
    if (!inherits(cnd, "error")) class(plain) <- class(cnd)
    plain
  })
}

tq_slim_fields <- function(cnd, depth) {
  if (!is.list(cnd)) {
    plain <- list(message = tq_message_of(cnd), call = tq_slim_call(conditionCall(cnd)))
    return(structure(plain, class = c(setdiff(class(cnd), "R6"), "condition")))
  }
  class <- oldClass(cnd)
  cnd <- unclass(cnd)
  if (is.call(cnd$call)) cnd$call <- tq_slim_call(cnd$call)
  if (is.list(cnd$trace) && is.list(cnd$trace$call)) {
    cnd$trace$call <- lapply(cnd$trace$call, tq_slim_call)
  }
  if (inherits(cnd$parent, "condition")) {
    cnd["parent"] <- list(
      if (depth < tq_limits$max_parents) tq_slim_condition(cnd$parent, depth + 1L)
    )
  }
  huge <- vapply(cnd, tq_exceeds, NA, limit = tq_limits$max_field_bytes)
  if (any(huge)) {
    cnd[huge] <- list(NULL)
    cnd$dropped_fields <- names(huge)[huge]
  }
  for (name in setdiff(names(attributes(cnd)), "names")) {
    if (tq_exceeds(attr(cnd, name, exact = TRUE), tq_limits$max_field_bytes)) attr(cnd, name) <- NULL
  }
  class(cnd) <- class
  cnd
}

# Whether a field is too large to send. Environments count with all that they hold, so they are
# written out to see; what cannot be written at all cannot be sent either.
tq_exceeds <- function(x, limit) tq_own_size(x) > limit || tq_sent_size(x) > limit

# The size without what environments hold; infinite for lists too deep within each other to be counted.
tq_own_size <- function(x) tryCatch(as.double(utils::object.size(x)), error = function(cnd) Inf)

# The size of what is sent; infinite when it cannot be.
tq_sent_size <- function(x) {
  if (is.atomic(x) || is.symbol(x)) return(as.double(utils::object.size(x)))
  tryCatch(as.double(length(serialize(x, NULL, xdr = FALSE))), error = function(cnd) Inf)
}

#' @export
format.taskq_trace <- function(x, ...) {
  # A part of it is any data frame.
  if (!all(c("number", "call", "file", "line") %in% names(x))) return(NextMethod())
  if (!nrow(x)) return(character())
  place <- ifelse(is.na(x$file), "", sprintf("  at %s#%d", x$file, x$line))
  number <- sprintf("%*d. ", max(nchar(x$number)) + 1L, x$number)
  room <- tq_width() - nchar(number) - pmin(nchar(place), tq_width() %/% 2L)
  lines <- paste0(number, mapply(tq_cut, x$call, pmax(room, 20L), USE.NAMES = FALSE), place)
  # How many are left out before each.
  more <- c(0L, diff(x$number) - 1L)
  gaps <- ifelse(more > 0L, sprintf("    ... %d more", more), NA_character_)
  lines <- c(rbind(gaps, lines))
  c("Trace:", lines[!is.na(lines)])
}

#' @export
print.taskq_trace <- function(x, ...) {
  lines <- format(x, ...)
  if (!is.character(lines)) return(NextMethod())
  cat(lines, sep = "\n")
  invisible(x)
}
