# One life of a host under chaos.R: a queue, random work and random steering, and a journal of what was asked for and
# what came of it. Whatever the host does may be interrupted (SIGINT), and the host itself may be killed at any time.
#
# Arguments: folder, seed, seconds, end (drain, close, kill, quit).
#
# The journal, one line each, written before or after the fact so that a killed host leaves nothing undecided:
#   intent <id> <tries>        about to be pushed
#   pushed <id> / refused <id> it is in the queue, or is not
#   out <id> <status> <tries> <right>   its one outcome; whether the value of a success is the right one
#   ready, over                the queue is there; everything was handed out
#   wrong <text>               a promise that the host saw broken
#
# The tokens, written by the attempts themselves: begin <id> <attempt> <pid>, end <id> <attempt>.

args <- commandArgs(TRUE)
dir <- args[[1L]]
set.seed(as.integer(args[[2L]]))
seconds <- as.numeric(args[[3L]])
end <- args[[4L]]

journal <- function(...) cat(paste(...), "\n", sep = "", file = file.path(dir, "journal"), append = TRUE)
wrong <- function(...) journal("wrong", gsub("\n", " ", paste(...)))

# What a task does; `kind` is chosen below.
work <- function(id, kind, tokens, ms) {
  attempt <- taskq::task_attempt()
  cat(sprintf("begin %s %d %d\n", id, attempt, Sys.getpid()), file = tokens, append = TRUE)
  switch(kind,
    quick = NULL,
    sleeps = Sys.sleep(ms / 1000),
    spins = {
      until <- Sys.time() + ms / 1000
      while (Sys.time() < until) NULL
    },
    writes = for (i in 1:50) cat(strrep("x", 1000), "\n"),
    fails = stop("as planned"),
    recovers = if (attempt == 1L) tools::pskill(Sys.getpid(), 9L),
    dies = tools::pskill(Sys.getpid(), sample(c(6L, 9L, 11L, 15L), 1L)),
    quits = quit("no", status = 4),
    hangs = Sys.sleep(1000),
    waits = system("sleep 1000"),
    refuses = repeat tryCatch(Sys.sleep(1000), interrupt = function(cnd) NULL),
    leaves = system("setsid sleep 1000 > /dev/null 2>&1 &"),
    closes = suppressWarnings(utils::getFromNamespace("closeFD", "parallel")(3:200))
  )
  value <- if (kind == "big") rep(as.double(ms), 3e5) else paste(id, ms)
  cat(sprintf("end %s %d\n", id, attempt), file = tokens, append = TRUE)
  value
}
environment(work) <- globalenv()

endless <- c("hangs", "waits", "refuses")
kinds <- c(
  quick = 12, sleeps = 6, spins = 2, writes = 1, big = 1, fails = 2, recovers = 1, dies = 1, quits = 1, hangs = 1,
  waits = 1, refuses = 1, leaves = 1, closes = 0.3
)

# Evaluates while interrupts may come. R itself can be interrupted while it unwinds from one, hence the levels. Gives
# "complete", "interrupted" or the condition of taskq.
attempt <- function(expr, levels = 4L) {
  if (levels == 0L) {
    allowInterrupts(expr)
    return("complete")
  }
  tryCatch(attempt(expr, levels - 1L), interrupt = function(cnd) "interrupted", taskq_error = function(cnd) cnd)
}

