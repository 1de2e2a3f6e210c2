# The package itself, with its defaults.

peer <- list(
  name = "taskq",
  packages = "taskq",
  in_curves = TRUE,
  start = function(n) taskq::task_q$new(n),
  is_ready = function(q) all(q$list_workers()$state == "idle"),
  push = function(q, fun, args) q$push(fun, args),
  pop = function(q) {
    result <- q$pop(Inf)
    if (!is.null(result$error)) stop(result$error)
    result$result
  },
  settle = function(q) q$wait(progress = FALSE),
  maps = list(taskq = function(q, x, fun) {
    if (!is.function(q$map)) not_here("not in this version: q$map()")
    q$map(x, fun, progress = FALSE)
  }),
  stop = function(q) q$close()
)
