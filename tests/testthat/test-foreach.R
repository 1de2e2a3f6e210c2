# registerDoTaskq(): what loops give is what they give with doParallel, or in this session.

local_backend <- function(queue = 2, ..., frame = parent.frame()) {
  skip_if_not_installed("foreach")
  skip_if_not(file.exists("/proc/self/stat"), "/proc is needed to look for processes")
  fixture_begins()
  registerDoTaskq(queue, ...)
  finish <- function() {
    foreach::registerDoSEQ()
    # The queue ends when R has collected it.
    gc()
    fixture_ends()
  }
  do.call(on.exit, list(as.call(list(finish)), add = TRUE, after = FALSE), envir = frame)
}

# A loop as a user writes it at the prompt: evaluated below the global environment.
at_prompt <- function(expr) {
  env <- new.env(parent = globalenv())
  for (name in c("foreach", "%dopar%", "%:%")) assign(name, getExportedValue("foreach", name), envir = env)
  eval(substitute(expr), env)
}

test_that("loops give what they give in this session", {
  local_backend()
  expect_identical(at_prompt(foreach(i = 1:4, .combine = c) %dopar% i^2), c(1, 4, 9, 16))
  expect_identical(at_prompt(foreach(i = 2:1, x = c("a", "b")) %dopar% list(i, x)), list(list(2L, "a"), list(1L, "b")))
  nested <- at_prompt(foreach(i = 1:2, .combine = rbind) %:% foreach(j = 1:3, .combine = c) %dopar% (i * j))
  expect_identical(unname(nested), rbind(1:3, 2L * 1:3))
  expect_null(at_prompt(foreach(i = integer(), .combine = c) %dopar% i))
  expect_identical(at_prompt(foreach(i = 1:3, .final = length) %dopar% i), 3L)
})

test_that("a loop takes along what it uses of where it stands, and what .export names", {
  local_backend()
  expect_identical(at_prompt({
    y <- 10
    add <- function(x) x + y
    foreach(i = 1:3, .combine = c) %dopar% add(i)
  }), c(11, 12, 13))
  in_function <- function(...) {
    f <- function(i) i + get("hidden")()
    hidden <- function() 5
    loop <- foreach::foreach(i = 1:2, .export = "hidden")
    foreach::`%dopar%`(loop, list(f(i), ...))
  }
  environment(in_function) <- globalenv()
  expect_identical(in_function("x"), list(list(6, "x"), list(7, "x")))
  expect_error(at_prompt(foreach(i = 1, .export = "nowhere") %dopar% i), "nowhere")
  expect_error(at_prompt({
    y <- 1
    foreach(i = 1, .noexport = "y") %dopar% y
  }), "task 1 failed")
})

test_that("an error is handled as the loop says", {
  local_backend()
  expect_error(at_prompt(foreach(i = 1:3) %dopar% if (i == 2) stop("no data")), 'task 2 failed - "no data"',
    fixed = TRUE)
  removed <- at_prompt(foreach(i = 1:3, .errorhandling = "remove") %dopar% if (i == 2) stop("no data") else i)
  expect_identical(removed, list(1L, 3L))
  passed <- at_prompt(foreach(i = 1:3, .errorhandling = "pass") %dopar% if (i == 2) stop("no data") else i)
  expect_identical(passed[-2], list(1L, 3L))
  expect_identical(conditionMessage(passed[[2L]]), "no data")
})

test_that("a worker that dies is an error of its iterations", {
  skip_on_cran()
  local_backend()
  results <- at_prompt(foreach(i = 1:3, .errorhandling = "pass") %dopar% {
    if (i == 2) tools::pskill(Sys.getpid(), 9) else i
  })
  expect_match(conditionMessage(results[[2L]]), "SIGKILL")
  expect_identical(at_prompt(foreach(i = 1:3, .combine = c) %dopar% i), 1:3)
})

test_that("packages of a loop are attached in the workers of a backend of its own, and only for a loop in a user's", {
  skip_on_cran()
  q <- local_queue(1)
  attached <- function() "package:tools" %in% search()
  for (queue in list(1, q)) {
    local({
      local_backend(queue)
      expect_identical(at_prompt(foreach(i = 1, .packages = "tools") %dopar% file_ext("a.b")), list("b"))
      left <- at_prompt(foreach(i = 1) %dopar% ("package:tools" %in% search()))
      expect_identical(left, list(is.numeric(queue)))
    })
  }
})

test_that("a loop within a loop runs in its worker, without a warning", {
  skip_on_cran()
  local_backend()
  expect_silent(inner <- at_prompt(foreach(i = 1:2, .packages = "foreach") %dopar% {
    foreach(j = 1:2, .combine = c) %dopar% c(j, Sys.getpid())
  }))
  expect_identical(lapply(inner, function(x) x[c(1L, 3L)]), list(1:2, 1:2))
})

test_that("foreach knows the workers and the name", {
  q <- local_queue(2)
  local_backend(q)
  expect_identical(foreach::getDoParWorkers(), 2L)
  expect_identical(foreach::getDoParName(), "doTaskq")
  foreach::registerDoSEQ()
  # A queue of the user's goes on.
  expect_identical(run_task(q, function() 1)$result, 1)
})

test_that("random numbers of doRNG are those of its other backends", {
  skip_on_cran()
  skip_if_not_installed("doRNG")
  draw <- function() {
    set.seed(1)
    at_prompt({
      `%dorng%` <- doRNG::`%dorng%`
      foreach(i = 1:5, .combine = c) %dorng% stats::rnorm(1)
    })
  }
  foreach::registerDoSEQ()
  expected <- draw()
  local_backend()
  expect_identical(c(draw()), c(expected))
})

test_that("what cannot be is refused", {
  skip_if_not_installed("foreach")
  expect_input_error(registerDoTaskq(0), "queue")
  expect_input_error(registerDoTaskq(1, package = "tools"), "package")
  q <- local_queue(1)
  expect_input_error(registerDoTaskq(q, packages = "tools"), "...")
})