suspendInterrupts({
  most <- sample(2:4, 1L)
  options <- list(most, seed = 1, max_waiting = sample(c(30, Inf), 1L), tries = 1L)
  if (runif(1) < 0.3) options$max_tasks <- 20
  if (runif(1) < 0.2) options[[1L]] <- c(1, most)
  q <- do.call(taskq::task_q$new, options)
  journal("ready")

  tokens <- file.path(dir, "tokens")
  last <- 0L
  alive <- character()  # pushed, and not yet handed out
  asked <- list()       # by id: kind and ms
  paused <- FALSE
  size <- most
  failed <- FALSE

  # Too many deaths in a row make a queue give up, which the next call tells, whichever it is.
  steer <- function(expr) {
    told <- attempt(expr)
    if (inherits(told, "taskq_error_start")) failed <<- TRUE
    told
  }

  outcome <- function(id, status, tries, value, error) {
    if (!id %in% alive) wrong("an outcome of", id, "which is not in the queue")
    alive <<- setdiff(alive, id)
    expected <- asked[[id]]
    right <- TRUE
    if (status == "success") {
      right <- if (expected$kind == "big") {
        identical(value, rep(as.double(expected$ms), 3e5))
      } else {
        identical(value, paste(id, expected$ms))
      }
    } else if (is.null(error)) {
      right <- FALSE
    }
    if (inherits(error, "taskq_error_start")) status <- "start"
    journal("out", id, status, tries, right)
  }

  ops <- list(
    push = function() {
      last <<- last + 1L
      id <- sprintf("t%d", last)
      kind <- sample(names(kinds), 1L, prob = kinds)
      ms <- sample(1:80, 1L)
      tries <- sample(1:3, 1L, prob = c(4, 1, 1))
      more <- list(tries = tries, block = !paused && size > 0 && runif(1) < 0.5)
      if (tries > 1L) {
        more$retry_on <- sample(c("crash", "timeout", "error"), sample(1:3, 1L))
        if (runif(1) < 0.5) more$backoff <- 20
      }
      if (kind %in% endless || runif(1) < 0.1) more$timeout <- sample(c(30, 150, 400), 1L)
      if (runif(1) < 0.1) more$priority <- sample(-2:2, 1L)
      if (runif(1) < 0.1 && length(alive)) more$after <- sample(alive, 1L)
      if (runif(1) < 0.05) more$isolate <- TRUE
      if (runif(1) < 0.2) more$tag <- sample(c("a", "b"), 1L)
      if (runif(1) < 0.05) more$replace <- sample(c("k", "l"), 1L)
      journal("intent", id, tries)
      asked[[id]] <<- list(kind = kind, ms = ms)
      given <- NULL
      told <- steer(given <- do.call(q$push, c(list(work, list(id, kind, tokens, ms), id), more)))
      is_in <- id %in% q$list_tasks(idle = FALSE, payload = FALSE)$id
      if (identical(told, "complete") && is_in == is.null(given)) wrong("push() told the contrary of", id)
      if (inherits(told, "taskq_error")) {
        if (is_in) wrong("push() threw and has pushed", id)
      }
      journal(if (is_in) "pushed" else "refused", id)
      if (is_in) alive <<- c(alive, id)
    },
    pop = function() {
      result <- NULL
      steer(result <- q$pop(sample(c(0, 0, 5, 20), 1L)))
      if (!is.null(result)) outcome(result$task_id, result$status, result$tries, result$result, result$error)
    },
    collect = function() {
      frame <- NULL
      ids <- if (length(alive) && runif(1) < 0.5) sample(alive, min(3L, length(alive)))
      steer(frame <- q$collect(ids, timeout = 20))
      for (i in seq_len(NROW(frame))) {
        outcome(frame$task_id[[i]], frame$status[[i]], frame$tries[[i]], frame$result[[i]], frame$error[[i]])
      }
    },
    poll = function() steer(q$poll(sample(c(0, 20), 1L))),
    wait = function() steer(q$wait(timeout = 15)),
    list = function() {
      rows <- NULL
      attempt(rows <- q$list_tasks(payload = runif(1) < 0.3))
      if (is.null(rows)) return()
      tasks <- rows[!rows$idle, ]
      if (!setequal(tasks$id, alive)) wrong("list_tasks() has", toString(setdiff(tasks$id, alive)), "but not",
        toString(setdiff(alive, tasks$id)))
    },
    look = function() {
      attempt(q$list_workers())
      if (length(alive)) {
        id <- sample(alive, 1L)
        attempt(q$output(id))
        attempt(q$progress(id))
      }
    },
    cancel = function() {
      if (runif(1) < 0.2) attempt(q$cancel(tag = sample(c("a", "b"), 1L), grace = 50))
      else if (length(alive)) attempt(q$cancel(sample(alive, 1L), grace = sample(c(0, 50, 500), 1L)))
    },
    resize = function(to = sample(0:6, 1L, prob = c(1, 2, 3, 3, 2, 1, 1))) {
      size <<- to
      while (identical(steer(q$resize(size)), "interrupted")) NULL
    },
    pause = function() {
      paused <<- TRUE
      steer(q$pause())
    },
    resume = function() {
      paused <<- FALSE
      while (identical(steer(q$resume()), "interrupted")) NULL
    }
  )
  weights <- c(push = 30, pop = 20, collect = 2, poll = 3, wait = 1, list = 3, look = 2, cancel = 3, resize = 0.7,
    pause = 0.3, resume = 1)

  until <- Sys.time() + seconds
  while (Sys.time() < until && !failed) ops[[sample(names(weights), 1L, prob = weights)]]()

  if (end == "quit") quit("no", status = 7)

  # Everything that was pushed comes out, and nothing else.
  drain <- function(deadline_s) {
    deadline <- Sys.time() + deadline_s
    while (length(alive) && Sys.time() < deadline) {
      ops$pop()
      if (runif(1) < 0.05) ops$collect()
    }
    if (length(alive)) {
      rows <- q$list_tasks(idle = FALSE, payload = FALSE)
      wrong("no outcome of", toString(utils::head(paste(alive, rows$state[match(alive, rows$id)]), 10)))
    }
    if (!q$is_idle()) wrong("more in the queue than was pushed")
  }
  if (end == "drain") {
    ops$resume()
    ops$resize(2)
    ops$cancel()
    drain(60)
    q$close(0)
  } else {
    if (end == "close") {
      while (identical(attempt(q$close(sample(c(0, 100, 1000), 1L))), "interrupted")) NULL
    } else {
      while (identical(attempt(q$kill()), "interrupted")) NULL
    }
    drain(5)
    if (identical(attempt(q$push(sum)), "complete")) wrong("a closed queue takes tasks")
  }
  journal("over")
})
