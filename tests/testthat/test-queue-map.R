# map(): as lapply(), whatever x is, however long elements take, and whatever becomes of workers.

expect_as_lapply <- function(q, x, fun, ...) {
  expect_identical(q$map(x, fun, list(...)), lapply(x, fun, ...))
}

test_that("map() gives what lapply() gives, for x of every kind", {
  q <- local_queue(2)
  same <- global(function(x) x)
  env <- list2env(list(a = 1))
  values <- list(1:10, 10:1 / 3, c(a = 1, b = 2), letters, c(TRUE, NA), 1i * 1:3, as.raw(0:3), list(), NULL, 1,
    character(), list(NULL, 1, NULL), list(a = 1, "x", b = NULL), as.list(1:5), as.list(letters), mtcars,
    factor(c("u", "v")), as.Date("2020-01-01") + 0:2, as.POSIXct(1:2, origin = "1970-01-01", tz = "UTC"),
    matrix(1:4, 2), pairlist(a = 1, 2),
    expression(a + b, 1), quote(f(x, 1)), env, list(structure(1, class = "k"), c(n = 2)), NA_character_,
    c("caf\u00e9", NA))
  for (x in values) expect_as_lapply(q, x, same)
  # Language is what is evaluated in lapply() itself: here it comes as a value.
  expect_identical(q$map(list(quote(a), mean), function(x) class(x)), list("name", "function"))
  expect_as_lapply(q, 1:3, function(x, p, ...) c(x^p, ...), p = 2, 9)
  expect_as_lapply(q, 1:3, sqrt)
  expect_as_lapply(q, 1:3, `+`, 1L)
  expect_as_lapply(q, list(1:3, 4:6), stats::sd)
  expect_identical(q$map(1:2, function(x) sys.call()), lapply(1:2, function(x) sys.call()))
  expect_identical(q$map(1:2, function(x) substitute(x)), lapply(1:2, function(x) substitute(x)))
  expect_identical(
    q$map(1:3, function(x, X, FUN, i) X + FUN + i, list(X = 1, FUN = 2, i = 3)), # nolint: object_name_linter.
    list(6, 6, 6)
  )
})

test_that("results of every kind come back", {
  q <- local_queue(2)
  make <- list(function(i) i, function(i) i / 2, function(i) i > 2, function(i) letters[i], function(i) NULL,
    function(i) if (i %% 2) i else "even", function(i) c(a = i), function(i) factor(i), function(i) 1:i,
    function(i) NA, function(i) if (i == 1) NA_real_ else i + 0.5, function(i) list(i, list(i)),
    function(i) mtcars[i, ])
  for (fun in make) expect_as_lapply(q, 1:5, global(fun))
  expect_identical(q$map(1:3, function(i) i, names = c("a", "b", "")), list(a = 1L, b = 2L, 3L))
  expect_identical(names(q$map(c(x = 1, 2), function(i) i)), c("x", ""))
  expect_null(names(q$map(letters, function(i) i)))
})

test_that("a million elements, and vectors that have no memory of their own", {
  skip_on_cran()
  q <- local_queue(2)
  n <- 1e6
  results <- q$map(seq_len(n), function(i) i)
  expect_identical(unlist(results), seq_len(n))
  expect_true(q$is_idle())
})

test_that("what cannot be is refused by name", {
  q <- local_queue(1)
  f <- function(x) x
  expect_input_error(q$map(fun = f), "x")
  expect_input_error(q$map(1, "f"), "fun")
  expect_input_error(q$map(1), "fun")
  expect_input_error(q$map(1, f, 1), "args")
  for (names in list("a", 1:2, c("a", NA))) expect_input_error(q$map(1:2, f, names = names), "names")
  for (value in list("skip", NA, 1, c("keep", "stop"))) expect_input_error(q$map(1, f, on_error = value), "on_error")
  for (chunk in list(0, -1, 1.5, NA, Inf, "a", 1:2)) expect_input_error(q$map(1, f, chunk = chunk), "chunk")
  expect_input_error(q$map(1, f, progress = NA), "progress")
  expect_true(q$is_idle())
})

