# Conditions of other classes than warning and message, from a task to the session that waits for it.

signal <- function(text, class = "mine") {
  signalCondition(structure(class = c(class, "condition"), list(message = as.character(text), call = NULL)))
}
texts <- function(conditions) vapply(conditions, conditionMessage, "")
# What `expr` signals of this class.
seen <- function(expr, class = "mine") {
  texts <- NULL
  note <- function(cnd) if (inherits(cnd, class)) texts <<- c(texts, conditionMessage(cnd))
  withCallingHandlers(expr, condition = note)
  texts
}

test_that("a result has the conditions that its task has signalled and not caught, in their order", {
  for (workers in 0:1) {
    q <- local_queue(workers)
    q$push(function(signal) {
      signal("a")
      message("m")
      signal("b", c("own", "mine"))
      tryCatch(signal("caught"), mine = function(cnd) NULL)
      signal("c")
      stop("no")
    }, list(signal))
    result <- q$pop(Inf)
    expect_identical(result$status, "error")
    expect_identical(texts(result$conditions), c("a", "b", "c"))
    expect_s3_class(result$conditions[[2L]], c("own", "mine", "condition"), exact = TRUE)
    expect_length(result$messages, 1L)
    expect_output(print(result), "conditions: 3", fixed = TRUE)
    q$push(function() 1)
    expect_identical(q$collect()$conditions, list(list()))
  }
})

test_that("the conditions of a task that is tried again are those of its last try", {
  q <- local_queue(1)
  q$push(function(signal) {
    signal(paste("try", taskq::task_attempt()))
    if (taskq::task_attempt() < 2) stop("again")
  }, list(signal), tries = 2, retry_on = "error")
  expect_identical(texts(q$pop(Inf)$conditions), "try 2")
})

test_that("more conditions than are kept are counted, and one that cannot be sent is sent without what is large", {
  q <- local_queue(1)
  q$push(function(signal) for (i in 1:1200) signal(i), list(signal))
  result <- q$pop(Inf)
  expect_identical(texts(result$conditions), as.character(1:1000))
  expect_identical(attr(result, "dropped"), c(conditions = 200))
  q$push(function() {
    holder <- new.env()
    holder$large <- runif(2e6)
    signalCondition(structure(class = c("mine", "condition"), list(message = "large", call = NULL, holder = holder)))
  })
  expect_identical(q$pop(Inf)$conditions[[1L]]$dropped_fields, "holder")
})

test_that("map() signals what its elements have signalled, in their order and once", {
  for (workers in c(0, 2)) {
    q <- local_queue(workers)
    elements <- function(i, signal) signal(paste("element", i))
    expect_identical(seen(q$map(1:20, elements, list(signal), chunk = 3)), paste("element", 1:20))
  }
})

# ---- those that are signalled while the task runs ----

now <- c("mine", "immediateCondition")
# Signals, waits for a file, and signals again.
signal_around <- function(signal, class, wait, path) {
  signal("before", class)
  wait(path)
  signal("behind", class)
  "value"
}

test_that("an immediateCondition is signalled here while its task runs, by all that waits, in order", {
  waits <- list(
    pop = function(q) q$pop(Inf)$result,
    pop_id = function(q) q$pop(Inf, id = "a")$result,
    wait = function(q) q$wait(),
    wait_with_bar = function(q) capture.output(q$wait(progress = TRUE), type = "message"),
    collect = function(q) q$collect()$result[[1L]],
    poll = function(q) q$poll(Inf)
  )
  q <- local_queue(1)
  for (name in names(waits)) {
    gate <- local_gate()
    q$push(signal_around, list(signal, now, gate$wait, gate$path), id = "a")
    texts <- NULL
    withCallingHandlers(waits[[name]](q), mine = function(cnd) {
      texts <<- c(texts, conditionMessage(cnd))
      # The task cannot end before.
      gate$open()
    })
    expect_identical(texts, c("before", "behind"), info = name)
    result <- q$pop(0)
    if (!is.null(result)) expect_identical(texts(result$conditions), c("before", "behind"))
  }
})

test_that("what a task has signalled comes before its result, also when nothing had waited meanwhile", {
  q <- local_queue(1)
  q$push(function(signal, now) for (i in 1:3) signal(i, now), list(signal, now))
  expect_true(wait_until(q$get_num_done() == 1))
  expect_identical(seen(expect_identical(q$pop(0)$status, "success")), c("1", "2", "3"))
  expect_null(seen(q$pop(0)))
})

