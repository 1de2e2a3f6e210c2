# crew's controller for local workers.

peer <- list(
  name = "crew",
  packages = "crew",
  most = 2000,
  start = function(n) {
    controller <- crew::crew_controller_local(workers = n, seconds_idle = Inf)
    controller$start()
    controller$launch(n)
    list(controller = controller, n = n)
  },
  is_ready = function(x) {
    mirai::info(.compute = x$controller$client$profile)[["connections"]] >= x$n
  },
  push = function(x, fun, args) {
    x$controller$push(do.call(fun, args), data = list(fun = fun, args = args))
  },
  pop = function(x) {
    while (is.null(task <- x$controller$pop())) x$controller$wait(mode = "one")
    if (!identical(task$status, "success")) stop(task$error)
    task$result[[1]]
  },
  settle = function(x) x$controller$wait(mode = "all"),
  stop = function(x) x$controller$terminate()
)
