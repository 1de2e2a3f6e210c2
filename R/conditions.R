# Every condition class of taskq, one constructor each, and the way in which an expected failure of the native side
# becomes a condition. In which words they speak, and how they print, stands in condition-text.R.
#
# Thrown at the caller, with the user's call:
#   taskq_error_input      arg, value, remedy          an argument that cannot be
#   taskq_error_duplicate  id                          an id that is in the queue already
#   taskq_error_starting                               a queue that was made while the R of another queue starts
#   taskq_error_closed                                 a queue that was closed, or is not of here
#   taskq_error_unknown    ids                         ids that no task in the queue has
#   taskq_error_promised   id                          a task whose result belongs to a promise
#   taskq_error_package    packages                    a suggested package that is not installed
#   taskq_error_full                                   as many tasks wait as may, and the caller does not
#   taskq_error_forked     owner                       a queue of another process, by its pid
#   taskq_error_system     path (of a trace)           what the operating system refuses, memory among it
#   taskq_error_start      phase, stderr, exit_code, signal   a pool that cannot start
#   taskq_error_session                                a Shiny module outside of a Shiny session
# Given as a warning:
#   taskq_warning_server                               a queue that is made inside `server` of a Shiny app
#   taskq_warning_duration arg, value                  a duration that looks like seconds
#   taskq_warning_fork     reason, threads, sources    sessions that are started instead of being forked
#   taskq_warning_reference arg, path                  an object that may be of no use in another process
# In the `error` of a result, with the id of the task:
#   taskq_error_task       parent, trace, phase        R error in the task
#   taskq_error_crash      signal, exit_code, stderr_tail, max_rss, oom
#   taskq_error_timeout, taskq_error_cancelled, taskq_error_skipped, and taskq_error_start

tq_condition <- function(what, message, call = NULL, ..., body = NULL, fields = list(...)) {
  structure(
    class = c(paste0("taskq_error_", what), "taskq_error", "error", "condition"),
    c(list(message = message, call = call), if (length(body)) list(body = body, use_cli_format = TRUE), fields)
  )
}

tq_throw <- function(cnd) stop(cnd)

tq_warn <- function(what, message, call, ..., body = NULL) {
  warning(structure(
    class = c(paste0("taskq_warning_", what), "taskq_warning", "warning", "condition"),
    list(message = message, call = call, body = body, ...)
  ))
}

# Called natively, by the first call of a user's that nothing has come of yet, when a queue does not fork its sessions.
# It is told once; what keeps it from being told, say an interrupt, leaves it for the next call.
tq_notice <- function(handle) {
  withCallingHandlers(
    tq_warn_no_fork(tq_checked(rs_queue_no_fork(handle), NULL)),
    taskq_warning_fork = function(cnd) rs_queue_notice_told(handle)
  )
}

# `why`: list(reason, threads, phases, packages, brought) of the native side.
tq_warn_no_fork <- function(why) {
  reason <- switch(why$reason,
    threads = sprintf("the process that they would be forked from has %d threads", why$threads),
    uncounted = "how many threads a process has cannot be read from /proc",
    "forking is switched off by TASKQ_WITHOUT"
  )
  message <- paste0("sessions are started one by one instead of being forked, which is slower: ", reason)
  sources <- data.frame(phase = why$phases, threads = why$brought)
  sources$packages <- strsplit(why$packages, ",", fixed = TRUE)
  tq_warn("fork", message, NULL, reason = why$reason, threads = why$threads, sources = sources,
    body = c(tq_thread_text(sources), i = tq_thread_remedy(sources)))
}

# A bullet for each step of the start that has brought threads.
tq_thread_text <- function(sources) {
  text <- function(phase, packages, threads) {
    shown <- utils::head(packages, tq_limits$shown_ids)
    if (length(packages) > length(shown)) shown <- c(shown, sprintf("%d more", length(packages) - length(shown)))
    names <- tq_enumerate(shown)
    count <- if (threads == 1L) "a thread" else sprintf("%d threads", threads)
    if (phase == "boot") {
      whose <- if (length(shown)) {
        paste("the profile has loaded", names)
      } else {
        "of the profile, or of a library that R is linked with"
      }
      sprintf("%s %s there once R had started: %s", count, if (threads == 1L) "was" else "were", whose)
    } else if (length(packages)) {
      sprintf("package %s, loaded by `%s`, has started %s", names, phase, count)
    } else {
      sprintf("`%s` has started %s", phase, count)
    }
  }
  bullets <- unlist(Map(text, sources$phase, sources$packages, sources$threads), use.names = FALSE)
  if (length(bullets)) stats::setNames(bullets, rep("x", length(bullets)))
}

