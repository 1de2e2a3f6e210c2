# J and N: a queue in a poor environment, at the limits of the system, and in a process that forks.

# A queue at work: a result, output, a temporary file, a crash, a large argument. Run in a host of its own.
at_work <- function() {
  library(taskq)
  q <- task_q$new(2)
  q$push(function() {
    cat("out")
    path <- tempfile()
    writeLines("file", path)
    readLines(path)
  }, id = "file")
  q$push(function() quit("no"), id = "crash")
  q$push(function(x) sum(x), list(as.numeric(1:1e6)), id = "sum")
  results <- list()
  while (!is.null(result <- q$pop(30000))) results[[result$task_id]] <- result
  dir <- tempdir()
  closed <- q$close()
  list(
    status = vapply(results[c("file", "crash", "sum")], `[[`, "", "status"),
    values = list(results$file$stdout, results$file$result, results$sum$result),
    closed = closed, left = list.files(dir, "^taskq-")
  )
}

expect_at_work <- function(seen, label) {
  expect_identical(seen$status, c(file = "success", crash = "crash", sum = "success"), label = label)
  expect_identical(seen$values, list("out", "file", sum(as.numeric(1:1e6))), label = label)
  expect_true(seen$closed, label = label)
  expect_identical(seen$left, character(), label = label)
}

has_mount_namespaces <- function() {
  nzchar(Sys.which("unshare")) && system("unshare -m true", ignore.stdout = TRUE, ignore.stderr = TRUE) == 0L
}

test_that("J5, J9: a queue works in a poor environment", {
  surroundings <- c(
    "stdin is closed" = "exec 0<&-",
    "stdout is closed" = "exec 1>&-",
    "stderr is closed" = "exec 2>&-",
    "all three are closed" = "exec 0<&- 1>&- 2>&-",
    "stdin and stdout are closed" = "exec 0<&- 1>&-",
    "no language, no home" = "export LC_ALL=C; unset HOME LANG",
    "TMPDIR is missing" = "export TMPDIR=$TMPDIR/none",
    "TMPDIR is long" = "export TMPDIR=$TMPDIR/$(printf 'x%.0s' $(seq 200)); mkdir -p $TMPDIR",
    "TMPDIR has spaces and quotes" = "export TMPDIR=\"$TMPDIR/a b'c\"; mkdir -p \"$TMPDIR\"",
    "signals are ignored" = "trap '' INT HUP PIPE TERM QUIT CHLD",
    "few descriptors" = "ulimit -n 300"
  )
  # Newer versions of R do not start there themselves.
  if (getRversion() >= "4.4") surroundings <- surroundings[names(surroundings) != "TMPDIR has spaces and quotes"]
  for (name in names(surroundings)) expect_at_work(in_host(at_work, sh = surroundings[[name]]), name)
})

test_that("J5: a queue works where /tmp is read-only, cannot run programs or is small, and without /dev/shm", {
  skip_on_cran()
  skip_if_not(has_mount_namespaces(), "a mount namespace is needed")
  in_mounts <- function(sh) sprintf("if [ -z \"$INSIDE\" ]; then INSIDE=1 exec unshare -m \"$BASH\" \"$0\"; fi; %s", sh)
  places <- c(
    "cannot run programs" = "mount -t tmpfs -o noexec,size=1m none \"$TMPDIR\" && mkdir -p \"$TMPDIR\"",
    "no /dev/shm" = "mount -t tmpfs -o ro,size=4k none /dev/shm"
  )
  for (name in names(places)) {
    folder <- tempfile("small-")
    dir.create(folder)
    sh <- in_mounts(gsub("$TMPDIR", folder, paste0(places[[name]], "; export TMPDIR=", folder), fixed = TRUE))
    expect_at_work(in_host(at_work, sh = sh), name)
    unlink(folder, recursive = TRUE)
  }
  # R itself needs a place for its own files; then nothing more fits.
  full <- function() {
    library(taskq)
    filler <- file.path(tempdir(), "filler")
    suppressWarnings(try(writeBin(raw(2e6), filler), silent = TRUE))
    inodes <- 0L
    while (suppressWarnings(file.create(file.path(tempdir(), paste0("inode-", inodes))))) inodes <- inodes + 1L
    told <- tryCatch({
      q <- task_q$new(1)
      q$push(function() 1)
      q$pop(20000)
    }, taskq_error = function(cnd) class(cnd)[[1L]], error = function(cnd) conditionMessage(cnd))
    unlink(list.files(tempdir(), "^(inode|filler)", full.names = TRUE))
    q <- task_q$new(1)
    q$push(function() 2)
    list(told = told, then = q$pop(20000)$result, closed = q$kill())
  }
  folder <- tempfile("full-")
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  mount <- "mount -t tmpfs -o size=256k,nr_inodes=64 none %s; export TMPDIR=%s"
  seen <- in_host(full, sh = in_mounts(sprintf(mount, folder, folder)))
  expect_type(seen$told, "character")
  expect_identical(seen$then, 2)
  expect_true(seen$closed)
})

