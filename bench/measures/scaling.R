# Lines: more workers, larger arguments. More tasks are in waiting.R.

scaling_measures <- function(settings) {
  empty <- as_task(function(...) NULL)
  asleep <- as_task(function(...) Sys.sleep(0.01))
  length_of <- as_task(function(x) length(x))
  some <- function(peers) Filter(function(peer) isTRUE(peer$in_curves), peers)
  repeats <- if (settings$quick) 1L else 3L
  cores <- parallel::detectCores()

  list(
    workers = list(
      at = sort(unique(c(1, 2, 4, if (!settings$quick) 8, 16, cores, 2 * cores))),
      rows = c("at_workers_throughput", "at_workers_ideal"),
      of = function(n) {
        measure <- with_pool(n, function(pool) {
          tasks <- floor(min(settings$tasks, pool$peer$most, 5000) * settings$part)
          naps <- 20 * n
          throughput <- tasks / timed(pool$peer$many(pool$handle, empty, tasks))
          ideal <- 0.01 * naps / n / timed(pool$peer$many(pool$handle, asleep, naps))
          c(at_workers_throughput = throughput, at_workers_ideal = ideal)
        })
        c(measure, list(who = some, most_repeats = repeats))
      }
    ),

    payload = list(
      at = 10^seq(0, log10(settings$largest), if (settings$quick) 2 else 1),
      rows = "at_bytes",
      of = function(bytes) {
        needed <- 6 * bytes
        room <- function(what) {
          if (memory_available() < needed) not_here(paste("too little memory for", what))
        }
        copies <- function(how) {
          function() {
            room(how)
            c(at_bytes = c_limit(how, bytes))
          }
        }
        measure <- with_pool(1, function(pool) {
          room(paste(count_text(bytes), "bytes"))
          x <- raw(bytes)
          once <- function() stopifnot(run_task(pool, length_of, list(x)) == bytes)
          c(at_bytes = if (bytes < 1e6) per_call(once, 0.05) else timed(once()))
        })
        c(measure, list(
          who = some, most_repeats = if (bytes > 1e8) 1L else repeats,
          limits = list(
            "memfd: write, map, copy" = copies("memfd"), "Unix socket, one way" = copies("socket")
          )
        ))
      }
    )
  )
}

# Infinite where /proc does not say it.
memory_available <- function() {
  lines <- tryCatch(suppressWarnings(readLines("/proc/meminfo")), error = function(e) character())
  line <- grep("^MemAvailable:", lines, value = TRUE)
  if (length(line)) 1024 * as.numeric(gsub("[^0-9]", "", line)) else Inf
}
