# What R is asked without the guard must not make it jump, whatever the objects are: see CONTRIBUTING.md.

test_that("O10: what is nested deeper than the C stack cannot be shared, and R goes on", {
  told <- in_host(function() {
    deep <- list(as.numeric(1:1e4))
    for (i in 1:45000) deep <- list(deep)
    told <- tryCatch(taskq::share(deep), error = conditionMessage)
    list(told = told, then = is.numeric(taskq::share(as.numeric(1:1e4))))
  })
  expect_match(told$told, "C stack usage")
  expect_true(told$then)
})

test_that("O10: a function is pushed from a frame that says it is a namespace by an active binding", {
  q <- local_queue(1)
  calls <- 0
  frame <- new.env()
  makeActiveBinding(".__NAMESPACE__.", function() {
    calls <<- calls + 1
    stop("asked")
  }, frame)
  frame$y <- 7
  fun <- function() y
  environment(fun) <- frame
  q$push(fun)
  expect_identical(q$pop(20000)$result, 7)
  expect_identical(calls, 0)
})

test_that("O10: a result of which R cannot tell the names is its task's error", {
  hostile <- local_hostile()
  q <- local_queue(1)
  # One dimension, whose names are a number.
  array <- serialize(structure(list(7), dim = 1L, xxxnames = 3L), NULL, xdr = FALSE)
  at <- grepRaw("xxxnames", array, fixed = TRUE)
  array[at + seq_len(8L) - 1L] <- charToRaw("dimnames")
  payloads <- list(array, serialize(quote(value(value = 1)), NULL, xdr = FALSE))
  serial <- 1
  for (payload in payloads) {
    q$push(hostile_finish, list(hostile, serial, payload))
    result <- q$pop(20000)
    expect_identical(result$status, "error")
    expect_match(conditionMessage(result$error), "it is not what a worker sends", fixed = TRUE)
    serial <- serial + 1
  }
})

test_that("O10: a condition whose class R has yet to make is one", {
  q <- local_queue(1)
  q$push(function() {
    classes <- as.character(c(1, 2))
    cnd <- structure(list(message = "m", call = NULL), class = c("condition", classes))
    taskq:::rs_reply("error", list(error = cnd))
  })
  expect_identical(q$pop(20000)$status, "error")
})

test_that("O10: variables without a value are left as they are, from task to task", {
  q <- local_queue(1, init = function() {
      assign("nothing", as.list(function(x) x)[[1L]], globalenv())
    delayedAssign("failing", stop("forced"), assign.env = globalenv())
    delayedAssign("later", 42, assign.env = globalenv())
  })
  for (i in 1:2) {
    q$push(function() assign("left", 1, globalenv()))
    expect_identical(q$pop(20000)$status, "success")
    q$push(function() list(tryCatch(failing, error = conditionMessage), later, exists("left", inherits = FALSE)))
    result <- q$pop(20000)
    expect_identical(result$result, list("forced", 42, FALSE))
  }
  q$push(function() nothing)
  expect_identical(q$pop(20000)$status, "error")
})

test_that("O10: a push that fails while another one is written changes nothing for that", {
  told <- in_host(function() {
    q <- taskq::task_q$new(0)
    con <- file(tempfile(), "w")
    on.exit(close(con))
    shared <- taskq::share(as.numeric(1:1e4))
    asked <- 0
    # R code that runs while a shared vector is written. It stands for a finalizer, which may run at any time.
    unlockBinding("sys.nframe", baseenv())
    assign("sys.nframe", function() {
      asked <<- asked + 1
      if (asked == place) try(q$push(identity, list(list(inner = con))), silent = TRUE)
      0L
    }, baseenv())
    vapply(1:8, function(i) {
      place <<- i
      asked <<- 0
      tryCatch(q$push(identity, list(list(shared, outer = con))), error = conditionMessage)
    }, "")
  })
  expect_match(told, "holds a connection at `x$outer`", fixed = TRUE)
})
