# map(): hands out batches of elements, and puts their results together. Which elements are sent next and for how
# long is decided in taskq-core (batches.rs); the batches are tasks that no other method shows. However this ends, by an
# error or by Ctrl-C, what is under way is cancelled, and the queue is as it was.

tq_map <- function(private, x, fun, args, names, on_error, progress, chunk, call) {
  if (missing(x)) tq_missing_error("x", "a vector or a list", call)
  if (missing(fun)) tq_missing_error("fun", "a function", call)
  if (is.function(x) && !is.function(fun)) {
    tq_input_error("x", x, "a vector or a list", call, "the elements come first: `q$map(x, fun)`")
  }
  x <- tq_map_elements(x, call)
  portable <- tq_portable(tq_check_function(fun, "fun", call))
  args <- tq_check_args(args, call)
  names <- tq_check_map_names(names, x, call)
  keep <- tq_check_choice(on_error, c("stop", "keep"), "on_error", call) == "keep"
  progress <- tq_check_flag(progress, "progress", call)
  chunk <- tq_check_chunk(chunk, call)
  handle <- tq_handle(private, call)
  if (!is.null(private$inline)) tq_inline_start(private$inline, call)

  token <- paste0(Sys.getpid(), tempfile(""))
  work <- c(portable, list(args = args), tq_far(private, fun, NULL))
  map <- rs_map_begin(handle, x, work, token, keep, chunk)
  if (is.list(map)) tq_push_refused(handle, map, call)
  # What elements have written and signalled, until it is passed on.
  notes <- new.env(parent = emptyenv())
  on.exit({
    rs_map_end(map)
    tq_relay(notes, is_inline = !is.null(private$inline))
  })
  bar <- if (progress) tq_progress_bar(length(x), "Elements")
  if (progress) on.exit(bar$end(), add = TRUE, after = FALSE)
  collect <- function(task) {
    done <- rs_outcome(handle, task)
    tq_note(notes, rs_map_batch(map, task)[[1L]], done)
    tq_map_collect(map, done, keep, names, handle, call)
  }
  tq_map_run(private, handle, map, collect, bar, length(x), call)
  results <- rs_map_results(map)
  names(results) <- names
  results
}

# Until all elements are done.
tq_map_run <- function(private, handle, map, collect, bar, total, call) {
  slice <- if (is.null(bar)) Inf else tq_limits$redraw_ms
  done <- 0
  repeat {
    refusal <- rs_map_feed(map)
    if (!is.null(refusal)) tq_push_refused(handle, refusal, call)
    if (!is.null(private$inline)) tq_inline_run(private$inline, handle, call)
    # What an inline queue does not run at once, it does when it is resumed.
    runs_inline <- !is.null(private$inline) && !identical(rs_queue_state(handle), "paused")
    task <- rs_map_wait(handle, map, if (runs_inline) 0 else slice)
    if (is.null(task)) return()
    if (is.list(task)) tq_checked(task, call)
    if (is.numeric(task)) {
      done <- done + collect(task)
    } else if (runs_inline) {
      tq_map_inside_task(call)
    }
    if (!is.null(bar)) bar$update(done, total)
  }
}

# A batch of an inline queue that was not run at once: a task of this queue has called map().
tq_map_inside_task <- function(call) {
  message <- "`map()` was called by a task of the same inline queue, which runs one task at a time"
  tq_throw(tq_condition("input", message, call, fields = list(arg = "x", value = NULL, remedy = "lapply()"),
    body = c(i = "use `lapply()` here, or another queue")))
}

# The results of a batch. Returns how many elements are settled by it.
tq_map_collect <- function(map, done, keep, names, handle, call) {
  range <- rs_map_batch(map, done$serial)
  begun <- min(range[[3L]], range[[2L]])
  value <- if (done$status == "success") done$outcome$value else if (keep) done$outcome$batch
  if (!is.null(value) && !tq_is_batch_value(value, range[[2L]])) {
    value <- NULL
    done$status <- "error"
    done$outcome <- tq_unreadable(NULL)
  }
  if (done$status != "success" && (!keep || !done$status %in% c("error", "crash", "timeout"))) {
    if (begun > 0) range <- c(range[[1L]] + begun - 1, 1)
    tq_throw(tq_map_error(done, range, names, handle, call))
  }
  settled <- 0
  if (!is.null(value)) {
    rs_map_put(map, range[[1L]], value$values)
    for (failure in value$failures) {
      place <- range[[1L]] + failure$place
      error <- tq_element_error(place + 1, names, done$id, failure$error, failure$trace)
      rs_map_put(map, place, list(error))
    }
    settled <- value$done
  }
  if (done$status != "success") {
    # Where it is known which element it was, those behind it go on.
    lost <- if (!is.null(value)) min(settled + 1, range[[2L]]) else if (begun > 0) begun else range[[2L]]
    for (place in seq(settled, length.out = lost - settled)) {
      where <- c(range[[1L]] + place, 1)
      rs_map_put(map, where[[1L]], list(tq_map_error(done, where, names, handle, NULL)))
    }
    settled <- lost
  }
  rs_map_settle(map, done$serial, settled, value$all_ms %||% -1, value$last_ms %||% -1)
  settled
}

