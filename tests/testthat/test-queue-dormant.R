# O5: a queue made while the R process starts that sessions come from. Hosts of their own, which have profiles.

# Code for a host, of `n` processes below it, which may still be starting or ending: TRUE as soon as there are `n`.
count_below <- quote({
  parent <- function(pid) {
    stat <- tryCatch(suppressWarnings(readLines(sprintf("/proc/%s/stat", pid), 1L)), error = function(cnd) character())
    if (length(stat)) strsplit(sub("^.*\\) ", "", stat), " ")[[1L]][[2L]] else "0"
  }
  below <- function() {
    pids <- list.files("/proc", "^[0-9]+$")
    parents <- vapply(pids, parent, "")
    found <- character()
    level <- as.character(Sys.getpid())
    while (length(level <- pids[parents %in% level])) found <- c(found, level)
    length(found)
  }
})

test_that("O5: a queue in a profile does not multiply, and tasks can use it", {
  skip_on_cran()
  profile <- c("$taskq", ".jobs <- task_q$new(1)", "at_start <- c(.jobs$is_idle(), taskq::is_worker())")
  use <- function(count_below) {
    eval(count_below, globalenv())
    run <- function(q, fun) {
      q$push(fun)
      q$pop(30000)$result
    }
    first <- run(.jobs, function() 1)
    one <- below()
    q <- task_q$new(2)
    second <- run(q, function() 2)
    both <- below()
    # In the task it wakes up.
    nested <- run(q, function() {
      .jobs$push(function() c(taskq::is_worker(), at_start))
      list(.jobs$pop(30000)$result, at_start, length(.jobs$list_workers()$worker), .jobs$close())
    })
    # It is closed without ever having been awake.
    closed <- run(q, function() {
      c(.jobs$close(), tryCatch(.jobs$push(function() 1), error = function(cnd) class(cnd)[1L]))
    })
    list(first = first, second = second, one = one, both = both, nested = nested, closed = closed,
      here = at_start, ends = c(q$close(), .jobs$close()))
  }
  for (without in c("", "fork")) {
    env <- c(with_profile(profile), paste0("TASKQ_WITHOUT=", without))
    seen <- suppressWarnings(in_host(use, count_below, env = env))
    expect_identical(seen[c("first", "second")], list(first = 1, second = 2), label = without)
    # Zygote, supervisor and session; the other queue adds a supervisor, and perhaps a zygote, and two sessions.
    expect_lte(seen$one, 3L)
    expect_lte(seen$both, 7L)
    expect_identical(seen$here, c(TRUE, FALSE))
    expect_identical(seen$nested, list(c(TRUE, TRUE, TRUE), c(TRUE, TRUE), 1L, TRUE))
    expect_identical(seen$closed, c("TRUE", "taskq_error_closed"))
    expect_identical(seen$ends, c(TRUE, TRUE))
  }
})

test_that("O5: a profile that pushes to its queue is told how not to, and works with that", {
  skip_on_cran()
  use <- function() {
    told <- tryCatch(.jobs$pop(30000), taskq_error = function(cnd) c(class(cnd)[1L], conditionMessage(cnd)))
    .jobs$kill()
    if (is.character(told)) told else told$result
  }
  profile <- c("$taskq", ".jobs <- task_q$new(1)", ".jobs$push(function() 42)")
  told <- in_host(use, env = with_profile(profile))
  expect_identical(told[[1L]], "taskq_error_start")
  expect_match(told[[2L]], "this queue was made while R starts for the workers of another one")
  expect_match(told[[2L]], "if (!taskq::is_worker())", fixed = TRUE)
  profile <- c("$taskq", "if (!taskq::is_worker()) {", ".jobs <- task_q$new(1)", ".jobs$push(function() 42)", "}")
  expect_identical(in_host(use, env = with_profile(profile)), 42)
})

test_that("O5: a package that makes a queue when it is loaded does not multiply", {
  skip_on_cran()
  root <- local_path()
  lib <- file.path(root, "lib")
  dir.create(file.path(root, "taskqself", "R"), recursive = TRUE)
  dir.create(lib)
  writeLines(c("Package: taskqself", "Version: 1.0", "Title: Self", "Description: Self.", "License: MIT",
    "Author: A", "Maintainer: A <a@b.c>"), file.path(root, "taskqself", "DESCRIPTION"))
  writeLines("export(work)", file.path(root, "taskqself", "NAMESPACE"))
  writeLines(c(
    "queue <- NULL",
    ".onLoad <- function(libname, pkgname) queue <<- taskq::task_q$new(1, packages = \"taskqself\")",
    "work <- function(x) { queue$push(function(x) x + 1, list(x)); queue$pop(30000)$result }"
  ), file.path(root, "taskqself", "R", "self.R"))
  # Loading it there would make a queue.
  args <- c("CMD", "INSTALL", "--no-test-load", "--no-byte-compile", paste0("--library=", lib),
    file.path(root, "taskqself"))
  libraries <- paste(c(lib, .libPaths()), collapse = ":")
  status <- system2(file.path(R.home("bin"), "R"), args, stdout = FALSE, stderr = FALSE,
    env = paste0("R_LIBS=", libraries))
  expect_identical(status, 0L)
  use <- function(count_below, lib) {
    eval(count_below, globalenv())
    .libPaths(c(lib, .libPaths()))
    loadNamespace("taskqself")
    q <- taskq::task_q$new(1, packages = "taskqself")
    q$push(function() work(1))
    nested <- q$pop(30000)$result
    q$push(function() 1)
    q$pop(30000)
    # Those of two queues, and in the session the one that its task has woken up.
    list(here = taskqself::work(1), nested = nested, below = below(), closed = c(q$close(), taskqself:::queue$close()))
  }
  seen <- in_host(use, count_below, lib)
  expect_identical(seen[c("here", "nested")], list(here = 2, nested = 2))
  expect_lte(seen$below, 9L)
  expect_identical(seen$closed, c(TRUE, TRUE))
})
