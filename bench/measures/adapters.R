# Code of others on taskq: what is ours beside it, and the backends that it would have without taskq.

adapter_measures <- function(settings) {
  list(
    futures = list(
      who = only_taskq,
      once = function(peer) futures_of(function() taskq::task_q_future, settings),
      rivals = list(
        "future multisession" = where_installed("future", function() {
          futures_of(function() future::multisession, settings)
        }),
        "future multicore" = where_installed("future", function() futures_of(function() future::multicore, settings)),
        future.callr = where_installed("future.callr", function() futures_of(function() future.callr::callr, settings)),
        future.mirai = where_installed("future.mirai", function() {
          futures_of(function() future.mirai::mirai_multisession, settings)
        })
      )
    ),

    globals = list(
      who = only_taskq,
      prepare = function(peer) {
        list2env(list(bench_rate = 2), globalenv())
        peer$start(1)
      },
      once = function(q) {
        push <- function(globals) {
          seconds <- per_call(function() q$push(used_globals, list(1), globals = globals), settings$block)
          q$cancel(q$list_tasks(idle = FALSE)$id)
          q$collect(progress = FALSE)
          seconds
        }
        q$pause()
        c(globals = push("auto") - push(list()))
      },
      finish = function(q) q$kill(),
      rivals = list("globals::globalsOf" = where_installed("globals", function() {
        c(globals = per_call(function() globals::globalsOf(used_globals, envir = globalenv()), settings$block))
      }))
    )
  )
}

# A function with a helper and a number of the global environment.
used_globals <- as_task(function(x) {
  values <- vapply(seq_len(10), function(i) x * bench_rate + i, 0)
  list(mean = mean(values), spread = stats::sd(values))
})

# One future after the other, each made and asked for its value. The plan is made, and warm, before.
futures_of <- function(strategy, settings) {
  if (!requireNamespace("future", quietly = TRUE)) not_here("future is not installed")
  options(parallelly.maxWorkers.localhost = Inf)
  future::plan(strategy(), workers = settings$workers)
  on.exit(future::plan(future::sequential))
  one <- function() future::value(future::future(NULL, globals = FALSE))
  for (i in 1:5) one()
  c(futures = per_call(one, settings$block))
}
