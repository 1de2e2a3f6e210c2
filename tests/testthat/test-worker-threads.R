# Packages start threads, and a process that has one is not forked. What is asked of them, and what the user is told.

# A fork has the command line of the zygote; what is started on its own, one that names its entry point.
is_forked <- function(q) {
  worker <- run_task(q, function() Sys.getpid())$result
  command <- readLines(sprintf("/proc/%d/cmdline", worker), warn = FALSE, skipNul = TRUE)
  !any(grepl("session_main", command, fixed = TRUE))
}

# The warning of a queue that cannot fork, as it comes at one of the first calls.
fork_warning <- function(q, wait_ms = 60000) {
  found <- list()
  hear <- function(cnd) {
    found[[length(found) + 1L]] <<- cnd
    invokeRestart("muffleWarning")
  }
  withCallingHandlers({
    run_task(q, function() 1, wait_ms = wait_ms)
    q$poll()
  }, taskq_warning_fork = hear)
  expect_length(found, 1L)
  found[[1L]]
}

# A library with a package that runs this code when it is loaded, and imports others of `libpath`.
local_package <- function(name, on_load, imports = character(), libpath = .libPaths(), frame = parent.frame()) {
  skip_on_cran()
  source <- tempfile("source-")
  lib <- tempfile("lib-")
  dir.create(file.path(source, "R"), recursive = TRUE)
  dir.create(lib)
  do.call(on.exit, list(bquote(unlink(.(c(source, lib)), recursive = TRUE)), add = TRUE), envir = frame)
  fields <- list(Package = name, Version = "1.0", Title = "T", Description = "D", License = "GPL", Author = "A",
    Maintainer = "A <a@b.cd>")
  fields$Imports <- if (length(imports)) paste(imports, collapse = ", ")
  write.dcf(as.data.frame(fields), file.path(source, "DESCRIPTION"))
  writeLines(c("export(f)", sprintf("import(%s)", imports)), file.path(source, "NAMESPACE"))
  writeLines(c("f <- function() 1", sprintf(".onLoad <- function(libname, pkgname) { %s }", on_load)),
    file.path(source, "R", "code.R"))
  log <- system2(file.path(R.home("bin"), "R"), c("CMD", "INSTALL", "--no-test-load", "-l", shQuote(lib),
    shQuote(source)), stdout = TRUE, stderr = TRUE, env = paste0("R_LIBS=", paste(libpath, collapse = ":")))
  if (!file.exists(file.path(lib, name, "DESCRIPTION"))) stop(paste(log, collapse = "\n"))
  lib
}

# A real thread: that of later's timer.
start_thread <- "later::later(function() NULL, 1e6)"

test_that("O2: with cli and rlang attached, sessions are forked, and a progress bar of cli is drawn as it should be", {
  skip_on_cran()
  skip_if_not_installed("cli")
  skip_if_not_installed("rlang")
  q <- local_queue(1, packages = c("cli", "rlang"))
  expect_no_warning(expect_true(is_forked(q)))
  result <- run_task(q, function() {
    cli_progress_bar("Work", total = 3000)
    for (i in 1:3000) {
      Sys.sleep(0.001)
      cli_progress_update()
    }
    cli_progress_done()
  }, wait_ms = 60000)
  expect_identical(result$status, "success")
  # It appears after two seconds and is drawn every three, where there is no terminal.
  expect_match(result$stderr, "Work")
  drawn <- length(strsplit(result$stderr, "[\r\n]+")[[1L]])
  expect_lt(drawn, 5 + result$seconds)
})

test_that("a progress bar of cli in `preload` takes no time, and is there in tasks again", {
  skip_on_cran()
  skip_if_not_installed("cli")
  q <- local_queue(1, preload = function() {
    requireNamespace("cli")
    options(due = c(cli::`__cli_update_due`))
  })
  expect_false(run_task(q, function() getOption("due"))$result)
  # It is due every three seconds.
  expect_true(run_task(q, function() {
    is_due <- function() c(cli::`__cli_update_due`)
    cli::cli_tick_reset()
    late <- Sys.time() + 10
    while (!is_due() && Sys.time() < late) Sys.sleep(0.01)
    is_due()
  })$result)
})

