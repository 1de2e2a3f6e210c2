# B1: what each signal does to a worker that runs a task, and to the task.

# How a task ends whose worker gets the signal:
#   crash    the worker is killed; the result tells the signal
#   error    R makes an error of it, which the task could have caught
#   ended    the task is interrupted, which is an error of it unless it was cancelled; the worker lives
#   nothing  the task goes on
#   stopped  the task goes on when the worker is continued
# SIGTSTP, SIGTTIN and SIGTTOU stop no process whose group has no parent in the session, and a worker has its own.
outcome_of_signal <- c(
  HUP = "crash", INT = "ended", QUIT = "crash", ILL = "crash", TRAP = "crash", ABRT = "crash", BUS = "crash",
  FPE = "crash", KILL = "crash", USR1 = "crash", SEGV = "crash", USR2 = "crash", PIPE = "error", ALRM = "crash",
  TERM = "crash", STKFLT = "crash", CHLD = "nothing", CONT = "nothing", STOP = "stopped", TSTP = "nothing",
  TTIN = "nothing", TTOU = "nothing", URG = "nothing", XCPU = "crash", XFSZ = "crash", VTALRM = "crash",
  PROF = "crash", WINCH = "nothing", IO = "crash", PWR = "crash", SYS = "crash"
)

# Tells its pid, then runs until the gate is open.
told_and_waiting <- function(told, gate) {
  writeLines(as.character(Sys.getpid()), paste0(told, "-"))
  file.rename(paste0(told, "-"), told)
  while (!file.exists(gate)) Sys.sleep(0.005)
  "through"
}

test_that("B1: each signal to a busy worker has its outcome", {
  skip_on_cran()
  skip_on_os(c("mac", "windows", "solaris"))
  dir <- tempfile("signals-")
  dir.create(dir)
  on.exit(unlink(dir, recursive = TRUE))
  wd <- file.path(dir, "wd")
  dir.create(wd)
  q <- local_queue(2, wd = wd)
  for (number in seq_along(outcome_of_signal)) {
    name <- paste0("SIG", names(outcome_of_signal)[[number]])
    expected <- outcome_of_signal[[number]]
    told <- file.path(dir, name)
    gate <- file.path(dir, paste0(name, "-gate"))
    q$push(told_and_waiting, list(told, gate), id = name)
    expect_true(wait_until(file.exists(told)), label = name)
    pid <- as.integer(readLines(told))

    sent <- Sys.time()
    tools::pskill(pid, number)
    if (expected %in% c("nothing", "stopped")) {
      if (expected == "stopped") {
        expect_true(wait_until(stat_fields(pid)[[1L]] == "T"), label = name)
        tools::pskill(pid, tools::SIGCONT)
      }
      # The next task runs, on the other worker, before this one is allowed to end.
      expect_identical(run_task(q, function() 1)$result, 1)
      expect_false(stat_fields(pid)[[1L]] == "T", label = name)
      file.create(gate)
    }
    result <- q$pop(20000)
    seconds <- as.numeric(Sys.time() - sent, units = "secs")
    expect_identical(result$worker, pid)
    expect_identical(result$task_id, name)
    wanted <- switch(expected, ended = "error", crash = "crash", error = "error", "success")
    expect_identical(result$status, wanted, label = name)
    if (expected == "crash") {
      expect_identical(result$error$signal, number, label = name)
      expect_identical(result$error$exit_code, NA_integer_, label = name)
      expect_match(conditionMessage(result$error), name, fixed = TRUE)
      # 100 ms where nothing else runs.
      expect_lt(seconds, 0.5)
      expect_false(is_alive(pid), label = name)
    } else {
      expect_true(is_alive(pid), label = name)
    }
    expect_identical(run_task(q, function() 1)$result, 1)
    expect_true(wait_until(identical(q$list_workers()$state, c("idle", "idle"))), label = name)
  }
  # R itself would save the workspace at SIGUSR1 and SIGUSR2.
  expect_identical(list.files(wd, all.files = TRUE, no.. = TRUE), character())
})

test_that("B1: a signal to an idle worker costs no task", {
  skip_on_cran()
  skip_on_os(c("mac", "windows", "solaris"))
  q <- local_queue(2)
  expect_true(wait_until(identical(q$list_workers()$state, c("idle", "idle"))))
  for (number in seq_along(outcome_of_signal)) {
    name <- names(outcome_of_signal)[[number]]
    pid <- q$list_workers()$worker[[1L]]
    tools::pskill(pid, number)
    # SIGINT finds no task that it could end; what R makes of SIGPIPE ends the session where there is no task.
    dies <- outcome_of_signal[[number]] %in% c("crash", "error")
    if (name == "STOP") {
      expect_true(wait_until(stat_fields(pid)[[1L]] == "T"))
      tools::pskill(pid, tools::SIGCONT)
    }
    if (dies) expect_true(wait_until(!is_alive(pid)), label = name)
    for (i in 1:4) q$push(function(i) i, list(i))
    results <- pop_all(q)
    expect_setequal(vapply(results, `[[`, 1L, "result"), 1:4)
    expect_true(wait_until(identical(q$list_workers()$state, c("idle", "idle"))), label = name)
    # The host hears of a death a moment after it.
    expect_true(wait_until(identical(pid %in% q$list_workers()$worker, !dies)), label = name)
  }
})
