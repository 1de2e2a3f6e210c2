# O4: limits of batch systems on processes, descriptors and processor time.

# Starts a queue with one worker, runs a task and ends it, while this process has a limit. Run by in_host().
at_limits <- function(resource, used, more) {
  library(taskq)
  # Another process sets the limit: this one may be unable to start any.
  helper <- pipe(sprintf("while read number; do prlimit --%s=$number: --pid %d; done", resource, Sys.getpid()), "w")
  on.exit(close(helper))
  row <- c(nproc = "^Max processes *", nofile = "^Max open files *")[[resource]]
  current <- function() {
    line <- sub(row, "", grep(row, readLines("/proc/self/limits"), value = TRUE))
    strsplit(line, " ")[[1L]][[1L]]
  }
  limit <- function(number) {
    writeLines(as.character(number), helper)
    flush(helper)
    deadline <- Sys.time() + 20
    while (current() != number) {
      if (Sys.time() > deadline) stop("no limit was set")
      Sys.sleep(0.01)
    }
  }
  once <- function() {
    tryCatch({
      q <- task_q$new(1)
      on.exit(q$kill())
      q$push(function() 1)
      result <- q$pop(20000)
      if (is.null(result)) "nothing" else result$status
    }, error = function(cnd) class(cnd)[[1L]])
  }
  before <- current()
  seen <- character()
  for (i in more) {
    limit(used() + i)
    seen[[as.character(i)]] <- once()
    limit(before)
    gc()
  }
  list(seen = seen, then = once(), left = list.files(tempdir(), "^taskq-"))
}

expect_classed <- function(host) {
  expect_identical(setdiff(host$seen, c("success", "error", "taskq_error_system", "taskq_error_start")), character(),
    label = toString(host$seen))
  expect_identical(host$then, "success")
  expect_identical(host$left, character())
}

test_that("O4: a queue for which the user may have no thread or process more is an error, and the next one works", {
  skip_on_cran()
  skip_if_not(nzchar(Sys.which("prlimit")), "prlimit is needed")
  # The limit does not bind root, and counts what other tests run as the same user.
  drop <- as_nobody(uid = 100000L + Sys.getpid() %% 100000L)
  threads <- function() length(list.files("/proc/self/task"))
  # With the helper: no thread; no process; no session; all.
  host <- in_host(at_limits, "nproc", threads, c(1L, 2L, 5L, 25L), sh = drop)
  expect_classed(host)
  expect_identical(host$seen[["25"]], "success")
})

test_that("O4: a queue for which there are too few descriptors is an error, and the next one works", {
  skip_on_cran()
  skip_if_not(nzchar(Sys.which("prlimit")), "prlimit is needed")
  highest <- function() max(as.integer(list.files("/proc/self/fd")))
  host <- in_host(at_limits, "nofile", highest, c(3L, 5L, 7L, 10L, 14L, 20L, 60L))
  expect_classed(host)
  expect_identical(host$seen[["60"]], "success")
})

test_that("O4: a task that meets the limit of processor time or of the size of files has a crash that names it", {
  skip_on_cran()
  skip_if_not(nzchar(Sys.which("prlimit")), "prlimit is needed")
  q <- local_queue(1)
  q$push(function() {
    system(sprintf("prlimit --cpu=1:5 --pid %d", Sys.getpid()))
    repeat {}
  })
  cpu <- q$pop(30000)$error
  q$push(function() {
    system(sprintf("prlimit --fsize=1000:1000 --pid %d", Sys.getpid()))
    writeLines(strrep("x", 1e5), tempfile())
  })
  file <- q$pop(30000)$error
  expect_identical(c(cpu$signal, file$signal), c(24L, 25L))
  expect_match(conditionMessage(cpu), "ulimit -t", fixed = TRUE)
  expect_match(conditionMessage(file), "ulimit -f", fixed = TRUE)
  expect_identical(run_task(q, function() 1)$result, 1)
})

test_that("O4: an R session that is ended by the limit of processor time leaves no process and no file of its queue", {
  skip_on_cran()
  skip_if_not(nzchar(Sys.which("prlimit")), "prlimit is needed")
  host <- local_host(quote({
    library(taskq)
    q <- task_q$new(2)
    q$push(function() Sys.getpid())
    pid <- q$pop(30000)$result
    q$push(function() Sys.sleep(600))
    cat(pid, "\n", sep = "")
    system(sprintf("prlimit --cpu=1:2 --pid %d", Sys.getpid()))
    repeat {}
  }))
  pid <- as.integer(next_line(host))
  pids <- c(pid, descendants(host$get_pid()))
  expect_true(all(is_alive(pid)))
  host$wait(30000)
  # SIGXCPU.
  expect_identical(host$get_exit_status(), -24L)
  expect_true(wait_until(!any(is_alive(pids))))
})
