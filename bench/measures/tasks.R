# Small tasks: one at a time, and very many.

task_measures <- function(settings) {
  empty <- as_task(function(...) NULL)
  list(
    latency = c(
      with_pool(1, function(pool) {
        c(latency = per_call(function() run_task(pool, empty, list()), settings$block))
      }),
      list(limits = list(
        "Unix socket ping-pong" = function() c(latency = c_limit("ping", 20000)),
        "serialize + unserialize, twice" = function() {
          task <- list(fun = empty, args = list())
          c(latency = per_call(function() {
            unserialize(serialize(task, NULL, xdr = FALSE))
            unserialize(serialize(list(NULL), NULL, xdr = FALSE))
          }, settings$block))
        }
      ))
    ),

    throughput = c(
      with_pool(settings$workers, function(pool) {
        n <- settings$tasks
        if (!is_taskq(pool$peer)) n <- floor(min(n, pool$peer$most) * settings$part)
        c(throughput = n / timed(pool$peer$many(pool$handle, empty, n)))
      }),
      list(limits = list("Unix socket ping-pong" = function() {
        c(throughput = 1 / c_limit("ping", 20000))
      }))
    )
  )
}
