# D: timeouts and cancelling. What ends a task is certain, whatever the task does.

test_that("D1: a task that runs too long is interrupted, and its session goes on", {
  q <- local_queue(1)
  pid <- run_task(q, function() Sys.getpid())$result
  for (task in list(function() Sys.sleep(100), function() repeat NULL)) {
    q$push(task, timeout = 100)
    result <- q$pop(20000)
    expect_identical(result$status, "timeout")
    expect_s3_class(result$error, "taskq_error_timeout")
    expect_identical(result$tries, 1L)
    # The host counts from the moment in which it sends the task.
    expect_gte(result$seconds, 0.05)
    expect_identical(run_task(q, function() Sys.getpid())$result, pid)
  }
})

# So long that no other process on the machine sleeps for it.
nap <- sprintf("sleep %d", 9000000L + Sys.getpid())

# What R cannot interrupt, or will not, or hides.
stubborn <- list(
  child = eval(bquote(function() system(.(nap)))),
  swallow = function() repeat tryCatch(Sys.sleep(100), interrupt = function(cnd) NULL),
  suspend = function() suspendInterrupts(repeat Sys.sleep(0.01)),
  native = function() {m <- matrix(1, 3500, 3500); for (i in 1:100) m <- m %*% m},
  fifo = function() {
    path <- tempfile()
    system2("mkfifo", path)
    readLines(file(path, "r"))
  },
  stopped = function() {tools::pskill(Sys.getpid(), tools::SIGSTOP); Sys.sleep(1000)},
  detached = eval(bquote(function() {
    system(.(paste("setsid", nap, ">/dev/null 2>&1 &")))
    suspendInterrupts(repeat NULL)
  }))
)

# Processes that the tasks above have started, and that are still there.
sleeping_children <- function() {
  words <- function(pid) {
    bytes <- tryCatch(suppressWarnings(readBin(file.path("/proc", pid, "cmdline"), raw(), 1000L)),
      error = function(cnd) raw())
    bytes[bytes == 0] <- charToRaw(" ")
    rawToChar(bytes)
  }
  lines <- vapply(list.files("/proc", pattern = "^[0-9]+$"), words, "")
  # Not the shell, which has all of it in one word.
  grep(paste0("^", nap), lines, value = TRUE)
}

test_that("D2, D8: what cannot be interrupted is killed with all that it has started, and its place is free again", {
  skip_on_cran()
  q <- local_queue(4)
  expect_true(wait_until(sum(q$list_tasks()$state == "ready") == 4, 30))
  for (kind in names(stubborn)) q$push(global(stubborn[[kind]]), id = kind, timeout = 300)
  frame <- q$collect(timeout = 60000)
  expect_setequal(frame$task_id, names(stubborn))
  expect_identical(unique(frame$status), "timeout")
  expect_true(all(vapply(frame$error, inherits, NA, "taskq_error_timeout")))
  # All of them ended within the limit, the grace and half a second, five times for a busy machine.
  expect_lt(max(frame$seconds), 5 * (0.3 + 0.5 + 0.5))
  expect_true(wait_until(sum(q$list_tasks()$state == "ready") == 4, 30))
  expect_false(any(is_alive(frame$worker)))
  expect_length(sleeping_children(), 0L)

  # The same by cancel().
  for (kind in names(stubborn)) q$push(global(stubborn[[kind]]), id = kind)
  for (kind in names(stubborn)) {
    state <- function() q$list_tasks(idle = FALSE, payload = FALSE)$state[match(kind, names(stubborn))]
    expect_true(wait_until(state() != "waiting", 30))
    q$cancel(kind, grace = 50)
  }
  frame <- q$collect(timeout = 60000)
  expect_identical(unique(frame$status), "cancelled")
  expect_true(wait_until(sum(q$list_tasks()$state == "ready") == 4, 30))
  expect_length(sleeping_children(), 0L)
})

