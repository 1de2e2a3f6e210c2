# A queue in a host that has a resource limit: what each step came to.

# Run by in_host(). Each step comes to the status of its task, "success", or the first class of its error; "nothing"
# when there is no result in time, which no test accepts. `large`: size of arguments and results, in numbers.
under_limit <- function(large) {
  library(taskq)
  seen <- character()
  step <- function(name, expr) {
    seen[[name]] <<- tryCatch(expr, error = function(cnd) class(cnd)[[1L]])
    gc()
  }
  run <- function(q, ...) {
    q$push(...)
    result <- q$pop(20000)
    if (is.null(result)) "nothing" else result$status
  }
  is_right <- function(ok) if (ok) "success" else "wrong"
  step("new", {
    q <- task_q$new(2)
    "success"
  })
  step("small", run(q, function() 1))
  step("argument", run(q, function(x) stopifnot(sum(x) == length(x) / 2), list(rep(0.5, large))))
  step("result", run(q, function(n) rep(0.5, n), list(large)))
  step("share", run(q, function(x) stopifnot(sum(x) == length(x) / 2), list(share(rep(0.5, large)))))
  step("map", is_right(identical(q$map(1:300, function(i) i), as.list(1:300))))
  step("many", {
    # For a history of some length.
    for (i in 1:200) q$push(function(i) i, list(i))
    is_right(identical(unlist(q$collect(timeout = 20000)$result), 1:200))
  })
  step("trace", {
    q$trace(tempfile())
    "success"
  })
  step("globals", {
    other <- task_q$new(1, globals = list(x = rep(0.5, large)))
    run(other, function() length(x))
  })
  step("kill", is_right(q$kill() && (!exists("other", inherits = FALSE) || other$kill())))
  step("after", {
    q <- task_q$new(1)
    status <- run(q, function() 1)
    if (q$kill()) status else "wrong"
  })
  list(seen = seen, left = list.files(tempdir(), "^taskq-"))
}

# The steps that came to something else than success; that each came to an end that users are told of, and that
# nothing is left.
steps_that_fail <- function(sh, large = 1e6) {
  host <- in_host(under_limit, large, sh = sh)
  ends <- c("success", "error", "crash", "simpleError", "taskq_error_system", "taskq_error_start",
    "taskq_error_starting")
  expect_identical(host$seen[!host$seen %in% ends], host$seen[0], label = sh)
  expect_identical(host$left, character(), label = sh)
  host$seen[host$seen != "success"]
}
