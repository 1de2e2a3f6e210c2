# O4: limits of batch systems on what one process has: files, memory, stack. No host ends by one.

nothing_fails <- c(new = "success")[0]

test_that("O4: with a limit on the size of files, values go another way, and what has none is an error", {
  skip_on_cran()
  # In kilobytes. R needs some itself.
  seen <- steps_that_fail("ulimit -f 20")
  expect_identical(seen, c(trace = "taskq_error_system", globals = "taskq_error_start"))
  seen <- steps_that_fail("ulimit -S -f 4000", 5e6)
  expect_identical(seen, c(globals = "taskq_error_start"))
})

test_that("O4: a queue that cannot make its smallest file names the limit, and without the limit the next one works", {
  skip_on_cran()
  skip_if_not(nzchar(Sys.which("prlimit")), "prlimit is needed")
  host <- in_host(function() {
    library(taskq)
    run <- function() {
      q <- task_q$new(1)
      q$push(function() 1)
      status <- q$pop(20000)$status
      q$kill()
      status
    }
    # R could neither start nor write the result of this test.
    system(sprintf("prlimit --fsize=0: --pid %d", Sys.getpid()))
    told <- tryCatch(run(), taskq_error = identity)
    system(sprintf("prlimit --fsize=unlimited: --pid %d", Sys.getpid()))
    list(class = class(told)[[1L]], message = conditionMessage(told), then = run())
  })
  expect_identical(host$class, "taskq_error_start")
  expect_match(host$message, "ulimit -f", fixed = TRUE)
  expect_identical(host$then, "success")
})

test_that("O4: with a limit on memory, small tasks work before and after large ones that do not fit", {
  skip_on_cran()
  for (limit in c("ulimit -v 240000", "ulimit -d 80000")) {
    seen <- steps_that_fail(limit, 5e6)
    expect_true("globals" %in% names(seen), label = limit)
    small <- c("new", "small", "map", "many", "trace", "kill", "after")
    expect_identical(intersect(names(seen), small), character(), label = limit)
  }
})

test_that("O4: with a limit on addresses a queue works with little more than R takes itself, or says that it cannot", {
  skip_on_cran()
  size_kb <- in_host(function() {
    loadNamespace("taskq")
    as.numeric(gsub("[^0-9]", "", grep("^VmPeak", readLines("/proc/self/status"), value = TRUE)))
  })
  try_with <- function(mb) {
    in_host(sh = sprintf("ulimit -v %.0f", size_kb + mb * 1024), function() {
      tryCatch({
        q <- taskq::task_q$new(2)
        statuses <- vapply(1:3, function(i) {
          q$push(function() 1)
          q$pop(20000)$status
        }, "")
        q$kill()
        unique(statuses)
      }, taskq_error = function(cnd) c(class(cnd)[[1L]], conditionMessage(cnd)))
    })
  }
  for (mb in c(32, 160)) expect_identical(try_with(mb), "success", label = paste(mb, "MB"))
  # R takes 64 MB for regular expressions, if it can: little may be left then.
  for (mb in c(66, 68, 70, 72)) expect_true(try_with(mb)[[1L]] %in% c("success", "taskq_error_system"))
  refused <- try_with(8)
  expect_identical(refused[[1L]], "taskq_error_system")
  expect_match(refused[[2L]], "cannot make a queue: ", fixed = TRUE)
})

test_that("O4: a queue works without locked memory, and with a small or an unlimited stack", {
  skip_on_cran()
  expect_identical(steps_that_fail("ulimit -l 0; ulimit -s 1024"), nothing_fails)
  expect_identical(steps_that_fail("ulimit -s unlimited"), nothing_fails)
})
