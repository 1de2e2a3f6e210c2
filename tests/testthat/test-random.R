# Random numbers of tasks: whose they are, and that no others change.

draw <- global(function() c(runif(2), rnorm(2), sample(100L, 2)))

# Queues do not take `seed` here: what it does begins where the worker reads it.
stream_of <- function(seed, streams) {
  state <- local({
    old <- get0(".Random.seed", globalenv(), inherits = FALSE)
    kinds <- RNGkind()
    on.exit({
      do.call(RNGkind, as.list(kinds))
      if (!is.null(old)) assign(".Random.seed", old, globalenv())
    })
    set.seed(seed, "L'Ecuyer-CMRG")
    get(".Random.seed", globalenv())
  })
  for (i in seq_len(streams)) state <- parallel::nextRNGStream(state)
  state
}

# What `code` gives where the state is `state`; this session's own is put back.
with_state <- function(state, code) {
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  kinds <- RNGkind()
  on.exit({
    do.call(RNGkind, as.list(kinds))
    if (is.null(old)) rm(".Random.seed", envir = globalenv()) else assign(".Random.seed", old, globalenv())
  })
  assign(".Random.seed", state, globalenv())
  code()
}

test_that("streams are those of set.seed() and nextRNGStream()", {
  for (seed in c(0L, 1L, 42L, -7L, .Machine$integer.max, -.Machine$integer.max)) {
    for (streams in c(0, 1, 2, 63)) {
      expect_identical(rs_random_stream(seed, streams), stream_of(seed, streams)[-1L])
    }
  }
})

test_that("no two tasks share numbers, in one session or in several", {
  q <- local_queue(2)
  for (i in 1:200) q$push(draw)
  drawn <- lapply(pop_all(q), function(x) x$result)
  expect_length(unique(drawn), 200L)
  expect_false(anyDuplicated(unlist(lapply(drawn, function(x) x[1:2]))) > 0)
})

test_that("no two tries of a task share numbers, with workers and without", {
  for (workers in 0:1) {
    q <- local_queue(workers)
    path <- tempfile()
    q$push(function(path) {
      cat(runif(1), "\n", file = path, append = TRUE)
      if (taskq::task_attempt() < 3) stop("again")
    }, list(path), tries = 3, retry_on = "error")
    expect_identical(q$pop(20000)$tries, 3L)
    expect_length(unique(readLines(path)), 3L)
  }
})

test_that("a task can set its seed as in any R session, and save and restore its state", {
  q <- local_queue(1)
  expected <- local({
    old <- get0(".Random.seed", globalenv(), inherits = FALSE)
    on.exit(if (is.null(old)) rm(".Random.seed", envir = globalenv()) else assign(".Random.seed", old, globalenv()))
    set.seed(1)
    draw()
  })
  result <- run_task(q, global(function(draw) {
    set.seed(1)
    draw()
  }), list(draw))
  expect_identical(result$result, expected)
  again <- run_task(q, global(function() {
    had <- exists(".Random.seed", globalenv(), mode = "integer", inherits = FALSE)
    state <- get(".Random.seed", globalenv(), mode = "integer", inherits = FALSE)
    first <- runif(3)
    assign(".Random.seed", state, globalenv())
    second <- runif(3)
    rm(".Random.seed", envir = globalenv())
    third <- runif(3)
    list(had, identical(first, second), identical(first, third), exists(".Random.seed", globalenv()))
  }))
  expect_identical(again$result, list(TRUE, TRUE, FALSE, TRUE))
  written <- run_task(q, global(function(state) {
    assign(".Random.seed", state, globalenv())
    runif(3)
  }), list(stream_of(3, 0)))
  expect_identical(written$result, with_state(stream_of(3, 0), function() runif(3)))
  # The kind that the last one has left is not the next one's.
  expect_identical(run_task(q, global(function(draw) {
    set.seed(1)
    draw()
  }), list(draw))$result, expected)
})

