# Fresh sessions: after a crash, and for one task alone.

fresh_measures <- function(settings) {
  one <- as_task(function() 1)
  # A task that says that it has begun, and then does not end by itself.
  endless <- as_task(function(file) {
    file.create(file)
    Sys.sleep(600)
  })

  crash <- function(pool) {
    q <- pool$handle
    begun <- tempfile("begun-")
    on.exit(unlink(begun))
    q$push(endless, list(begun))
    q$push(one)
    await(file.exists(begun))
    pid <- q$list_workers()$worker
    seconds <- timed({
      tools::pskill(pid, tools::SIGKILL)
      killed <- q$pop(Inf)
      after <- q$pop(Inf)
    })
    stopifnot(killed$status == "crash", identical(after$result, 1), after$worker != pid)
    seconds
  }

  alone <- function(pool) {
    pool$handle$push(one, isolate = TRUE)
    stopifnot(identical(pool$handle$pop(Inf)$result, 1))
  }
  # The mean of several, each begun when a session is ready.
  alone_when_ready <- function(pool, n) {
    mean(vapply(seq_len(n), function(i) {
      await(pool$peer$is_ready(pool$handle))
      timed(alone(pool))
    }, 0))
  }

  by_callr <- function() stopifnot(identical(callr::r(one), 1))
  both <- function(seconds) c(isolate_one = seconds, isolate_row = seconds)

  list(
    crash = c(
      with_pool(1, function(pool) c(crash = mean(vapply(1:5, function(i) crash(pool), 0)))),
      list(
        who = only_taskq,
        rivals = list("callr: a new r_session" = where_installed("callr", function() {
          seconds <- timed(session <- callr::r_session$new())
          session$close()
          c(crash = seconds)
        })),
        limits = list("fork of a bare process" = function() c(crash = c_limit("fork", 1)))
      )
    ),

    isolate = c(
      with_pool(1, function(pool) {
        in_a_row <- timed(for (i in 1:50) alone(pool)) / 50
        c(isolate_one = alone_when_ready(pool, 10), isolate_row = in_a_row)
      }),
      list(
        who = only_taskq,
        rivals = list(
          mcparallel = function() both(script("forked.R")[["seconds"]]),
          "callr::r" = where_installed("callr", function() both(timed(by_callr())))
        ),
        limits = list("fork of a bare process" = function() both(c_limit("fork", 1)))
      )
    )
  )
}
