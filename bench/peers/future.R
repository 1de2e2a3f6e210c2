# future's multisession plan. A future that finds no free worker blocks the session until there is
# one, which is as good here as a queue.

peer <- list(
  name = "future multisession",
  packages = "future",
  most = 100,
  own_sessions = FALSE,
  several = FALSE, # the plan is one for the session
  start = function(n) {
    # It refuses more than a few workers for each core unless it is told.
    options(parallelly.maxWorkers.localhost = Inf)
    # Of a plain 1 it makes the sequential plan.
    future::plan(future::multisession, workers = I(n))
    fifo()
  },
  push = function(waiting, fun, args) {
    task <- future::future(do.call(fun, args), globals = list(fun = fun, args = args))
    fifo_put(waiting, task)
  },
  pop = function(waiting) future::value(fifo_take(waiting)),
  stop = function(waiting) future::plan(future::sequential)
)
