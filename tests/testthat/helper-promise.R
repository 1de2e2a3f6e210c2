# Promises in tests: the event loop is run here, as an app would.

# What a promise came to, in an environment that tells while the loop runs: `settled`, `value`, `error`.
watch_promise <- function(promise) {
  seen <- new.env()
  seen$settled <- FALSE
  keep <- function(name) {
    function(x) {
      seen[[name]] <- x
      seen$settled <- TRUE
    }
  }
  promises::then(promise, keep("value"), keep("error"))
  seen
}

# Runs the event loop until `condition` holds; FALSE when it does not in time.
run_loop_until <- function(condition, deadline_s = 20) {
  expr <- substitute(condition)
  env <- parent.frame()
  deadline <- Sys.time() + deadline_s
  while (!isTRUE(eval(expr, env))) {
    if (Sys.time() > deadline) return(FALSE)
    later::run_now(0.05)
  }
  TRUE
}

# The value of a promise; its error is thrown.
await <- function(promise, deadline_s = 20) {
  seen <- watch_promise(promise)
  if (!run_loop_until(seen$settled, deadline_s)) stop("the promise was not settled in time")
  if (!is.null(seen$error)) stop(seen$error)
  seen$value
}

skip_without_promises <- function() {
  skip_if_not_installed("later")
  skip_if_not_installed("promises")
}