tq_thread_remedy <- function(sources) {
  phases <- unique(sources$phase)
  later <- setdiff(phases, "boot")
  remedy <- c(
    if ("boot" %in% phases) "`env = c(R_PROFILE_USER = \"\")` starts the sessions without .Rprofile",
    if (length(later)) {
      where <- tq_enumerate(tq_tick(later))
      sprintf("what starts threads can move from %s to `init`, which each session runs for itself", where)
    }
  )
  if (length(remedy)) paste(remedy, collapse = "; ")
}

# Called natively, where there is no memory for the bytes of an object.
tq_throw_no_memory <- function() {
  message <- "out of memory while serializing: the object is too large"
  hint <- "send less at once, or large vectors by `share()`"
  tq_throw(tq_condition("system", message, body = c(i = hint)))
}

# ---- misuse ----

# `x`, or the condition that it stands for.
tq_checked <- function(x, call) {
  if (!inherits(x, "tq_failure")) return(x)
  fields <- unclass(x)
  tq_throw(switch(fields$code,
    start = tq_start_error(fields, call),
    everywhere = tq_everywhere_error(fields, call),
    duplicate = tq_duplicate_error(fields$id, call),
    unknown = tq_unknown_error(fields$ids, call),
    closed = tq_closed_error(fields$message, call),
    forked = tq_forked_error(fields$owner, call),
    full = tq_full_error(call),
    promised = tq_promised_error(fields$id, call),
    tq_condition(fields$code, fields$message, call, fields = fields[setdiff(names(fields), c("code", "message"))])
  ))
}

# `remedy`: what the value must be; `hint`: what was perhaps meant.
tq_input_error <- function(arg, value, remedy, call, hint = NULL) {
  message <- sprintf("`%s` must be %s, not %s", arg, remedy, tq_describe(value))
  tq_throw(tq_condition("input", message, call, arg = arg, value = value, remedy = remedy, body = c(i = hint)))
}

tq_missing_error <- function(arg, remedy, call) {
  message <- sprintf("`%s` is missing: it must be %s", arg, remedy)
  tq_throw(tq_condition("input", message, call, fields = list(arg = arg, value = NULL, remedy = remedy)))
}

tq_duplicate_error <- function(id, call) {
  message <- sprintf("a task with the id %s is in the queue already", tq_quote(id))
  hint <- "the id is free again when that task was popped; without `id` a task gets one of its own"
  tq_condition("duplicate", message, call, id = id, body = c(i = hint))
}

tq_unknown_error <- function(ids, call) {
  shown <- tq_limits$shown_ids
  names <- vapply(utils::head(ids, shown), tq_quote, "", USE.NAMES = FALSE)
  if (length(ids) > shown) names <- c(names, sprintf("%d more", length(ids) - shown))
  there_is <- if (length(ids) == 1L) "there is no task" else "there are no tasks"
  message <- paste(there_is, tq_enumerate(names), "in the queue")
  hint <- "`push()` returns the id of a task; one that was popped is not there any more"
  tq_condition("unknown", message, call, ids = ids, body = c(i = hint))
}

tq_closed_error <- function(message, call) {
  tq_condition("closed", message, call, body = c(i = "make a new queue with `task_q$new()`"))
}

tq_starting_error <- function(call) {
  message <- "this queue was made while R starts for the workers of another one, and takes no tasks before that is over"
  hint <- "where a profile or a package makes a queue and uses it at once, put it into `if (!taskq::is_worker())`"
  tq_condition("starting", message, call, body = c(i = hint))
}

tq_forked_error <- function(owner, call) {
  message <- sprintf("this queue belongs to process %d, of which this one is a fork", owner)
  tq_condition("forked", message, call, owner = owner, body = c(i = "use it in that process, or make another one here"))
}

