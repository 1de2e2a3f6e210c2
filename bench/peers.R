# Rivals. A file in peers/ makes one list, `peer`:
#
# | field               | what it is                                                            |
# | ------------------- | --------------------------------------------------------------------- |
# | `name`              | as it stands in the table                                             |
# | `packages`          | what must be installed                                                |
# | `start(n)`          | starts `n` workers and returns a handle; need not wait for them       |
# | `is_ready(h)`       | whether all of them are there; left out where `start()` waits for it  |
# | `push(h, fun, args)`| hands in one task                                                     |
# | `pop(h)`            | waits for the next task that is done and returns its value            |
# | `many(h, fun, n)`   | n tasks in the rival's own way; left out: n times push, n times pop   |
# | `stop(h)`           | ends the workers                                                      |
# | `most`              | the most tasks it gets in the throughput measure; left out: no limit  |

peer_names <- c("taskq", "article", "psock", "mirai", "mirai-direct", "crew", "future")

# Each file has its own place, because all of them make a `peer`.
load_peer <- function(file) {
  place <- new.env(parent = globalenv())
  sys.source(file, place)
  peer <- place$peer
  peer$file <- file
  if (is.null(peer$many)) {
    peer$many <- function(h, fun, n) {
      for (i in seq_len(n)) peer$push(h, fun, list())
      for (i in seq_len(n)) peer$pop(h)
    }
  }
  peer
}

is_installed <- function(peer) {
  all(vapply(peer$packages, requireNamespace, TRUE, quietly = TRUE))
}

peer_version <- function(peer) as.character(utils::packageVersion(peer$packages[1]))

# A task's function must drag nothing along that only some rivals would send.
as_task <- function(fun) {
  environment(fun) <- globalenv()
  fun
}

# Tasks that a rival without a queue keeps until they are asked for.
fifo <- function() {
  list2env(list(items = list(), first = 1L, last = 0L), parent = emptyenv())
}

fifo_put <- function(queue, item) {
  queue$last <- queue$last + 1L
  queue$items[[queue$last]] <- item
}

fifo_take <- function(queue) {
  item <- queue$items[[queue$first]]
  queue$first <- queue$first + 1L
  if (queue$first > queue$last) {
    queue$items <- list()
    queue$first <- 1L
    queue$last <- 0L
  }
  item
}

# mirai has one switch that changes what it is, so it is two rivals.
mirai_peer <- function(name, dispatcher) {
  profile <- if (dispatcher) "bench" else "bench-direct"
  list(
    name = name,
    packages = "mirai",
    start = function(n) {
      mirai::daemons(n, dispatcher = dispatcher, .compute = profile)
      list(n = n, waiting = fifo())
    },
    is_ready = function(pool) mirai::status(.compute = profile)$connections >= pool$n,
    push = function(pool, fun, args) {
      fifo_put(pool$waiting, mirai::mirai(do.call(f, a), f = fun, a = args, .compute = profile))
    },
    pop = function(pool) {
      value <- fifo_take(pool$waiting)[]
      if (mirai::is_error_value(value)) stop(format(value))
      value
    },
    stop = function(pool) mirai::daemons(0, .compute = profile)
  )
}