test_that("tasks, their children and what `init` loads know nothing of what keeps packages quiet", {
  skip_on_cran()
  quiet <- names(tq_quiet_variables)
  look <- function(names) {
    in_child <- sub("=.*", "", system2("env", stdout = TRUE))
    list(own = Sys.getenv(names, NA, names = FALSE), in_child = intersect(names, in_child))
  }
  nothing <- list(own = rep(NA_character_, length(quiet)), in_child = character())
  for (without in c("none", "fork")) {
    q <- suppressWarnings({
      init <- function() options(seen = Sys.getenv("CLI_NO_THREAD", NA))
      q <- local_queue(1, env = c(TASKQ_WITHOUT = without), init = init)
      expect_identical(run_task(q, look, list(quiet))$result, nothing)
      # A task that sets it, and the next.
      run_task(q, function() Sys.setenv(CLI_NO_THREAD = "mine"))
      expect_identical(run_task(q, look, list(quiet))$result, nothing)
      expect_identical(run_task(q, function() getOption("seen"))$result, NA_character_)
    })
  }
  # A plain queue, whose sessions take over what the zygote has found.
  q <- local_queue(1)
  expect_identical(run_task(q, look, list(quiet))$result, nothing)
  # What a user says is what tasks find.
  q <- local_queue(1, env = c(CLI_NO_THREAD = "yes"))
  expect_identical(run_task(q, look, list("CLI_NO_THREAD"))$result, list(own = "yes", in_child = "CLI_NO_THREAD"))
  mine <- Sys.getenv("CLI_NO_THREAD", NA)
  on.exit(if (is.na(mine)) Sys.unsetenv("CLI_NO_THREAD") else Sys.setenv(CLI_NO_THREAD = mine), add = TRUE)
  Sys.setenv(CLI_NO_THREAD = "host")
  q <- local_queue(1)
  expect_identical(run_task(q, look, list("CLI_NO_THREAD"))$result, list(own = "host", in_child = "CLI_NO_THREAD"))
})

test_that("event loops work in sessions that were forked with later, promises and httpuv", {
  skip_on_cran()
  # Not loaded here, where curl would open descriptors.
  needed <- c("later", "promises", "httpuv", "curl")
  skip_if_not(all(nzchar(vapply(needed, function(name) system.file(package = name), ""))), "packages are missing")
  q <- local_queue(2, packages = c("later", "promises", "httpuv"))
  expect_no_warning(expect_true(is_forked(q)))
  value <- run_task(q, function() {
    value <- NULL
    promise(function(resolve, reject) later(function() resolve(7), 0.01)) %...>% (function(x) value <<- x)
    while (is.null(value)) run_now(1)
    value
  })$result
  expect_identical(value, 7)
  body <- run_task(q, function() {
    server <- startServer("127.0.0.1", randomPort(), list(call = function(request) {
      list(status = 200L, headers = list("Content-Type" = "text/plain"), body = "hello")
    }))
    on.exit(server$stop())
    answer <- NULL
    curl::curl_fetch_multi(sprintf("http://127.0.0.1:%d/", server$getPort()), function(got) answer <<- got)
    while (is.null(answer)) {
      curl::multi_run(0)
      run_now(0.01)
    }
    rawToChar(answer$content)
  })$result
  expect_identical(body, "hello")
})

