# The package itself, with its defaults.

peer <- list(
  name = "taskq",
  packages = "taskq",
  start = function(n) taskq::task_q$new(n),
  is_ready = function(q) all(q$list_workers()$state == "idle"),
  push = function(q, fun, args) q$push(fun, args),
  pop = function(q) {
    result <- q$pop(Inf)
    if (!is.null(result$error)) stop(result$error)
    result$result
  },
  stop = function(q) q$close()
)
