# TaskqParam(): how it begins, is kept, and ends, and that nothing is left of it.

bplapply <- function(...) BiocParallel::bplapply(...)

test_that("an argument that cannot be is named", {
  skip_if_not_installed("BiocParallel")
  for (workers in list(0, "host", NULL, NA, 1:2, 1.5)) expect_input_error(TaskqParam(workers), "workers")
  expect_input_error(TaskqParam(2, init_ = 1), "init_")
  expect_input_error(TaskqParam(2, num_workers = 3), "num_workers")
  expect_error(TaskqParam(2, stop.on.error = NA), "bpstopOnError")
})

test_that("without BiocParallel an error names it", {
  in_vain <- in_host(function() {
    trace("requireNamespace", quote(package <- paste0(package, ".absent")), print = FALSE, where = baseenv())
    cnd <- tryCatch(taskq::TaskqParam(2), error = identity)
    list(class(cnd)[[1L]], conditionMessage(cnd))
  })
  expect_identical(in_vain[[1L]], "taskq_error_package")
  expect_match(in_vain[[2L]], "needs package 'BiocParallel'")
})

test_that("a loop starts and stops what is not started, and bpstop() ends all workers at once", {
  param <- local_param(started = FALSE)
  before <- descendants()
  bplapply(1:2, identity, BPPARAM = param)
  expect_false(BiocParallel::bpisup(param))
  BiocParallel::bpstart(param)
  expect_error(BiocParallel::bpstart(param), "already started")
  workers <- bplapply(1:2, global(function(i) Sys.getpid()), BPPARAM = param)
  BiocParallel::bpstop(param)
  expect_false(any(is_alive(unlist(workers))))
  expect_length(BiocParallel::bpbackend(param), 0L)
})

test_that("a started one that is forgotten ends when it is collected", {
  param <- local_param(started = FALSE)
  start <- function() {
    forgotten <- BiocParallel::bpstart(TaskqParam(2))
    unlist(bplapply(1:2, global(function(i) Sys.getpid()), BPPARAM = forgotten))
  }
  workers <- start()
  gc()
  expect_true(wait_until(!any(is_alive(workers)), 20))
})

test_that("what an error leaves of a loop is ended, and the next loop has its own results", {
  param <- local_param()
  gate <- local_gate()
  # The first answer is enough for the error; the other element waits for a gate that is not opened.
  work <- global(function(i, wait, path) if (i == 1) i else wait(path))
  loop <- function() {
    BiocParallel::bpiterate(BiocParallel::bpiterateAlong(1:3), work, wait = gate$wait, path = gate$path,
      REDUCE = function(x, y) stop("no sum"), init = 0, BPPARAM = param)
  }
  expect_error(loop(), "no sum")
  expect_true(tq_bp_link(param)$queue$is_idle())
  expect_identical(bplapply(3:6, identity, BPPARAM = param), as.list(3:6))
})

test_that("after Ctrl-C the next loop has its own results", {
  skip_on_cran()
  param <- local_param()
  bplapply(1:2, identity, BPPARAM = param)
  gate <- local_gate()
  how <- tryCatch({
    interrupt_in(0.3)
    bplapply(1:4, global(function(i, wait, path) wait(path)), wait = gate$wait, path = gate$path, BPPARAM = param)
  }, error = identity, interrupt = function(cnd) "interrupted")
  expect_identical(how, "interrupted")
  expect_true(tq_bp_link(param)$queue$is_idle())
  expect_identical(bplapply(3:6, identity, BPPARAM = param), as.list(3:6))
})

test_that("in a forked child it is not started, and what ends there ends nothing here", {
  param <- local_param()
  job <- parallel::mcparallel({
    up <- BiocParallel::bpisup(param)
    BiocParallel::bpstop(param)
    up
  })
  expect_identical(unname(parallel::mccollect(job)), list(FALSE))
  expect_identical(bplapply(1:2, sqrt, BPPARAM = param), lapply(1:2, sqrt))
})

test_that("one that was saved is loaded by another session, where it is not started", {
  param <- local_param(RNGseed = 3)
  path <- local_path()
  saveRDS(param, path)
  loaded <- in_host(function(path) {
    param <- readRDS(path)
    list(up = BiocParallel::bpisup(param), seed = BiocParallel::bpRNGseed(param),
      value = BiocParallel::bplapply(1:2, function(i) stats::rnorm(1), BPPARAM = param))
  }, path)
  expect_identical(loaded[1:2], list(up = FALSE, seed = 3L))
  expect_identical(loaded$value, bplapply(1:2, global(function(i) stats::rnorm(1)), BPPARAM = param))
})

test_that("it is registered, and works when taskq was loaded again, and BiocParallel", {
  skip_if_not_installed("BiocParallel")
  values <- in_host(function() {
    run <- function() unlist(BiocParallel::bplapply(1:3, sqrt))
    BiocParallel::register(taskq::TaskqParam(2))
    first <- run()
    unloadNamespace("taskq")
    BiocParallel::register(taskq::TaskqParam(2))
    second <- run()
    unloadNamespace("BiocParallel")
    BiocParallel::register(taskq::TaskqParam(2))
    class <- class(BiocParallel::bpparam())
    list(first, second, run(), class)
  })
  expect_identical(values[1:3], rep(list(sqrt(1:3)), 3))
  expect_identical(values[[4L]], structure("TaskqParam", package = "taskq"))
})
