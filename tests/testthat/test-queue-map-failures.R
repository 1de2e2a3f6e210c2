# map(): errors, crashes and timeouts of elements; each is evaluated as often as was promised.

test_that("the first error ends the rest, and names its element", {
  q <- local_queue(2)
  tally <- local_tally()
  fun <- global(function(i, path, note) {
    if (i == 3L) stop("three")
    Sys.sleep(0.02)
    note(i, path)
  })
  x <- setNames(1:1000, paste0("e", 1:1000))
  cnd <- caught(q$map(x, fun, list(tally$path, note_element)))
  expect_identical(class(cnd), c("taskq_error_task", "taskq_error", "error", "condition"))
  expect_identical(cnd$index, 3)
  expect_identical(cnd$name, "e3")
  expect_identical(conditionMessage(cnd$parent), "three")
  expect_s3_class(cnd$trace, "data.frame")
  expect_identical(conditionCall(cnd)[[1L]], quote(q$map))
  expect_match(conditionMessage(cnd), "element 3 ('e3') failed: three", fixed = TRUE)
  expect_true(wait_until(q$is_idle()))
  expect_lt(length(tally$count()), 100L)
  expect_null(q$pop())
  expect_identical(q$map(1:3, function(i) i), list(1L, 2L, 3L))
  cnd <- caught(q$map(1, function(i) no_such_function(i)))
  expect_match(conditionMessage(cnd), "`args` or `globals`", fixed = TRUE)
  expect_null(cnd$name)
})

test_that("errors can stand in the place of results", {
  skip_on_cran()
  q <- local_queue(2)
  fun <- function(i) if (i %% 3 == 0) stop("no ", i) else i
  for (chunk in list(NULL, 1, 7, 100)) {
    results <- q$map(1:50, fun, on_error = "keep", chunk = chunk, names = paste0("n", 1:50))
    bad <- 1:50 %% 3 == 0
    expect_identical(unlist(results[!bad], use.names = FALSE), (1:50)[!bad])
    for (i in which(bad)) {
      expect_s3_class(results[[i]], "taskq_error_task")
      expect_identical(results[[i]]$index, as.double(i))
      expect_identical(results[[i]]$name, paste0("n", i))
      expect_identical(conditionMessage(results[[i]]$parent), paste("no", i))
    }
  }
  many <- q$map(seq_len(3000), function(i) stop("all"), on_error = "keep")
  expect_true(all(vapply(many, inherits, NA, "taskq_error_task")))
  expect_identical(vapply(many, `[[`, 0, "index"), as.double(seq_len(3000)))
})

test_that("each element is evaluated once, with any batches", {
  q <- local_queue(2)
  for (chunk in list(NULL, 1, 13, 1e6)) {
    tally <- local_tally()
    results <- q$map(1:500, function(i, note, path) {
      if (i %% 50 == 0) Sys.sleep(0.02)
      note(i, path)
    }, list(note_element, tally$path), chunk = chunk)
    expect_identical(unlist(results), 1:500)
    expect_identical(as.vector(tally$count()), rep(1L, 500L))
  }
})

test_that("a crash ends the map, or with on_error = \"keep\" takes its batch along; nothing is evaluated twice", {
  q <- local_queue(2)
  fun <- global(function(i, note, path) {
    note(i, path)
    if (i == 50L) tools::pskill(Sys.getpid(), 9)
    Sys.sleep(0.002)
    i
  })
  tally <- local_tally()
  cnd <- caught(q$map(1:100, fun, list(note_element, tally$path)))
  expect_s3_class(cnd, "taskq_error_crash")
  expect_identical(cnd$signal, 9L)
  expect_identical(cnd$index, 50)
  expect_true(all(tally$count() == 1L))
  expect_true(wait_until(q$is_idle()))

  for (chunk in list(NULL, 1, 20)) {
    tally <- local_tally()
    results <- q$map(1:100, fun, list(note_element, tally$path), on_error = "keep", chunk = chunk)
    crashed <- vapply(results, inherits, NA, "taskq_error_crash")
    expect_true(crashed[[50L]])
    expect_identical(unlist(results[!crashed]), (1:100)[!crashed])
    expect_true(all(tally$count() == 1L))
    if (identical(chunk, 1)) expect_identical(which(crashed), 50L)
    # The results of those before it in its batch are lost with its session, those behind it go on.
    if (identical(chunk, 20)) expect_identical(which(crashed), 41:50)
    expect_identical(max(which(crashed)), 50L)
    expect_identical(results[[50L]]$index, 50)
    expect_identical(names(tally$count()), as.character(1:100))
  }
})

test_that("with tries a batch that has lost its worker is evaluated again, and every element has its result", {
  q <- local_queue(2, tries = 3)
  tally <- local_tally()
  results <- q$map(1:200, function(i, note, path) {
    note(i, path)
    if (i %% 60 == 0 && taskq::task_attempt() == 1L) quit("no", 3)
    i
  }, list(note_element, tally$path), chunk = 10)
  expect_identical(unlist(results), 1:200)
  count <- tally$count()
  expect_identical(names(count), as.character(1:200))
  # Those of the batches that crashed, up to the one that did it, twice.
  expect_identical(which(as.vector(count) == 2L), c(51:60, 111:120, 171:180))
  expect_true(all(count <= 2L))
})

test_that("an element that is out of time is named; the time is its own", {
  q <- local_queue(2, timeout = 1000)
  slow <- function(i) {
    Sys.sleep(if (i == 7) 100 else 0.08)
    i
  }
  cnd <- caught(q$map(1:20, slow))
  expect_s3_class(cnd, "taskq_error_timeout")
  expect_identical(cnd$index, 7)
  # 19 times 80 ms are more than 1000.
  expect_identical(unlist(q$map((1:20)[-7], slow, chunk = 20)), (1:20)[-7])
  results <- q$map(1:20, slow, on_error = "keep")
  expect_s3_class(results[[7L]], "taskq_error_timeout")
  expect_identical(unlist(results[-7]), (1:20)[-7])
})
