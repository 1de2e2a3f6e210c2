# How everything that taskq says looks in a plain terminal of 80 columns. The snapshots are the specification: a message
# that changes shows up here. Pids, times and sizes are scrubbed.

# In the frame of a test: 80 columns, and neither symbols nor colours.
local_terminal <- function(width = 80L, frame = parent.frame()) {
  old <- options(width = width, cli.unicode = FALSE, cli.num_colors = 1L, cli.width = width)
  do.call(on.exit, list(bquote(options(.(old))), add = TRUE), envir = frame)
}

scrub <- function(lines) {
  lines <- gsub("\\(pid [0-9]+\\)", "(pid <pid>)", lines)
  lines <- gsub("(worker|process) [0-9]+", "\\1 <pid>", lines)
  lines <- gsub("[0-9]{2}:[0-9]{2}:[0-9]{2}", "<time>  ", lines)
  lines <- gsub("(< )?[0-9.e-]+ (ms|s)\\b", "<seconds>", lines)
  gsub("\u2018|\u2019", "'", lines)
}

# What a misuse says, one after the other. `calls`: quoted.
say <- function(calls, env) {
  for (call in calls) {
    cnd <- tryCatch({eval(call, env); NULL}, taskq_error = identity)
    print(cnd %||% call)
    cat("\n")
  }
}

# Where functions are written as at the prompt, and `q` is the queue.
globalenv_with <- function(q) {
  env <- new.env(parent = globalenv())
  env$q <- q
  env
}

# As at a prompt of Rscript, which keeps no sources.
plain <- function(fun) utils::removeSource(global(fun))

expect_narrow <- function(lines, width = 80L) expect_lte(max(nchar(lines, "width")), width)

test_that("a misuse says what it was, with which value, and what to do", {
  local_terminal()
  q <- local_queue(0, max_waiting = 3)
  f <- function() 1
  twice <- c(x = "a", x = "b") # nolint: duplicate_argument_linter.
  calls <- expression(
    task_q$new(-1), task_q$new(c(4, 2)), task_q$new(2, 3), task_q$new(workers = 2), task_q$new(init = quote(f())),
    task_q$new(env = "A=1"), task_q$new(globals = list(1)), task_q$new(wd = "/no/such/directory"),
    q$push(), q$push("sum"), q$push(~ .x + 1), q$push(Sys.time()), q$push(quote(f())), q$push(f, 5), q$push(f, id = 3),
    q$push(f, time_out = 5), q$push(f, retry_on = "crsh"), q$push(f, after = "nope"),
    q$push(f, list(x = 1), after = c(x = "a")), q$push(f, after = twice), q$push(f, priority = "high"),
    q$push(f, colour = "red", size = 2),
    q$push_many(f, 1:2), q$push_many(f, rep(list(list()), 10)), q$push_many(f, list(list()), ids = c("a", "b")),
    q$map(f, 1:3), q$map(1:3, "sqrt"), q$map(1:3, f, names = "a"), q$map(1:3, f, on_error = "kept"),
    q$pop("id"), q$pop(-1), q$pop(id = 3), q$pop(id = "nope"), q$poll(NA), q$wait("nope"), q$wait(letters),
    q$collect(1), q$output(),
    q$progress(c("a", "b")),
    q$cancel(), q$cancel("a", tag = "b"), q$resize(2), q$trace("/no/such/file"), plot(q, from = "a"),
    share(list(a = list(1, f))), share(globalenv()), task_progress("half"), task_q_monitor(1),
    task_q_extended_task(q, 1)
  )
  expect_snapshot(say(calls, environment()))
  out <- capture.output(say(calls, environment()))
  expect_narrow(out)
})

test_that("a queue that cannot be used says why", {
  local_terminal()
  q <- local_queue(1)
  q$push(function() 1, id = "twin")
  full <- local_queue(1, max_waiting = 1)
  full$pause()
  full$push(function() 1)
  path <- local_path()
  saveRDS(q, path)
  saved <- readRDS(path)
  closed <- local_queue(1)
  closed$close()
  calls <- expression(q$push(function() 1, id = "twin"), saved$push(function() 1), closed$push(function() 1))
  expect_snapshot(say(calls, environment()))
  expect_snapshot(print(tq_full_error(quote(q$run(f, block = FALSE)))))
  expect_snapshot(print(tq_promised_error("a", quote(q$promise("a")))))
  expect_snapshot(print(tq_forked_error(12L, quote(q$pop()))))
  expect_snapshot(print(saved))
  expect_snapshot(print(closed))
})

