# TaskqParam(): loops of BiocParallel on a queue. What they give is what BiocParallel's own backends give.

bplapply <- function(...) BiocParallel::bplapply(...)

serial <- function(...) BiocParallel::SerialParam(...)

test_that("all loops of BiocParallel give what they give in one session", {
  param <- local_param()
  loops <- list(
    function(p) bplapply(c(a = 1, b = 2), sqrt, BPPARAM = p),
    function(p) bplapply(list(), sqrt, BPPARAM = p),
    function(p) BiocParallel::bpvec(1:10, sqrt, BPPARAM = p),
    function(p) BiocParallel::bpmapply(rep, 1:4, x = 4:1, MoreArgs = list(each = 2), BPPARAM = p),
    function(p) BiocParallel::bpvectorize(sqrt, BPPARAM = p)(1:5),
    function(p) BiocParallel::bpaggregate(weight ~ feed, chickwts, mean, BPPARAM = p),
    function(p) BiocParallel::bpiterate(BiocParallel::bpiterateAlong(1:5), sqrt, BPPARAM = p),
    function(p) {
      BiocParallel::bpiterate(BiocParallel::bpiterateAlong(1:5), identity, REDUCE = paste0, init = "", BPPARAM = p,
        reduce.in.order = TRUE)
    }
  )
  for (loop in loops) expect_identical(loop(param), loop(serial()))
})

test_that("random numbers are those of other backends, whatever the number of workers and tasks", {
  draw <- global(function(i) stats::rnorm(2))
  for (workers in 2:3) {
    param <- local_param(workers, RNGseed = 42, tasks = 5L)
    other <- BiocParallel::bpstart(serial(RNGseed = 42))
    # A second loop goes on where the first one has ended.
    for (i in 1:2) expect_identical(bplapply(1:7, draw, BPPARAM = param), bplapply(1:7, draw, BPPARAM = other))
    BiocParallel::bpstop(other)
  }
})

test_that("what workers of BiocParallel draw, those of a queue draw", {
  skip_on_cran()
  draw <- global(function(i) c(stats::rnorm(1), sample(10)))
  param <- local_param(RNGseed = 7, started = FALSE)
  # Its workers are forks, and need no port, which others on this machine might have.
  forks <- BiocParallel::MulticoreParam(2L, RNGseed = 7)
  expect_identical(bplapply(1:5, draw, BPPARAM = param), bplapply(1:5, draw, BPPARAM = forks))
})

test_that("an error is that of the element, and BPREDO runs what is missing", {
  param <- local_param(tasks = 4L, stop.on.error = FALSE)
  result <- BiocParallel::bptry(bplapply(list(1, "two", 3, 4), sqrt, BPPARAM = param))
  expect_identical(BiocParallel::bpok(result), c(TRUE, FALSE, TRUE, TRUE))
  expect_s3_class(result[[2L]], "remote_error")
  expect_identical(conditionMessage(result[[2L]]), "non-numeric argument to mathematical function")
  expect_error(bplapply(list(1, "two"), sqrt, BPPARAM = param), class = "bplist_error")
  expect_identical(bplapply(list(1, 2, 3, 4), sqrt, BPREDO = result, BPPARAM = param), lapply(1:4, sqrt))
})

test_that("after an error the rest is not evaluated, and the workers are free for the next loop", {
  param <- local_param(tasks = 2L)
  result <- BiocParallel::bptry(bplapply(list("one", 2, 3, 4), sqrt, BPPARAM = param))
  expect_s3_class(result[[2L]], "unevaluated_error")
  expect_identical(result[3:4], list(sqrt(3), sqrt(4)))
  expect_identical(bplapply(1:2, sqrt, BPPARAM = param), lapply(1:2, sqrt))
})

