# What packages, R or `init` remember, and a task has changed: the next task finds it as it was, in the same session or,
# where it cannot be put back, in another one.

# `pollute` is followed by `look`, which gives what it gives without it. Returns how many sessions these tasks had.
sessions_of <- function(q, pollute, look) {
  before <- run_task(q, global(look))
  expect_identical(before$status, "success")
  expect_identical(run_task(q, global(pollute))$status, "success")
  after <- run_task(q, global(look))
  expect_identical(after$result, before$result)
  expect_identical(after$stderr, before$stderr)
  length(unique(c(before$worker, after$worker)))
}

test_that("a cluster that a task has made the default one is not that of the next task", {
  q <- local_queue(1)
  look <- function() inherits(try(parallel::clusterCall(fun = identity, 1), silent = TRUE), "try-error")
  expect_identical(sessions_of(q, function() {
    parallel::setDefaultCluster(parallel::makePSOCKcluster(1))
    1
  }, look), 1L)
  expect_identical(run_task(q, function() length(getAllConnections()))$result, 3L)
})

test_that("a backend of foreach and a plan of future end with their task", {
  skip_if_not_installed("doParallel")
  skip_if_not_installed("future")
  skip_on_cran()
  q <- local_queue(1)
  sum_up <- function() suppressWarnings(foreach::`%dopar%`(foreach::foreach(i = 1:2, .combine = c), i))
  register <- function() {
    doParallel::registerDoParallel(parallel::makePSOCKcluster(1))
    1
  }
  expect_identical(sessions_of(q, register, sum_up), 1L)
  plan <- function() {
    future::plan("multisession", workers = 2)
    1
  }
  class_of_plan <- function() c(class(future::plan()), future::value(future::future("done")))
  # future itself keeps the cluster of such a plan.
  expect_identical(sessions_of(q, plan, class_of_plan), 2L)
  # The first to load these packages may be the one that leaves something.
  q <- local_queue(1)
  expect_identical(run_task(q, global(register))$status, "success")
  expect_identical(run_task(q, global(sum_up))$result, 1:2)
})

test_that("a backend that `init` has registered is there for each task", {
  skip_if_not_installed("doParallel")
  q <- local_queue(1, init = function() {
    foreach::registerDoSEQ()
    parallel::setDefaultCluster(NULL)
  })
  look <- function() foreach::getDoParName()
  expect_identical(run_task(q, global(look))$result, "doSEQ")
  expect_identical(sessions_of(q, function() {
    doParallel::registerDoParallel(2)
    1
  }, look), 1L)
})

test_that("a connection that is still used somewhere ends with its session, others are closed", {
  q <- local_queue(1, init = function() memory <<- new.env())
  look <- function() c(length(getAllConnections()), length(memory))
  expect_identical(sessions_of(q, function() {
    memory$log <- file(tempfile(), "w")
    1
  }, look), 2L)
  expect_identical(sessions_of(q, function() {
    forgotten <- file(tempfile(), "w")
    textConnection("x")
    1
  }, look), 1L)
})

test_that("what `init` has opened is open for each task", {
  path <- tempfile()
  writeLines(c("a", "b"), path)
  on.exit(unlink(path), add = TRUE)
  q <- local_queue(1, globals = list(path = path), init = function() {
    con <<- file(path, "r")
    grDevices::pdf(NULL)
  })
  look <- function() c(isOpen(con), nrow(showConnections()), length(grDevices::dev.list()))
  expect_identical(sessions_of(q, function() readLines(con, 1), look), 1L)
  expect_identical(sessions_of(q, function() close(con), look), 2L)
  expect_identical(sessions_of(q, function() {
    close(con)
    is_other <- file(path, "r")
    as.integer(is_other)
  }, look), 2L)
  expect_identical(sessions_of(q, function() closeAllConnections(), look), 2L)
  expect_identical(sessions_of(q, function() unname(grDevices::dev.off()), look), 2L)
})

test_that("a connection to a database that `init` has made is one in each task", {
  skip_if_not_installed("RSQLite")
  q <- local_queue(1, seed = 1, init = function() databases <<- list(main = DBI::dbConnect(RSQLite::SQLite())))
  look <- function() c(DBI::dbGetQuery(databases$main, "select 1 as x")$x, DBI::dbIsValid(databases$main))
  expect_identical(sessions_of(q, function() DBI::dbExecute(databases$main, "create table t (x)"), look), 1L)
  expect_identical(sessions_of(q, function() DBI::dbDisconnect(databases$main), look), 2L)
  # To look after it uses none of the random numbers of a task.
  drawn <- function(q) lapply(1:2, function(i) run_task(q, function() runif(2))$result)
  plain <- local_queue(1, seed = 1)
  for (i in 1:6) run_task(plain, function() 1)
  expect_identical(drawn(q), drawn(plain))
})

test_that("hooks and S3 methods that a task has registered are taken away, those of packages stay", {
  q <- local_queue(1)
  look <- function() c(length(getHook("taskq.test")), format(structure(1, class = "taskq_test")))
  expect_identical(sessions_of(q, function() {
    setHook("taskq.test", function(...) 1)
    registerS3method("format", "taskq_test", function(x, ...) "method")
    1
  }, look), 1L)
  registered <- function() is.function(utils::getS3method("print", "ts", envir = asNamespace("stats")))
  loads <- function() {
    loadNamespace("stats4")
    loadNamespace("tools")
    1
  }
  expect_identical(sessions_of(q, loads, registered), 1L)
  skip_if_not_installed("callr")
  formats <- function() {
    loadNamespace("callr")
    is.function(utils::getS3method("format", "callr_error", optional = TRUE))
  }
  expect_identical(sessions_of(q, formats, formats), 1L)
})

test_that("S4 classes and methods that a task has defined end with their session", {
  q <- local_queue(1)
  look <- function() methods::isClass("taskq_test_class")
  expect_identical(sessions_of(q, function() {
    methods::setClass("taskq_test_class", methods::representation(x = "numeric"))
    1
  }, look), 2L)
  summed <- function() methods::existsMethod("summary", "numeric")
  expect_identical(sessions_of(q, function() {
    methods::setMethod("summary", "numeric", function(object, ...) "mine")
    1
  }, summed), 2L)
})

test_that("a package that a task has unloaded is there again", {
  q <- local_queue(1, init = function() loadNamespace("splines"))
  look <- function() isNamespaceLoaded("splines")
  expect_identical(sessions_of(q, function() unloadNamespace("splines"), look), 2L)
  expect_identical(sessions_of(q, function() {
    loadNamespace("stats4")
    unloadNamespace("stats4")
  }, look), 1L)
})

test_that("ordinary tasks leave the session that they had", {
  q <- local_queue(1)
  look <- function() 1
  ordinary <- list(
    function() library(stats4),
    function() readLines(file("/proc/self/stat")),
    function() parallel::mclapply(1:2, identity, mc.cores = 2),
    function() utils::capture.output(print(1)),
    function() tryCatch(stop("caught"), error = function(cnd) 1),
    function() {
      unlink(path <- tempfile())
      saveRDS(1, path)
      readRDS(path)
    },
    function() {
      options(digits = 3)
      x <<- set.seed(1)
      plot <- grDevices::pdf(NULL)
    }
  )
  for (task in ordinary) expect_identical(sessions_of(q, task, look), 1L)
})
