# O3: temporary directory, working directory and library path disappear. Hosts of their own, because it is theirs.

# What is removed here is below the directory that in_host() has made for this host, and nothing else is ever.
remove_below <- function(root, paths) {
  root <- normalizePath(root)
  stopifnot(grepl("^/[^/]+/.+/host-[0-9a-f]+$", root), identical(file.info(root)$uid, file.info(dirname(root))$uid))
  for (path in paths[file.exists(paths)]) {
    stopifnot(startsWith(normalizePath(path), paste0(root, "/")))
    unlink(path, recursive = TRUE)
  }
}
environment(remove_below) <- globalenv()

# A host that may remove only what is its own: not root, where that can be.
harmless_host <- function(...) {
  is_root <- identical(system("id -u", intern = TRUE), "0")
  in_host(..., sh = if (is_root) as_nobody())
}

# Weeks of a queue's life with one who removes what is old, and everything is old, at each step.
weeks <- function(remove_below) {
  library(taskq)
  root <- Sys.getenv("TMPDIR")
  clean <- function() remove_below(root, list.files(root, "^(Rtmp|taskq)", full.names = TRUE))
  use <- function() {
    path <- tempfile()
    writeLines("text", path)
    unlink(path)
    modes <- as.character(file.info(c(tempdir(), dirname(tempdir()), Sys.getenv("TMPDIR")))$mode)
    stopifnot(identical(modes, rep("700", 3)))
  }
  seen <- character()
  run <- function(name, q, fun = use, ...) {
    clean()
    q$push(fun, ...)
    seen[[name]] <<- q$pop(30000)$status
  }
  q <- task_q$new(c(1, 3), name = "weeks")
  run("boot", q)
  for (i in 1:3) run(paste("idle", i), q)
  run("isolate", q, isolate = TRUE)
  run("crash", q, function() quit("no"))
  run("reborn", q)
  q$resize(3)
  for (i in 1:4) run(paste("resized", i), q)
  run("by itself", q, function(root, remove_below) remove_below(root, list.files(root, "^taskq-", full.names = TRUE)),
    list(root, remove_below))
  run("after it", q)
  fields <- strsplit(sub("^.*\\) ", "", readLines(sprintf("/proc/%d/stat", q$list_workers()$worker[[1L]]))), " ")
  supervisor <- as.integer(fields[[1L]][[2L]])
  stopifnot(supervisor > 1L, supervisor != Sys.getpid())
  clean()
  tools::pskill(supervisor, tools::SIGKILL)
  q$push(use, tries = 2)
  seen[["supervisor"]] <- q$pop(30000)$status
  clean()
  other <- task_q$new(1, packages = "tools", preload = function() writeLines("x", tempfile()),
    init = function() writeLines("x", tempfile()))
  # Up before its files are removed: while it starts is another test.
  other$push(function() NULL)
  other$pop(30000)
  run("another queue", other)
  other$close()
  inline <- task_q$new(0)
  run("inline", inline, function() writeLines("x", tempfile()))
  clean()
  seen[["map"]] <- if (identical(q$map(1:9, function(i) file.exists(tempdir())), as.list(rep(TRUE, 9)))) "success"
  closed <- q$close()
  list(seen = seen, closed = closed, left = list.files(root, "^taskq", recursive = TRUE, include.dirs = TRUE))
}

test_that("O3: a queue lives for weeks where a cleaner removes all temporary files, however its sessions start", {
  for (without in c("", "fork")) {
    env <- paste0("TASKQ_WITHOUT=", without)
    seen <- suppressWarnings(harmless_host(weeks, remove_below, env = env, deadline_s = 120))
    expected <- seen$seen
    expected[] <- "success"
    expected[["crash"]] <- "crash"
    expect_identical(seen$seen, expected, label = without)
    expect_true(seen$closed)
    expect_identical(seen$left, character())
  }
})

test_that("O3: a cleaner that comes while a queue is prepared takes no temporary directory from code of the user", {
  skip_on_cran()
  prepared <- function() {
    library(taskq)
    Sys.setenv(CLEANED = Sys.getenv("TMPDIR"))
    use <- function() {
      path <- tempfile()
      writeLines("text", path)
      dirname(dirname(path))
    }
    environment(use) <- globalenv()
    # The profile has `packages` clean, too.
    preload <- function() {
      seen <<- use()
      clean()
    }
    q <- task_q$new(1, packages = "tools", globals = list(use = use), preload = preload,
      init = function() seen <<- c(seen, use()))
    q$push(function() c(seen, use()))
    dirs <- q$pop(30000)$result
    root <- Sys.getenv("CLEANED")
    # Its own temporary directory was not made again, and so another place was found.
    list(dirs = dirs, places = paste0(root, "/taskq-"), closed = q$close(), left = list.files(root, "^taskq"))
  }
  profile <- c("remove_below <-", deparse(remove_below),
    "clean <- function(...) {",
    "  root <- Sys.getenv(\"CLEANED\")",
    "  remove_below(root, list.files(root, \"^(Rtmp|taskq)\", full.names = TRUE))",
    "}",
    "setHook(packageEvent(\"tools\", \"attach\"), clean)")
  for (without in c("", "fork")) {
    seen <- suppressWarnings(harmless_host(prepared, env = c(with_profile(profile), paste0("TASKQ_WITHOUT=", without))))
    expect_length(seen$dirs, 3L)
    expect_true(all(startsWith(seen$dirs, seen$places)), label = without)
    expect_true(seen$closed)
    expect_identical(seen$left, character())
  }
})

