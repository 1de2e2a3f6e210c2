# What the processes of a queue run: the zygote, which belongs to no queue; the supervisor, which is forked from it; and
# the sessions that are forked from that or, where forking is not possible, started on their own. Nothing here may hang:
# whatever fails is reported and ends the process.

# Entry point of the zygote, and so of every supervisor that is forked from it: the first of these lines belong to no
# queue. `on.exit` runs also when something jumps to the top level.
supervisor_main <- function() {
  on.exit(quit("no", status = 1L, runLast = FALSE))
  # It would be left behind where a file of variables has changed `TMPDIR`.
  rs_remove_r_temp_dir(tempdir())
  tq_log_here()
  home <- tq_rehearse()
  bytes <- tq_checked(rs_zygote_serve(), NULL)$setup
  if (is.null(bytes)) {
    on.exit()
    quit("no", status = 0L, runLast = FALSE)
  }
  setup <- tq_read_setup(bytes, rs_supervisor_failed)
  rs_write_title(setup$title)
  watch <- tq_thread_watch(setup$quiet)
  tq_limit_threads(setup$threads)
  init <- NULL
  if (tq_adds_nothing(setup, home)) {
    tq_is_up()
    tq_random_resume(setup$seed)
  } else {
    init <- tq_prepare(setup, rs_supervisor_failed, rs_supervisor_make_temp_dir, watch)$init
    tq_leave_no_trace()
    # What tasks find is known by now, unless an `init` changes it.
    home <- if (is.null(init)) tq_home(setup$seed)
  }
  role <- tq_checked(rs_supervisor_serve(setup$command), NULL)
  if (role == "session") {
    tq_session_begin()
    tq_end_quiet(setup$quiet)
    tq_step_back(setup$nice)
    tq_session_run(init, setup$seed, home)
  }
  on.exit()
  quit("no", status = 0L, runLast = FALSE)
}

# Entry point of a session that was started, not forked.
session_main <- function() {
  on.exit(quit("no", status = 1L, runLast = FALSE))
  tq_log_here()
  bytes <- tq_checked(rs_session_exec_open(), NULL)$setup
  # First of all, because a session that has not begun cannot report a failure.
  tq_session_begin()
  setup <- tq_read_setup(bytes, rs_session_failed)
  tq_end_quiet(setup$quiet)
  tq_step_back(setup$nice)
  objects <- tq_prepare(setup, rs_session_failed, rs_session_make_temp_dir)
  tq_session_run(objects$init, setup$seed)
  on.exit()
  quit("no", status = 0L, runLast = FALSE)
}

tq_read_setup <- function(bytes, failed) {
  tq_phase("setup", unserialize(bytes), failed)
}

# The zygote may have been started with other numbers of threads. `threads`: variables and their values.
tq_limit_threads <- function(threads) {
  changed <- threads[Sys.getenv(names(threads)) != threads]
  if (length(changed)) do.call(Sys.setenv, as.list(changed))
  for (variable in names(changed)) rs_limit_threads(variable, as.integer(changed[[variable]]))
}

# Everything that all sessions of the queue share. Returns the objects of the user. `make_dir`: see tq_enter_tempdir();
# `watch`: see tq_thread_watch(), NULL where nothing is to be forked.
tq_prepare <- function(setup, failed, make_dir, watch = NULL) {
  .libPaths(setup$libpath)
  phase <- function(name, expr) {
    tq_phase(name, if (is.null(watch)) expr else watch$during(name, expr), failed)
  }
  objects <- NULL
  tq_enter_tempdir(make_dir, failed)
  phase("packages", tq_attach(setup$packages, watch))
  phase("globals", {
    objects <- unserialize(setup$objects)
    list2env(objects$globals, envir = globalenv())
  })
  tq_is_up()
  if (!is.null(objects$preload)) {
    tq_enter_tempdir(make_dir, failed)
    phase("preload", objects$preload())
  }
  objects
}

# Evaluates one phase of a start. An error is reported with its call, and ends the process.
tq_phase <- function(phase, expr, failed) {
  tryCatch(expr, error = function(cnd) {
    failed(phase, tq_error_line(cnd))
    quit("no", status = 1L, runLast = FALSE)
  })
}

tq_error_line <- function(cnd) {
  call <- conditionCall(cnd)
  where <- if (is.null(call)) "Error" else paste("Error in", tq_call_text(call))
  paste0(where, ": ", tq_message_of(cnd))
}

tq_attach <- function(packages, watch = NULL) {
  for (package in packages) {
    library(package, character.only = TRUE)
    if (!is.null(watch)) watch$look("packages", package)
  }
}

# A fork inherits all of this: a random stream that would be the same in every session, open files
# with a shared position, and a temporary directory that the first session to end would delete.
tq_leave_no_trace <- function() {
  tq_forget_seed()
  closeAllConnections()
  rs_remove_r_temp_dir(tempdir())
}

# What every supervisor and every session does first is done once in the zygote: R reads functions of packages, and
# compiles them, when they are first used, and a fork has them then. Returns what a task would find in this process.
tq_rehearse <- function() {
  list(
    tq_read_setup, tq_limit_threads, tq_adds_nothing, tq_random_resume, tq_prepare, tq_leave_no_trace, list2env,
    rs_write_title, rs_supervisor_serve, tq_thread_watch, tq_watch_loading, rs_num_threads,
    tq_session_begin, tq_enter_tempdir, tq_end_quiet, tq_step_back, tq_session_run, tq_serve_tasks,
    tq_serve_until_failure, tq_go_home, tq_reply_failure, quit, tempdir, Sys.unsetenv, suspendInterrupts,
    rs_session_start, rs_session_make_temp_dir, rs_session_uses_temp_dir, rs_session_ready
  )
  evaluator <- tq_evaluator()
  for (i in 1:3) tq_guarded(evaluator, evaluator$evaluate(function() NULL, list()))
  home <- tq_home(NULL)
  tq_forget_seed()
  # What is old by now stays shared with what is forked.
  gc()
  home
}