test_that("the generator of init stays, its state does not", {
  q <- local_queue(2, init = function() {
    RNGkind("Wichmann-Hill", "Ahrens-Dieter")
    set.seed(1)
  })
  for (i in 1:6) q$push(global(function() list(RNGkind()[1:2], runif(2))))
  results <- lapply(pop_all(q), function(x) x$result)
  for (result in results) expect_identical(result[[1L]], c("Wichmann-Hill", "Ahrens-Dieter"))
  expect_length(unique(results), 6L)
})

test_that("a preload that draws numbers does not make sessions alike", {
  q <- local_queue(2, preload = function() {
    set.seed(1)
    runif(1)
  })
  for (i in 1:20) q$push(draw)
  expect_length(unique(lapply(pop_all(q), function(x) x$result)), 20L)
})

test_that("the host's random numbers are left alone", {
  with_state(stream_of(5, 0), function() {
    before <- get(".Random.seed", globalenv())
    kinds <- RNGkind()
    q <- local_queue(1)
    run_task(q, draw)
    inline <- local_queue(0)
    run_task(inline, draw)
    run_task(inline, global(function() set.seed(1, "Wichmann-Hill")))
    expect_identical(get(".Random.seed", globalenv()), before)
    expect_identical(RNGkind(), kinds)
  })
})

test_that("a binding that makes its seed survives a collection at every allocation", {
  q <- local_queue(1)
  result <- run_task(q, global(function() {
    gctorture(TRUE)
    on.exit(gctorture(FALSE))
    set.seed(1)
    runif(2)
  }), wait_ms = 60000)
  expect_identical(result$result, run_task(q, global(function() {
    set.seed(1)
    runif(2)
  }))$result)
})

seeded_queue <- function(num_workers, seed, ..., frame = parent.frame()) {
  local_queue(num_workers, seed = seed, ..., frame = frame)
}

draw_all <- function(n, ...) {
  q <- seeded_queue(...)
  for (i in seq_len(n)) q$push(draw)
  results <- pop_all(q)
  lapply(results[paste0(".", seq_len(n))], function(x) x$result)
}

test_that("with a seed, the k-th task has the k-th stream, however and wherever it runs", {
  expected <- lapply(seq_len(12), function(k) with_state(stream_of(7, k), draw))
  names(expected) <- paste0(".", seq_len(12))
  expect_identical(draw_all(12, 1, 7L), expected)
  expect_identical(draw_all(12, 2, 7L), expected)
  expect_identical(draw_all(12, 0, 7L), expected)
  # Also in a second try, which is another attempt in another session.
  q <- seeded_queue(1, 7L)
  q$push(global(function(draw) if (taskq::task_attempt() == 1) quit("no") else draw()), list(global(draw)), tries = 2)
  expect_identical(q$pop(20000)$result, expected[[1L]])
  skip_on_cran()
  expect_identical(draw_all(12, 8, 7L), expected)
  Sys.setenv(TASKQ_WITHOUT = "fork")
  on.exit(Sys.unsetenv("TASKQ_WITHOUT"), add = TRUE)
  # The queue warns once that it is slower so.
  expect_identical(suppressWarnings(draw_all(12, 2, 7L)), expected)
})

test_that("what a task does to its generator is not seen by the next, with a seed", {
  q <- seeded_queue(1, 7L)
  run_task(q, global(function() {
    RNGkind("Wichmann-Hill", "Box-Muller")
    rnorm(1)
  }))
  expect_identical(run_task(q, draw)$result, with_state(stream_of(7, 2), draw))
})

for (make in list(function() local_queue(1, frame = parent.frame()),
                  function() seeded_queue(1, 7L, frame = parent.frame()),
                  function() local_queue(0, frame = parent.frame()))) {
  test_that("a task may bring its own seed", {
    q <- make()
    given <- run_task(q, draw, seed = 3L)
    expect_identical(given$result, with_state(stream_of(3, 0), draw))
    given <- run_task(q, draw, seed = stream_of(9, 2))
    expect_identical(given$result, with_state(stream_of(9, 2), draw))
  })
}
