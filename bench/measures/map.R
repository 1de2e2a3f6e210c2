# map(): many elements, trivial ones and uneven ones. A rival can have more than one way; each is an
# entry of its own, with its own workers.

map_measures <- function(settings) {
  trivial <- as_task(function(x) x)
  # An element that works: it returns how long it took in truth, by the clock.
  busy <- as_task(function(seconds) {
    start <- as.numeric(Sys.time())
    while ((spent <- as.numeric(Sys.time()) - start) < seconds) NULL
    spent
  })

  trivial_map <- function(pool) {
    n <- settings$elements
    if (!is_taskq(pool$peer)) n <- min(n, floor(pool$peer$most_elements * settings$part))
    seconds <- timed(found <- pool$peer$map(pool$handle, seq_len(n), trivial))
    stopifnot(identical(unlist(found), seq_len(n)))
    n / seconds
  }
  # No order of the elements can be faster than their sum, shared evenly.
  over_ideal <- function(pool, x) {
    seconds <- timed(spent <- pool$peer$map(pool$handle, x, busy))
    stopifnot(length(spent) == length(x))
    seconds / (sum(unlist(spent)) / settings$workers)
  }
  long <- 4 * settings$workers

  measure <- with_pool(settings$workers, function(pool) {
    c(
      map_trivial = trivial_map(pool),
      map_1ms = over_ideal(pool, rep(1e-3, 200)),
      map_10ms = over_ideal(pool, rep(10e-3, 200)),
      map_spread = over_ideal(pool, rep(c(0.1e-3, 100e-3), c(200 - long, long)))
    )
  })
  list(map = c(measure, list(
    warm_up = function(pool) pool$peer$map(pool$handle, seq_len(100), trivial),
    who = ways_to_map,
    limits = list(lapply = function() {
      c(map_trivial = settings$elements / timed(lapply(seq_len(settings$elements), trivial)))
    })
  )))
}

ways_to_map <- function(peers) {
  ways <- lapply(peers, function(peer) {
    lapply(names(peer$maps), function(name) {
      peer$name <- name
      peer$map <- peer$maps[[name]]
      peer$most_elements <- if (name %in% names(peer$slow_maps)) peer$slow_maps[[name]] else Inf
      peer
    })
  })
  unlist(ways, recursive = FALSE)
}
