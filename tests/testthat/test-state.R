# A task that pollutes its session, then one that looks at it: the session is the same, the pollution is gone.

# What a session is like; to be called in it. Numbers of file descriptors and the like are left out.
look <- global(function() {
  limits <- function() grep("open files|core file", readLines("/proc/self/limits"), value = TRUE)
  status <- readLines("/proc/self/status")
  list(
    wd = tryCatch(getwd(), error = conditionMessage),
    env = Sys.getenv(),
    time = format(as.POSIXct(0, origin = "1970-01-01"), "%H:%M"),
    options = options(),
    locale = Sys.getlocale(),
    collate = Sys.getlocale("LC_COLLATE"),
    umask = format(Sys.umask()),
    signals = grep("^Sig(Blk|Ign|Cgt)", status, value = TRUE),
    limits = limits(),
    objects = sort(ls(globalenv(), all.names = TRUE)),
    search = search(),
    sinks = c(sink.number(), sink.number("message")),
    connections = getAllConnections(),
    devices = dev.list(),
    libpath = .libPaths(),
    kinds = RNGkind()
  )
})

# A queue whose sessions have something of everything before the first task.
local_home <- function(..., frame = parent.frame()) {
  dir <- tempfile("home-")
  dir.create(dir)
  do.call(on.exit, list(bquote(unlink(.(dir), recursive = TRUE)), add = TRUE), envir = frame)
  local_queue(1, ..., wd = dir, env = c(TASKQ_TEST_OLD = "old"), packages = "parallel", frame = frame,
    globals = list(kept = 1, changed = 2), init = function() {
      options(taskq.test.old = "old")
      attach(list(from_attached = 1), name = "attached")
      assign("locked", 1, envir = globalenv())
      lockBinding("locked", globalenv())
      makeActiveBinding("active", function() 42, globalenv())
    })
}

# Runs `pollute` and expects to find all as it was in the same session.
expect_clean <- function(q, pollute, status = "success", same_session = TRUE) {
  before <- run_task(q, look)
  polluted <- run_task(q, global(pollute))
  expect_identical(polluted$status, status)
  after <- run_task(q, look)
  expect_identical(before$status, "success")
  for (part in names(before$result)) {
    expect_identical(after$result[[part]], before$result[[part]], label = paste("after the task:", part))
  }
  if (same_session) expect_identical(after$worker, before$worker)
  expect_identical(after$stderr, "")
}

test_that("the working directory is put back, also when the other one was deleted", {
  q <- local_home()
  expect_clean(q, function() setwd("/"))
  expect_clean(q, function() {
    gone <- tempfile()
    dir.create(gone)
    setwd(gone)
    unlink(gone, recursive = TRUE)
  })
})

test_that("environment variables are put back", {
  q <- local_home()
  expect_clean(q, function() Sys.setenv(TASKQ_TEST_NEW = "new", TASKQ_TEST_OLD = "changed"))
  expect_clean(q, function() Sys.unsetenv("TASKQ_TEST_OLD"))
  expect_clean(q, function() {
    Sys.setenv(TZ = "Asia/Tokyo", LANG = "xx")
    format(Sys.time())
  })
  expect_identical(run_task(q, function() Sys.getenv("TASKQ_TEST_OLD"))$result, "old")
})

test_that("options are put back", {
  q <- local_home()
  expect_clean(q, function() options(digits = 3, warn = 2, error = quote(stop()), taskq.test.new = 1))
  expect_clean(q, function() options(taskq.test.old = NULL, scipen = 7))
  expect_identical(run_task(q, function() c(getOption("taskq.test.old"), print(pi)))$stdout, "[1] 3.141593\n")
})

test_that("the options of a package that a task has loaded stay", {
  skip_if_not_installed("callr")
  q <- local_home()
  result <- run_task(q, function() {
    loadNamespace("callr")
    options(callr.taskq_test = TRUE)
  })
  expect_identical(result$status, "success")
  kept <- run_task(q, function() getOption("callr.taskq_test"))$result
  expect_identical(kept, TRUE)
  expect_clean(q, function() options(callr.taskq_test = FALSE))
})

test_that("the locale is put back", {
  q <- local_home()
  other <- run_task(q, function() {
    other <- if (identical(Sys.getlocale("LC_CTYPE"), "C")) "C.UTF-8" else "C"
    if (nzchar(suppressWarnings(Sys.setlocale("LC_CTYPE", other)))) other
  })$result
  skip_if(is.null(other), "no other locale")
  expect_clean(q, function() {
    other <- if (identical(Sys.getlocale("LC_CTYPE"), "C")) "C.UTF-8" else "C"
    for (category in c("LC_CTYPE", "LC_COLLATE", "LC_TIME")) Sys.setlocale(category, other)
  })
})

# Signals and limits need compiled code to be changed: see taskq-sys/tests/snapshot.rs.
test_that("the umask is put back", {
  q <- local_home()
  expect_clean(q, function() Sys.umask("777"))
})

