# Random numbers of a task. Most tasks use none, so nothing is computed for one before it does: the variable
# `.Random.seed` is an active binding that makes itself an ordinary variable when it is first read or
# written, which R's generators do as any code does. src/rust/src/state.rs sees whether it still is one.
#
# | the task was pushed with | its queue has | where it starts                                            |
# | ------------------------ | ------------- | ---------------------------------------------------------- |
# | a number                 | anything      | set.seed(number, "L'Ecuyer-CMRG")                          |
# | a state                  | anything      | that state                                                 |
# | either, by push_many()   | anything      | there, as many streams ahead as tasks were before it       |
# | nothing                  | a seed        | set.seed(seed, "L'Ecuyer-CMRG"), as many streams ahead as its push was |
# | nothing, by map()        | a seed        | that of the task that the map counts as, its index in substreams ahead |
# | nothing                  | nothing       | set.seed() with a number that no other attempt has         |
#
# The generators (see RNGkind()) are those of the session after `init`; but for "L'Ecuyer-CMRG" in the first
# three cases, whose kinds of normal numbers and of sampling are the session's, too.

tq_random <- new.env(parent = emptyenv())

# `seed`: that of the queue, or NULL. `source`: a function that returns list(serial, seed) of the running
# task, or NULL outside a task.
tq_random_begin <- function(seed, source) {
  # Whatever state there is tells the kinds.
  set.seed(0L)
  tq_random$base <- get(".Random.seed", envir = globalenv(), inherits = FALSE)
  tq_random$seed <- seed
  tq_random$source <- source
  tq_random_renew()
}

# The same for another queue, in a process that has begun and been forked since.
tq_random_resume <- function(seed) {
  tq_random$seed <- seed
  tq_random_renew()
}

tq_random_renew <- function() {
  tq_forget_seed()
  makeActiveBinding(".Random.seed", tq_random_binding, globalenv())
}

tq_forget_seed <- function() {
  if (exists(".Random.seed", envir = globalenv(), inherits = FALSE)) {
    rm(list = ".Random.seed", envir = globalenv())
  }
}

# R may be in the middle of asking for the state, so the variable has it when this returns it.
tq_random_binding <- function(value) {
  tq_forget_seed()
  if (missing(value)) tq_random_start(tq_random$source()) else tq_put_seed(value)
  get(".Random.seed", envir = globalenv(), inherits = FALSE)
}

tq_random_start <- function(task) {
  # First, because what set.seed() does beyond the variable is to be done in any case.
  tq_put_seed(tq_random$base)
  set.seed(task$seed)
  if (!is.null(task) && !is.null(tq_random$seed)) {
    tq_put_seed(tq_random_own(task$serial, tq_random$element))
  }
}

# Where a task starts, or an element of a map: list(whole, index), of which `index` is a function.
tq_random_own <- function(serial, element) {
  if (is.null(element)) return(tq_stream(tq_random$seed, serial))
  tq_stream_ahead(tq_stream(tq_random$seed, element$whole), 0, element$index())
}

# A task that was pushed with a seed.
tq_random_give <- function(seed, streams = 0) {
  tq_forget_seed()
  tq_random_start(NULL)
  tq_put_seed(if (length(seed) == 1L) tq_stream(seed, streams) else tq_stream_ahead(seed, streams))
}

tq_put_seed <- function(state) assign(".Random.seed", state, envir = globalenv())

tq_stream <- function(seed, streams) {
  c(tq_random$base[[1L]] %/% 100L * 100L + 7L, rs_random_stream(as.integer(seed), streams))
}

tq_stream_ahead <- function(state, streams, substreams = 0) {
  c(state[[1L]], rs_random_ahead(state[-1L], streams, substreams))
}

# For an inline queue: begins, and tells `undo` (of tq_undo()) how to leave all as it was. A queue may be used by
# a task of another one; asking for the state makes that task's begin.
tq_random_borrow <- function(seed, source, undo) {
  outer <- as.list(tq_random)
  state <- get0(".Random.seed", envir = globalenv(), inherits = FALSE)
  kinds <- RNGkind()
  undo$add(function() {
    tq_forget_seed()
    list2env(outer, envir = tq_random)
    if (!is.null(state)) tq_put_seed(state)
  })
  undo$add(function() suppressWarnings(do.call(RNGkind, as.list(kinds))))
  tq_random_begin(seed, source)
}
