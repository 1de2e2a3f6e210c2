# A2 and E5: what a queue took from the system is given back; and that the fixture of every test would see it if not.

test_that("A2: the fixture sees a descriptor, a child, a thread and a file that are left", {
  skip_if_not(file.exists("/proc/self/stat"))
  kinds <- function(before) unique(sub(":.*", "", leaked_since(before, deadline_s = 0)))

  before <- host_resources()
  connection <- file("/dev/null", "r")
  expect_identical(kinds(before), "descriptors")
  expect_failure(expect_nothing_leaked(before, deadline_s = 0), "left behind")
  close(connection)
  expect_nothing_leaked(before)

  child <- parallel::mcparallel(Sys.sleep(1000))
  expect_true("children" %in% kinds(before))
  tools::pskill(child$pid, tools::SIGKILL)
  suppressWarnings(parallel::mccollect(child))
  rm(child)
  expect_nothing_leaked(before)

  q <- task_q$new(1)
  expect_true(wait_until(setequal(kinds(before), c("descriptors", "threads", "children", "files"))))
  q$kill()
  expect_nothing_leaked(before)
})

test_that("A2: a queue that nobody closed is given back when it is collected", {
  skip_if_not(file.exists("/proc/self/stat"))
  before <- host_resources()
  local({
    q <- task_q$new(2)
    q$push(function() Sys.sleep(1000))
  })
  expect_nothing_leaked(before)
})

test_that("E5: 100 queues, one after the other, leave the process as it was", {
  skip_on_cran()
  skip_if_not(file.exists("/proc/self/stat"))
  cycle <- function(works) {
    q <- task_q$new(1)
    if (works) stopifnot(identical(run_task(q, function() 1)$result, 1))
    q$kill()
  }
  # What is allocated once, and what the allocators keep.
  for (i in 1:40) cycle(i <= 2)
  before <- host_resources()
  # Before the look at what is left, for which R itself needs memory, the more the longer it takes. In one hundred R may
  # make its heap larger; what a queue leaves shows in each.
  grown <- min(vapply(1:2, FUN.VALUE = 0, function(round) {
    bytes <- own_bytes()
    for (i in 1:100) cycle(i <= 8)
    own_bytes() - bytes
  }))
  expect_nothing_leaked(before)
  expect_lt(grown, 5 * 2^20)
})
