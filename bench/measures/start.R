# The start of queues and of sessions. What happens in a fresh R process is a script of scripts/.

start_measures <- function(settings) {
  one <- as_task(function() 1)
  first_task <- function(peer) {
    pool <- NULL
    seconds <- timed({
      pool <- open_pool(peer, 1, wait = FALSE)
      run_task(pool, one, list())
    })
    close_pool(pool)
    seconds
  }

  # With the mark of the first: taskq starts R anew for a queue that is made in another environment. Who looks whether
  # all have ended does so when the first has, too.
  second_task <- function(first) {
    pool <- NULL
    seconds <- timed({
      pool <- open_pool(first$peer, 1, wait = FALSE, mark = first$mark)
      run_task(pool, one, list())
    })
    first$peer$stop(pool$handle)
    gc(FALSE)
    seconds
  }

  sessions <- function(n, who) {
    rows <- paste0(c("sessions_", "memory_"), n)
    list(
      who = who,
      once = function(peer) {
        figures <- script("sessions.R", peer, n)
        stats::setNames(figures[c("seconds", "bytes")], rows)
      },
      limits = list("fork of a bare process" = function() {
        stats::setNames(c_limit("fork", n), rows[1])
      })
    )
  }

  list(
    first = list(
      once = function(peer) {
        whole <- timed(figures <- script("first.R", peer))
        c(first_result = figures[["seconds"]], whole_process = whole)
      },
      limits = list("Rscript -e 1" = function() {
        seconds <- timed(rscript(c("-e", "1")))
        c(first_result = seconds, whole_process = seconds)
      })
    ),

    second = list(
      who = function(peers) Filter(function(peer) !isFALSE(peer$several), peers),
      prepare = function(peer) {
        pool <- open_pool(peer, 1)
        run_task(pool, one, list())
        pool
      },
      once = function(first) c(second_queue = second_task(first)),
      finish = close_pool,
      limits = list("fork of a bare process" = function() c(second_queue = c_limit("fork", 1)))
    ),

    # A hundred workers of a rival need many seconds and gigabytes: they are not for in between.
    sessions_100 = sessions(100, if (settings$quick) only_taskq else with_own_sessions),
    sessions_1000 = c(sessions(1000, only_taskq), most_repeats = if (settings$quick) 1L else 3L)
  )
}

with_own_sessions <- function(peers) Filter(function(peer) !isFALSE(peer$own_sessions), peers)
