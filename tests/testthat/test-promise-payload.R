# I: what travels, and what cannot.

test_that("I1: arguments and results of every size come as they were", {
  q <- local_queue(2)
  sizes <- c(0, 1, 2, 4095:4097, 16383:16385, 65535:65537, 2^18 + -1:1, 2^20)
  for (size in sizes) q$push(function(x) rev(x), list(rep_len(as.raw(0:255), size)), id = as.character(size))
  results <- pop_all(q)
  for (size in sizes) {
    expect_true(identical(results[[as.character(size)]]$result, rev(rep_len(as.raw(0:255), size))), label = size)
  }
})

test_that("I1: 300 MB go and come, and are given back", {
  skip_on_cran()
  q <- local_queue(1)
  run_task(q, function() 1)
  resident <- resident_bytes()
  x <- seq_len(3.75e7) + 0
  result <- run_task(q, function(x) x, list(x), wait_ms = 120000)
  expect_identical(result$status, "success")
  expect_true(identical(result$result, x))
  rm(x, result)
  expect_true(wait_until(resident_bytes() - resident < 50 * 2^20))
})

test_that("I2: what cannot be read is an error of the task that names the moment, and the worker lives", {
  q <- local_queue(1)
  pid <- run_task(q, Sys.getpid)$result
  # A namespace travels by its name, and unserialize() asks for it.
  nobody <- local({
    info <- new.env()
    info$spec <- c(name = "no.such.package", version = "1")
    env <- new.env()
    assign(".__NAMESPACE__.", info, envir = env)
    env
  })
  result <- run_task(q, function(x) identical(x, globalenv()), list(nobody))
  # R itself puts the global environment in its place.
  expect_identical(result$result, TRUE)
  result <- run_task(q, function() {
    info <- new.env()
    makeActiveBinding("spec", function() stop("unspeakable"), info)
    env <- new.env()
    assign(".__NAMESPACE__.", info, envir = env)
    env
  })
  expect_identical(result$status, "error")
  expect_match(conditionMessage(result$error), "its result could not be sent: unspeakable")
  expect_identical(run_task(q, Sys.getpid)$result, pid)
})

test_that("I2: what cannot be sent is an error of push(), and nothing was queued", {
  q <- local_queue(1)
  info <- new.env()
  makeActiveBinding("spec", function() stop("unspeakable"), info)
  env <- new.env()
  assign(".__NAMESPACE__.", info, envir = env)
  expect_error(q$push(function(x) 1, list(env)), "unspeakable")
  expect_true(q$is_idle())
  expect_identical(run_task(q, function() 1)$result, 1)
})

test_that("I3: an error that holds much does not bring it to the host", {
  skip_on_cran()
  q <- local_queue(1)
  run_task(q, function() 1)
  resident <- resident_bytes()
  holders <- list(
    environment = function() {
      big <- numeric(2.5e7) + 1
      stop(structure(class = c("holder", "error", "condition"), list(message = "m", call = NULL, data = environment())))
    },
    vector = function() {
      big <- numeric(2.5e7) + 1
      stop(structure(class = c("holder", "error", "condition"), list(message = "m", call = NULL, data = big)))
    },
    closure = function() {
      big <- numeric(2.5e7) + 1
      stop(structure(class = c("holder", "error", "condition"), list(message = "m", call = NULL,
        data = function() big)))
    },
    call = function() {
      big <- numeric(2.5e7) + 1
      do.call(function(x) stop("in a call"), list(big))
    },
    condition = function() {
      big <- numeric(2.5e7) + 1
      warning(structure(class = c("holder", "warning", "condition"), list(message = "m", call = NULL, data = big)))
      stop("m")
    },
    attribute = function() {
      stop(structure(class = c("holder", "error", "condition"), list(message = "m", call = NULL),
        data = numeric(2.5e7) + 1))
    }
  )
  for (name in names(holders)) {
    reset_peak()
    result <- run_task(q, global(holders[[name]]), wait_ms = 60000)
    expect_identical(result$status, "error", label = name)
    # The object has 200 MB.
    expect_lt(peak_bytes() - resident, 100 * 2^20, label = name)
  }
})

test_that("I4: a function that carries the queue itself neither copies nor ends it", {
  q <- local_queue(1)
  carrier <- function() class(queue)
  environment(carrier) <- list2env(list(queue = q), parent = globalenv())
  expect_true("task_q" %in% run_task(q, carrier)$result)
  crate <- structure(carrier, class = c("crate", "function"))
  for (i in 1:3) expect_true("task_q" %in% run_task(q, crate)$result)
  result <- run_task(q, function(queue) queue$push(sum), list(q))
  expect_s3_class(result$error$parent, "taskq_error_closed")
  gc()
  expect_identical(run_task(q, function() 1)$result, 1)
})

test_that("I5: arguments are released when their task is done", {
  skip_on_cran()
  q <- local_queue(1)
  run_task(q, function() 1)
  resident <- resident_bytes()
  for (i in 1:5) q$push(function(x) length(x), list(numeric(5e6) + i))
  expect_true(q$wait(timeout = 60000))
  # Not popped, not held: 200 MB.
  expect_true(wait_until(resident_bytes() - resident < 60 * 2^20))
  expect_identical(unname(vapply(pop_all(q), `[[`, 1L, "result")), rep(5000000L, 5))
})

