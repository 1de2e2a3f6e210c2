# The log of this R session goes to a file of its own as long as a test runs.
local_log <- function(level, file = tempfile("log-", fileext = ".txt"), frame = parent.frame()) {
  old <- options(taskq.log = list(level = level, file = file))
  finish <- function() {
    options(taskq.log = "off")
    tq_log(NULL)
    options(old)
    unlink(file)
  }
  do.call(on.exit, list(as.call(list(finish)), add = TRUE), envir = frame)
  file
}

# The lines of a log as columns; a line that is none fails the test. Those of the host are in the order of their times.
read_log <- function(file) {
  lines <- if (file.exists(file)) readLines(file) else character()
  begin <- "^(\\d{4}-\\d\\d-\\d\\dT[0-9:.]+Z) +(ERROR|WARN|INFO|DEBUG) (\\d+) ([a-z_:]+): "
  pattern <- paste0(begin, "(.*?)( queue=(\\d+) at=([0-9.]+))?$")
  expect_match(lines, pattern, perl = TRUE, all = TRUE)
  parts <- regmatches(lines, regexec(pattern, lines, perl = TRUE))
  column <- function(i) vapply(parts, `[[`, "", i)
  log <- data.frame(level = column(3L), pid = as.integer(column(4L)), part = column(5L), what = column(6L),
    at = as.numeric(column(9L)))
  log[order(log$part != "taskq", log$at), ]
}

# Whether these are in `found`, in this order.
expect_in_order <- function(found, wanted) {
  at <- 0L
  for (pattern in wanted) {
    here <- grep(pattern, found)
    here <- here[here > at]
    if (!length(here)) return(fail(sprintf("'%s' does not come behind '%s'", pattern, found[at])))
    at <- here[1L]
  }
  succeed()
}

test_that("a log tells of a task from push to pop, in the host and in its session, and of nothing that it holds", {
  file <- local_log("debug")
  q <- local_queue(1)
  q$push(function(x) toupper(x), list("password"), id = "two\nlines")
  result <- q$pop(20000)
  q$push(function() stop("password"))
  q$pop(20000)
  expect_true(q$close())
  log <- read_log(file)
  host <- log[log$part == "taskq", ]
  expect_identical(unique(host$pid), Sys.getpid())
  expect_in_order(host$what, c("^submitted t1, id \"two\\\\nlines\"$", "^launched w1 on seat 1$",
    sprintf("^process of w1 is %d$", result$worker), "^ready w1$", "^action Send .*t1#1", "^input Finished .*t1#1",
    "^ended t1, .* success, try 1", "^action Done .*t1 ", "^popped t1$", "^submitted t2", "^input Close", "^over$"))
  session <- log[log$pid == result$worker, ]
  expect_identical(unique(session$part), "taskq_worker::session")
  expect_in_order(session$what, c("^ready", "^begins attempt=t1#1", "^ended attempt=t1#1 verdict=Success"))
  expect_identical(host$what[host$level == "WARN"], character())
  expect_no_match(readLines(file), "password", ignore.case = TRUE)
})

test_that("a crash is told where only what went wrong is", {
  file <- local_log("warn")
  q <- local_queue(1)
  expect_identical(run_task(q, function() 1, id = "fine")$status, "success")
  expect_identical(run_task(q, function() tools::pskill(Sys.getpid(), 9), id = "bad")$status, "crash")
  log <- read_log(file)
  expect_match(log$what, "^ended t2, id \"bad\", crash, try 1, ran ")
  expect_identical(log$level, "WARN")
})