test_that("J9: a queue works for a user without an entry, a home or a terminal", {
  skip_on_cran()
  drop <- as_nobody()
  expect_at_work(in_host(at_work, sh = drop), "nobody in particular")
  # The limit counts all processes of a user, and does not bind root.
  poor <- function() {
    library(taskq)
    q <- task_q$new(20)
    for (i in 1:40) q$push(function(i) i, list(i))
    status <- character()
    told <- NULL
    repeat {
      result <- tryCatch(q$pop(20000), taskq_error = function(cnd) cnd)
      if (is.null(result)) break
      if (inherits(result, "condition")) told <- result else status <- c(status, result$status)
    }
    list(status = status, told = class(told)[1L], closed = q$kill())
  }
  seen <- in_host(poor, sh = paste(drop, "ulimit -u 20", sep = "\n"))
  expect_length(seen$status, 40L)
  expect_true(all(seen$status %in% c("success", "error")))
  if (any(seen$status == "error")) expect_identical(seen$told, "taskq_error_start")
  expect_true(seen$closed)
})

test_that("J3: where memory ends, the task has an error and the host goes on", {
  skip_on_cran()
  short <- function() {
    library(taskq)
    q <- task_q$new(1)
    q$push(function() numeric(5e8) + 1)
    own <- q$pop(30000)
    # It fits into the worker, but not into the host beside what the host has. Larger vectors would not be copied there.
    mine <- numeric(1.1e8) + 1
    q$push(function() lapply(1:1150, function(i) numeric(6e4) + 1))
    far <- tryCatch(q$pop(60000)$status, error = function(cnd) "refused")
    rm(mine)
    gc()
    if (far == "refused") q$pop(60000)
    q$push(function() 1)
    list(own = own$status, message = conditionMessage(own$error), far = far, then = q$pop(20000)$result,
      closed = q$kill())
  }
  seen <- in_host(short, sh = "ulimit -v 2000000", deadline_s = 120)
  expect_identical(seen$own, "error")
  expect_match(seen$message, "cannot allocate")
  expect_true(seen$far %in% c("crash", "error", "refused"))
  expect_identical(seen$then, 1)
  expect_true(seen$closed)
})

test_that("push() says that memory is short for what it sends, and nothing is queued", {
  skip_on_cran()
  short <- function() {
    q <- taskq::task_q$new(0)
    # 480 MB here, and half as much again when it is sent.
    x <- rep(list(1L), 6e7)
    refused <- tryCatch(q$push(length, list(x)), error = identity)
    idle <- q$is_idle()
    q$push(function() 1)
    list(class = class(refused), message = conditionMessage(refused), idle = idle, then = q$pop()$result)
  }
  # A memory file would not count.
  seen <- in_host(short, sh = "ulimit -v 1000000", env = "TASKQ_WITHOUT=memfd")
  expect_identical(seen$class[1:2], c("taskq_error_system", "taskq_error"))
  expect_match(seen$message, "memory")
  expect_true(seen$idle)
  expect_identical(seen$then, 1)
})