test_that("a pool that cannot start says why and where", {
  local_terminal()
  init <- function() {
    message("on stderr")
    stop("init is bad")
  }
  queues <- list(
    local_queue(1, packages = "taskq.no.such.package"),
    local_queue(1, init = global(init)),
    local_queue(1, preload = global(function() quit("no", 4)))
  )
  # Whichever of the two hears of it first.
  refused <- function(q) {
    cnd <- caught(q$push(identity))
    if (is.null(cnd)) cnd <- caught(q$poll(20000))
    cnd["call"] <- list(NULL)
    cnd
  }
  refusals <- lapply(queues, refused)
  expect_snapshot(for (cnd in refusals) print(cnd), transform = scrub)
  q <- local_queue(1, init = global(init), name = "no init")
  refused(q)
  expect_snapshot(writeLines(tq_format_queue(q$.__enclos_env__$private)[-3L]))
  expect_narrow(capture.output(print(q)))
})

test_that("a result prints what became of the task, and why", {
  local_terminal()
  q <- local_queue(1, name = "prints")
  tasks <- list(
    quiet = function() NULL,
    talks = function() {
      cat("to stdout\n")
      message("a message")
      warning("a warning")
      data.frame(a = 1:2, b = c("x", "y"))
    },
    fails = function() stop("This failed, sorry"),
    lines = function() stop("one line\nand another one"),
    nested = function() {
      tryCatch(stop("the cause"), error = function(cnd) {
        effect <- list(message = "the effect", call = NULL, parent = cnd)
        stop(structure(effect, class = c("mine", "error", "condition")))
      })
    },
    lacks = function() no_such_helper(1),
    spline = function() expect_true(TRUE),
    quits = function() { message("the end"); quit("no", 3) },
    killed = function() tools::pskill(Sys.getpid(), 9),
    long = function() stop(strrep("many words ", 20))
  )
  results <- lapply(names(tasks), function(id) {
    q$push(plain(tasks[[id]]), id = id)
    q$pop(20000)
  })
  expect_snapshot(for (result in results) { print(result); cat("\n") }, transform = scrub)
  for (result in results) expect_narrow(capture.output(print(result)))

  q$push(global(function() Sys.sleep(100)), id = "slow", timeout = 50)
  expect_snapshot(print(q$pop(20000)), transform = scrub)
  q$pause()
  q$push(function() 1, id = "cancelled")
  q$push(function() 1, id = "skipped", after = "cancelled")
  q$cancel("cancelled")
  expect_snapshot(for (i in 1:2) print(q$pop(20000)), transform = scrub)
  q$push(plain(function(n) n), list(y = 1), id = "unfit")
  q$resume()
  expect_snapshot(print(q$pop(20000)), transform = scrub)
})

test_that("an error of map() names the element, not the batch", {
  local_terminal()
  q <- local_queue(1)
  env <- globalenv_with(q)
  env$root <- plain(function(x) if (x < 0) stop("negative") else sqrt(x))
  env$leave <- plain(function(x) if (x == 2) quit("no", 3))
  env$call_helper <- plain(function(x) no_such_helper(x))
  calls <- expression(q$map(c(a = 1, b = -1), root), q$map(1:3, leave), q$map(1:2, call_helper))
  expect_snapshot(say(calls, env), transform = scrub)
})

test_that("a promise is rejected in the same words", {
  skip_if_not_installed("promises")
  local_terminal()
  q <- local_queue(1)
  reason <- NULL
  promises::then(q$run(plain(function() stop("no luck"))), onRejected = function(cnd) reason <<- cnd)
  expect_true(wait_until({later::run_now(0.05); !is.null(reason)}))
  expect_snapshot(print(reason))
})