test_that("what elements write and signal is passed on in their order", {
  q <- local_queue(2)
  said <- character()
  out <- capture.output(results <- withCallingHandlers(
    q$map(1:6, function(i) {
      cat("out", i, "\n")
      message("hello ", i)
      warning("careful ", i)
      i
    }, chunk = 1),
    message = function(cnd) {
      said <<- c(said, conditionMessage(cnd))
      invokeRestart("muffleMessage")
    },
    warning = function(cnd) {
      said <<- c(said, conditionMessage(cnd))
      invokeRestart("muffleWarning")
    }
  ))
  expect_identical(results, as.list(1:6))
  expect_identical(trimws(out), paste("out", 1:6))
  expect_identical(said, as.vector(rbind(paste0("hello ", 1:6, "\n"), paste("careful", 1:6))))
  text <- capture.output(type = "message", results <- q$map(1, function(i) {
    cat("plain\n", file = stderr())
    message("signalled")
  }))
  expect_identical(text, c("plain", "signalled"))
  expect_output(caught(q$map(1:2, function(i) {
    cat("before", i, "\n")
    if (i == 2) stop("no")
  }, chunk = 2)), "before 1 \nbefore 2")
  expect_warning(q$map(1, function(i) for (k in 1:1100) warning("many")), "some of it is lost") |>
    suppressWarnings()
})

test_that("other tasks in the queue are not disturbed", {
  q <- local_queue(2)
  before <- vapply(1:50, function(i) q$push(function(i) i, list(i)), "")
  expect_identical(unlist(q$map(1:1000, function(i) i)), 1:1000)
  expect_identical(q$push(sum, list(1)), ".51")
  frame <- q$collect()
  expect_identical(frame$task_id, c(before, ".51"))
  expect_true(q$is_idle())
})

test_that("a map takes no room of max_waiting, and waits while the queue is paused", {
  q <- local_queue(1, max_waiting = 1)
  q$push(Sys.sleep, list(0.1))
  q$push(sum, list(1))
  expect_identical(unlist(q$map(1:100, function(i) i)), 1:100)
  expect_identical(nrow(q$collect()), 2L)
})

test_that("a paused queue maps when it is resumed, and Ctrl-C gives the queue back as it was", {
  skip_on_cran()
  answer <- in_host(function(interrupt_in) {
    q <- taskq::task_q$new(2)
    on.exit(q$kill())
    stopifnot(identical(q$map(1:2, function(i) i), list(1L, 2L)))
    idle <- function() {
      deadline <- Sys.time() + 10
      while (!q$is_idle() && Sys.time() < deadline) Sys.sleep(0.01)
      q$is_idle()
    }
    interrupted <- function(seconds, expr) {
      tryCatch({
        interrupt_in(seconds)
        expr
      }, interrupt = function(cnd) "interrupted")
    }
    q$pause()
    paused <- interrupted(0.3, q$map(1:3, function(i) i))
    idle_then <- idle()
    q$resume()
    q$push(function() 7, id = "kept")
    running <- interrupted(0.7, q$map(1:1000, function(i) Sys.sleep(0.05)))
    kept <- q$pop(10000)$result
    list(paused = paused, idle_then = idle_then, running = running, kept = kept, idle = idle(),
      again = q$map(1:3, function(i) i))
  }, global(interrupt_in))
  expect_identical(answer, list(paused = "interrupted", idle_then = TRUE, running = "interrupted", kept = 7,
    idle = TRUE, again = list(1L, 2L, 3L)))
})

test_that("a closed or failed queue says so", {
  q <- local_queue(1)
  q$close()
  cnd <- caught(q$map(1:3, function(i) i))
  expect_s3_class(cnd, "taskq_error_closed")
  expect_s3_class(caught(q$map(NULL, function(i) i)), "taskq_error_closed")
  failed <- local_queue(1, preload = function() stop("cannot"))
  for (round in 1:2) expect_s3_class(caught(failed$map(1:3, function(i) i)), "taskq_error_start")
})

test_that("a queue that is killed meanwhile ends the map", {
  skip_on_cran()
  q <- local_queue(1)
  expect_identical(q$map(1, function(i) i), list(1))
  # A finalizer runs in this session while map() works.
  killed <- FALSE
  litter <- function() {
    reg.finalizer(new.env(), function(env) {
      killed <<- TRUE
      q$kill()
    })
    NULL
  }
  litter()
  on.exit(gctorture2(0L))
  # Collections begin after a number of allocations: within map().
  gctorture2(50L, 100L)
  cnd <- caught(q$map(1:200, function(i) Sys.sleep(0.02)))
  gctorture2(0L)
  expect_true(killed)
  expect_true(inherits(cnd, "taskq_error_cancelled") || inherits(cnd, "taskq_error_closed"))
})