tq_full_error <- function(call) {
  tq_condition("full", "the queue is full: as many tasks wait as its `max_waiting` allows", call,
    body = c(i = "try again later, let `push()` wait for room, or make the queue with a higher `max_waiting`"))
}

tq_promised_error <- function(id, call) {
  message <- sprintf("task %s has a promise already, to which its result belongs", tq_quote(id))
  hint <- "keep that promise: it can be used as often as you like"
  tq_condition("promised", message, call, id = id, body = c(i = hint))
}

# ---- a pool that cannot start ----

# `failure`: list(cause, phase, message, stderr, exit_code, signal) of the native side; `cause` is a word of StartCause
# (taskq-engine/src/error.rs).
tq_start_error <- function(failure, call = NULL) {
  phase <- failure$phase %||% "start"
  stderr <- failure$stderr %||% ""
  what <- switch(phase, packages = "attaching `packages` failed", globals = "reading `globals` failed",
    preload = , init = sprintf("`%s` failed", phase), everywhere = "what `everywhere()` runs has failed",
    "the start of R failed")
  # A session that has said why has ended for that reason.
  has_said_why <- phase %in% c("packages", "globals", "preload", "init", "everywhere") && !isTRUE(failure$signal > 0)
  ended <- if (!has_said_why) tq_exit_text(failure$exit_code, failure$signal)
  why <- paste(c(failure$message, ended), collapse = ": ")
  remedy <- switch(failure$cause %||% "startup",
    fault = "a new queue may work",
    "no-process" = "processes or memory are short: make a queue with fewer workers",
    startup = switch(phase,
      packages = "install what is missing, or name its library in `libpath`; then make a new queue",
      globals = , preload = , init = sprintf("mend `%s` and make a new queue: this one has failed for good", phase),
      everywhere = "mend what `everywhere()` was given and make a new queue: this one has failed for good",
      "look at `preload`, `init`, .Rprofile and .Renviron; then make a new queue"
    )
  )
  tail <- tq_tail(stderr)
  body <- c(if (nzchar(why)) c(x = why), i = remedy)
  if (nzchar(tail)) body <- c(body, structure(paste0("stderr:\n", tail), names = ""))
  tq_condition("start", paste("the workers cannot start:", what), call, phase = phase, stderr = stderr,
    exit_code = failure$exit_code %||% NA_integer_, signal = failure$signal %||% NA_integer_, body = body)
}

# What `everywhere()` was given has failed in a worker that was there. `failure`: as that of tq_start_error().
tq_everywhere_error <- function(failure, call) {
  why <- paste(c(failure$message, tq_exit_text(failure$exit_code, failure$signal)), collapse = ": ")
  tail <- tq_tail(failure$stderr %||% "")
  body <- c(x = why, i = "the workers are as if `everywhere()` had not been called")
  if (nzchar(tail)) body <- c(body, structure(paste0("stderr:\n", tail), names = ""))
  tq_condition("start", "what `everywhere()` was to run has failed in a worker", call, phase = "everywhere",
    stderr = failure$stderr %||% "", exit_code = failure$exit_code %||% NA_integer_,
    signal = failure$signal %||% NA_integer_, body = body)
}

# ---- tasks that did not succeed ----

# `what`: the task in the user's words.
tq_task_error <- function(id, parent, trace, phase = "run", what = paste("task", tq_quote(id)), call = NULL, ...) {
  reason <- tq_message_of(parent)
  how <- switch(phase,
    receive = "could not be read by the worker",
    packages = "could not attach its packages",
    globals = "could not be given its globals",
    reply = if (inherits(parent, "tq_unreadable")) {
      "has ended, but its result cannot be read"
    } else {
      "succeeded, but its result could not be sent"
    },
    "failed"
  )
  tq_condition("task", sprintf("%s %s: %s", what, how, reason), call, body = c(i = tq_error_hint(parent, phase)),
    fields = list(task_id = id, parent = parent, trace = trace, phase = phase, ...))
}

# Called natively: the outcome of a task whose own cannot be read. `cnd`: the error that reading it gave, or NULL
# where it does not have the form of an outcome.
tq_unreadable <- function(cnd = NULL) {
  reason <- if (is.null(cnd)) {
    "it is not what a worker sends"
  } else if (inherits(cnd, "stackOverflowError")) {
    "it is nested too deeply"
  } else {
    tq_message_of(cnd)
  }
  class <- c("tq_unreadable", intersect(class(cnd), "packageNotFoundError"), "simpleError", "error", "condition")
  list(error = structure(class = class, list(message = reason, call = NULL)), phase = "reply")
}