# Whether the sessions of a queue find what the zygote has found: `home`. Most of the start of a supervisor would be
# finding that out again. A profile of the user may have left something open.
tq_adds_nothing <- function(setup, home) {
  setup$is_plain && identical(setup$libpath, home$libpath) && identical(home$connections, 0:2) &&
    identical(home$sinks, c(0L, 2L))
}

# From here on this process is one session.
tq_session_begin <- function() {
  tq_checked(rs_session_start(), NULL)
  # The supervisor has kept it for sessions that load taskq themselves.
  Sys.unsetenv("TASKQ_LIB")
  tq_enter_tempdir(rs_session_make_temp_dir, rs_session_failed)
}

# R has its temporary directory below the one that `make_dir` makes from now on. Before all code of the user, because
# packages take seconds to load, and a cleaner may come meanwhile. Where `TMPDIR` names none that is there, R would make
# it in /tmp. A session that was started, not forked, has made one by now, elsewhere if a file of variables says so.
tq_enter_tempdir <- function(make_dir, failed) {
  tq_phase("boot", {
    # Under the name that it had, which code of the user may know by now.
    rs_session_uses_temp_dir(tempdir())
    dir <- tq_checked(make_dir(), NULL)
    if (dirname(tempdir()) != dir) {
      Sys.setenv(TMPDIR = dir)
      rs_remove_r_temp_dir(tempdir())
    }
    tempdir(check = TRUE)
  }, failed)
}

# After the control thread has been started, which does not step back: it is to stop a session in time.
tq_step_back <- function(nice) if (nice > 0L) rs_session_step_back(nice)

# Returns when the queue says so. `seed`: that of the queue, or NULL; `home`: what the supervisor knows tasks to
# find, or NULL.
tq_session_run <- function(init, seed, home = NULL) {
  if (!is.null(init)) {
    tq_enter_tempdir(rs_session_make_temp_dir, rs_session_failed)
    tq_phase("init", init(), rs_session_failed)
  }
  if (is.null(home)) home <- tq_home(seed)
  rs_state_process(home$bare)
  tq_checked(rs_session_ready(), NULL)
  tq_serve_tasks(home, seed)
}

# Interrupts are on only while a task runs: a late one cannot hit this loop.
tq_serve_tasks <- function(home, seed) {
  evaluator <- tq_evaluator(send = rs_send_condition)
  go_home <- function(changed) tq_go_home(home, changed)
  # Nothing else leaves this in the midst of a task.
  on.exit(if (evaluator$phase != "idle") {
    cat("taskq: the task has jumped to the top level of R, as invokeRestart(\"abort\") does\n", file = stderr())
  })
  rs_session_uses_temp_dir(tempdir())
  suspendInterrupts(repeat {
    outcome <- tq_guarded(evaluator, tq_serve_until_failure(evaluator, go_home))
    if (is.null(outcome)) break
    if (isTRUE(outcome)) {
      home <- tq_session_run_broadcast(seed)
      next
    }
    rs_disarm()
    tq_reply_failure(evaluator, outcome)
    outcome <- NULL
    if (!is.null(changed <- rs_state_changed())) go_home(changed)
  })
}

# In a frame of its own, so that the evaluator knows where the task begins.
tq_serve_until_failure <- function(evaluator, go_home) {
  evaluator$begin_below(sys.nframe())
  .External(C_tq_call, "rs_serve", evaluator, go_home, tq_make_tempdir)
}

# Before a task, when R's temporary directory is gone: a cleaner has taken it, or the task before. It is made where it
# was. Where that cannot be, tasks find another one from now on; where there is no place at all, R's own errors.
tq_make_tempdir <- function() {
  tq_try({
    # R may have made itself another one meanwhile.
    rs_session_uses_temp_dir(tempdir())
    dir <- tq_checked(rs_session_make_temp_dir(), NULL)
    if (!dir.exists(Sys.getenv("TMPDIR"))) {
      Sys.setenv(TMPDIR = dir)
      rs_state_save(tq_state_parts[["environment"]])
    }
    rs_session_uses_temp_dir(tempdir(check = TRUE))
  })
}

# A task that did not succeed. When its error cannot be sent either, its text is.
tq_reply_failure <- function(evaluator, outcome) {
  verdict <- attr(outcome, "verdict")
  attr(outcome, "verdict") <- NULL
  if (evaluator$phase == "idle") {
    # Not in a task: a late interrupt is nothing, a broken connection is the end.
    if (verdict == "interrupted") return(invisible())
    quit("no", status = 1L, runLast = FALSE)
  }
  tryCatch(
    rs_reply(verdict, outcome),
    error = function(cnd) {
      plain <- simpleError(tq_message_of(outcome$error))
      tryCatch(
        rs_reply(verdict, list(error = plain, phase = outcome$phase)),
        error = function(cnd) tq_leave_unheard(outcome$error, cnd)
      )
    }
  )
  evaluator$finished()
}

# Nothing can be told any more but on standard error.
tq_leave_unheard <- function(error, problem) {
  cat(tq_error_line(error), "\ntaskq: the session ends, because this cannot be told to the queue: ",
    tq_message_of(problem), "\n", file = stderr(), sep = "")
  quit("no", status = 1L, runLast = FALSE)
}