test_that("J2, J4: 300 sessions work, also with descriptors beyond 1024", {
  skip_on_cran()
  q <- local_queue(300)
  for (i in 1:600) q$push(function() Sys.getpid(), id = as.character(i))
  results <- pop_all(q, 60000)
  expect_true(all(vapply(results, `[[`, "", "status") == "success"))
  expect_true(wait_until(sum(q$list_workers()$state == "idle") == 300L, 60))
  expect_gt(max(as.integer(list.files("/proc/self/fd"))), 1024L)
  # All at once, so that each has one.
  gate <- local_gate()
  for (i in 1:300) q$push(function(path) {
    while (!file.exists(path)) Sys.sleep(0.05)
    Sys.getpid()
  }, list(gate$path))
  expect_true(wait_until(q$get_num_running() == 300L, 60))
  gate$open()
  expect_length(unique(vapply(pop_all(q, 60000), `[[`, 1L, "result")), 300L)
  # With few descriptors the queue says so; each task has an outcome, and the host can go on.
  few <- in_host(function() {
    library(taskq)
    q <- task_q$new(100)
    told <- NULL
    pushed <- count <- 0L
    push <- function() {
      tryCatch({
        q$push(function() 1)
        pushed <<- pushed + 1L
      }, taskq_error = function(cnd) told <<- cnd)
    }
    for (i in 1:200) push()
    deadline <- Sys.time() + 60
    repeat {
      result <- tryCatch(q$pop(30000), taskq_error = function(cnd) told <<- cnd)
      if (inherits(result, "taskq_result")) count <- count + 1L
      if (!is.null(result)) next
      # The tasks may be done before the sessions are too many.
      if (!is.null(told) || Sys.time() > deadline) break
      push()
    }
    closed <- q$kill()
    q <- task_q$new(2)
    q$push(function() 1)
    list(told = class(told)[1L], message = conditionMessage(told), lost = pushed - count, closed = closed,
      then = q$pop(20000)$result)
  }, sh = "ulimit -n 300")
  expect_identical(few$told, "taskq_error_start")
  expect_match(few$message, "os error 24|Too many open files")
  expect_identical(few$lost, 0L)
  expect_true(few$closed)
  expect_identical(few$then, 1)
})

test_that("J1: 100 000 waiting tasks take little more than what they carry", {
  skip_on_cran()
  q <- local_queue(1)
  run_task(q, function() 1)
  q$pause()
  fun <- global(function(i) i)
  for (i in 1:1000) q$push(fun, list(i))
  before <- resident_bytes()
  for (i in 1:100000) q$push(fun, list(i))
  # The serialized arguments and R's own strings are in this.
  expect_lt((resident_bytes() - before) / 1e5, 2048)
  expect_identical(q$get_num_waiting(), 101000L)
  q$kill()
})

test_that("N1, N2, N3: a host may fork while its queue works, and a fork cannot use it", {
  skip_on_cran()
  skip_on_os("windows")
  q <- local_queue(2)
  for (i in 1:2000) q$push(function(i) i, list(i))
  # Each fork allocates, prints to a connection and ends in R's way, while tasks come and go.
  seen <- list()
  for (round in 1:2) {
    values <- parallel::mclapply(1:8, function(i) {
      text <- capture.output(print(i))
      took <- system.time(told <- tryCatch(q$push(sum), error = identity))[["elapsed"]]
      list(text = text, class = class(told)[[1L]], took = took)
    }, mc.cores = 4L, mc.preschedule = FALSE)
    seen <- c(seen, values)
  }
  expect_length(seen, 16L)
  expect_true(all(vapply(seen, function(x) identical(x$class, "taskq_error_forked"), NA)))
  expect_lt(max(vapply(seen, `[[`, 1, "took")), 0.5)
  results <- pop_all(q)
  expect_length(results, 2000L)
  expect_true(all(vapply(results, `[[`, "", "status") == "success"))
})