test_that("a queue and its summary are as wide as a terminal at most", {
  local_terminal()
  q <- local_queue(2, name = strrep("a long name ", 10))
  expect_true(wait_until(all(q$list_workers()$state == "idle")))
  q$push(function() 1)
  q$push(function() stop("no"))
  q$wait()
  expect_snapshot(print(q))
  expect_snapshot(print(summary(q)), transform = scrub)
  expect_narrow(capture.output(print(q)))
  q$pause()
  expect_snapshot(print(q))
  inline <- local_queue(0)
  expect_snapshot(print(inline))
  expect_narrow(capture.output(print(summary(inline))))
})

test_that("tables without tibble show what there is room for, and name the rest", {
  local_terminal()
  q <- local_queue(1)
  q$push(global(function(x) x), list(1), id = "number", tag = "some")
  q$push(global(function() stop("no")), id = "fails")
  q$push(global(function(x) strrep("long", 100)), list(mtcars), id = strrep("a long id ", 10))
  q$wait()
  expect_true(wait_until(identical(q$list_workers()$state, "idle")))
  expect_snapshot(tq_print_plain(q$list_tasks(idle = FALSE), "task"), transform = scrub)
  expect_narrow(capture.output(tq_print_plain(q$list_tasks(), "task")))
  expect_narrow(capture.output(tq_print_plain(q$list_workers(), "worker")))
  results <- q$collect()
  results$worker <- 1L
  expect_snapshot(tq_print_plain(results, "result"), transform = scrub)
  expect_snapshot(tq_print_plain(results[0L, ], "result"))
  options(width = 40L)
  expect_narrow(capture.output(tq_print_plain(results, "result")), 40L)
})

test_that("a large value is cut, a small one is not", {
  local_terminal()
  shown <- function(x) capture.output(tq_print_value(x))
  expect_identical(shown(1:100), capture.output(print(1:100)))
  for (x in list(rnorm(1e5), as.list(1:1e5), mtcars[rep(1:32, 100), ], strrep("long", 1e5), matrix(0, 500, 500))) {
    lines <- shown(x)
    expect_lte(length(lines), 41L)
    expect_narrow(lines)
  }
  last <- utils::tail(shown(mtcars[rep(1:32, 100), ]), 1L)
  expect_match(last, "# ... and more: 3200 rows and 11 columns", fixed = TRUE)
  expect_match(utils::tail(shown(numeric(1e5)), 1L), "100000 elements", fixed = TRUE)
  expect_identical(getOption("max.print"), 99999L)
})

test_that("shared objects print as any others", {
  x <- list(table = data.frame(a = runif(1000), b = "text"), n = 1:1000)
  expect_identical(capture.output(print(share(x))), capture.output(print(x)))
  expect_identical(capture.output(str(share(x))), capture.output(str(x)))
})

test_that("there are colours where they are wanted, and only there", {
  skip_if_not_installed("cli")
  local_terminal()
  q <- local_queue(0)
  q$push(function() 1)
  result <- q$pop()
  expect_no_match(paste(capture.output(print(q), print(result)), collapse = ""), "\033", fixed = TRUE)
  options(cli.num_colors = 256L)
  for (x in list(q, result)) expect_match(capture.output(print(x))[[1L]], "\033[32m", fixed = TRUE)
  expect_match(capture.output(print(tq_full_error(NULL)))[[1L]], "\033[31m", fixed = TRUE)
})

test_that("progress bars with and without cli are as wide as a terminal at most", {
  local_terminal()
  handle <- local_queue(0)$.__enclos_env__$private$handle
  path <- local_path()
  for (has_cli in c(FALSE, TRUE)) {
    if (has_cli) skip_if_not_installed("cli")
    con <- file(path, "w")
    sink(con, type = "message")
    tryCatch({
      bar <- tq_progress_bar(3, cli = has_cli)
      for (done in 0:3) bar$update(done, 3)
      bar$end()
    }, finally = {
      sink(type = "message")
      close(con)
    })
    lines <- unlist(strsplit(readLines(path, warn = FALSE), "\r", fixed = TRUE))
    if (length(lines)) expect_narrow(lines)
    if (!has_cli) expect_match(paste(lines, collapse = ""), "100%", fixed = TRUE)
  }
})
