# The words of conditions: how a message is put together, how values and names stand in it, and how an error prints.
#
# One voice. The message is one line, lower case and without a full stop: what happened, to what, with which value.
# Below it stand bullets: "x" is why, "i" is what to do about it. Ids stand in 'single quotes', values as R writes them,
# arguments and code in `backticks`; NULL, NA, Inf, TRUE and FALSE stand for themselves. What a user gave is shortened.
#
# `message` and `body` of a condition are fields, as rlang has them. conditionMessage() joins them, without colours,
# because it may go into a log or a browser.

#' @export
conditionMessage.taskq_error <- function(c) tq_whole_message(c)

#' @export
conditionMessage.taskq_warning <- function(c) tq_whole_message(c)

# An error that visitors of an app may see (promise-error.R) has its message alone.
tq_whole_message <- function(cnd) {
  if (!is.null(cnd[["detail"]])) return(cnd$message)
  paste(c(cnd$message, tq_bullets(cnd$body)), collapse = "\n")
}

# `body`: strings named "x" or "i", or "" for text that stays as it is. Not wrapped unless it is printed, so that
# programs find in a message what they look for.
tq_bullets <- function(body, width = Inf) {
  bullet <- function(text, name) {
    if (!nzchar(name)) return(text)
    lines <- tq_wrap(text, width - 2)
    paste0(c(tq_symbol(name), rep(" ", length(lines) - 1L)), " ", lines)
  }
  unlist(Map(bullet, body, names(body)), use.names = FALSE)
}

# In UTF-8. Bytes that are no text, in whatever encoding they are said to be, become their numbers: "caf<e9>".
tq_text <- function(x) {
  Encoding(x)[Encoding(x) == "bytes"] <- "UTF-8"
  x <- enc2utf8(x)
  is_broken <- !validUTF8(x) & !is.na(x)
  if (any(is_broken)) x[is_broken] <- iconv(x[is_broken], "UTF-8", "UTF-8", sub = "byte")
  x
}

# ---- names and values ----

# The name of a task.
tq_quote <- function(id) paste0("'", tq_shorten(encodeString(id), tq_limits$word_chars), "'")

# Names of arguments.
tq_tick <- function(names) paste0("`", names, "`")

# A value in a few words.
tq_describe <- function(x) {
  if (is.null(x)) return("NULL")
  if (is.function(x)) return("a function")
  if (inherits(x, "formula")) return("a formula")
  if (is.language(x)) return("an unevaluated expression")
  limit <- tq_limits$word_chars
  if (is.atomic(x) && length(x) == 1L && !is.object(x)) return(tq_shorten(deparse(x, nlines = 1L), limit))
  if (is.object(x)) {
    name <- tq_shorten(class(x)[1L], limit)
    return(sprintf("an object of class \"%s\" and length %d", name, tq_length_of(x)))
  }
  if (is.environment(x)) return("an environment")
  kind <- switch(typeof(x), list = "a list", character = "strings", logical = "logical values",
    double = , integer = "numbers", NULL)
  if (is.null(kind)) return(sprintf("an object of type \"%s\"", typeof(x)))
  if (is.list(x)) sprintf("a list of length %d", length(x)) else sprintf("%d %s", length(x), kind)
}

tq_length_of <- function(x) tryCatch(as.integer(length(x)), error = function(cnd) NA_integer_)

tq_shorten <- function(text, limit) {
  if (nchar(text, "bytes") <= limit) return(text)
  tryCatch(paste0(substr(text, 1L, limit - 3L), "..."), error = function(cnd) "(not valid text)")
}

tq_tail <- function(text, lines = tq_limits$stderr_tail_lines) {
  if (!tq_is_string(text)) return("")
  all <- strsplit(text, "\n", fixed = TRUE, useBytes = TRUE)[[1L]]
  tail <- paste(utils::tail(all, lines), collapse = "\n")
  Encoding(tail) <- Encoding(text)
  tail
}

# A method of conditionMessage() is code of somebody else.
tq_message_of <- function(cnd) {
  text <- tryCatch(conditionMessage(cnd), error = function(e) NULL)
  if (is.character(text) && length(text) >= 1L && !is.na(text[1L]) && any(nzchar(text))) {
    tq_shorten(paste(tq_text(text), collapse = "\n"), tq_limits$max_message_chars)
  } else {
    "(the error has no message)"
  }
}

# ---- counts and lists ----

# "1 task", "2 tasks".
tq_number_of <- function(count, word) {
  paste(format(count, scientific = FALSE, trim = TRUE), if (count == 1) word else paste0(word, "s"))
}

# "a, b and c".
tq_enumerate <- function(words, last = "and") {
  if (length(words) < 2L) return(paste(words))
  paste(paste(utils::head(words, -1L), collapse = ", "), last, utils::tail(words, 1L))
}

# ---- what was meant ----

# The one of `valid` that somebody who wrote `name` has most likely meant, or NULL.
tq_meant <- function(name, valid) {
  plain <- function(x) gsub("[._-]", "", tolower(x))
  written <- plain(name)
  if (!length(valid) || !nzchar(written)) return(NULL)
  begins <- startsWith(plain(valid), written)
  if (sum(begins) == 1L) return(valid[begins])
  distance <- utils::adist(written, plain(valid))[1L, ]
  # "workers" is "num_workers", and "prio" is "priority".
  is_part <- nchar(written) >= 4L & (mapply(grepl, written, plain(valid), fixed = TRUE))
  distance[is_part] <- pmin(distance[is_part], 1L)
  best <- which.min(distance)
  if (distance[[best]] <= max(1L, min(3L, nchar(written) %/% 2L))) valid[[best]]
}

