# The zygote, from which the supervisors of several queues are forked (R/worker-main.R): what queues share, and that it
# is nothing of a user.

supervisor_of <- function(q) parent_pid(run_task(q, global(function() Sys.getpid()))$result)

# What a boot and a user can have done to a session, as a task sees it.
look_around <- global(function() {
  list(
    globals = ls(globalenv(), all.names = TRUE),
    search = search(),
    options = options("from_preload", "digits", "warn"),
    wd = getwd(),
    libpath = .libPaths(),
    env = Sys.getenv(c("TASKQ_QUEUE", "FROM_PRELOAD")),
    seed = exists(".Random.seed", globalenv(), inherits = FALSE),
    tempdir = dirname(dirname(dirname(tempdir()))),
    connections = nrow(showConnections()),
    devices = length(grDevices::dev.list()),
    stdin = readLines(file("stdin"))
  )
})

test_that("a second queue comes from the process of the first, and finds what a first one finds", {
  first <- local_queue(1)
  alone <- run_task(first, look_around)$result
  zygote <- parent_pid(supervisor_of(first))
  expect_identical(parent_pid(zygote), Sys.getpid())
  first$kill()
  first <- local_queue(1, packages = "stats4", globals = list(of_first = 1), preload = function() {
    options(from_preload = 1, digits = 3, warn = 1)
    Sys.setenv(FROM_PRELOAD = "yes")
    set.seed(1)
    assign("made", 1, globalenv())
    file(tempfile(), "w")
    grDevices::pdf(NULL)
  })
  zygote <- parent_pid(supervisor_of(first))
  second <- local_queue(1)
  expect_identical(parent_pid(supervisor_of(second)), zygote)
  beside <- run_task(second, look_around)$result
  expect_false(identical(beside$env[["TASKQ_QUEUE"]], alone$env[["TASKQ_QUEUE"]]))
  beside$env <- alone$env <- NULL
  expect_identical(beside, alone)
  expect_false("of_first" %in% beside$globals)
})

test_that("sessions of queues from one zygote have temporary directories and random numbers of their own", {
  first <- local_queue(1)
  second <- local_queue(1)
  run_task(first, global(function() NULL))
  third <- local_queue(1, preload = function() writeLines("x", tempfile()))
  own <- global(function() list(dir = tempdir(), exists = dir.exists(tempdir()), number = stats::runif(1)))
  found <- lapply(list(first, second, third), function(q) run_task(q, own)$result)
  expect_identical(anyDuplicated(lapply(found, `[[`, "dir")), 0L)
  expect_identical(anyDuplicated(lapply(found, `[[`, "number")), 0L)
  expect_true(all(vapply(found, `[[`, NA, "exists")))
})

test_that("queues that differ in what R reads at its start have zygotes of their own", {
  skip_on_cran()
  dir <- tempfile("wd-")
  dir.create(dir)
  on.exit(unlink(dir, recursive = TRUE))
  first <- local_queue(1)
  zygote <- parent_pid(supervisor_of(first))
  see <- global(function() c(Sys.getenv("TASKQ_TEST_VARIABLE"), getwd()))
  other <- local_queue(1, env = c(TASKQ_TEST_VARIABLE = "x"))
  expect_identical(run_task(other, see)$result, c("x", getwd()))
  other <- local_queue(1, wd = dir)
  expect_identical(run_task(other, see)$result, c("", normalizePath(dir)))
  expect_false(parent_pid(supervisor_of(other)) == zygote)
  # The profile is read by a start of R, and there is one.
  writeLines("options(from_profile = 1)", file.path(dir, ".Rprofile"))
  other <- local_queue(1, wd = dir)
  expect_identical(run_task(other, global(function() getOption("from_profile")))$result, 1)
})

test_that("each queue shows its own name in the list of processes", {
  shown <- global(function() {
    of <- function(pid) {
      bytes <- readBin(sprintf("/proc/%d/cmdline", pid), "raw", 10000L)
      words <- strsplit(rawToChar(replace(bytes, bytes == 0, charToRaw("\n"))), "\n")[[1L]]
      trimws(words[[length(words)]])
    }
    supervisor <- as.integer(strsplit(readLines("/proc/self/stat"), " ")[[1L]][[4L]])
    c(of(Sys.getpid()), of(supervisor))
  })
  first <- local_queue(1, name = "first")
  expect_identical(run_task(first, shown)$result, rep("taskq:first", 2))
  second <- local_queue(1, name = "the second \u00fc")
  expect_identical(parent_pid(supervisor_of(second)), parent_pid(supervisor_of(first)))
  expect_identical(run_task(second, shown)$result, rep("taskq:the second \u00fc", 2))
  third <- local_queue(1)
  expect_identical(run_task(third, shown)$result, rep("taskq", 2))
})

