# What waiting tasks cost, and what it costs to do nothing.

waiting_measures <- function(settings) {
  list(
    # The cost of a push with very many tasks in the queue, which stands in the table, is found on
    # the way.
    tasks = list(
      at = sort(unique(c(10^seq(2, log10(settings$waiting)), settings$listed))),
      rows = c("at_tasks_push", "at_tasks_run", "at_tasks_pop", "at_tasks_bytes"),
      of = function(n) {
        list(
          who = function(peers) Filter(function(p) !is.null(p$settle) && n <= p$most * settings$part, peers),
          most_repeats = if (settings$quick || n > 1e4) 1L else 3L,
          once = function(peer) waiting_figures(script("waiting.R", peer, n), n, settings)
        )
      }
    ),

    idle = list(
      most_repeats = 1L,
      prepare = start_idle,
      once = function(host) {
        # The goal is about 10 s; who is known to wake up need not be looked at for so long.
        seconds <- if (is_taskq(host$peer) && !settings$quick) 10 else 3
        # The session, what started it, and its workers.
        stopifnot(length(marked_pids(host$mark)) >= 3)
        before <- switches_of(marked_pids(host$mark))
        Sys.sleep(seconds)
        after <- switches_of(marked_pids(host$mark))
        c(idle = (sum(after) - sum(before[names(before) %in% names(after)])) * 10 / seconds)
      },
      finish = end_idle
    )
  )
}

waiting_figures <- function(found, n, settings) {
  names(found) <- sub("^bytes$", "at_tasks_bytes", names(found))
  names(found) <- sub("^(push|run|pop)$", "at_tasks_\\1", names(found))
  if (n != settings$waiting) found <- found[!names(found) %in% c("push_100", "push_many")]
  if (n == settings$waiting) found[["waiting_bytes"]] <- found[["at_tasks_bytes"]]
  found
}

# An R process with two workers that then waits for a line that does not come. It and all that it
# starts carry a mark in their environment.
start_idle <- function(peer) {
  mark <- new_mark()
  ready <- tempfile("idle-")
  do.call(Sys.setenv, stats::setNames(list(mark), mark_variable))
  on.exit(Sys.unsetenv(mark_variable))
  program <- file.path(R.home("bin"), "Rscript")
  words <- shQuote(c(program, "scripts/idle.R", peer$file, ready))
  input <- pipe(paste(paste(words, collapse = " "), "> /dev/null 2>&1"), "w")
  host <- list(peer = peer, mark = mark, input = input)
  tryCatch(await(file.exists(ready), 60), error = function(e) {
    end_idle(host)
    stop(e)
  })
  unlink(ready)
  # What is left of the start, such as threads that end, is over when nothing moves for a while.
  deadline <- Sys.time() + 2
  repeat {
    before <- switches_of(marked_pids(mark))
    Sys.sleep(0.5)
    after <- switches_of(marked_pids(mark))
    if (identical(before, after) || Sys.time() > deadline) return(host)
  }
}

end_idle <- function(host) {
  close(host$input)
  await_end(host$mark, host$peer$name)
}