test_that("O3: a fork of the host, or of a task, that ends as R does takes no temporary directory for good", {
  skip_on_cran()
  forks <- function() {
    library(taskq)
    use <- function() {
      path <- tempfile()
      writeLines("text", path)
      tempdir()
    }
    fork <- function() {
      suppressWarnings(parallel::mclapply(1:2, function(i) quit("no"), mc.cores = 2))
      dir.exists(tempdir())
    }
    q <- task_q$new(1)
    before <- q$push(use)
    q$push(fork)
    results <- list(q$pop(20000), q$pop(20000))
    for (i in 1:2) q$push(use)
    results <- c(results, list(q$pop(20000), q$pop(20000)))
    here <- fork()
    q$push(function() quit("no"))
    q$pop(20000)
    q$push(use)
    status <- q$pop(20000)$status
    again <- task_q$new(1)
    again$push(use)
    list(values = lapply(results, `[[`, "result"), workers = lapply(results, `[[`, "worker"), here = here,
      status = c(status, again$pop(20000)$status), closed = c(q$close(), again$close()))
  }
  seen <- harmless_host(forks)
  # In the same session, the directory is where it was.
  expect_false(seen$values[[2L]])
  expect_identical(seen$values[3:4], seen$values[c(1L, 1L)])
  expect_length(unique(seen$workers), 1L)
  expect_false(seen$here)
  expect_identical(seen$status, c("success", "success"))
  expect_true(all(seen$closed))
})

test_that("O3: what another user has put in the place of a temporary directory is neither used nor removed", {
  skip_on_cran()
  drop <- as_nobody()
  robbed <- function(remove_below) {
    library(taskq)
    q <- task_q$new(1)
    use <- function() {
      path <- tempfile()
      writeLines("text", path)
      tempdir()
    }
    q$push(use)
    before <- q$pop(20000)$status
    # As if its name had been taken: it belongs to root, and all may write to it.
    root <- Sys.getenv("TMPDIR")
    taken <- tempdir()
    remove_below(root, taken)
    file.rename(file.path(root, "strangers"), taken)
    q$push(function() quit("no"))
    q$pop(20000)
    q$push(use)
    after <- q$pop(20000)
    list(before = before, after = after$status, dir = after$result, root = root, taken = taken, closed = q$close(),
      owner = file.info(taken)$uid, left = list.files(root, "^taskq"))
  }
  stranger <- "[ \"$(id -u)\" != 0 ] || { mkdir \"$TMPDIR/strangers\"; chmod 1777 \"$TMPDIR/strangers\"; }"
  seen <- in_host(robbed, remove_below, sh = paste(stranger, drop, sep = "\n"))
  expect_identical(c(seen$before, seen$after), c("success", "success"))
  expect_identical(seen$owner, 0L)
  expect_match(seen$dir, paste0(seen$root, "/taskq-"), fixed = TRUE)
  expect_true(seen$closed)
  expect_identical(seen$left, character())
})