test_that("objects in the global environment are put back", {
  q <- local_home()
  values <- function() list(kept = kept, changed = changed, locked = locked, active = active)
  before <- run_task(q, global(values))$result
  expect_identical(before, list(kept = 1, changed = 2, locked = 1, active = 42))
  expect_clean(q, function() {
    changed <<- 3
    added <<- 4
    rm("kept", envir = globalenv())
  })
  expect_clean(q, function() {
    unlockBinding("locked", globalenv())
    locked <<- 5
    lockBinding("kept", globalenv())
    lockBinding("changed", globalenv())
    rm("active", envir = globalenv())
    active <<- 1
  })
  expect_clean(q, function() rm(list = ls(globalenv(), all.names = TRUE), envir = globalenv()))
  expect_identical(run_task(q, global(values))$result, before)
  locked <- run_task(q, global(function() vapply(c("kept", "locked"), bindingIsLocked, NA, globalenv())))
  expect_identical(unname(locked$result), c(FALSE, TRUE))
  expect_identical(run_task(q, global(function() changed[1] <<- 9))$status, "success")
  expect_identical(run_task(q, global(values))$result, before)
})

test_that("the search path is put back", {
  q <- local_home()
  expect_clean(q, function() {
    library(tools)
    attach(list(from_task = 1), name = "of the task")
    NULL
  })
  expect_clean(q, function() {
    detach("package:parallel")
    detach("attached")
  })
  expect_identical(run_task(q, global(function() c(from_attached, is.function(mclapply))))$result, c(1, 1))
  expect_clean(q, function() {
    detach("package:parallel")
    library(parallel)
    library(splines)
  })
})

test_that("sinks and connections are put back", {
  q <- local_home()
  expect_clean(q, function() {
    sink(tempfile())
    sink(stderr())
    sink(file(tempfile(), "w"), type = "message")
    textConnection("x")
  })
  expect_clean(q, function() sink(stderr()))
  expect_clean(q, function() sink(stdout(), type = "message"))
  for (i in 1:3) expect_clean(q, function() for (i in 1:100) file(tempfile(), "w"))
  shown <- run_task(q, function() {
    cat("out")
    message("err")
  })
  expect_identical(shown[c("stdout", "stderr")], list(stdout = "out", stderr = "err\n"), ignore_attr = TRUE)
})

test_that("a pipe that is left open ends the session, not the next task", {
  q <- local_home()
  started <- Sys.time()
  for (i in 1:3) {
    expect_identical(run_task(q, function() {
      pipe("sleep 60", "r")
      "done"
    })$result, "done")
  }
  expect_identical(run_task(q, function() length(getAllConnections()))$result, 3L)
  expect_lt(as.double(Sys.time() - started, units = "secs"), 30)
})

test_that("graphics devices are closed", {
  q <- local_home()
  run_task(q, function() {
    grDevices::pdf(NULL)
    grDevices::dev.off()
  })
  expect_clean(q, function() for (i in 1:3) grDevices::pdf(tempfile()))
  expect_null(run_task(q, function() grDevices::dev.list())$result)
})

test_that("time limits are lifted", {
  q <- local_home()
  spin <- function() {
    until <- Sys.time() + 0.5
    while (Sys.time() < until) sum(runif(100))
    "done"
  }
  for (limit in list(function() setTimeLimit(elapsed = 0.2), function() setSessionTimeLimit(elapsed = 0.2))) {
    expect_identical(run_task(q, limit)$status, "success")
    expect_identical(run_task(q, spin)$result, "done")
  }
})

test_that("the library paths are put back", {
  q <- local_home()
  expect_clean(q, function() .libPaths(tempdir()))
})

test_that("the random generators are put back", {
  q <- local_home()
  expect_clean(q, function() {
    RNGkind("Wichmann-Hill", "Box-Muller")
    rnorm(1)
  })
})

test_that("a task that failed leaves as little", {
  q <- local_home()
  expect_clean(q, status = "error", function() {
    setwd("/")
    options(digits = 3)
    added <<- 1
    sink(tempfile())
    stop("failed")
  })
})

test_that("a session that cannot be put back ends, and blames no task", {
  q <- local_home()
  results <- list()
  for (i in 1:10) {
    q$push(global(function() {
      lockEnvironment(globalenv())
      Sys.getpid()
    }))
  }
  results <- pop_all(q)
  expect_length(results, 10L)
  expect_identical(unique(vapply(results, function(x) x$status, "")), "success")
  pids <- vapply(results, function(x) x$result, 0L)
  expect_identical(anyDuplicated(pids), 0L)
})

test_that("what runs natively between tasks survives a collection at every allocation", {
  skip_on_cran()
  q <- local_queue(1, globals = list(kept = 1), init = function() {
    makeActiveBinding("active", function() 42, globalenv())
    gctorture2(7L)
  })
  before <- run_task(q, global(function() {
    added <<- 1
    kept <<- 2
    rm("active", envir = globalenv())
    options(digits = 3)
  }), wait_ms = 60000)
  expect_identical(before$status, "success")
  after <- run_task(q, global(function() list(kept, active, exists("added"), getOption("digits"))), wait_ms = 60000)
  expect_identical(after$result, list(1, 42, FALSE, 7L))
  expect_identical(after$worker, before$worker)
})