test_that("a task that is cancelled was told to end, and what does not end is killed by the supervisor", {
  file <- local_log("debug")
  q <- local_queue(1)
  begun <- tempfile("begun-")
  on.exit(unlink(begun), add = TRUE)
  stubborn <- function(begun) {
    repeat tryCatch({
      file.create(begun)
      Sys.sleep(60)
    }, interrupt = function(cnd) NULL)
  }
  id <- q$push(stubborn, list(begun))
  expect_true(wait_until(file.exists(begun)))
  q$cancel(id, grace = 50)
  expect_identical(q$pop(20000)$status, "cancelled")
  # Its result may be there before its session has been reaped.
  expect_true(wait_until(any(grepl(": gone w1", readLines(file), fixed = TRUE))))
  log <- read_log(file)
  of <- function(part) log$what[startsWith(paste0(log$part, "::"), paste0(part, "::"))]
  expect_in_order(of("taskq"), c("^input Cancel", "^action Interrupt", "^action KillWorker", "^gone w1"))
  expect_match(of("taskq_worker::session::control"), "^is told Interrupt .*t1#1")
  expect_in_order(of("taskq_worker::supervisor"), c("^launched .*w1", "^kills .*w1", "^reaped .*w1"))
})

test_that("births and deaths are told without the tasks between them, and queues without workers have none", {
  file <- local_log("info")
  q <- local_queue(1)
  run_task(q, function() 1)
  here <- local_queue(0)
  run_task(here, function() 1)
  expect_true(q$close())
  what <- read_log(file)$what
  expect_in_order(what,
    c("^input SupervisorUp$", "^launched w1", "^ready w1$", "^asked all to end", "^gone w1", "^over"))
  expect_no_match(what, "t1")
})

test_that("nothing is logged unless it is asked for, and no longer than that", {
  file <- local_log("debug")
  options(taskq.log = NULL)
  q <- local_queue(1)
  run_task(q, function() 1)
  expect_false(file.exists(file))
  options(taskq.log = list(level = "debug", file = file))
  run_task(local_queue(0), function() 1)
  options(taskq.log = "off")
  again <- local_queue(1)
  lines <- length(readLines(file))
  run_task(again, function() 1)
  expect_length(readLines(file), lines)
})

test_that("a variable of the environment switches it on, too, to a file or to standard error", {
  run <- function() {
    q <- taskq::task_q$new(1)
    on.exit(q$kill())
    id <- q$push(function() Sys.getenv("TASKQ_LOG"))
    q$pop(20000)$result
  }
  file <- tempfile("log-")
  on.exit(unlink(file))
  variable <- paste0("TASKQ_LOG=debug:", file)
  expect_identical(in_host(run, env = variable), paste0("debug:", file))
  expect_in_order(read_log(file)$what, c("^submitted t1", "^popped t1"))
  # What a worker writes to its standard error is its task's.
  told <- in_host(function() {
    errors <- tempfile()
    code <- "q <- taskq::task_q$new(1); q$push(function() 1); q$pop(20000)$stderr; q$close()"
    rscript <- file.path(R.home("bin"), "Rscript")
    system2(rscript, c("-e", shQuote(code)), stdout = TRUE, stderr = errors,
      env = c("TASKQ_LOG=debug", paste0("R_LIBS=", paste(.libPaths(), collapse = ":"))))
    readLines(errors)
  })
  expect_in_order(told, c("submitted t1", "popped t1"))
  expect_no_match(told, "taskq_worker")
})

test_that("a log that cannot be is an error of new(), which names what is wrong", {
  file <- local_log("debug", file.path(tempfile("none-"), "log"))
  expect_error(task_q$new(1), "cannot write the log to '.*none-.*No such file", class = "taskq_error_system")
  for (wrong in list("loud", 3, list(level = "info", path = "x"), list(file = "x"), list(level = "info", file = 1))) {
    options(taskq.log = wrong)
    expect_error(task_q$new(1), "`options(taskq.log = )` must be a level", fixed = TRUE, class = "taskq_error_input")
  }
  options(taskq.log = NULL)
  old <- Sys.getenv("TASKQ_LOG", NA)
  on.exit(if (is.na(old)) Sys.unsetenv("TASKQ_LOG") else Sys.setenv(TASKQ_LOG = old), add = TRUE)
  Sys.setenv(TASKQ_LOG = "loud:file")
  expect_error(task_q$new(1), "`TASKQ_LOG` must be a level", class = "taskq_error_input")
})