test_that("an immediate message or warning is signalled as one, and is in the result as any other", {
  q <- local_queue(1)
  q$push(function() {
    message(structure(class = c("immediateCondition", "message", "condition"), list(message = "m\n", call = NULL)))
    warning(structure(class = c("immediateCondition", "warning", "condition"), list(message = "w", call = NULL)))
  })
  expect_message(expect_warning(result <- q$pop(Inf), "w"), "m")
  expect_identical(texts(result$messages), "m\n")
  expect_identical(texts(result$warnings), "w")
  expect_identical(result$stderr, "m\n")
  expect_message(expect_warning(q$map(1, function(i) {
    message(structure(class = c("immediateCondition", "message", "condition"), list(message = "once\n", call = NULL)))
    warning(structure(class = c("immediateCondition", "warning", "condition"), list(message = "once", call = NULL)))
  })), "once")
})

test_that("map() signals immediate conditions of its elements while it runs, and once", {
  q <- local_queue(2)
  gate <- local_gate()
  elements <- function(i, signal, now, wait, path) {
    signal(i, now)
    if (i == 1) wait(path)
    i
  }
  texts <- seen(result <- withCallingHandlers(
    q$map(1:100, elements, list(signal, now, gate$wait, gate$path)),
    mine = function(cnd) gate$open()
  ))
  expect_identical(result, as.list(1:100))
  expect_setequal(texts, as.character(1:100))
  expect_length(texts, 100L)
})

test_that("a handler may jump, and nothing is lost but what was signalled", {
  q <- local_queue(1)
  q$push(function(signal, now) for (i in 1:4) signal(i, now), list(signal, now))
  expect_true(wait_until(q$get_num_done() == 1))
  expect_identical(tryCatch(q$pop(Inf), mine = conditionMessage), "1")
  expect_error(withCallingHandlers(q$wait(), mine = function(cnd) stop("handler ", conditionMessage(cnd))), "handler 2")
  # And it may use the queue.
  inner <- NULL
  texts <- seen(withCallingHandlers(q$poll(), mine = function(cnd) inner <<- c(inner, list(q$pop()))))
  expect_setequal(texts, c("3", "4"))
  inner <- Filter(Negate(is.null), inner)[[1L]]
  expect_identical(texts(inner$conditions), as.character(1:4))
  expect_true(q$is_idle())
  q$push(function() 1)
  expect_identical(q$pop(Inf)$result, 1)
})

test_that("each try signals as it comes, and what comes when the task is over does not count", {
  q <- local_queue(1)
  q$push(function(signal, now) {
    signal(paste("try", taskq::task_attempt()), now)
    if (taskq::task_attempt() < 3) stop("again")
  }, list(signal, now), tries = 3, retry_on = "error")
  expect_identical(seen(result <- q$pop(Inf)), paste("try", 1:3))
  expect_identical(texts(result$conditions), "try 3")
  q$push(function(signal, now) {
    signal("last words", now)
    tools::pskill(Sys.getpid(), 9)
  }, list(signal, now))
  expect_identical(seen(result <- q$pop(Inf)), "last words")
  expect_identical(result$status, "crash")
})

test_that("a flood of immediate conditions holds up no task, and what is lost of it is told", {
  skip_on_cran()
  q <- local_queue(2)
  q$push(function(signal, now) for (i in 1:10500) signal(i, now), list(signal, now))
  expect_true(wait_until(q$get_num_done() == 1))
  expect_warning(texts <- seen(result <- q$pop(0)), "500 conditions that tasks have signalled are lost", fixed = TRUE)
  expect_identical(texts, as.character(1:10000))
  # They were all sent.
  expect_null(attr(result, "dropped"))
  expect_length(result$conditions, 1000L)
  # While something waits, none is lost.
  q$push(function(signal, now) for (i in 1:12000) signal(i, now), list(signal, now))
  expect_warning(texts <- seen(q$pop(Inf)), NA)
  expect_length(texts, 12000L)
})

test_that("a wait ends when its time is over, however slow a handler is, and a flood can be cancelled", {
  q <- local_queue(1)
  run_task(q, function() 1)
  id <- q$push(function(signal, now) repeat signal("more", now), list(signal, now))
  seconds <- system.time(result <- withCallingHandlers(q$pop(300), mine = function(cnd) Sys.sleep(0.05)))[["elapsed"]]
  expect_null(result)
  expect_lt(seconds, 3)
  q$cancel(id)
  expect_identical(suppressWarnings(q$pop(Inf)$status), "cancelled")
})