# Whether this is what tq_batch_value() gives for a batch of `count` elements. What a session sends may be anything.
tq_is_batch_value <- function(value, count) {
  is_number <- function(x) is.double(x) && length(x) == 1L && !is.na(x)
  is_failure <- function(x) {
    is.list(x) && is_number(x$place) && x$place >= 0 && x$place < value$done && inherits(x$error, "condition")
  }
  is.list(value) && is_number(value$done) && value$done >= 0 && value$done <= count &&
    is.vector(value$values) && length(value$values) == value$done && is.list(value$failures) &&
    all(vapply(value$failures, is_failure, NA)) && is_number(value$all_ms) && is_number(value$last_ms)
}

# Why the elements in `range`, first and number, have no results.
tq_map_error <- function(done, range, names, handle, call) {
  outcome <- done$outcome
  if (done$status == "error" && !is.null(outcome$element)) {
    return(tq_element_error(outcome$element, names, done$id, outcome$error, outcome$trace, call))
  }
  first <- outcome$element %||% (range[[1L]] + 1)
  last <- outcome$element %||% (range[[1L]] + range[[2L]])
  done$is_plural <- last > first
  done$subject <- if (done$is_plural) sprintf("elements %.0f to %.0f", first, last) else tq_element_text(first, names)
  cnd <- tq_result_error(done, outcome, rs_queue_failure(handle))
  cnd$index <- as.double(seq(first, last))
  cnd$name <- names[cnd$index]
  cnd["call"] <- list(call)
  cnd
}

tq_element_error <- function(index, names, id, parent, trace, call = NULL) {
  tq_task_error(id, parent, trace, what = tq_element_text(index, names), call = call, index = index,
    name = names[index])
}

tq_element_text <- function(index, names) {
  text <- sprintf("element %.0f", index)
  if (is.null(names) || !nzchar(names[[index]])) text else sprintf("%s (%s)", text, tq_quote(names[[index]]))
}

# ---- what elements write and signal ----

tq_note <- function(notes, first, done) {
  note <- done$result[c("stdout", "stderr", "messages", "warnings", "conditions")]
  note$first <- first
  note$lost <- any(c(done$dropped, done$outcome$dropped) > 0)
  signalled <- length(note$warnings) || length(note$messages) || length(note$conditions)
  said <- nzchar(note$stdout) || nzchar(note$stderr) || signalled
  if (said || note$lost) notes$all[[length(notes$all) + 1L]] <- note
}

# In the order of the elements, batch by batch. What was signalled here is not signalled again: an immediateCondition,
# and in an inline queue the conditions of other classes.
tq_relay <- function(notes, is_inline) {
  all <- notes$all
  notes$all <- NULL
  later <- function(conditions) Filter(function(cnd) !inherits(cnd, "immediateCondition"), conditions)
  for (note in all[order(vapply(all, `[[`, 0, "first"))]) {
    cat(note$stdout)
    cat(note$stderr, file = stderr())
    if (!is_inline) for (cnd in later(note$conditions)) signalCondition(cnd)
    for (cnd in later(note$messages)) message(cnd)
    for (cnd in later(note$warnings)) warning(cnd)
    if (note$lost) {
      warning("elements have written or signalled more than is kept: some of it is lost", call. = FALSE)
    }
  }
}

# ---- arguments ----

# As lapply() sees it.
tq_map_elements <- function(x, call) {
  if (is.vector(x) && !is.object(x)) return(x)
  tryCatch(as.list(x), error = function(cnd) {
    tq_input_error("x", x, paste0("what as.list() makes a list of (", tq_message_of(cnd), ")"), call)
  })
}

tq_check_map_names <- function(names, x, call) {
  if (is.null(names)) return(names(x))
  if (is.character(names) && length(names) == length(x) && !anyNA(names)) return(names)
  remedy <- paste0(tq_number_of(length(x), "string"), ", one for each element, or NULL")
  tq_input_error("names", names, remedy, call)
}

# 0 stands for a number that adapts.
tq_check_chunk <- function(chunk, call) {
  if (is.null(chunk)) return(0)
  valid <- is.numeric(chunk) && length(chunk) == 1L && is.finite(chunk) && chunk >= 1 && chunk == trunc(chunk)
  if (valid) return(as.double(chunk))
  tq_input_error("chunk", chunk, "a whole number of 1 or more, or NULL", call)
}
