# The queue of the article that taskq starts from: a data frame of tasks, one callr session for
# each worker, and a scheduler that runs inside `push()`, `poll()` and `pop()` only.
#
# It is written from the article's description, with one change: there, `poll()` takes its timeout
# as milliseconds for the waiting and as seconds for the deadline. Here, both are milliseconds.

make_article_q <- function() {
  R6::R6Class("article_q",
    cloneable = FALSE,
    public = list(
      initialize = function(num_workers = 4L) {
        private$tasks <- tibble::tibble(
          id = character(), idle = logical(), state = character(),
          fun = list(), args = list(), worker = list(), result = list()
        )
        for (k in seq_len(num_workers)) {
          private$add(
            paste0(".idle-", k),
            idle = TRUE, state = "running", worker = callr::r_session$new(wait = FALSE)
          )
        }
      },

      push = function(fun, args = list(), id = NULL) {
        if (is.null(id)) {
          private$last_id <- private$last_id + 1L
          id <- paste0(".", private$last_id)
        }
        if (id %in% private$tasks$id) stop("There is a task with this id: ", id)
        private$add(id,
          idle = FALSE, state = "waiting", fun = fun, args = args,
          before = which(private$tasks$idle)[1]
        )
        private$schedule()
        invisible(id)
      },

      poll = function(timeout = 0) {
        deadline <- Sys.time() + timeout / 1000
        repeat {
          running <- which(private$tasks$state == "running")
          connections <- lapply(private$tasks$worker[running], function(w) w$get_poll_connection())
          wait <- if (is.finite(timeout)) as.integer(timeout) else -1L
          events <- processx::poll(connections, wait)
          private$tasks$state[running][vapply(events, identical, TRUE, "ready")] <- "ready"
          private$schedule()
          done <- private$tasks$id[private$tasks$state == "done"]
          if (is.finite(timeout)) {
            timeout <- max(0, ceiling(1000 * as.numeric(deadline - Sys.time(), units = "secs")))
          }
          if (length(done) || timeout == 0) return(done)
        }
      },

      pop = function(timeout = 0) {
        done <- self$poll(timeout)
        if (!length(done)) return(NULL)
        row <- match(done[1], private$tasks$id)
        result <- private$tasks$result[[row]]
        private$tasks <- private$tasks[-row, ]
        c(result, list(task_id = done[1]))
      },

      list_tasks = function() private$tasks,

      # The article leaves this one to its reader.
      kill = function() for (worker in Filter(Negate(is.null), private$tasks$worker)) worker$kill()
    ),
    private = list(
      tasks = NULL,
      last_id = 0L,

      add = function(id, idle, state, fun = NULL, args = NULL, worker = NULL, before = NULL) {
        private$tasks <- tibble::add_row(private$tasks,
          .before = before, id = id, idle = idle, state = state, fun = list(fun),
          args = list(args), worker = list(worker), result = list(NULL)
        )
      },

      # Reads what the sessions that are ready have to say, and gives each the next task that
      # waits. The tasks of idle sessions stand last, so there is always one.
      schedule = function() {
        ready <- which(private$tasks$state == "ready")
        if (!length(ready)) return()
        workers <- private$tasks$worker[ready]
        private$tasks$result[ready] <- lapply(workers, function(w) w$read())
        private$tasks$worker[ready] <- list(NULL)
        private$tasks$state[ready] <- ifelse(private$tasks$idle[ready], "waiting", "done")

        from <- which(private$tasks$state == "waiting")[seq_along(ready)]
        private$tasks$worker[from] <- workers
        private$tasks$state[from] <- ifelse(private$tasks$idle[from], "ready", "running")
        for (row in from[!private$tasks$idle[from]]) {
          private$tasks$worker[[row]]$call(private$tasks$fun[[row]], private$tasks$args[[row]])
        }
      }
    )
  )
}

peer <- list(
  name = "article's queue",
  packages = c("callr", "processx", "R6", "tibble"),
  most = 300, # a push costs time in proportion to the queue: few tasks flatter it
  start = function(n) make_article_q()$new(n),
  is_ready = function(q) {
    q$poll(10)
    !any(q$list_tasks()$state == "running")
  },
  push = function(q, fun, args) q$push(fun, args),
  pop = function(q) {
    result <- q$pop(Inf)
    if (!is.null(result$error)) stop(result$error)
    result$result
  },
  stop = function(q) q$kill()
)
