# What a task brings along: packages and objects, there for this task only. And what a session is to the system.

for (num_workers in c(1, 0)) {
  test_that("packages are attached and objects are there, for one task", {
    skip_if("package:splines" %in% search())
    q <- local_queue(num_workers, globals = list(both = "queue"))
    seen <- function() list("package:splines" %in% search(), is.function(bs), mine, both)
    result <- run_task(q, global(seen), packages = "splines", globals = list(mine = 1, both = "task"))
    expect_identical(result$result, list(TRUE, TRUE, 1, "task"))
    expect_identical(result$messages, list())
    after <- run_task(q, global(function() list("package:splines" %in% search(), exists("mine"), both)))
    expect_identical(after$result, list(FALSE, FALSE, "queue"))
    with_args <- run_task(q, global(function(x) x + mine), list(1), globals = list(mine = 2))
    expect_identical(with_args$result, 3)
    expect_false("package:splines" %in% search())
  })

  test_that("a package that is not there is an error that says so", {
    q <- local_queue(num_workers)
    result <- run_task(q, function() 1, packages = c("splines", "taskq.no.such.package"))
    expect_identical(result$status, "error")
    expect_s3_class(result$error, "taskq_error_task")
    expect_identical(result$error$phase, "packages")
    expect_match(conditionMessage(result$error), "could not attach its packages")
    expect_match(conditionMessage(result$error), "taskq.no.such.package")
    after <- run_task(q, function() search())
    expect_false("package:splines" %in% after$result)
  })
}

test_that("an object that cannot be put in its place is an error that says so", {
  q <- local_queue(1, init = function() {
    assign("fixed", 1, envir = globalenv())
    lockBinding("fixed", globalenv())
  })
  result <- run_task(q, global(function() fixed), globals = list(fixed = 2))
  expect_identical(result$error$phase, "globals")
  expect_match(conditionMessage(result$error), "could not be given its globals")
})

test_that("sessions are the first to go when memory is short", {
  skip_if_not(file.exists("/proc/self/oom_score_adj"))
  score <- function() as.integer(readLines("/proc/self/oom_score_adj"))
  q <- local_queue(1)
  found <- run_task(q, global(function() as.integer(readLines("/proc/self/oom_score_adj"))))
  expect_identical(found$result, min(1000L, score() + 300L))
})

# As a session, and a process that it starts, see themselves.
niceness_there <- global(function() {
  lines <- c(readLines("/proc/self/stat"), system("cat /proc/self/stat", intern = TRUE))
  group <- if (file.exists("/proc/self/autogroup")) readLines("/proc/self/autogroup")
  # proc(5) counts 19 fields up to it, two of them before the end of the name.
  list(
    processes = vapply(strsplit(sub("^.*\\) ", "", lines), " "), function(fields) as.integer(fields[[17L]]), 0L),
    group = as.integer(sub(".* nice ", "", group))
  )
})

test_that("nice: sessions leave more of the processors to others, with all that they start", {
  own <- niceness_there()$processes
  more <- pmin(own + 3L, 19L)
  expect_niceness <- function(q, processes, group, ...) {
    q$push(niceness_there, ...)
    seen <- q$pop(20000)$result
    expect_identical(seen$processes, processes)
    expect_identical(seen$group, rep(group, length(seen$group)))
  }
  expect_niceness(local_queue(1), own, 0L)
  q <- local_queue(1, nice = 3)
  expect_niceness(q, more, 3L)
  expect_niceness(q, more, 3L, isolate = TRUE)
  # As somebody else sees it, when the one that was alone has been replaced.
  expect_true(wait_until(all(q$list_workers()$state == "idle")))
  expect_identical(as.integer(stat_fields(q$list_workers()$worker)[[17L]]), more[[1L]])
  q$push(global(function() quit("no", 9)))
  expect_identical(q$pop(20000)$status, "crash")
  expect_niceness(q, more, 3L)

  expect_niceness(local_queue(1, nice = 19), c(19L, 19L), 19L)
  expect_niceness(local_queue(0, nice = 3), own, niceness_there()$group)
  # One that is not forked from a process that is ready for it.
  Sys.setenv(TASKQ_WITHOUT = "fork")
  on.exit(Sys.unsetenv("TASKQ_WITHOUT"), add = TRUE)
  q <- local_queue(1, nice = 3)
  expect_niceness(q, more, 3L)
  # The queue warns once that it is slower so.
  suppressWarnings(q$kill())
})

test_that("nice: `init` runs in a session that has stepped back, what runs before it does not", {
  look <- function(as) {
    force(as)
    global(eval(bquote(function() assign(.(as), tools::psnice(), envir = globalenv()))))
  }
  q <- local_queue(1, nice = 3, preload = look("by_preload"), init = look("by_init"))
  own <- tools::psnice()
  expect_identical(run_task(q, global(function() c(by_preload, by_init)))$result, c(own, min(own + 3L, 19L)))
})

test_that("nice: sessions that begin together all step back, also where the kernel lets one at a time", {
  skip_if_not(file.exists("/proc/self/autogroup"), "there are no groups")
  groups <- function() {
    q <- taskq::task_q$new(6, nice = 3)
    on.exit(q$kill())
    deadline <- Sys.time() + 20
    repeat {
      workers <- q$list_workers()$worker
      files <- sprintf("/proc/%d/autogroup", workers[!is.na(workers)])
      found <- sub(".* nice ", "", vapply(files, readLines, ""))
      if (length(found) == 6L && all(found == "3") || Sys.time() > deadline) return(unname(found))
      Sys.sleep(0.02)
    }
  }
  expect_identical(in_host(groups, sh = as_nobody()), rep("3", 6L))
})

test_that("`r_args` are options of the R that sessions come from, in both ways", {
  q <- local_queue(1, r_args = c("--max-ppsize=100000", "--no-environ"))
  args <- run_task(q, function() commandArgs())$result
  expect_true(all(c("--max-ppsize=100000", "--no-environ") %in% args))
  seen <- suppressWarnings(in_host(function() {
    library(taskq)
    q <- task_q$new(1, r_args = "--max-ppsize=100000")
    q$push(function() commandArgs())
    q$pop(20000)$result
  }, env = "TASKQ_WITHOUT=fork"))
  expect_true("--max-ppsize=100000" %in% seen)
  for (wrong in list("-e", "--args", "--interactive", "--max-ppsize 100000", "--x=$(id)", "vanilla", NA, 1)) {
    expect_input_error(task_q$new(1, r_args = wrong), "r_args")
  }
})