test_that("I1: large arguments and results pass through memory files, or the socket where there are none", {
  both <- function(memory_files, size) {
    q <- taskq::task_q$new(1)
    on.exit(q$kill())
    x <- seq_len(size) + 0
    # Waits first, so that its argument can be seen here, too.
    q$pause()
    q$push(function(x, y) list(sum(x), rev(x), nchar(y)), list(x, strrep("a", 3e5)))
    q$push(identity, list(x))
    files <- memory_files("taskq-payload")
    shown <- q$list_tasks(idle = FALSE)$args
    q$resume()
    results <- list(q$pop(20000)$result, q$pop(20000)$result)
    stopifnot(
      identical(shown, list(list(x, strrep("a", 3e5)), list(x))),
      identical(results, list(list(sum(x), rev(x), 300000L), x))
    )
    c(files, memory_files("taskq-payload"))
  }
  expect_identical(in_host(both, memory_files, 5e4), c(2L, 0L))
  expect_identical(in_host(both, memory_files, 5e4, env = "TASKQ_WITHOUT=memfd"), c(0L, 0L))
  # Where files may not be large, writing one would end the process. In kilobytes.
  expect_identical(in_host(both, memory_files, 1e6, sh = "ulimit -S -f 6000"), c(0L, 0L))
})

test_that("J3: large arguments beyond the share of descriptors wait in memory", {
  many <- function(memory_files) {
    q <- taskq::task_q$new(1)
    on.exit(q$kill())
    q$pause()
    x <- seq_len(5e4) + 0
    for (i in 1:300) q$push(function(x, i) x[[i]], list(x, i))
    files <- memory_files("taskq-payload")
    q$resume()
    results <- q$collect(timeout = 60000)$result
    stopifnot(identical(unlist(results), as.double(1:300)))
    c(files, memory_files("taskq-payload"))
  }
  expect_identical(in_host(many, memory_files, sh = "ulimit -n 400"), c(100L, 0L))
})

test_that("A2: a large result that is never popped leaves nothing, nor does a session that dies of one", {
  q <- local_queue(1)
  q$push(function() numeric(1e6))
  q$push(function(x) tools::pskill(Sys.getpid(), 9), list(numeric(1e6)))
  q$wait(timeout = 20000)
  expect_identical(q$get_num_done(), 2L)
})

test_that("a function travels once, and each task finds it as it was pushed", {
  q <- local_queue(1)
  # It holds an environment of its own, which a task changes.
  counter <- local({
    n <- 0
    structure(function() n <<- n + 1, class = c("crate", "function"))
  })
  double <- function(x) 2 * x
  for (i in 1:3) {
    expect_identical(run_task(q, counter)$result, 1)
    expect_identical(run_task(q, double, list(i))$result, 2 * i)
  }
  # More than a session keeps, and back to the first.
  many <- lapply(1:100, function(i) eval(bquote(function() .(i))))
  for (i in c(1:100, 1:3)) expect_identical(run_task(q, many[[i]])$result, i)
  # What a task makes of its own function is its own.
  own <- function() {
    fun <- sys.function()
    body(fun) <- quote("changed")
    attr(fun, "mark") <- TRUE
    is.null(attr(sys.function(), "mark"))
  }
  for (i in 1:3) expect_true(run_task(q, own)$result)
})

test_that("a function that looks like the last one is not taken for it", {
  q <- local_queue(1)
  make <- function(value) {
    fun <- function() attr(sys.function(), "value")
    environment(fun) <- globalenv()
    attr(fun, "value") <- value
    fun
  }
  for (value in c("a", "b", "a")) expect_identical(run_task(q, make(value))$result, value)
  # The same parts in another environment.
  one <- function() environmentName(topenv(environment(sys.function())))
  environment(one) <- globalenv()
  other <- one
  environment(other) <- asNamespace("stats")
  expect_identical(run_task(q, one)$result, "R_GlobalEnv")
  expect_identical(run_task(q, other)$result, "stats")
  expect_identical(run_task(q, one)$result, "R_GlobalEnv")
})

test_that("I2: list_tasks() shows each task what it was pushed with and what came of it", {
  q <- local_queue(1)
  info <- new.env()
  info$spec <- c(name = "no.such.package", version = "1")
  ghost <- new.env()
  assign(".__NAMESPACE__.", info, envir = ghost)
  Sys.setenv(`_R_NO_REPORT_MISSING_NAMESPACES_` = "true")
  on.exit(Sys.unsetenv("_R_NO_REPORT_MISSING_NAMESPACES_"), add = TRUE)
  q$pause()
  add <- function(x) x + 1
  ids <- c(q$push(add, list(1)), q$push(add, list(ghost)), q$push(function() "b"), q$push(add, list(2)))
  shown <- q$list_tasks(idle = FALSE)
  expect_identical(shown$id, ids)
  expect_identical(shown$args[c(1L, 3L, 4L)], list(list(1), list(), list(2)))
  expect_identical(lapply(shown$fun[c(1L, 3L, 4L)], body), list(quote(x + 1), "b", quote(x + 1)))
  q$resume()
  q$wait()
  shown <- q$list_tasks(idle = FALSE)
  expect_identical(shown$result[[4L]]$result, 3)
  expect_identical(shown$result[[3L]]$result, "b")
  expect_s3_class(shown$result[[2L]]$error, "taskq_error_task")
  expect_identical(lapply(shown$result, `[[`, "task_id"), as.list(ids))
})