test_that("a condition that cannot be sent as it is comes without that, whatever it is", {
  q <- local_queue(1)
  q$push(function(now) {
    made <- function(...) structure(class = c(now, "condition"), list(message = "m", call = NULL, ...))
    signalCondition(made(fun = function() 1, env = new.env()))
    deep <- NULL
    for (i in 1:1e5) deep <- list(deep)
    signalCondition(made(deep = deep))
    signalCondition(made(large = runif(1e6)))
    "value"
  }, list(now))
  conditions <- list()
  note <- function(cnd) conditions[[length(conditions) + 1L]] <<- cnd
  result <- withCallingHandlers(q$pop(Inf), mine = note)
  expect_identical(result$result, "value")
  expect_length(conditions, 3L)
  expect_type(conditions[[1L]]$fun, "closure")
  expect_identical(conditions[[2L]]$dropped_fields, "deep")
  expect_length(conditions[[3L]]$large, 1e6)
})

test_that("a condition for which R has no memory now is signalled later", {
  told <- in_host_with(list(squeezed = squeezed, now = now), function() {
    q <- taskq::task_q$new(1)
    on.exit(q$kill())
    q$push(function(now) {
      words <- as.list(as.character(1:5e4))
      signalCondition(structure(class = c(now, "condition"), list(message = "large", call = NULL, words = words)))
    }, list(now))
    while (q$get_num_done() == 0) Sys.sleep(0.01)
    told <- NULL
    note <- function(cnd) told <<- c(told, length(cnd$words))
    first <- squeezed(function() withCallingHandlers(q$pop(0), mine = note), 5e5)
    list(inherits(first, "error"), told, withCallingHandlers(q$pop(0), mine = note)$status, told)
  })
  expect_identical(told, list(TRUE, NULL, "success", 50000L))
})

test_that("in an inline queue they are signalled once, by the task itself", {
  q <- local_queue(0)
  expect_identical(seen(q$push(function(signal, now) signal("a", now), list(signal, now))), "a")
  expect_null(seen(result <- q$pop()))
  expect_identical(texts(result$conditions), "a")
  expect_identical(seen(q$map(1:3, function(i, signal, now) signal(i, now), list(signal, now))), c("1", "2", "3"))
  immediate <- function() {
    message(structure(class = c("immediateCondition", "message", "condition"), list(message = "m\n", call = NULL)))
  }
  expect_message(q$push(immediate), "m")
  expect_identical(texts(q$pop()$messages), "m\n")
})

test_that("an event loop signals what a promised task signals while it runs, to global handlers", {
  skip_without_promises()
  texts <- in_host(function(signal_around, signal, now, wait) {
    q <- taskq::task_q$new(1)
    on.exit(q$kill())
    path <- tempfile()
    texts <- NULL
    globalCallingHandlers(mine = function(cnd) {
      texts <<- c(texts, conditionMessage(cnd))
      file.create(path)
    })
    promise <- q$run(signal_around, list(signal, now, wait, path))
    promises::then(promise, function(value) texts <<- c(texts, value))
    deadline <- Sys.time() + 20
    while (!"value" %in% texts && Sys.time() < deadline) later::run_now(0.05)
    texts
  }, signal_around, signal, now, local_gate()$wait)
  expect_identical(texts, c("before", "behind", "value"))
})

test_that("progressr shows the progress of tasks around map(), collect() and pop()", {
  skip_if_not_installed("progressr")
  work <- function(i, p) {
    p(amount = 1, message = paste("element", i))
    i
  }
  q <- local_queue(2)
  uses <- list(
    map = function(p) q$map(1:10, work, list(p)),
    collect = function(p) {
      q$push_many(work, lapply(1:10, list, p))
      q$collect()$result
    },
    pop = function(p) {
      q$push_many(work, lapply(1:10, list, p))
      lapply(1:10, function(i) q$pop(Inf)$result)
    }
  )
  for (name in names(uses)) {
    # How far it came, as a handler of progressr is told.
    steps <- NULL
    reporter <- list(update = function(config, state, progression, ...) steps <<- c(steps, state$step))
    handler <- progressr::make_progression_handler("test", reporter, enable = TRUE, interval = 0, intrusiveness = 1)
    progressr::with_progress(handlers = handler, enable = TRUE, {
      p <- progressr::progressor(10)
      values <- uses[[name]](p)
    })
    expect_setequal(unlist(values), 1:10)
    expect_identical(as.integer(max(steps)), 10L, info = name)
    expect_gt(length(unique(steps)), 5L)
  }
})
