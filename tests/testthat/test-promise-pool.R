# B6, B7, B8, B11: the pool is whole again, whatever dies, and gives up where that is hopeless.

workers_of <- function(q) stats::na.omit(q$list_workers()$worker)

is_whole <- function(q, num_workers) identical(q$list_workers()$state, rep("idle", num_workers))

# Tasks that have begun, and tell so.
push_busy <- function(q, dir, count) {
  for (i in seq_len(count)) {
    q$push(function(path) {
      file.create(path)
      Sys.sleep(1000)
    }, list(file.path(dir, i)), id = paste0("busy-", i))
  }
  expect_true(wait_until(all(file.exists(file.path(dir, seq_len(count))))))
  unlink(file.path(dir, seq_len(count)))
}

# Which processes die at once; those of them that run a task take it along.
massacres <- list(
  "all workers" = function(q) workers_of(q),
  "the supervisor" = function(q) parent_pid(workers_of(q)[[1L]]),
  "the supervisor, then all workers" = function(q) c(parent_pid(workers_of(q)[[1L]]), workers_of(q)),
  "all workers, then the supervisor" = function(q) c(workers_of(q), parent_pid(workers_of(q)[[1L]]))
)

test_that("B6, B7: when all workers or their supervisor die at once, running tasks crash and waiting ones run", {
  skip_on_cran()
  dir <- tempfile("pool-")
  dir.create(dir)
  on.exit(unlink(dir, recursive = TRUE))
  q <- local_queue(3)
  for (name in names(massacres)) {
    for (signal in c(tools::SIGKILL, tools::SIGTERM, 11L)) {
      label <- paste(name, "by", signal)
      push_busy(q, dir, 3)
      for (i in 1:10) q$push(function(i) i, list(i), id = paste0("waiting-", i))
      doomed <- massacres[[name]](q)
      before <- descendants()
      tools::pskill(doomed, signal)
      results <- pop_all(q)
      status <- vapply(results, `[[`, "", "status")
      expect_setequal(names(status)[status == "crash"], paste0("busy-", 1:3))
      expect_setequal(names(status)[status == "success"], paste0("waiting-", 1:10))
      expect_true(wait_until(!any(is_alive(doomed))), label = label)
      expect_true(wait_until(is_whole(q, 3)), label = label)
      if (name != "all workers") expect_true(wait_until(!any(is_alive(before))), label = label)
    }
  }
})

test_that("B7: workers that are killed while they start fail no task", {
  skip_on_cran()
  q <- local_queue(2, init = function() Sys.sleep(0.2))
  for (i in 1:20) q$push(function(i) i, list(i))
  for (round in 1:2) {
    pid <- NULL
    expect_true(wait_until(length(pid <- workers_of(q)) > 0L))
    tools::pskill(pid[[1L]], tools::SIGKILL)
    expect_true(wait_until(!is_alive(pid[[1L]])))
  }
  expect_true(all(vapply(pop_all(q), function(x) x$status == "success", NA)))
  expect_true(wait_until(is_whole(q, 2)))
})

test_that("B8: workers that always die at their start are given up, without a spin", {
  skip_on_cran()
  path <- tempfile()
  on.exit(unlink(path))
  q <- local_queue(2, globals = list(path = path), init = function() {
    cat("start\n", file = path, append = TRUE)
    tools::pskill(Sys.getpid(), 9L)
  })
  for (i in 1:5) try(q$push(function() 1), silent = TRUE)
  expect_s3_class(caught(q$pop(30000)), "taskq_error_start")
  # One that was being born when they were given up.
  expect_true(wait_until(length(descendants()) == 0L))
  starts <- length(readLines(path))
  expect_lte(starts, 12L)
  before <- proc.time()
  # The time in which a spin would show.
  expect_false(wait_until(length(readLines(path)) > starts, 1))
  spent <- proc.time() - before
  expect_length(descendants(), 0L)
  # Our own looking included.
  expect_lt(sum(spent[c("user.self", "sys.self")]), 0.5)
})

test_that("B11: a worker that closes its descriptors is ended within a second", {
  skip_on_cran()
  skip_on_os("windows")
  q <- local_queue(2)
  close_all <- function(then) {
    closer <- utils::getFromNamespace("closeFD", "parallel")
    suppressWarnings(closer(3:1023))
    eval(then)
  }
  for (then in list(quote(Sys.sleep(1000)), quote(repeat NULL), quote("a result"))) {
    q$push(global(close_all), list(then))
    expect_true(wait_until(q$get_num_running() == 1L || q$get_num_done() == 1L))
    sent <- Sys.time()
    result <- q$pop(20000)
    expect_lt(as.numeric(Sys.time() - sent, units = "secs"), 2)
    expect_identical(result$status, "crash", label = deparse(then))
    expect_false(is_alive(result$worker))
    expect_identical(run_task(q, function() 1)$result, 1)
    expect_true(wait_until(is_whole(q, 2)))
  }
})
