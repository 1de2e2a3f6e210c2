# A batch of a map, where it is evaluated: in a worker, or in this session for an inline queue. The inner loop
# is native (src/batch.c) and stops when the time of the batch is over.
#
# `batch`, as src/rust/src/host/map.rs makes it:
#
# | field    | meaning                                                                                |
# | -------- | -------------------------------------------------------------------------------------- |
# | `x`      | the elements; `x[[i]]` is what the function gets                                       |
# | `first`  | the number of elements before these                                                    |
# | `budget` | milliseconds after which no element is begun, or Inf                                   |
# | `whole`  | the number of the task that the map counts as: its random stream                       |
# | `token`  | a name for the map that no other has                                                   |
# | `keep`   | whether an error is the result of its element, or the end of the batch                 |
#
# The outcome's value: `values` (packed, of the elements from the first on), `failures` (list(place, error,
# trace) of those that failed, counted from 0), `done` (elements), `all_ms`, `last_ms` (times).

# What is left when the batch fails or is interrupted stands in `evaluator$batch`. `work`: list(fun, captured, args,
# globals, packages).
tq_evaluate_batch <- function(evaluator, work, batch) {
  state <- new.env(parent = emptyenv())
  state$first <- batch$first
  state$values <- vector("list", length(batch$x))
  state$at <- numeric(4L)  # place, when it began, how long the last element took, whether elements are counted
  state$failures <- list()
  if (length(work$globals) || length(work$packages)) {
    evaluator$prepare(work)
    evaluator$phase <- "run"
  }
  frame <- tq_batch_frame(work, batch$x)
  renew <- tq_batch_random(batch$whole, state)
  on.exit(tq_random$element <- NULL)
  # After a failure the evaluator is told again where a task begins.
  outer <- evaluator$first
  each <- function() {
    evaluator$begin_below(sys.nframe())
    .External(C_tq_call, "rs_batch_run", frame, state$values, state$at, batch$budget, renew)
  }
  evaluator$batch <- state
  if (batch$keep) tq_batch_keep(evaluator, state, each, batch$budget) else each()
  evaluator$first <- outer
  evaluator$batch <- NULL
  tq_batch_value(state)
}

# Where the function is called: what lapply() has in its frame, and the constant arguments as `...`.
tq_batch_frame <- function(work, x) {
  frame_of <- function(...) environment()
  environment(frame_of) <- .BaseNamespaceEnv
  frame <- do.call(frame_of, work$args, quote = TRUE)
  frame$X <- x
  frame$FUN <- tq_with_captured(work$fun, work$captured)
  frame
}

# An error is noted, and the batch goes on behind it.
tq_batch_keep <- function(evaluator, state, each, budget) {
  note <- function(cnd) {
    failure <- list(place = state$at[[1L]], error = tq_slim_condition(cnd))
    if (!is.null(evaluator$calls)) failure$trace <- tq_trace(evaluator$calls, evaluator$first)
    state$failures[[length(state$failures) + 1L]] <- failure
    evaluator$calls <- NULL
    state$at[[1L]] <- state$at[[1L]] + 1
    TRUE
  }
  repeat {
    failed <- tryCatch(withCallingHandlers(each(), error = evaluator$on_error), error = note)
    if (is.null(failed)) return()
    if (rs_batch_clock() - state$at[[2L]] >= budget) return()
  }
}

tq_batch_value <- function(state) {
  done <- state$at[[1L]]
  list(
    values = rs_batch_pack(state$values, done),
    failures = state$failures,
    done = done,
    all_ms = if (done > 0) rs_batch_clock() - state$at[[2L]] else -1,
    last_ms = state$at[[3L]]
  )
}

# In a queue with a seed each element has its own random numbers. Returns what is to be called before an element
# when the one before has used some.
tq_batch_random <- function(whole, state) {
  if (is.null(tq_random$seed)) return(NULL)
  tq_random$element <- list(whole = whole, index = function() state$first + state$at[[1L]] + 1)
  tq_random_renew
}
