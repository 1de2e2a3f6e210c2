# What a task brings along: packages and objects, there for this task only.

push_call <- function(q, fun, ...) {
  private <- q$.__enclos_env__$private
  id <- .External(C_tq_push, private$handle, NULL, fun, list(...), NULL)
  if (!is.null(private$inline)) tq_inline_run(private$inline, private$handle, NULL)
  id
}

run_call <- function(q, fun, ...) {
  id <- push_call(q, global(fun), ...)
  result <- q$pop(20000)
  stopifnot(identical(result$task_id, id))
  result
}

for (num_workers in c(1, 0)) {
  test_that("packages are attached and objects are there, for one task", {
    skip_if("package:splines" %in% search())
    q <- local_queue(num_workers, globals = list(both = "queue"))
    seen <- function() list("package:splines" %in% search(), is.function(bs), mine, both)
    result <- run_call(q, seen, packages = "splines", globals = list(mine = 1, both = "task"))
    expect_identical(result$result, list(TRUE, TRUE, 1, "task"))
    expect_identical(result$messages, list())
    after <- run_task(q, global(function() list("package:splines" %in% search(), exists("mine"), both)))
    expect_identical(after$result, list(FALSE, FALSE, "queue"))
    with_args <- run_call(q, function(x) x + mine, args = list(1), globals = list(mine = 2))
    expect_identical(with_args$result, 3)
    expect_false("package:splines" %in% search())
  })

  test_that("a package that is not there is an error that says so", {
    q <- local_queue(num_workers)
    result <- run_call(q, function() 1, packages = c("splines", "taskq.no.such.package"))
    expect_identical(result$status, "error")
    expect_s3_class(result$error, "taskq_error_task")
    expect_identical(result$error$phase, "packages")
    expect_match(conditionMessage(result$error), "could not attach its packages")
    expect_match(conditionMessage(result$error), "taskq.no.such.package")
    after <- run_task(q, function() search())
    expect_false("package:splines" %in% after$result)
  })
}

test_that("an object that cannot be put in its place is an error that says so", {
  q <- local_queue(1, init = function() {
    assign("fixed", 1, envir = globalenv())
    lockBinding("fixed", globalenv())
  })
  result <- run_call(q, function() fixed, globals = list(fixed = 2))
  expect_identical(result$error$phase, "globals")
  expect_match(conditionMessage(result$error), "could not be given its globals")
})

test_that("sessions are the first to go when memory is short", {
  skip_if_not(file.exists("/proc/self/oom_score_adj"))
  score <- function() as.integer(readLines("/proc/self/oom_score_adj"))
  q <- local_queue(1)
  found <- run_task(q, global(function() as.integer(readLines("/proc/self/oom_score_adj"))))
  expect_identical(found$result, min(1000L, score() + 300L))
})