test_that("D3: a late interrupt hits neither the next task nor the session", {
  skip_on_cran()
  q <- local_queue(1)
  pid <- run_task(q, function() Sys.getpid())$result
  # The engine's own test has the other ten thousand rounds.
  rounds <- 2000L
  statuses <- character(rounds)
  victims <- 0L
  # The moment of the cancel moves over the whole life of the task, and to 2 ms after its push.
  for (i in seq_len(rounds)) {
    id <- q$push(function(n) for (k in seq_len(n)) NULL, list(i %% 300L))
    moment <- Sys.time() + (i * 7L) %% 100L * 2e-5
    while (Sys.time() < moment) NULL
    q$cancel(id, grace = 20000)
    follower <- q$push(function() "fine")
    statuses[i] <- q$pop(20000)$status
    result <- q$pop(20000)
    if (!identical(result$result, "fine")) victims <- victims + 1L
  }
  expect_identical(victims, 0L)
  expect_setequal(unique(statuses), c("success", "cancelled"))
  expect_identical(run_task(q, function() Sys.getpid())$result, pid)
  expect_identical(summary(q)$sessions[["died"]], 0)
})

test_that("D5: the time of a task counts from its start, not from its push", {
  q <- local_queue(1)
  gate <- local_gate()
  q$push(gate$wait, list(gate$path), id = "first")
  q$push(function() "in time", id = "second", timeout = 200)
  expect_false(q$wait("second", timeout = 400))
  gate$open()
  expect_identical(pop_all(q)$second$result, "in time")
})

# Stops the host as a terminal would, says so when all of it stands, and goes on.
freeze <- global(function(host, told, seconds) {
  tools::pskill(host, tools::SIGSTOP)
  stands <- function(thread) grepl(") T ", readLines(file.path(thread, "stat")), fixed = TRUE)
  while (!all(vapply(list.files(sprintf("/proc/%d/task", host), full.names = TRUE), stands, NA))) Sys.sleep(0.001)
  file.create(told)
  Sys.sleep(seconds)
})

test_that("D6: what has ended in time is not out of time because the host was stopped meanwhile", {
  skip_on_cran()
  told <- tempfile(c("in-time-", "too-long-"))
  on.exit(unlink(told))
  host <- local_host(bquote({
    q <- taskq::task_q$new(1)
    q$push(function() 0)
    q$pop(Inf)
    for (task in list(list(.(told[[1L]]), 0), list(.(told[[2L]]), 1000))) {
      q$push(.(freeze), c(Sys.getpid(), task), timeout = 1000)
      cat(q$pop(Inf)$status, "\n", sep = "")
    }
    q$close()
  }))
  for (path in told) {
    expect_true(wait_until(file.exists(path), 30))
    # Nothing tells that the time of the task is over, and its result, if it has one, on its way: the host stands.
    expect_true(wait_until(difftime(Sys.time(), file.mtime(path), units = "secs") > 1.2))
    tools::pskill(host$get_pid(), tools::SIGCONT)
    # A second for what is overdue, five times for a busy machine.
    expect_identical(next_line(host, 5), if (path == told[[1L]]) "success" else "timeout")
  }
})

test_that("D7: times at the edge are defined", {
  q <- local_queue(1)
  q$push(function() Sys.sleep(100), timeout = 0)
  expect_identical(q$pop(20000)$status, "timeout")
  for (timeout in c(1e12, 1e300, Inf)) {
    q$push(function() 1, timeout = timeout)
    expect_identical(q$pop(20000)$status, "success")
  }
  q <- local_queue(1, timeout = 100)
  q$push(function() Sys.sleep(100))
  q$push(function() Sys.sleep(0.3), timeout = Inf)
  expect_identical(vapply(pop_all(q), `[[`, "", "status"), c(".1" = "timeout", ".2" = "success"))
})

test_that("D9: pop() ends when its time is over, though other things happen meanwhile", {
  q <- local_queue(2)
  expect_null(q$pop(Inf))
  gate <- local_gate()
  q$push(gate$wait, list(gate$path))
  clock <- proc.time()[["elapsed"]]
  expect_null(q$pop(100))
  expect_lt(proc.time()[["elapsed"]] - clock, 0.1 + 5 * 0.05)
})