test_that("with a seed each element has its own numbers, whatever batches and workers there are", {
  draw <- global(function(i) if (i %% 4 == 0) i else c(stats::runif(1), stats::rnorm(1)))
  numbers <- function(num_workers, chunk) {
    q <- local_queue(num_workers, seed = 11)
    first <- q$map(1:40, draw, chunk = chunk)
    q$push(global(function() stats::runif(1)))
    list(first, q$pop(20000)$result, q$map(1:3, draw, chunk = chunk))
  }
  expected <- numbers(1, 1)
  for (chunk in list(NULL, 7, 40)) expect_identical(numbers(2, chunk), expected)
  expect_identical(numbers(0, NULL), expected)
  used <- unlist(expected[[1L]][1:40 %% 4 != 0])
  expect_false(anyDuplicated(used) > 0)
  # As documented: the map was the first task; its elements have the substreams.
  stream <- parallel::nextRNGStream(c(10407L, rs_random_stream(11L, 0)))
  second <- parallel::nextRNGSubStream(parallel::nextRNGSubStream(stream))
  expect_identical(c(10407L, rs_random_ahead(stream[-1L], 0, 2)), second)
  q <- local_queue(1)
  q$push(draw, list(1), seed = second)
  expect_identical(q$pop(20000)$result, expected[[1L]][[2L]])
})

test_that("without a seed no two elements share numbers, and this session's own are left alone", {
  q <- local_queue(2)
  set.seed(1)
  before <- .Random.seed
  drawn <- unlist(q$map(1:2000, function(i) stats::runif(1)))
  expect_false(anyDuplicated(drawn) > 0)
  expect_identical(.Random.seed, before)
})

test_that("an inline queue maps in this session", {
  q <- local_queue(0, globals = list(offset = 10))
  expect_identical(q$map(1:3, global(function(i) i + offset)), list(11, 12, 13))
  pid <- Sys.getpid()
  expect_identical(unlist(q$map(1:3, function(i) Sys.getpid())), rep(pid, 3L))
  cnd <- caught(q$map(c(a = 1), function(i) stop("no")))
  expect_identical(cnd$name, "a")
  results <- q$map(1:2, function(i) if (i == 1) stop("no") else i, on_error = "keep")
  expect_s3_class(results[[1L]], "taskq_error_task")
  expect_true(q$is_idle())
  expect_identical(q$push(function() 1), ".1")
  q$pop()
  # A queue cannot be sent, but an inline queue runs its tasks where it is.
  assign("taskq_test_inline", q, globalenv())
  on.exit(rm("taskq_test_inline", envir = globalenv()))
  q$push(global(function() tryCatch(taskq_test_inline$map(1:2, function(i) i), taskq_error = function(cnd) cnd)))
  inner <- q$pop()$result
  expect_s3_class(inner, "taskq_error_input")
})

test_that("a progress bar is drawn on demand", {
  q <- local_queue(2)
  capture.output(type = "message", results <- q$map(1:8, function(i) {
    Sys.sleep(0.05)
    i
  }, progress = TRUE))
  expect_identical(unlist(results), 1:8)
})

test_that("an elastic queue grows for a map", {
  q <- local_queue(c(0, 2))
  pids <- q$map(1:20, function(i) {
    Sys.sleep(0.05)
    Sys.getpid()
  })
  expect_length(unique(unlist(pids)), 2L)
})

test_that("a map sees the session as any task does, and leaves nothing in it", {
  q <- local_queue(1, init = function() options(marker = "home"))
  seen <- q$map(1:3, function(i) {
    old <- getOption("marker")
    options(marker = paste0(old, i))
    assign("left_behind", i, globalenv())
    old
  }, chunk = 1)
  expect_identical(seen, rep(list("home"), 3L))
  expect_identical(run_task(q, function() c(getOption("marker"), exists("left_behind")))$result, c("home", "FALSE"))
  # The function that was pushed last is kept: one with the source of a long file would keep a descriptor.
  run_task(q, sum)
})

test_that("long elements that come together are shared out among workers", {
  q <- local_queue(2)
  pids <- function(results) sort(as.vector(table(unlist(results))))
  sleep <- global(function(s) {
    Sys.sleep(s)
    Sys.getpid()
  })
  expect_length(pids(q$map(rep(0.05, 10), sleep)), 2L)
  results <- q$map(c(rep(0.0002, 1000), rep(0.1, 10)), sleep)
  expect_gte(pids(results[1001:1010])[[1L]], 3L)
  # All in one batch: those that have not begun are taken from the worker that has it, each is evaluated once.
  tally <- local_tally()
  results <- q$map(1:8, function(i, note, path) {
    Sys.sleep(0.1)
    note(i, path)
    Sys.getpid()
  }, list(note_element, tally$path), chunk = 8)
  expect_identical(as.vector(tally$count()), rep(1L, 8L))
  expect_gte(pids(results)[[1L]], 3L)
})

test_that("where a batch may be tried again nothing is taken from it", {
  q <- local_queue(2, tries = 2)
  expect_length(unique(unlist(q$map(1:4, function(i) {
    Sys.sleep(0.05)
    Sys.getpid()
  }, chunk = 4))), 1L)
})