test_that("the number of threads needs no zygote of its own", {
  skip_on_cran()
  dir <- tempfile("omp-")
  dir.create(dir)
  on.exit(unlink(dir, recursive = TRUE))
  # What OpenMP says, which has read its variable when the zygote was started, or before.
  code <- c("#include <dlfcn.h>", "void most(int *count) {",
    "  int (*ask)(void) = (int (*)(void)) dlsym(RTLD_DEFAULT, \"omp_get_max_threads\");",
    "  *count = ask ? ask() : -1;", "}")
  writeLines(code, file.path(dir, "most.c"))
  library <- file.path(dir, "most.so")
  built <- system2(file.path(R.home("bin"), "R"), c("CMD", "SHLIB", "-o", library, file.path(dir, "most.c")),
    stdout = FALSE, stderr = FALSE)
  skip_if_not(built == 0L, "no compiler")
  look <- global(function(library) {
    dyn.load(library)
    c(.C("most", 0L)[[1L]], as.integer(Sys.getenv(c("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"))))
  })
  first <- local_queue(1, threads = 3)
  zygote <- parent_pid(supervisor_of(first))
  alone <- run_task(first, look, list(library))$result
  skip_if(alone[[1L]] < 0L, "R has no OpenMP")
  expect_identical(alone, c(3L, 3L, 3L))
  second <- local_queue(1, threads = 2)
  expect_identical(parent_pid(supervisor_of(second)), zygote)
  expect_identical(run_task(second, look, list(library))$result, c(2L, 2L, 2L))
  # What the user says counts, and is there from the start.
  third <- local_queue(1, threads = 2, env = c(OMP_NUM_THREADS = "4"))
  expect_false(parent_pid(supervisor_of(third)) == zygote)
  expect_identical(run_task(third, look, list(library))$result, c(4L, 4L, 2L))
})

test_that("the end of one queue is not that of another, and the last one ends the zygote", {
  before <- descendants()
  first <- local_queue(2)
  zygote <- parent_pid(supervisor_of(first))
  second <- local_queue(2)
  supervisor <- supervisor_of(second)
  first$close()
  expect_identical(supervisor_of(second), supervisor)
  expect_true(is_alive(zygote))
  third <- local_queue(1)
  expect_identical(parent_pid(supervisor_of(third)), zygote)
  second$kill()
  expect_identical(run_task(third, global(function() 1))$result, 1)
  third$close()
  # Neither alive nor a zombie.
  expect_identical(setdiff(descendants(), before), integer())
})

test_that("a zygote that is killed costs no queue anything", {
  first <- local_queue(1)
  second <- local_queue(1, preload = function() options(from_preload = 7))
  zygotes <- unique(vapply(list(first, second), function(q) parent_pid(supervisor_of(q)), 0L))
  supervisor <- supervisor_of(second)
  tools::pskill(zygotes, tools::SIGKILL)
  expect_true(wait_until(!any(is_alive(zygotes))))
  expect_identical(run_task(second, global(function() quit("no")))$status, "crash")
  expect_identical(run_task(second, global(function() getOption("from_preload")))$result, 7)
  expect_identical(supervisor_of(second), supervisor)
  third <- local_queue(1)
  zygote <- parent_pid(supervisor_of(third))
  expect_false(zygote %in% zygotes)
  expect_identical(parent_pid(zygote), Sys.getpid())
  # Its parent is gone, and its death is heard nevertheless.
  tools::pskill(supervisor, tools::SIGKILL)
  expect_true(wait_until(run_task(second, global(function() getOption("from_preload")))$status == "success"))
})

test_that("N1: a fork of the host neither uses nor ends the zygote of its parent", {
  skip_on_cran()
  # Not here: packages that start processes take the signal by which parallel learns of the end of its own.
  seen <- in_host(function(stat_fields) {
    parent_pid <- function(pid) as.integer(stat_fields(pid)[[2L]])
    zygote_of <- function(q) {
      q$push(function() Sys.getpid())
      parent_pid(parent_pid(q$pop(20000)$result))
    }
    q <- taskq::task_q$new(1)
    zygote <- zygote_of(q)
    job <- parallel::mcparallel({
      own <- taskq::task_q$new(1)
      found <- zygote_of(own)
      own$close()
      rm(own)
      gc()
      found
    })
    in_fork <- parallel::mccollect(job)[[1L]]
    other <- taskq::task_q$new(1)
    list(zygote = zygote, in_fork = in_fork, after = zygote_of(other), first = zygote_of(q))
  }, stat_fields)
  expect_type(seen$in_fork, "integer")
  expect_false(seen$in_fork == seen$zygote)
  expect_identical(seen[c("after", "first")], list(after = seen$zygote, first = seen$zygote))
})

test_that("C1: a host with several queues that dies leaves nothing of any", {
  skip_on_cran()
  host <- local_host(quote({
    queues <- lapply(1:3, function(i) {
      q <- taskq::task_q$new(1)
      q$push(function() 1)
      stopifnot(q$pop(20000)$result == 1)
      q
    })
    cat("ready\n")
    queues[[4]] <- taskq::task_q$new(1, preload = function() Sys.sleep(1000))
    Sys.sleep(1000)
  }), booted = FALSE)
  expect_identical(next_line(host), "ready")
  # A zygote, and of three queues a supervisor and a session each; then the fourth's supervisor.
  expect_true(wait_until(length(descendants(host$get_pid())) == 8L))
  pids <- descendants(host$get_pid())
  tools::pskill(host$get_pid(), tools::SIGKILL)
  expect_true(wait_until(!any(is_alive(pids))))
})

test_that("the files of a start of R are those of ?Startup", {
  files <- tq_startup_files("/wd", c(R_PROFILE_USER = "mine", R_ENVIRON = "/etc/env"))
  expect_true(all(c("/wd/mine", "/etc/env", "/wd/.Rprofile", path.expand("~/.Renviron")) %in% files))
  expect_true(all(file.exists(tail(files, 1L), file.path(R.home("etc"), "Renviron"))))
})
