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
# | `most`              | the most tasks it gets in measures of many; left out: no limit        |
# | `several`           | FALSE: there is only one pool at a time                               |
# | `own_sessions`      | FALSE: its sessions are started like those of another rival           |
# | `settle(h)`         | waits until all tasks are done, where it has a queue that can wait    |
# | `maps`              | its ways of map: named functions of the handle, `x` and `fun`         |
# | `slow_maps`         | the most trivial elements that some of them get                       |
# | `share(h, x, f, n)` | n tasks `f(x, i)`, in a way that sends x less than n times            |
# | `in_curves`         | TRUE: it takes part in the curves over workers and payload            |

peer_names <- c("taskq", "article", "psock", "mirai", "mirai-direct", "crew", "future")

is_taskq <- function(peer) "taskq" %in% peer$packages

# Each file has its own place, because all of them make a `peer`.
load_peer <- function(file) {
  place <- new.env(parent = globalenv())
  sys.source(file, place)
  peer <- place$peer
  peer$file <- file
  if (is.null(peer$most)) peer$most <- Inf
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
  list2env(list(items = new.env(), first = 1L, last = 0L), parent = emptyenv())
}

# An environment, because a list in one would be copied by each of many tasks.
fifo_put <- function(queue, item) {
  queue$last <- queue$last + 1L
  assign(as.character(queue$last), item, queue$items)
}

fifo_take <- function(queue) {
  key <- as.character(queue$first)
  item <- get(key, queue$items)
  rm(list = key, envir = queue$items)
  queue$first <- queue$first + 1L
  item
}

fifo_all <- function(queue) as.list(queue$items)

# mirai has one switch that changes what it is, so it is two rivals. Each pool has a profile of its
# own.
mirai_peer <- function(name, dispatcher) {
  pools <- 0L
  submit <- function(pool, fun, args) {
    if (length(args)) return(mirai::mirai(do.call(f, a), f = fun, a = args, .compute = pool$profile))
    mirai::mirai(f(), f = fun, .compute = pool$profile)
  }
  value_of <- function(task) {
    value <- task[]
    if (mirai::is_error_value(value)) stop(format(value))
    value
  }
  peer <- list(
    name = name,
    packages = "mirai",
    start = function(n) {
      pools <<- pools + 1L
      profile <- paste0(if (dispatcher) "bench-" else "bench-direct-", pools)
      mirai::daemons(n, dispatcher = dispatcher, .compute = profile)
      list(n = n, profile = profile, waiting = fifo())
    },
    is_ready = function(pool) mirai::status(.compute = pool$profile)$connections >= pool$n,
    push = function(pool, fun, args) fifo_put(pool$waiting, submit(pool, fun, args)),
    pop = function(pool) value_of(fifo_take(pool$waiting)),
    many = function(pool, fun, n) {
      tasks <- vector("list", n)
      for (i in seq_len(n)) tasks[[i]] <- submit(pool, fun, list())
      for (task in tasks) value_of(task)
    },
    stop = function(pool) mirai::daemons(0, .compute = pool$profile)
  )
  if (!dispatcher) return(c(peer, list(own_sessions = FALSE)))
  c(peer, list(
    in_curves = TRUE,
    most = 1e5,
    settle = function(pool) mirai::call_mirai(fifo_all(pool$waiting)),
    maps = list(mirai_map = function(pool, x, fun) mirai::mirai_map(x, fun, .compute = pool$profile)[]),
    slow_maps = list(mirai_map = 10000)
  ))
}