test_that("a package that has a thread is named, with the argument that has loaded it", {
  skip_if_not_installed("later")
  lib <- c(local_package("starter", start_thread), .libPaths())
  lib <- c(local_package("wrapper", "NULL", "starter", lib), lib)
  # `packages`, of which the one that starts it is an import.
  q <- local_queue(1, packages = c("stats4", "wrapper"), libpath = lib)
  cnd <- fork_warning(q)
  expect_identical(cnd$reason, "threads")
  expect_identical(cnd$threads, 2L)
  expect_identical(unclass(cnd$sources), list(phase = "packages", threads = 1L, packages = list("starter")),
    ignore_attr = TRUE)
  expect_match(conditionMessage(cnd), "package starter, loaded by `packages`, has started a thread", fixed = TRUE)
  expect_match(conditionMessage(cnd), "move from `packages` to `init`", fixed = TRUE)
  expect_no_match(conditionMessage(cnd), "preload|profile")
  # What it says helps.
  q <- local_queue(1, init = function() library(wrapper), libpath = lib)
  expect_no_warning(expect_true(is_forked(q)))

  # `preload`: a package, or the function itself.
  q <- local_queue(1, preload = function() library(wrapper), libpath = lib)
  cnd <- fork_warning(q)
  expect_match(conditionMessage(cnd), "package starter, loaded by `preload`, has started", fixed = TRUE)
  q <- local_queue(1, preload = function() later::later(function() NULL, 1e6))
  cnd <- fork_warning(q)
  expect_match(conditionMessage(cnd), "`preload` has started a thread", fixed = TRUE)

  # `globals` that hold something of it, in a host of which the thread is.
  message <- in_host(function(lib) {
    loadNamespace("starter", lib.loc = lib)
    q <- taskq::task_q$new(1, globals = list(f = getExportedValue("starter", "f")), libpath = lib)
    told <- NULL
    withCallingHandlers({
      q$push(function() 1)
      q$pop(30000)
      q$poll()
    }, taskq_warning_fork = function(cnd) {
      told <<- conditionMessage(cnd)
      invokeRestart("muffleWarning")
    })
    q$close()
    told
  }, lib)
  expect_match(message, "package starter, loaded by `globals`, has started a thread", fixed = TRUE)
})

test_that("a thread of the profile is told as such, and how to do without", {
  skip_on_cran()
  skip_if_not_installed("later")
  dir <- tempfile("project-")
  dir.create(dir)
  on.exit(unlink(dir, recursive = TRUE), add = TRUE)
  writeLines(start_thread, file.path(dir, ".Rprofile"))
  # What tests are run with keeps profiles away.
  kept <- Sys.getenv(c("R_PROFILE_USER", "R_ENVIRON_USER"), NA)
  on.exit(for (name in names(kept)[!is.na(kept)]) do.call(Sys.setenv, as.list(kept[name])), add = TRUE)
  Sys.unsetenv(names(kept))
  q <- local_queue(1, wd = dir)
  cnd <- fork_warning(q)
  expect_identical(cnd$sources$phase, "boot")
  expect_match(conditionMessage(cnd), "there once R had started: the profile has loaded .*later")
  expect_no_match(conditionMessage(cnd), "preload|packages")
  expect_match(conditionMessage(cnd), "env = c(R_PROFILE_USER = \"\")", fixed = TRUE)
  q <- local_queue(1, wd = dir, env = c(R_PROFILE_USER = ""))
  expect_no_warning(expect_true(is_forked(q)))
})

test_that("the hooks of a user run as if nobody looked, and none of ours is left", {
  skip_on_cran()
  preload <- function() {
    setHook(packageEvent("stats4", "onLoad"), function(...) options(heard = "stats4"))
    library(stats4)
    library(splines)
  }
  q <- local_queue(1, preload = preload)
  hooks <- function() sort(names(.userHooksEnv))
  expect_identical(run_task(q, function() getOption("heard"))$result, "stats4")
  # taskq has some of its own.
  others <- run_task(local_queue(1), hooks)$result
  expect_identical(run_task(q, hooks)$result, sort(c(others, "UserHook::stats4::onLoad")))
})

test_that("pools of numerical libraries are ended before a fork, and work after it", {
  skip_on_cran()
  skip_if_not_installed("data.table")
  q <- local_queue(1, threads = 2, preload = function() {
    data.table::setDTthreads(2)
    data.table::setorder(data.table::data.table(x = runif(1e5)), x)
    # Else this tests nothing.
    options(pool = length(list.files("/proc/self/task")))
  })
  expect_no_warning(expect_true(is_forked(q)))
  value <- run_task(q, function() {
    data.table::setDTthreads(2)
    x <- data.table::data.table(x = runif(1e5))
    data.table::setorder(x, x)
    list(getOption("pool"), is.unsorted(x$x))
  })$result
  skip_if(value[[1L]] == 1L, "data.table has started no threads here")
  expect_identical(value[[2L]], FALSE)
})
