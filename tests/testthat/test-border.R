# What R has no memory for, between R and Rust: the call fails with R's own error, nothing of it is left, and the queue
# is as it was.

# `make()` gives a queue, and `calls` is a list of functions of it and its handle. Each is called where R has only so
# many bytes left, the sizes in `rooms`. What came of the calls, by how many MB this R has grown, and whether the
# queue works on.
squeeze <- function(make, calls, rooms = c(2^14, 2^17), rounds = 1L) {
  message_of <- function(call, room) {
    found <- squeezed(call, room)
    if (inherits(found, "error")) conditionMessage(found) else "fine"
  }
  rss <- function() {
    gc()
    line <- grep("^VmRSS", readLines("/proc/self/status"), value = TRUE)
    as.integer(gsub("[^0-9]", "", line)) / 1024
  }
  queue <- make()
  handle <- queue$.__enclos_env__$private$handle
  call_all <- function() lapply(calls, function(call) call(queue, handle))
  squeeze_all <- function() {
    lapply(calls, function(call) vapply(rooms, function(room) message_of(function() call(queue, handle), room), ""))
  }
  call_all()
  # What malloc() keeps for later is there after the first round.
  seen <- squeeze_all()
  before <- rss()
  for (round in seq_len(rounds)) seen <- Map(c, seen, squeeze_all())
  grown <- rss() - before
  call_all()
  queue$resume()
  id <- queue$push(function(x) x + 1, list(1))
  queue$wait(id, timeout = 3e4)
  usable <- identical(queue$collect(id)$result[[1L]], 2)
  queue$kill()
  list(seen = lapply(seen, unique), grown = grown, usable = usable)
}

expect_clean <- function(found, calls, may_grow_mb) {
  expect_true(found$usable)
  for (name in names(calls)) {
    messages <- setdiff(found$seen[[name]], "fine")
    expect_true(length(messages) > 0L, label = paste(name, "met want of memory"))
    expect_true(all(grepl("vector memory (exhausted|limit)|cannot allocate", messages)),
      label = paste0(name, " fails with R's own error: ", toString(messages)))
  }
  expect_lt(found$grown, may_grow_mb)
}

test_that("O10: nothing is left or lost where R has no memory for it", {
  skip_on_cran()
  make <- function() {
    q <- taskq::task_q$new(1)
    q$push(function() cat(strrep("x", 1e6), "\n"), id = "talk")
    q$wait("talk", timeout = 3e4)
    q$pause()
    for (tag in c("t", "u")) q$push_many(function() 1, rep(list(list()), 5e3), ids = paste(tag, ids), tag = tag)
    q
  }
  calls <- list(
    tasks = function(q, handle) taskq:::rs_queue_tasks(handle),
    objects = function(q, handle) taskq:::rs_queue_objects(handle),
    find = function(q, handle) taskq:::rs_queue_find(handle, paste("t", ids)),
    unknown = function(q, handle) taskq:::rs_queue_find(handle, paste("x", ids)),
    tagged = function(q, handle) taskq:::rs_queue_tagged(handle, "t"),
    promised = function(q, handle) taskq:::rs_queue_promised(handle, serials),
    cancel = function(q, handle) taskq:::rs_queue_cancel(handle, serials + 5e3, 0),
    timeline = function(q, handle) taskq:::rs_queue_timeline(handle),
    output = function(q, handle) taskq:::rs_queue_output(handle, 1),
    output_since = function(q, handle) taskq:::rs_queue_output_since(handle, 1, 1, c(0, 0), 1e6),
    done = function(q, handle) taskq:::rs_queue_done(handle),
    done_serials = function(q, handle) taskq:::rs_queue_done_serials(handle),
    list_tasks = function(q, handle) q$list_tasks(payload = FALSE)
  )
  found <- in_host_with(
    list(squeeze = squeeze, squeezed = squeezed, make = make, calls = calls, ids = paste("task", seq_len(5e3)),
      serials = as.numeric(1 + seq_len(5e3))),
    function() squeeze(make, calls)
  )
  expect_clean(found, calls, may_grow_mb = 40)
})

test_that("O10: what R has no memory for stays in the queue, and none of it is left elsewhere", {
  skip_on_cran()
  make <- function() {
    q <- taskq::task_q$new(1)
    q$push(function() as.list(as.character(1:3e4)), id = "list")
    q$push(function() runif(1e6), id = "vector")
    q$wait(timeout = 3e4)
    q
  }
  calls <- list(
    outcome = function(q, handle) taskq:::rs_outcome(handle, 1),
    peek = function(q, handle) taskq:::rs_peek(handle, 0, NULL),
    push_many = function(q, handle) q$cancel(q$push_many(function() 1, rep(list(list()), 5e3))),
    map = function(q, handle) q$map(1:1e4, function(i) as.character(i))
  )
  found <- in_host_with(list(squeeze = squeeze, squeezed = squeezed, make = make, calls = calls),
    function() squeeze(make, calls))
  expect_clean(found, calls, may_grow_mb = 40)
})

test_that("O10: a push of which R cannot make the ids has queued nothing", {
  skip_on_cran()
  found <- in_host_with(list(squeezed = squeezed), function() {
    q <- taskq::task_q$new(1)
    on.exit(q$kill())
    q$pause()
    fun <- function() 1
    args_list <- rep(list(list()), 5e3)
    num_tasks <- function() nrow(q$list_tasks(idle = FALSE, payload = FALSE))
    look <- function(call, rooms) {
      for (i in 1:3) call()
      vapply(rooms, function(room) {
        before <- num_tasks()
        ids <- squeezed(call, room)
        c(queued = num_tasks() - before, told = if (is.character(ids)) length(ids) else 0)
      }, c(queued = 0, told = 0))
    }
    list(
      push = look(function() q$push(fun), c(seq(8, 160, by = 8), 1e5)),
      push_many = look(function() q$push_many(fun, args_list), c(seq(7e4, 1.3e5, by = 1e4), 1e6))
    )
  })
  for (seen in found) {
    expect_identical(seen["queued", ], seen["told", ])
    expect_true(any(seen["told", ] == 0) && any(seen["told", ] > 0))
  }
})

test_that("O10: Rust says what it was not given as it should be", {
  q <- local_queue(1)
  handle <- q$.__enclos_env__$private$handle
  expect_error(rs_queue_output(handle, "1"), "the argument `task` is of another type", fixed = TRUE)
  expect_error(rs_queue_find(handle, NA_character_), "the argument `ids` is of another type", fixed = TRUE)
  expect_error(.External(C_tq_call, "rs_queue_find", handle), "another number of arguments", fixed = TRUE)
  expect_error(.External(C_tq_call, "rs_no_such", handle), "there is no such function", fixed = TRUE)
})

test_that("O10: vectors that R has yet to make are read as any others", {
  q <- local_queue(1)
  handle <- q$.__enclos_env__$private$handle
  q$pause()
  ids <- q$push_many(function() 1, rep(list(list()), 100), ids = as.character(1:100))
  expect_identical(rs_queue_find(handle, as.character(1:100)), as.numeric(1:100))
  expect_identical(rs_queue_promised(handle, as.numeric(1:100)), logical(100))
  expect_identical(names(rs_queue_cancel(handle, as.numeric(1:100), 0)), ids)
})
