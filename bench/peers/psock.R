# parallel's cluster of R processes on sockets. It has no queue: one task is a clusterCall() on one
# node, and many tasks are a clusterApplyLB(), which sends the next when a node is free.

peer <- list(
  name = "parallel PSOCK",
  packages = "parallel",
  start = function(n) list(nodes = parallel::makePSOCKcluster(n), waiting = fifo()),
  push = function(cluster, fun, args) fifo_put(cluster$waiting, list(fun = fun, args = args)),
  pop = function(cluster) {
    task <- fifo_take(cluster$waiting)
    do.call(parallel::clusterCall, c(list(cluster$nodes[1], task$fun), task$args))[[1]]
  },
  in_curves = TRUE,
  maps = list(
    parLapply = function(cluster, x, fun) parallel::parLapply(cluster$nodes, x, fun),
    parLapplyLB = function(cluster, x, fun) parallel::parLapplyLB(cluster$nodes, x, fun),
    clusterApplyLB = function(cluster, x, fun) parallel::clusterApplyLB(cluster$nodes, x, fun)
  ),
  slow_maps = list(clusterApplyLB = 10000),
  # Once to each node, where it is a global variable.
  share = function(cluster, x, f, n) {
    place <- list2env(list(bench_shared = x, bench_task = f))
    parallel::clusterExport(cluster$nodes, c("bench_shared", "bench_task"), place)
    task <- as_task(function(i) bench_task(bench_shared, i))
    parallel::clusterApplyLB(cluster$nodes, seq_len(n), task)
  },
  many = function(cluster, fun, n) parallel::clusterApplyLB(cluster$nodes, seq_len(n), fun),
  stop = function(cluster) parallel::stopCluster(cluster$nodes)
)
