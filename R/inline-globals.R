# In a session `globals` are in the global environment, where every function of the global environment finds them. In an
# inline queue they are in a frame above that of the user, and what belongs to the global environment moves there: the
# function of a task, and functions and formulas among its arguments, its `globals`, and what these capture.

# What would run in a worker's global environment: `preload`, `init`. Frames that are kept whole are the user's own.
tq_inline_function <- function(fun, frame) {
  if (is.null(fun)) return(NULL)
  sent <- tq_inline_sent(tq_portable(fun), frame, tq_frames_from(environment(fun)))
  tq_with_captured(sent$fun, sent$captured)
}

# The `globals` of the queue are the user's own objects, not copies.
tq_inline_own <- function(globals, frame) {
  is_global <- vapply(globals, function(value) is.function(value) && identical(environment(value), globalenv()), NA)
  globals[is_global] <- lapply(globals[is_global], tq_inline_mover(frame)$value)
  globals
}

# A task as the evaluator takes it: its function, or the work of a map, and its call. Both are copies.
tq_inline_payload <- function(payload, frame) {
  if (is.list(payload$fun)) {
    payload$fun <- tq_inline_sent(payload$fun, frame)
  } else {
    sent <- tq_inline_sent(c(list(fun = payload$fun), payload$call), frame)
    payload$fun <- sent$fun
    payload["call"] <- list(if (!is.null(payload$call)) sent[-1L])
  }
  payload
}

# `sent`: a list with `fun`, and any of `captured`, `args` and `globals`.
tq_inline_sent <- function(sent, frame, untouched = list()) {
  move <- tq_inline_mover(frame, untouched)
  sent$fun <- move$value(sent$fun)
  if (is.environment(sent$captured)) move$frames(sent$captured)
  # Without any, what a task returns of its arguments should be the same as elsewhere.
  if (length(names(frame)) || length(sent$globals)) {
    for (part in intersect(c("captured", "args", "globals"), names(sent))) sent[part] <- list(move$value(sent[[part]]))
  }
  sent
}

tq_inline_mover <- function(frame, untouched = list()) {
  seen <- c(untouched, frame)
  move_frames <- function(env) {
    for (env in tq_frames_from(env)) {
      if (any(vapply(seen, identical, NA, env))) next
      seen <<- c(seen, env)
      if (identical(parent.env(env), globalenv())) parent.env(env) <- frame
      for (name in setdiff(names(env), "...")) move_variable(env, name)
    }
  }
  # A value that is yet to be evaluated is seen as code.
  move_variable <- function(env, name) {
    if (bindingIsActive(as.name(name), env) || bindingIsLocked(name, env)) return()
    value <- do.call(substitute, list(as.name(name), env))
    if (is.function(value) || is.list(value)) assign(name, move(value), envir = env)
  }
  move_code <- function(code) {
    env <- environment(code)
    if (identical(env, globalenv())) {
      environment(code) <- frame
    } else if (is.environment(env) && !isS4(code) && !inherits(code, "crate")) {
      move_frames(env)
    }
    code
  }
  move <- function(value, depth = 8L) {
    if (is.function(value) || inherits(value, "formula")) return(move_code(value))
    if (!is.list(value) || depth == 0L) return(value)
    elements <- unclass(value)
    may_hold_code <- vapply(elements, typeof, "") %in% c("closure", "language", "list")
    if (!any(may_hold_code)) return(value)
    elements[may_hold_code] <- lapply(elements[may_hold_code], move, depth - 1L)
    attributes(elements) <- attributes(value)
    elements
  }
  list(value = move, frames = move_frames)
}
