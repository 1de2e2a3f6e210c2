# A queue without workers: a task is evaluated in push(), in this session, by the code that workers
# use. What a worker gets at its start, this session gets too, but for the time of a task only.

# `session`: of tq_session_options().
tq_inline <- function(session) {
  frame <- new.env(parent = globalenv())
  list2env(tq_inline_own(session$globals, frame), envir = frame)
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

# As in a pool, a start that fails makes every push fail.
tq_inline_start <- function(inline, call) {
  if (!is.null(inline$wake)) return(inline$wake(call))
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
  while (!is.null(task <- tq_checked(rs_inline_next(handle), call))) {
    # A number: in how many milliseconds a task is to be tried again. Nothing else happens in a queue without workers
    # meanwhile, and an interrupt ends the sleep.
    if (is.list(task)) tq_inline_one(inline, handle, task) else Sys.sleep(task / 1000)
  }
}

tq_inline_one <- function(inline, handle, task) {
  evaluator <- tq_evaluator(globals = inline$frame)
  # Read by the evaluator: that is a part of the task.
  sent <- NULL
  delayedAssign("payload", sent <- tq_inline_payload(rs_payload(handle, task$serial), inline$frame))
  undo <- tq_undo()
  output <- new.env(parent = emptyenv())
  clock <- proc.time()
  # However the task ends, also before it begins and by a jump to the top level, the queue learns of it once.
  verdict <- "error"
  outcome <- list(error = simpleError("it was interrupted"))
  on.exit(suspendInterrupts({
    if (is.finite(task$timeout)) setTimeLimit()
    spent <- proc.time() - clock
    undo$run()
    tell <- function(verdict, outcome) {
      rs_inline_done(handle, task$serial, verdict, outcome, c(output$stdout %||% "", output$stderr %||% ""),
        c(spent[["user.self"]] + spent[["sys.self"]], spent[["elapsed"]])
      )
    }
    tryCatch(tell(verdict, outcome), error = function(cnd) {
      unsent <- verdict == "success"
      plain <- simpleError(tq_message_of(if (unsent) cnd else outcome$error))
      tell("error", list(error = plain, phase = if (unsent) "reply" else outcome$phase))
    })
  }))
  ended <- tq_guarded(evaluator, {
    tq_capture_start(output, undo)
    tq_inline_enter(inline, task, function() if (is.list(sent$fun)) sent$fun else sent$call, undo)
    clock <- proc.time()
    # A session would be killed; here R itself has to notice.
    if (is.finite(task$timeout)) setTimeLimit(elapsed = max(task$timeout / 1000, 1e-3), transient = TRUE)
    evaluator$evaluate(payload$fun, payload$call)
  })
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

# Steps that put something back, each told before it is needed; the last one runs first. A step that cannot be done, say
# because the task has removed what is to be put back, keeps no other from being done.
tq_undo <- function() {
  steps <- list()
  list(
    add = function(step) steps <<- c(step, steps),
    run = function() for (step in steps) tq_try(step())
  )
}

# Sets what a worker would have. `call`: tells what the task has brought along, once it was read.
tq_inline_enter <- function(inline, task, call, undo) {
  tq_inline_borrow_env(inline$env, undo)
  tq_inline_borrow_wd(inline$wd, undo)
  tq_inline_borrow_frame(inline$frame, call, undo)
  tq_inline_borrow_random(inline, task, undo)
  outer <- mget(c("inline_id", "inline_tries", "inline_progress"), tq_session, ifnotfound = list(NULL))
  undo$add(function() list2env(outer, envir = tq_session))
  tq_session$inline_id <- task$id
  tq_session$inline_tries <- task$tries
  tq_session$inline_progress <- NULL
}

tq_inline_borrow_env <- function(env, undo) {
  # Without names Sys.getenv() gives all variables there are.
  if (!length(env)) return(invisible())
  old <- Sys.getenv(names(env), NA_character_, names = TRUE)
  undo$add(function() {
    Sys.unsetenv(names(old)[is.na(old)])
    if (!all(is.na(old))) do.call(Sys.setenv, as.list(old[!is.na(old)]))
  })
  do.call(Sys.setenv, as.list(env))
}

tq_inline_borrow_wd <- function(path, undo) {
  old <- getwd()
  if (!is.null(old)) undo$add(function() setwd(old))
  if (!dir.exists(path)) stop(simpleError(sprintf("the working directory of the queue is gone: %s", path)))
  setwd(path)
}

# What the task attaches, and puts beside the globals of the queue.
tq_inline_borrow_frame <- function(frame, call, undo) {
  found <- search()
  objects <- as.list(frame, all.names = TRUE)
  undo$add(function() if (length(call()$packages)) tq_inline_detach(found))
  undo$add(function() if (length(call()$globals)) tq_inline_forget(frame, names(call()$globals), objects))
}

# The task has its own random numbers, and leaves the user's alone.
tq_inline_borrow_random <- function(inline, task, undo) {
  source <- function() list(serial = task$serial, seed = rs_inline_random(inline$token, task$serial, task$tries))
  tq_random_borrow(inline$seed, source, undo)
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

# At a prompt the output is also shown, so that browser() can be used; what goes to stderr is only shown. What was
# written stands in `output` when it is undone. A task may have closed all connections, these among them.
tq_capture_start <- function(output, undo) {
  dir <- tempdir(check = TRUE)
  paths <- c(stdout = tempfile("taskq-stdout-", dir), stderr = tempfile("taskq-stderr-", dir))
  depth <- sink.number()
  messages <- sink.number("message")
  undo$add(function() unlink(paths))
  undo$add(function() for (name in names(paths)) output[[name]] <- tq_read_text(paths[[name]]))
  to_stdout <- file(paths[["stdout"]], "w")
  undo$add(function() close(to_stdout))
  to_stderr <- file(paths[["stderr"]], "w")
  undo$add(function() close(to_stderr))
  undo$add(function() sink(if (messages != 2L) getConnection(messages), type = "message"))
  undo$add(function() while (sink.number() > depth) sink())
  sink(to_stdout, split = interactive())
  if (!interactive()) sink(to_stderr, type = "message")
}

tq_read_text <- function(path) {
  if (file.exists(path)) readChar(path, file.size(path), useBytes = TRUE) else ""
}
