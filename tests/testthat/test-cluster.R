# task_q_cluster(): what is done with a cluster is parallel's own, so it is compared with a cluster of parallel.

local_cluster <- function(workers = 2, ..., frame = parent.frame()) {
  skip_if_not(file.exists("/proc/self/stat"), "/proc is needed to look for processes")
  fixture_begins()
  cl <- task_q_cluster(workers, ...)
  finish <- function() {
    parallel::stopCluster(cl)
    fixture_ends()
  }
  do.call(on.exit, list(as.call(list(finish)), add = TRUE, after = FALSE), envir = frame)
  cl
}

# Without those that a test has stopped.
local_part <- function(frame = parent.frame()) {
  fixture_begins()
  do.call(on.exit, list(quote(fixture_ends()), add = TRUE), envir = frame)
}

exists_process <- function(pids) file.exists(file.path("/proc", pids))

test_that("the functions of parallel work as on a cluster of parallel", {
  skip_on_cran()
  cl <- local_cluster()
  other <- parallel::makePSOCKcluster(2)
  on.exit(parallel::stopCluster(other), add = TRUE, after = FALSE)
  calls <- list(
    function(cl) parallel::parLapply(cl, c(a = 1, b = 2, c = 3), sqrt),
    function(cl) parallel::parSapplyLB(cl, 1:20, global(function(i) i^2)),
    function(cl) parallel::clusterMap(cl, global(function(x, y) x + y), 1:5, 5:1),
    function(cl) parallel::clusterApplyLB(cl, 1:5, identity),
    function(cl) parallel::parApply(cl, matrix(1:6, 2), 1, sum),
    function(cl) {
      parallel::clusterSetRNGStream(cl, 42)
      parallel::clusterCall(cl, stats::runif, 3)
    },
    function(cl) {
      parallel::clusterCall(cl, global(function() {
        library(tools)
        kept <<- 1
      }))
      parallel::clusterCall(cl, global(function() list(kept, "package:tools" %in% search())))
    },
    function(cl) tryCatch(parallel::clusterCall(cl, global(function() stop("no data"))), error = conditionMessage),
    function(cl) parallel::clusterSplit(cl, 1:5)
  )
  for (call in calls) expect_identical(call(cl), call(other))
  expect_output(print(cl), "^cluster of 2 sessions of a task queue$")
})

test_that("clusterExport() and clusterEvalQ() leave on the nodes what later calls find", {
  cl <- local_cluster()
  exported <- 5
  parallel::clusterExport(cl, "exported", environment())
  parallel::clusterEvalQ(cl, more <- exported + 1)
  expect_identical(parallel::clusterCall(cl, global(function() exported + more)), list(11, 11))
})

test_that("large data comes through as it is", {
  cl <- local_cluster(1)
  x <- as.numeric(1:2e6)
  expect_identical(parallel::clusterCall(cl, global(function(x) x + 1), x)[[1L]], x + 1)
})

test_that("a node that dies is an error that says which and how, and the others can be used", {
  skip_on_cran()
  cl <- local_cluster(2)
  die <- global(function() tools::pskill(Sys.getpid(), 9))
  for (i in 1:2) {
    cnd <- expect_error(parallel::clusterCall(cl[2], die), "node 2 of the cluster crashed", class = "taskq_error_crash")
    expect_identical(cnd$signal, 9L)
  }
  expect_identical(parallel::clusterCall(cl[1], global(function() "alive")), list("alive"))
  expect_error(parallel::parLapply(cl, 1:10, identity), "node 2 of the cluster", class = "taskq_error_crash")
})

test_that("stopCluster() leaves no process and no connection, also of some nodes, and of busy ones", {
  skip_on_cran()
  local_part()
  before <- nrow(showConnections())
  cl <- task_q_cluster(3)
  pids <- unlist(parallel::clusterCall(cl, Sys.getpid))
  parallel::stopCluster(cl[3])
  expect_true(wait_until(!exists_process(pids[[3L]])))
  expect_identical(parallel::clusterCall(cl[1:2], Sys.getpid), as.list(pids[1:2]))
  gate <- local_gate()
  get("sendCall", asNamespace("parallel"))(cl[[1L]], gate$wait, list(gate$path))
  parallel::stopCluster(cl[1:2])
  expect_true(wait_until(!any(exists_process(pids))))
  expect_identical(nrow(showConnections()), before)
})

test_that("a cluster that is forgotten ends", {
  skip_on_cran()
  local_part()
  pids <- unlist(local(parallel::clusterCall(task_q_cluster(2), Sys.getpid)))
  # R warns of each connection that it closes.
  suppressWarnings(gc())
  expect_true(wait_until({
    suppressWarnings(gc())
    !any(exists_process(pids))
  }))
})

test_that("a process that connects, and does not know the word, is no node", {
  skip_on_cran()
  door <- tq_node_door()
  on.exit(close(door$socket))
  for (said in list(charToRaw("let me be a node"), raw(16))) {
    stranger <- socketConnection("localhost", door$port, blocking = TRUE, open = "a+b")
    writeBin(said, stranger)
    expect_null(tq_node_accept(door))
    close(stranger)
  }
})

test_that("options are those of the queue, and what cannot be is refused", {
  skip_on_cran()
  cl <- local_cluster(1, packages = "tools", init = function() options(tq.cluster = 1))
  expect_identical(parallel::clusterEvalQ(cl, list(getOption("tq.cluster"), exists("file_ext")))[[1L]], list(1, TRUE))
  expect_input_error(task_q_cluster(0), "workers")
  expect_input_error(task_q_cluster(1000), "workers")
  expect_input_error(task_q_cluster(1, package = "tools"), "package")
  before <- nrow(showConnections())
  expect_error(task_q_cluster(1, init = function() stop("no licence")), "no licence", class = "taskq_error_start")
  expect_identical(nrow(showConnections()), before)
})

test_that("makeCluster() of R 4.5 knows the type", {
  skip_if_not(exists("registerClusterType", asNamespace("parallel")), "R is older than 4.5")
  local_part()
  cl <- parallel::makeCluster(2, type = "TASKQ")
  expect_s3_class(cl, "taskq_cluster")
  expect_identical(parallel::parLapply(cl, 1:2, identity), list(1L, 2L))
  parallel::stopCluster(cl)
})