test_that("a worker that dies is an error of its elements that says so, and all others have their results", {
  param <- local_param(tasks = 3L, stop.on.error = FALSE)
  dies <- global(function(i) if (i == 4) tools::pskill(Sys.getpid(), 9L) else i)
  result <- BiocParallel::bptry(bplapply(1:6, dies, BPPARAM = param))
  expect_identical(BiocParallel::bpok(result), c(TRUE, TRUE, FALSE, FALSE, TRUE, TRUE))
  expect_s3_class(result[[4L]], "worker_comm_error")
  expect_match(conditionMessage(result[[4L]]), "the task crashed its worker.*SIGKILL")
  expect_identical(bplapply(1:6, identity, BPREDO = result, BPPARAM = param), as.list(1:6))
  # With stop.on.error, and where elements are not known beforehand.
  die <- global(function(i) tools::pskill(Sys.getpid(), 9L))
  again <- function() {
    BiocParallel::bpstopOnError(param) <- TRUE
    BiocParallel::bpiterate(BiocParallel::bpiterateAlong(1:3), die, BPPARAM = param)
  }
  expect_error(again(), "crashed its worker", class = "bplist_error")
  expect_identical(bplapply(1:2, sqrt, BPPARAM = param), lapply(1:2, sqrt))
})

test_that("with `tries` the elements of a worker that dies are run again", {
  param <- local_param(tries = 2)
  once <- global(function(i) if (taskq::task_attempt() == 1) tools::pskill(Sys.getpid(), 9L) else i)
  expect_identical(bplapply(1:2, once, BPPARAM = param), list(1L, 2L))
})

test_that("workers find variables of the global environment, options and packages as with SnowParam()", {
  param <- local_param()
  assign("tq_test_offset", 40, envir = globalenv())
  on.exit(rm("tq_test_offset", envir = globalenv()), add = TRUE)
  old <- options(tq_test_option = 2)
  on.exit(options(old), add = TRUE)
  add <- global(function(i) tq_test_offset + getOption("tq_test_option"))
  expect_identical(bplapply(1:2, add, BPPARAM = param), list(42, 42))
  attached <- global(function(i) "package:stats4" %in% search())
  BiocParallel::bpexportvariables(param) <- FALSE
  options <- BiocParallel::bpoptions(packages = "stats4")
  expect_identical(bplapply(1:2, attached, BPPARAM = param, BPOPTIONS = options), list(TRUE, TRUE))
})

test_that("without `exportglobals` options are those of the worker", {
  old <- options(tq_test_option = 2)
  on.exit(options(old), add = TRUE)
  param <- local_param(exportglobals = FALSE)
  expect_identical(bplapply(1:2, global(function(i) getOption("tq_test_option")), BPPARAM = param), list(NULL, NULL))
})

test_that("options of the queue are those of its workers", {
  param <- local_param(globals = list(tq_test_offset = 40), packages = "stats4", exportvariables = FALSE)
  see <- global(function(i) c(tq_test_offset, "package:stats4" %in% search()))
  expect_identical(bplapply(1:2, see, BPPARAM = param), list(c(40, 1), c(40, 1)))
})

test_that("what all elements share is sent to a worker once", {
  param <- local_param(1L, tasks = 3L)
  count <- global(function(i, seen) seen$n <- seen$n + 1)
  seen <- new.env(parent = emptyenv())
  seen$n <- 0
  expect_identical(bplapply(1:3, count, seen = seen, BPPARAM = param), list(1, 2, 3))
  # Not that of the loop before.
  expect_identical(bplapply(1:3, count, seen = seen, BPPARAM = param), list(1, 2, 3))
})

test_that("a parameter object in the frame of a function takes along none of what the session has loaded", {
  param <- local_param()
  stamp <- global(function(param) {
    force(param)
    function(i) class(param)[[1L]]
  })
  expect_identical(bplapply(1:2, stamp(param), BPPARAM = param), list("TaskqParam", "TaskqParam"))
  # What is beside the class refers to each package that the session has loaded: a worker would load them all.
  expect_length(grepRaw(".__C__taskq_bp_job", serialize(param, NULL), fixed = TRUE), 0L)
})

