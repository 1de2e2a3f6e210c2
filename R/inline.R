# A queue without workers: a task is evaluated in push(), in this session, by the code that workers
# use. What a worker gets at its start, this session gets too, but for the time of a task only.

# `session`: of tq_session_options().
tq_inline <- function(session) {
  frame <- new.env(parent = globalenv())
  list2env(session$globals, envir = frame)
  inline <- new.env(parent = emptyenv())
  inline$frame <- frame
  inline$preload <- tq_inline_function(session$preload, frame)
  inline$init <- tq_inline_function(session$init, frame)
  inline$packages <- session$packages
  inline$env <- session$env
  inline$wd <- session$wd
  inline$seed <- session$seed
  # Distinguishes the random numbers of this queue from those of another one.
  inline$token <- tempfile("")
  inline$started <- FALSE
  inline
}

# What would run in a worker's global environment runs above ours, where `globals` are.
tq_inline_function <- function(fun, frame) {
  if (is.null(fun)) return(NULL)
  # The work of a map.
  if (is.list(fun)) {
    fun$fun <- tq_inline_function(fun$fun, frame)
    return(fun)
  }
  fun <- tq_portable_function(fun)
  if (identical(environment(fun), globalenv())) environment(fun) <- frame
  fun
}

# As in a pool, a start that fails makes every push fail.
tq_inline_start <- function(inline, call) {
  if (!is.null(inline$failure)) tq_throw(tq_start_error(inline$failure, call))
  if (inline$started) return(invisible())
  failed <- function(phase) {
    function(cnd) {
      inline$failure <- list(phase = phase, message = tq_error_line(cnd))
      tq_throw(tq_start_error(inline$failure, call))
    }
  }
  tryCatch(tq_attach(inline$packages), error = failed("packages"))
  if (!is.null(inline$preload)) tryCatch(inline$preload(), error = failed("preload"))
  if (!is.null(inline$init)) tryCatch(inline$init(), error = failed("init"))
  inline$started <- TRUE
  invisible()
}

# Runs what waits. What a task pushes into the queue that it is in runs after it.
tq_inline_run <- function(inline, handle, call) {
  while (!is.null(task <- tq_checked(.External(C_tq_inline_next, handle), call))) {
    # A number: so many milliseconds later a task is to be tried again. Nothing else happens in a queue without workers
    # meanwhile, and an interrupt ends the sleep.
    if (is.list(task)) tq_inline_one(inline, handle, task) else Sys.sleep(task / 1000)
  }
}

tq_inline_one <- function(inline, handle, task) {
  evaluator <- tq_evaluator(globals = inline$frame)
  # Read by the evaluator: that is a part of the task.
  sent <- NULL
  delayedAssign("payload", sent <- .External(C_tq_payload, handle, task$serial))
  output <- tq_capture_start()
  restore <- tq_inline_enter(inline, task, function() sent$call)
  clock <- proc.time()
  # However the task ends, also by a jump to the top level, the queue learns of it once.
  verdict <- "error"
  outcome <- list(error = simpleError("it was interrupted"))
  on.exit({
    if (is.finite(task$timeout)) setTimeLimit()
    spent <- proc.time() - clock
    restore()
    text <- tq_capture_stop(output)
    .External(
      C_tq_inline_done, handle, task$serial, verdict, outcome, text$stdout, text$stderr,
      spent[["user.self"]] + spent[["sys.self"]], spent[["elapsed"]]
    )
  })
  # A session would be killed; here R itself has to notice.
  if (is.finite(task$timeout)) setTimeLimit(elapsed = max(task$timeout / 1000, 1e-3), transient = TRUE)
  ended <- tq_guarded(evaluator, evaluator$evaluate(
    tq_inline_function(payload$fun, inline$frame), payload$call
  ))
  if (is.finite(task$timeout)) setTimeLimit()
  if (identical(attr(ended, "verdict"), "interrupted")) {
    # The task is over, but the user wanted R back.
    signalCondition(structure(list(), class = c("interrupt", "condition")))
    invokeRestart("abort")
  }
  verdict <- attr(ended, "verdict") %||% "success"
  attr(ended, "verdict") <- NULL
  outcome <- ended
}

# Sets what a worker would have, and returns the function that sets it back. `call`: tells what the task has
# brought along, once it was read.
tq_inline_enter <- function(inline, task, call) {
  outer_id <- tq_session$inline_id
  outer_tries <- tq_session$inline_tries
  outer_progress <- tq_session$inline_progress
  wd <- getwd()
  old <- Sys.getenv(names(inline$env), NA_character_, names = TRUE)
  random <- tq_inline_random(inline, task$serial, task$tries)
  found <- search()
  objects <- as.list(inline$frame, all.names = TRUE)
  tq_session$inline_id <- task$id
  tq_session$inline_tries <- task$tries
  tq_session$inline_progress <- NULL
  if (length(inline$env)) do.call(Sys.setenv, as.list(inline$env))
  setwd(inline$wd)
  function() {
    tq_session$inline_id <- outer_id
    tq_session$inline_tries <- outer_tries
    tq_session$inline_progress <- outer_progress
    random()
    brought <- call()
    if (length(brought$packages)) tq_inline_detach(found)
    if (length(brought$globals)) tq_inline_forget(inline$frame, names(brought$globals), objects)
    if (!is.null(wd)) setwd(wd)
    unset <- names(old)[is.na(old)]
    if (length(unset)) Sys.unsetenv(unset)
    if (!all(is.na(old))) do.call(Sys.setenv, as.list(old[!is.na(old)]))
  }
}

# The task has its own random numbers, and leaves the user's alone.
tq_inline_random <- function(inline, serial, tries) {
  source <- function() list(serial = serial, seed = rs_inline_random(inline$token, serial, tries))
  tq_random_borrow(inline$seed, source)
}

tq_inline_detach <- function(found) {
  for (name in setdiff(search(), found)) {
    try(suppressWarnings(detach(name, character.only = TRUE)), silent = TRUE)
  }
}

tq_inline_forget <- function(frame, names, objects) {
  rm(list = intersect(names, ls(frame, all.names = TRUE)), envir = frame)
  list2env(objects[intersect(names, names(objects))], envir = frame)
}

# At a prompt the output is also shown, so that browser() can be used; what goes to stderr is only shown.
tq_capture_start <- function() {
  paths <- c(stdout = tempfile("taskq-stdout-"), stderr = tempfile("taskq-stderr-"))
  capture <- list(
    paths = paths,
    stdout = file(paths[["stdout"]], "w"),
    stderr = file(paths[["stderr"]], "w"),
    depth = sink.number(),
    message = sink.number("message")
  )
  sink(capture$stdout, split = interactive())
  if (!interactive()) sink(capture$stderr, type = "message")
  capture
}

tq_capture_stop <- function(capture) {
  while (sink.number() > capture$depth) sink()
  if (capture$message == 2L) {
    sink(type = "message")
  } else {
    sink(getConnection(capture$message), type = "message")
  }
  close(capture$stdout)
  close(capture$stderr)
  on.exit(unlink(capture$paths))
  lapply(as.list(capture$paths), function(path) readChar(path, file.size(path), useBytes = TRUE))
}
