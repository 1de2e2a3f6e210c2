# The monitor without a browser: rows, queries, differences and sentences.

# A look with these tasks, as tq_monitor_look() gives it.
some_look <- function(..., now = 1000, seats = list()) {
  tasks <- list(...)
  n <- length(tasks$id)
  defaults <- list(
    serial = as.numeric(seq_len(n)), state = rep("waiting", n), worker = rep(NA_integer_, n),
    tag = rep(NA_character_, n),
    progress = rep(NA_real_, n), message = rep(NA_character_, n), tries = integer(n), queued = rep(now - 100, n),
    started = rep(NA_real_, n), finished = rep(NA_real_, n)
  )
  tasks <- utils::modifyList(defaults, tasks)
  tasks$is_done <- !tasks$state %in% c("waiting", "running")
  list(tasks = tasks, seats = utils::modifyList(list(seat = integer(), worker = integer(), rss = numeric()), seats),
    state = "open", now = now)
}

some_query <- function(...) utils::modifyList(tq_monitor_query(function(name) NULL), list(...))

found_ids <- function(look, ..., page = 1L) look$tasks$id[tq_monitor_rows(look, some_query(...), page)$rows]

test_that("tasks are found by state, tag and text", {
  look <- some_look(
    id = c("a", "b", "c", "d"), state = c("waiting", "running", "crash", "success"),
    tag = c("x", NA, "y", "x"), message = c(NA, "Loading", NA, NA)
  )
  found <- function(...) sort(found_ids(look, ...))
  expect_identical(found(), c("a", "b", "c", "d"))
  expect_identical(found(state = "failed"), "c")
  expect_identical(found(state = "done"), c("c", "d"))
  expect_identical(found(tag = "=x"), c("a", "d"))
  expect_identical(found(tag = "-"), "b")
  expect_identical(found(tag = "=x", state = "success"), "d")
  expect_identical(found(find = "load"), "b")
  expect_identical(found(find = "y"), "c")
  expect_identical(found(find = "CRASH"), character())
  expect_identical(found(find = "."), character())
})

test_that("rows are sorted by each column, ties by push, and missing values come last in both directions", {
  look <- some_look(
    id = c("t10", "t9", "t1", "t2"), state = c("waiting", "running", "success", "error"),
    started = c(NA, 990, 950, 960), finished = c(NA, NA, 980, 970), worker = c(NA, 7L, NA, NA),
    seats = list(worker = 7L, rss = 5e6)
  )
  expect_identical(found_ids(look), c("t9", "t10", "t1", "t2"))
  expect_identical(found_ids(look, by = "id"), c("t1", "t2", "t9", "t10"))
  expect_identical(found_ids(look, by = "id", descending = TRUE), c("t10", "t9", "t2", "t1"))
  expect_identical(found_ids(look, by = "ran"), c("t9", "t2", "t1", "t10"))
  expect_identical(found_ids(look, by = "ran", descending = TRUE), c("t1", "t9", "t2", "t10"))
  expect_identical(found_ids(look, by = "waited"), c("t1", "t2", "t9", "t10"))
  expect_identical(found_ids(look, by = "memory", descending = TRUE), c("t9", "t10", "t1", "t2"))
  for (column in names(tq_monitor_columns)) expect_setequal(found_ids(look, by = column), look$tasks$id)
})

test_that("a page that is not there is the last one, and pages cover all tasks once", {
  look <- some_look(id = sprintf("t%03d", 1:60))
  pages <- lapply(1:3, function(page) found_ids(look, by = "id", page = page))
  expect_identical(unlist(pages), look$tasks$id)
  expect_identical(lengths(pages), c(25L, 25L, 10L))
  last <- tq_monitor_rows(look, some_query(size = 50L), 99L)
  expect_identical(c(last$page, last$pages, last$from, last$found), c(2L, 2L, 50L, 60L))
  empty <- tq_monitor_rows(some_look(id = character()), some_query(), 3L)
  expect_identical(c(empty$page, empty$pages, length(empty$rows)), c(1L, 1L, 0L))
})

test_that("whatever a browser sends, the query is one that can be", {
  good <- tq_monitor_query(function(name) NULL)
  bad <- list(NULL, NA, NA_character_, character(), c("a", "b"), list(), list(by = list()), list(by = "nope"), 1e9, -1,
    TRUE, "\xff", list(list(1)))
  for (value in bad) {
    query <- tq_monitor_query(function(name) value)
    query$find <- good$find
    expect_identical(query, good)
  }
  expect_identical(tq_monitor_query(function(name) if (name == "sort") list(by = "id", descending = "yes"))$descending,
    FALSE)
})

test_that("times are said as people say them", {
  expect_identical(
    tq_span(c(NA, 0.0042, 0.9999, 1.25, 9.99, 59.97, 60, 3599.9, 3600, 90061), whole = FALSE),
    c("", "4 ms", "999 ms", "1.2 s", "9.9 s", "59 s", "1 min 00 s", "59 min 59 s", "1 h 00 min", "25 h 01 min")
  )
  expect_identical(tq_span(c(0.4, 61.5), whole = TRUE), c("0 s", "1 min 01 s"))
})

test_that("a browser that applies the differences has the table, whatever changes", {
  set.seed(20)
  mirror <- tq_mirror()
  shown <- list()
  for (step in 1:200) {
    ids <- sample(letters[1:8], sample(0:8, 1))
    cells <- list(
      state = sample(c("waiting", "running"), length(ids), TRUE), message = sample(c("", "x"), length(ids), TRUE)
    )
    news <- tq_mirror_update(mirror, list(tasks = list(order = ids, cells = cells)))
    shown <- apply_table(shown, news$tasks)
    expect_identical(as.character(names(shown)), ids)
    for (column in names(cells)) {
      expect_identical(as.character(unlist(lapply(shown, `[[`, column), use.names = FALSE)), cells[[column]])
    }
  }
})

test_that("what did not change is not sent", {
  mirror <- tq_mirror()
  table <- function(state) list(tasks = list(order = c("a", "b"), cells = list(state = state, tag = c("x", "y"))))
  first <- tq_mirror_update(mirror, table(c("waiting", "waiting")))
  expect_identical(first$tasks$order, list("a", "b"))
  expect_identical(first$tasks$rows[[1L]], list(id = "a", set = list(state = "waiting", tag = "x")))
  expect_identical(tq_mirror_update(mirror, table(c("waiting", "waiting"))), list())
  expect_identical(
    tq_mirror_update(mirror, table(c("waiting", "running"))),
    list(tasks = list(rows = list(list(id = "b", set = list(state = "running")))))
  )
})

test_that("ends of tasks are said in few sentences", {
  herald <- tq_herald()
  at <- function(now, ...) tq_herald_hear(herald, some_look(id = letters[1:4], state = c(...), now = now))
  expect_null(at(0, "success", "running", "running", "running"))
  expect_identical(at(1, "success", "error", "running", "running"), "Task b: failed.")
  expect_null(at(2, "success", "error", "success", "running"))
  expect_null(at(3, "success", "error", "success", "success"))
  expect_identical(at(5, "success", "error", "success", "success"), "2 tasks ended: 2 finished.")
  expect_null(at(20, "success", "error", "success", "success"))
})