# What is to be done about an error of R in a task, where that is known.
tq_error_hint <- function(parent, phase) {
  if (inherits(parent, "packageNotFoundError")) return("install it, or name its library in `libpath` of the queue")
  if (!identical(phase, "run")) return(NULL)
  message <- tq_message_of(parent)
  call <- tryCatch(conditionCall(parent), error = function(cnd) NULL)
  # How the function of a task is called, see worker-eval.R.
  name <- tq_name_in(message, "argument \"%s\" is missing, with no default")
  if (identical(call, quote(fun(...))) && length(name)) {
    return(sprintf("the arguments of the function stand in `args`: `list(%s = ...)`", name))
  }
  tq_missing_hint(message)
}

# "could not find function" and "object not found".
tq_missing_hint <- function(message) {
  name <- tq_name_in(message, "could not find function \"%s\"") %||% tq_name_in(message, "object '%s' not found")
  if (is.null(name)) return(NULL)
  if (exists(name, envir = globalenv(), inherits = FALSE)) {
    known <- tq_try(tq_known_reference(get(name, envir = globalenv())))
    if (isTRUE(known$is_certain)) {
      return(sprintf("`%s` is %s, which is of no use in another process: %s", name, known$what, known$hint))
    }
    return(sprintf("`%s` exists only in the host session: send it in `args` or `globals`, or give `globals = \"auto\"`",
      name))
  }
  package <- tq_attached_home(name)
  if (!is.null(package)) {
    return(sprintf("package %s is attached only in the host session: write `%s::%s`, or give `packages = \"%s\"`",
      package, package, name, package))
  }
  sprintf("if `%s` exists in the host session only: send it in `args` or `globals`, or write `pkg::%s`", name, name)
}

# The attached package that has an object of this name.
tq_attached_home <- function(name) {
  places <- grep("^package:", search(), value = TRUE)
  has <- vapply(places, function(place) exists(name, where = place, inherits = FALSE), NA)
  if (any(has)) sub("^package:", "", places[has][1L])
}

# The name in a message of R's, in English or in the language of this session.
tq_name_in <- function(message, format) {
  quotes <- "['\"`\u2018\u2019\u201c\u201d]"
  for (format in unique(c(format, gettext(format, domain = "R")))) {
    around <- strsplit(paste0(format, "\r"), paste0(quotes, "?%s", quotes, "?"))[[1L]]
    around <- paste0("\\Q", sub("\r", "", around, fixed = TRUE), "\\E")
    pattern <- paste(around, collapse = paste0(quotes, "(.+?)", quotes))
    found <- tryCatch(regmatches(message, regexec(pattern, message, perl = TRUE))[[1L]],
      error = function(cnd) character())
    if (length(found) == 2L) return(found[[2L]])
  }
  NULL
}

# ---- how processes end ----

tq_exit_text <- function(exit_code, signal) {
  if (length(signal) == 1L && !is.na(signal)) {
    return(sprintf("killed by signal %d (%s)", signal, tq_signal_name(signal)))
  }
  if (length(exit_code) == 1L && !is.na(exit_code)) {
    return(sprintf("it ended with exit status %d", exit_code))
  }
  NULL
}

# By number, as Linux has them. Real-time signals are given as a number.
tq_signal_name <- function(signal) {
  names <- c("HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU",
    "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS")
  if (signal %in% seq_along(names)) paste0("SIG", names[[signal]]) else "unnamed"
}

# ---- printing ----

#' @export
print.taskq_error <- function(x, ...) {
  lines <- format(x, ...)
  writeLines(c(tq_paint(lines[1L], "bad"), lines[-1L]))
  invisible(x)
}

#' @export
format.taskq_error <- function(x, ...) {
  parent <- x$parent
  message <- x[["detail"]] %||% x$message
  # What the parent says is shown below, in full.
  if (inherits(parent, "condition")) message <- strsplit(message, "\n", fixed = TRUE)[[1L]][1L]
  lines <- c(tq_head_line(x), tq_wrap(message), tq_bullets(x$body, tq_width()))
  for (level in seq_len(tq_limits$max_parents)) {
    if (!inherits(parent, "condition")) break
    text <- strsplit(tq_message_of(parent), "\n", fixed = TRUE)[[1L]]
    lines <- c(lines, tq_head_line(parent, "Caused by "), tq_wrap(paste0("  ", text)))
    # The message of an rlang error tells of its parents already.
    parent <- if (is.list(parent) && !inherits(parent, "rlang_error")) unclass(parent)$parent
  }
  if (length(x$stderr_tail) && nzchar(x$stderr_tail)) lines <- c(lines, "stderr:", x$stderr_tail)
  c(lines, if (!is.null(x$trace)) format(x$trace))
}

tq_head_line <- function(cnd, before = "") {
  call <- tryCatch(conditionCall(cnd), error = function(failure) NULL)
  tq_cut(paste0(before, "<", class(cnd)[1L], ">", if (!is.null(call)) paste(" in", tq_call_text(call))))
}