test_that("an object with an external pointer goes along, for what renews it in the worker", {
  param <- local_param()
  pointer <- getNativeSymbolInfo("C_tq_call", getLoadedDLLs()$taskq)$address
  files <- list(list(path = "a", pointer = pointer), list(path = "b", pointer = pointer))
  expect_identical(expect_silent(bplapply(files, global(function(x) x$path), BPPARAM = param)), list("a", "b"))
})

test_that("logs are written, with what elements print", {
  dir <- local_path()
  dir.create(dir)
  param <- local_param(log = TRUE, logdir = dir, threshold = "WARN")
  talk <- global(function(i) {
    cat("printed by", i)
    warning("warned by ", i)
  })
  bplapply(1:2, talk, BPPARAM = param)
  text <- unlist(lapply(list.files(dir, full.names = TRUE), readLines))
  for (what in c("printed by 1", "printed by 2", "WARN.*warned by 1")) expect_true(any(grepl(what, text)))
  BiocParallel::bpthreshold(param) <- "ERROR"
  BiocParallel::bplog(param) <- FALSE
  expect_identical(list(BiocParallel::bpthreshold(param), BiocParallel::bplog(param)), list("ERROR", FALSE))
})

test_that("an element that takes longer than `timeout` is an error", {
  param <- local_param(timeout = 1, stop.on.error = FALSE)
  waits <- global(function(i) if (i == 1) repeat Sys.sleep(0.01) else i)
  result <- BiocParallel::bptry(bplapply(1:2, waits, BPPARAM = param))
  expect_match(conditionMessage(result[[1L]]), "time limit")
  expect_identical(result[[2L]], 2L)
})

test_that("a progress bar counts elements", {
  param <- local_param(progressbar = TRUE)
  expect_identical(BiocParallel::bptasks(param), .Machine$integer.max)
  expect_output(bplapply(1:4, identity, BPPARAM = param), "100%")
})

test_that("the number of workers can be changed while they run", {
  param <- local_param(1L)
  BiocParallel::bpworkers(param) <- 2L
  expect_length(BiocParallel::bpbackend(param), 2L)
  pids <- bplapply(1:2, global(function(i) {Sys.sleep(0.2); Sys.getpid()}), BPPARAM = param)
  expect_false(identical(pids[[1L]], pids[[2L]]))
  expect_input_error(BiocParallel::bpworkers(param) <- 0, "workers")
})

test_that("one worker that was not started is this session, unless `fallback` is FALSE", {
  here <- global(function(i) Sys.getpid())
  param <- local_param(1L, started = FALSE)
  expect_identical(bplapply(1, here, BPPARAM = param), list(Sys.getpid()))
  param <- local_param(1L, fallback = FALSE, started = FALSE)
  expect_false(identical(bplapply(1, here, BPPARAM = param), list(Sys.getpid())))
})

test_that("a loop in a worker makes workers of its own, by the same parameter object", {
  param <- local_param(RNGseed = 1)
  inner <- global(function(i, param) {
    stopifnot(!BiocParallel::bpisup(param))
    unlist(BiocParallel::bplapply(10 * i + 1:2, identity, BPPARAM = param))
  })
  expect_identical(bplapply(1:2, inner, param = param, BPPARAM = param), list(c(11, 12), c(21, 22)))
})

test_that("a loop in REDUCE of another one can use the same workers", {
  param <- local_param()
  iterate <- function(p) {
    reduce <- function(x, y) x + sum(unlist(bplapply(1:3, function(i, y) i * y, y = y, BPPARAM = p)))
    BiocParallel::bpiterate(BiocParallel::bpiterateAlong(1:5), identity, REDUCE = reduce, init = 0, BPPARAM = p)
  }
  expect_identical(iterate(param), iterate(serial()))
})