# Called natively with the error by which an outcome could not be read. What lies with this session, and may be
# otherwise the next time, is thrown: the task stays in the queue.
tq_check_problem <- function(cnd) {
  stack <- Cstack_info()
  is_deep_here <- inherits(cnd, "stackOverflowError") && isTRUE(stack[["current"]] > stack[["size"]] / 2)
  # R's errors of this kind have no class.
  heads <- c("cannot allocate vector of size %0.1f Gb", "cannot allocate vector of size %0.1f Mb",
    "cannot allocate vector of size %0.1f Kb", "cannot allocate buffer", "memory exhausted (limit reached?)",
    "vector memory exhausted (limit reached?)", "vector memory limit of %0.1f Gb reached, see mem.maxVSize()")
  heads <- sub("%.*", "", c(heads, gettext(heads, domain = "R")))
  if (is_deep_here || any(startsWith(conditionMessage(cnd), heads)) || inherits(cnd, "taskq_error_system")) stop(cnd)
}

tq_crash_error <- function(task) {
  oom <- identical(task$cause, "oom")
  how <- tq_exit_text(task$exit_code, task$signal) %||% switch(task$cause %||% "unknown",
    launch = "no process could be made for its session",
    supervisor = "the process that its session came from has died",
    "its session is gone"
  )
  hint <- if (oom) {
    how <- paste0(how, ", the machine was out of memory")
    "run fewer workers at once, or give each less to do; see also `share()` and `max_memory`"
  } else if (isTRUE(task$exit_code >= 0)) {
    "a task ends by returning: `quit()` or a library has ended its session"
  } else if (length(task$signal)) {
    switch(tq_signal_name(task$signal),
      SIGXFSZ = "it wrote a file larger than the system lets it: see `ulimit -f`",
      SIGXCPU = "it used more processor time than the system lets it: see `ulimit -t`"
    )
  }
  worker <- if (is.na(task$worker)) "" else sprintf(" (pid %d)", task$worker)
  message <- sprintf("%s crashed its worker%s: %s", tq_subject(task), worker, how)
  tq_condition("crash", message, body = c(i = hint),
    task_id = task$id, signal = task$signal, exit_code = task$exit_code,
    stderr_tail = tq_tail(task$stderr_tail), max_rss = task$max_rss, oom = oom
  )
}

tq_timeout_error <- function(task) {
  seconds <- task$result$seconds %||% NA_real_
  after <- if (is.na(seconds)) " before it began" else paste(" after", tq_seconds_text(seconds))
  # Who writes 30 means half a minute, perhaps.
  hint <- if (is.na(seconds) || seconds < 0.1) "`timeout` is a number of milliseconds: 500 is half a second"
  tq_condition("timeout", sprintf("%s ran out of time%s", tq_subject(task), after), task_id = task$id,
    stderr_tail = tq_tail(task$stderr_tail), body = c(i = hint))
}

tq_cancelled_error <- function(task) {
  were <- if (isTRUE(task$is_plural)) "were" else "was"
  message <- c(sprintf("%s %s cancelled", tq_subject(task), were), tq_cause_text(task))
  tq_condition("cancelled", paste(message, collapse = ": "), task_id = task$id)
}

tq_skipped_error <- function(task) {
  after <- if (is.null(task$after)) "another one" else paste("task", tq_quote(task$after))
  message <- sprintf("%s was skipped, because %s did not succeed", tq_subject(task), after)
  tq_condition("skipped", message, task_id = task$id, after = task$after)
}

# `subject`: what a batch of a map stands for.
tq_subject <- function(task) task$subject %||% paste("task", tq_quote(task$id))

tq_cause_text <- function(task) if (tq_is_string(task$cause)) task$cause

# "0.25 s", "1.5 ms".
tq_seconds_text <- function(seconds) {
  if (seconds >= 0.01) return(paste(format(signif(seconds, 3)), "s"))
  if (seconds > 0 && seconds < 1e-4) return("< 0.1 ms")
  paste(format(round(seconds * 1000, 1)), "ms")
}
