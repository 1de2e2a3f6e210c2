# What is measured. A row is one figure of the table; a measure yields one or more rows for every
# rival, and names the limits that stand beside them.

# | unit      | what it is                                    |
# | --------- | --------------------------------------------- |
# | `seconds` | less is better                                |
# | `tasks/s` | more is better                                |
# | `bytes`   | less is better                                |
rows <- list(
  latency = list(title = "push + pop of one empty task", unit = "seconds"),
  throughput = list(title = "20 000 empty tasks pushed one by one, popped", unit = "tasks/s"),
  first_result = list(title = "new queue to first result, in a fresh R process", unit = "seconds"),
  second_queue = list(title = "new queue to first result, once more", unit = "seconds"),
  whole_process = list(title = "Rscript: library, queue, one task, end", unit = "seconds"),
  workers_ready = list(title = "100 workers ready", unit = "seconds"),
  workers_memory = list(title = "100 workers idle, all their memory", unit = "bytes"),
  worker_memory = list(title = "one of them", unit = "bytes"),
  big_argument = list(title = "task with an 80 MB argument", unit = "seconds"),
  big_result = list(title = "task with an 80 MB result", unit = "seconds")
)

# The first marks to reach. `than` is a number in the row's unit, or a row and who reached it there.
goals <- list(
  list(row = "latency", at = "most", than = 150e-6),
  list(row = "latency", at = "most", than = c("latency", "parallel PSOCK")),
  list(row = "throughput", at = "least", than = 30000),
  list(row = "first_result", at = "most", than = c("first_result", "Rscript -e 1"), times = 1.5),
  list(row = "workers_ready", at = "most", than = 0.5),
  list(row = "workers_memory", at = "most", than = 400e6)
)

# | field          | what it is                                                                  |
# | -------------- | --------------------------------------------------------------------------- |
# | `prepare(peer)`| once before the repeats: what `once` gets                                   |
# | `once(state)`  | one repeat: a named vector, row = figure                                    |
# | `finish(state)`| once after them                                                             |
# | `limits`       | named functions: each a repeat as `once`, of what the machine or R allows   |
measures <- function(settings) {
  empty <- as_task(function(...) NULL)
  length_of <- as_task(function(x) length(x))
  zeros <- as_task(function(n) numeric(n))
  big_n <- 1e7
  big <- as.numeric(seq_len(big_n)) + 0.5
  big_bytes <- 8 * big_n

  with_pool <- function(n, once) {
    list(
      prepare = function(peer) {
        pool <- open_pool(peer, n)
        tryCatch(for (i in 1:10) run_task(pool, empty, list()), error = function(e) {
          close_pool(pool)
          stop(e)
        })
        pool
      },
      once = once,
      finish = close_pool
    )
  }

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

    throughput = with_pool(settings$workers, function(pool) {
      n <- min(settings$tasks, pool$peer$most)
      c(throughput = n / timed(pool$peer$many(pool$handle, empty, n)))
    }),

    first = list(
      prepare = identity,
      once = function(peer) {
        run <- rscript(c("first.R", ".", file.path("peers", basename(peer$file))))
        c(first_result = as.numeric(run$output), whole_process = run$seconds)
      },
      limits = list("Rscript -e 1" = function() {
        seconds <- rscript(c("-e", "1"))$seconds
        c(first_result = seconds, whole_process = seconds)
      })
    ),

    second = list(
      prepare = function(peer) {
        close_pool(open_pool(peer, 1))
        peer
      },
      once = function(peer) {
        seconds <- timed({
          pool <- open_pool(peer, 1, wait = FALSE)
          run_task(pool, empty, list())
        })
        close_pool(pool)
        c(second_queue = seconds)
      }
    ),

    workers = list(
      prepare = identity,
      once = function(peer) {
        pool <- open_pool(peer, 100)
        on.exit(close_pool(pool))
        bytes <- pss_of(pool_pids(pool))
        c(workers_ready = pool$seconds, workers_memory = bytes, worker_memory = bytes / 100)
      },
      limits = list("fork of a bare process" = function() {
        c(workers_ready = c_limit("fork", 100))
      })
    ),

    big_argument = c(
      with_pool(1, function(pool) {
        c(big_argument = timed(stopifnot(run_task(pool, length_of, list(big)) == big_n)))
      }),
      list(limits = big_limits("big_argument", big, big_bytes))
    ),

    big_result = c(
      with_pool(1, function(pool) {
        c(big_result = timed(stopifnot(length(run_task(pool, zeros, list(big_n))) == big_n)))
      }),
      list(limits = big_limits("big_result", big, big_bytes))
    )
  )
}

big_limits <- function(row, big, bytes) {
  figure <- function(seconds) stats::setNames(seconds, row)
  list(
    "memfd: write, map, copy" = function() figure(c_limit("memfd", bytes)),
    "Unix socket, one way" = function() figure(c_limit("socket", bytes)),
    "serialize + unserialize" = function() {
      figure(timed(unserialize(serialize(big, NULL, xdr = FALSE))))
    }
  )
}

run_task <- function(pool, fun, args) {
  pool$peer$push(pool$handle, fun, args)
  pool$peer$pop(pool$handle)
}

timed <- function(expr) {
  start <- Sys.time()
  force(expr)
  seconds_since(start)
}

# The mean time of a call, over so many that they fill a block of time.
per_call <- function(f, block) {
  n <- 1
  repeat {
    seconds <- timed(for (i in seq_len(n)) f())
    if (seconds >= block / 4) break
    n <- n * 2
  }
  n <- ceiling(n * block / seconds)
  timed(for (i in seq_len(n)) f()) / n
}

# Runs Rscript in the folder of the benchmarks.
rscript <- function(arguments) {
  program <- file.path(R.home("bin"), "Rscript")
  seconds <- timed({
    output <- system2(program, shQuote(arguments), stdout = TRUE, stderr = FALSE)
  })
  if (!is.null(attr(output, "status"))) stop("Rscript ended with ", attr(output, "status"))
  list(output = output, seconds = seconds)
}

# The program of limits/, compiled at its first use.
c_limit <- local({
  program <- NULL
  function(command, n) {
    if (is.null(program)) {
      built <- tempfile("limits-")
      compiler <- system2(file.path(R.home("bin"), "R"), c("CMD", "config", "CC"), stdout = TRUE)
      words <- strsplit(compiler, " +")[[1]]
      arguments <- c(words[-1], "-O2", "-o", shQuote(built), file.path("limits", "limits.c"))
      if (system2(words[1], arguments) != 0) stop("limits.c does not compile")
      program <<- built
    }
    as.numeric(system2(program, c(command, format(n, scientific = FALSE)), stdout = TRUE))
  }
})