test_that("O3: where the working directory is gone the next task works, and a queue that cannot start names it", {
  skip_on_cran()
  homeless <- function(remove_below) {
    root <- Sys.getenv("TMPDIR")
    library(taskq)
    wd <- tempfile("wd-")
    dir.create(wd)
    q <- task_q$new(1, wd = wd)
    status <- character()
    run <- function(fun) {
      q$push(fun)
      q$pop(20000)
    }
    status <- run(function() getwd())$status
    remove_below(root, wd)
    status <- c(status, run(function() "in the one that was")$status, run(function() quit("no"))$status,
      run(function() "in the one that was")$status)
    # Deployed anew.
    dir.create(wd)
    status <- c(status, run(function() quit("no"))$status)
    back <- run(function() getwd())$result
    q$close()
    # Nothing is left that could be forked.
    q <- task_q$new(1, wd = wd, env = c(ANEW = "yes"))
    worker <- run(function() 1)$worker
    remove_below(root, wd)
    parent <- function(pid) {
      stat <- readLines(sprintf("/proc/%d/stat", pid))
      as.integer(strsplit(sub("^.*\\) ", "", stat), " ")[[1L]][[2L]])
    }
    supervisor <- parent(worker)
    zygote <- parent(supervisor)
    stopifnot(c(supervisor, zygote) > 1L, c(supervisor, zygote) != Sys.getpid())
    tools::pskill(c(zygote, supervisor), tools::SIGKILL)
    while (dir.exists(sprintf("/proc/%d", worker))) Sys.sleep(0.01)
    # A task that is pushed before the queue knows goes to the worker that has died.
    deadline <- Sys.time() + 20
    repeat {
      told <- tryCatch(run(function() 1), taskq_error = function(cnd) cnd)
      if (inherits(told, "taskq_error") || Sys.time() > deadline) break
    }
    gone <- tryCatch(task_q$new(1, wd = wd), taskq_error = function(cnd) cnd)
    dir.create(wd)
    setwd(wd)
    remove_below(root, wd)
    here <- tryCatch(task_q$new(1), taskq_error = function(cnd) cnd)
    list(status = status, wd = wd, back = back, told = told, gone = gone, here = here)
  }
  seen <- harmless_host(homeless, remove_below)
  expect_identical(seen$status, c("success", "success", "crash", "success", "crash"))
  expect_identical(basename(seen$back), basename(seen$wd))
  expect_s3_class(seen$told, "taskq_error_start")
  expect_match(conditionMessage(seen$told), paste("the working directory of the queue is gone:", seen$wd), fixed = TRUE)
  expect_s3_class(seen$gone, "taskq_error_input")
  expect_s3_class(seen$here, "taskq_error_input")
  expect_match(conditionMessage(seen$here), "working directory of this session")
})

test_that("O3: sessions outlive the library that taskq was loaded from, and a new start names what is missing", {
  skip_on_cran()
  moved <- function(remove_below) {
    lib <- tempfile("lib-")
    dir.create(lib)
    file.copy(find.package("taskq"), lib, recursive = TRUE)
    library(taskq, lib.loc = lib)
    .libPaths(character())
    q <- task_q$new(1, libpath = lib)
    run <- function(fun) {
      q$push(fun)
      q$pop(20000)
    }
    run(function() 1)
    remove_below(Sys.getenv("TMPDIR"), lib)
    status <- c(run(function() 1)$status, run(function() quit("no"))$status, run(function() 1)$status)
    q$close()
    q <- task_q$new(1, libpath = lib)
    list(status = status, told = tryCatch(run(function() 1), taskq_error = function(cnd) cnd))
  }
  seen <- harmless_host(moved, remove_below)
  expect_identical(seen$status, c("success", "crash", "success"))
  expect_s3_class(seen$told, "taskq_error_start")
  expect_match(conditionMessage(seen$told), "there is no package called")
})

test_that("`env = c(TMPDIR = )` is where sessions have their temporary files, which go with the queue", {
  scratch <- local_path()
  dir.create(scratch)
  q <- local_queue(1, env = c(TMPDIR = scratch))
  dirs <- run_task(q, function() c(tempdir(), Sys.getenv("TMPDIR"), writeLines("x", tempfile())))$result
  expect_true(all(startsWith(dirs, paste0(normalizePath(scratch), "/taskq-"))))
  expect_true(q$close())
  expect_identical(list.files(scratch), character())
  expect_input_error(task_q$new(1, env = c(TMPDIR = file.path(scratch, "none"))), "env")
  expect_input_error(task_q$new(1, env = c(TMPDIR = "")), "env")
})

test_that("O3: sessions have their temporary files with the queue where a file of variables changes `TMPDIR`", {
  skip_on_cran()
  variables <- local_path()
  dir.create(variables)
  other <- file.path(variables, "other")
  dir.create(other)
  Sys.chmod(c(variables, other), c("0711", "0777"), use_umask = FALSE)
  environ <- file.path(variables, "Renviron")
  writeLines(paste0("TMPDIR=", other), environ)
  changed <- function(other) {
    library(taskq)
    Sys.setenv(R_ENVIRON_USER = Sys.getenv("VARIABLES"))
    q <- task_q$new(1, init = function() writeLines("x", tempfile()))
    dirs <- function() c(tempdir(), Sys.getenv("TMPDIR"))
    seen <- character()
    for (i in 1:2) {
      q$push(dirs)
      seen <- c(seen, q$pop(30000)$result)
      q$push(function() quit("no"))
      q$pop(30000)
    }
    list(seen = seen, tempdir = tempdir(), closed = q$close(), left = list.files(other))
  }
  for (without in c("", "fork")) {
    env <- c(paste0("TASKQ_WITHOUT=", without), paste0("VARIABLES=", environ))
    seen <- suppressWarnings(harmless_host(changed, other, env = env))
    expect_true(all(startsWith(seen$seen, paste0(seen$tempdir, "/taskq-"))), label = without)
    expect_identical(dirname(seen$seen[c(1L, 3L)]), seen$seen[c(2L, 4L)])
    expect_true(seen$closed)
    expect_identical(seen$left, character())
  }
})
