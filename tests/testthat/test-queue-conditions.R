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
