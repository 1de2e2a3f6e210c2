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
  many = function(cluster, fun, n) parallel::clusterApplyLB(cluster$nodes, seq_len(n), fun),
  stop = function(cluster) parallel::stopCluster(cluster$nodes)
)
