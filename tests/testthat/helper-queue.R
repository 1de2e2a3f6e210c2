# Queues for tests. Each is closed when its test ends, and must leave no process and no file.

local_queue <- function(num_workers = 2, ..., frame = parent.frame()) {
  skip_if_not(file.exists("/proc/self/stat"), "/proc is needed to look for processes")
  fixture_begins()
  q <- task_q$new(num_workers, ...)
  finish <- function() {
    leave_records(q)
    q$kill()
    fixture_ends()
  }
  do.call(on.exit, list(as.call(list(finish)), add = TRUE, after = FALSE), envir = frame)
  q
}

# A process writes down what it has run when it exits. Where that is counted ("make coverage"), sessions that have
# nothing to do leave before they are killed.
leave_records <- function(q) {
  if (!nzchar(Sys.getenv("R_COVR"))) return(invisible())
  try(silent = TRUE, {
    sessions <- nrow(q$list_workers())
    if (sessions > 0L && q$get_num_running() + q$get_num_waiting() == 0L) {
      q$resume()
      q$wait(q$push_many(function() quit("no"), rep(list(list()), sessions)), timeout = 10000, progress = FALSE)
    }
  })
}

# Evaluates `condition` again and again until it holds; FALSE when it does not in time.
wait_until <- function(condition, deadline_s = 60) {
  expr <- substitute(condition)
  env <- parent.frame()
  deadline <- Sys.time() + deadline_s
  while (!isTRUE(eval(expr, env))) {
    if (Sys.time() > deadline) return(FALSE)
    Sys.sleep(0.01)
  }
  TRUE
}

# One task from push to pop. `...`: options of push().
run_task <- function(q, fun, args = list(), ..., wait_ms = 20000) {
  id <- q$push(fun, args, ...)
  result <- q$pop(wait_ms)
  stopifnot(identical(result$task_id, id))
  result
}

# Something that a task waits for: it returns 42 once the gate is open.
local_gate <- function(frame = parent.frame()) {
  path <- tempfile("gate-")
  do.call(on.exit, list(bquote(unlink(.(path))), add = TRUE), envir = frame)
  list(
    path = path,
    wait = function(path) {
      while (!file.exists(path)) Sys.sleep(0.005)
      42
    },
    open = function() file.create(path)
  )
}

# Presses Ctrl-C, so to say, after this number of seconds. system() itself ignores that for as long as it takes to start
# something, so what it starts counts the time only when it is told to. To be called inside the tryCatch() that awaits
# it: on a busy machine it comes before the next call.
interrupt_in <- function(seconds) {
  gate <- tempfile("interrupt-")
  wait <- sprintf("until [ -e %s ]; do sleep 0.01; done; rm %s", gate, gate)
  system(sprintf("(%s; sleep %.3f; kill -INT %d)", wait, seconds, Sys.getpid()), wait = FALSE, ignore.stdout = TRUE)
  invisible(file.create(gate))
}

# As a function that a user writes at the prompt. Those of a test are the package's own.
global <- function(fun) {
  environment(fun) <- globalenv()
  fun
}

pop_all <- function(q, timeout = 20000) {
  results <- list()
  while (!is.null(result <- q$pop(timeout))) results[[result$task_id]] <- result
  results
}

caught <- function(expr) tryCatch({expr; NULL}, taskq_error = function(cnd) cnd)

expect_input_error <- function(expr, arg) {
  cnd <- caught(expr)
  expect_s3_class(cnd, "taskq_error_input")
  expect_identical(cnd$arg, arg)
  expect_match(conditionMessage(cnd), arg, fixed = TRUE)
}

# Pids of all processes below this one.
descendants <- function(of = Sys.getpid()) {
  pids <- as.integer(list.files("/proc", pattern = "^[0-9]+$"))
  parents <- vapply(pids, parent_pid, 0L)
  found <- integer()
  level <- of
  while (length(level <- pids[parents %in% level])) found <- c(found, level)
  found
}

# Fields after the name of the command, which may hold anything: state, parent, ...
stat_fields <- function(pid) {
  path <- sprintf("/proc/%d/stat", pid)
  stat <- tryCatch(suppressWarnings(readLines(path, 1L)), error = function(cnd) character())
  if (length(stat)) strsplit(sub("^.*\\) ", "", stat), " ")[[1L]] else c("X", "0")
}

parent_pid <- function(pid) as.integer(stat_fields(pid)[[2L]])

is_alive <- function(pids) {
  vapply(pids, function(pid) !stat_fields(pid)[[1L]] %in% c("X", "Z"), NA)
}

# The fields of a result, in their order.
formals_of_result <- function() {
  q <- task_q$new(0)
  on.exit(q$close())
  q$push(function() 1)
  unclass(q$pop())
}

# A name for a file that is removed when the test ends.
local_path <- function(frame = parent.frame()) {
  path <- tempfile("file-")
  do.call(on.exit, list(bquote(unlink(.(path), recursive = TRUE)), add = TRUE), envir = frame)
  path
}
