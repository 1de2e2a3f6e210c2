# A loop of BiocParallel on a queue: its messages as tasks.
#
# A message has a part that is the same in all of a loop: the function, its further arguments, options. It is sent as
# bytes in shared memory, and read once by each worker. BiocParallel's messages are serialized here, not by the queue:
# their objects travel as they do with SnowParam(), for instance those with external pointers, which classes for files
# have and renew by themselves.

# What the host knows of a parameter object that was started, by what it calls itself: list(queue, pid, tasks). `tasks`
# has the loop of each task that has not been received.
tq_bp_links <- new.env(parent = emptyenv())

tq_bp_counter <- new.env(parent = emptyenv())

tq_bp_number <- function() tq_bp_counter$n <- (tq_bp_counter$n %||% 0) + 1

# `x`: a parameter object or a loop. In a fork, or in a worker to which it was sent, it is not started.
tq_bp_link <- function(x) {
  link <- if (length(x$started)) tq_bp_links[[x$started]]
  if (!is.null(link) && link$pid == Sys.getpid()) link
}

tq_bp_start <- function(x) {
  preload <- function() loadNamespace("BiocParallel")
  options <- utils::modifyList(list(preload = preload), x$queue.options, keep.null = TRUE)
  queue <- do.call(task_q$new, c(list(x$workers), options))
  x$started <- as.character(tq_bp_number())
  link <- list(queue = queue, pid = Sys.getpid(), tasks = new.env(parent = emptyenv()))
  assign(x$started, link, envir = tq_bp_links)
}

tq_bp_stop <- function(x) {
  link <- tq_bp_link(x)
  if (is.null(link)) return(invisible())
  rm(list = x$started, envir = tq_bp_links)
  link$queue$kill()
}

# ---- the host's end ----

# BiocParallel asks for the backend when a loop begins, also for one that begins within another one, in `REDUCE`. It
# keeps one as long as `x` is started, so `x` is not in there: else it could not be collected.
tq_bp_loop <- function(x) {
  loop <- new.env(parent = emptyenv())
  loop$started <- x$started
  loop$n <- if (is.null(tq_bp_link(x))) 0L else x$workers
  loop$under_way <- list()  # by the id of the task: list(node, tag, n), n elements
  loop$arrived <- list()    # results
  structure(loop, class = "taskq_bp_loop")
}

#' @export
length.taskq_bp_loop <- function(x) x$n

tq_bp_send <- function(loop, node, message) {
  if (message$type != "EXEC") return(invisible(loop))
  if (is.null(loop$constant)) {
    bytes <- serialize(BiocParallel::.task_const(message), NULL, xdr = FALSE)
    loop$constant <- list(number = tq_bp_number(), bytes = share(bytes))
  }
  bytes <- serialize(BiocParallel::.task_dynamic(message), NULL, xdr = FALSE)
  link <- tq_bp_link(loop)
  id <- link$queue$push(tq_bp_job, list(loop$constant, bytes))
  link$tasks[[id]] <- loop
  loop$under_way[[id]] <- list(node = node, tag = message$data$tag, n = length(message$data$args$X))
  invisible(loop)
}

# list(node, value) of the first task of this loop that has ended.
tq_bp_receive <- function(loop) {
  while (length(loop$arrived) == 0L) {
    link <- tq_bp_link(loop)
    if (is.null(link)) stop("it was stopped by bpstop() while a loop was under way")
    result <- link$queue$pop(Inf)
    owner <- link$tasks[[result$task_id]]
    rm(list = result$task_id, envir = link$tasks)
    owner$arrived <- c(owner$arrived, list(result))
  }
  result <- loop$arrived[[1L]]
  loop$arrived <- loop$arrived[-1L]
  of <- loop$under_way[[result$task_id]]
  loop$under_way[[result$task_id]] <- NULL
  value <- if (is.null(result$error)) unserialize(result$result) else tq_bp_failure(result, of)
  list(node = of$node, value = value)
}

# What a worker would have answered: an error for each of its elements.
tq_bp_failure <- function(result, of) {
  cnd <- result$error
  cnd$message <- sub(paste("task", tq_quote(result$task_id)), "the task", cnd$message, fixed = TRUE)
  cnd <- BiocParallel::.error_worker_comm(cnd, "worker evaluation failed")
  list(type = "VALUE", tag = of$tag, value = rep(list(cnd), of$n), success = FALSE, time = system.time(NULL),
    log = character(), sout = result$stderr)
}

# What is left of a loop that was ended by an error or an interrupt is of no use.
tq_bp_abandon <- function(loop) {
  link <- tq_bp_link(loop)
  ids <- if (!is.null(link)) names(loop$under_way)
  loop$under_way <- list()
  loop$arrived <- list()
  ids <- intersect(ids, names(link$tasks))
  if (length(ids) == 0L) return(invisible())
  link$queue$cancel(ids)
  for (id in ids) link$queue$pop(Inf, id = id)
  rm(list = ids, envir = link$tasks)
}

# ---- in a worker ----

# What a worker has of the last loop: number, value.
tq_bp_kept <- new.env(parent = emptyenv())

# The task. BiocParallel's own loop of a worker gets one message, and is told to end then. An interrupt is forgotten
# there; it leaves no answer.
tq_bp_job <- function(constant, bytes) {
  if (!identical(tq_bp_kept$number, constant$number)) {
    tq_bp_kept$value <- unserialize(constant$bytes)
    tq_bp_kept$number <- constant$number
  }
  job <- new.env(parent = emptyenv())
  job$message <- BiocParallel::.task_remake(unserialize(bytes), tq_bp_kept$value)
  class(job) <- "taskq_bp_job"
  BiocParallel::.bpworker_impl(job)
  if (is.null(job$answer)) stop("it was interrupted")
  serialize(job$answer, NULL, xdr = FALSE)
}

tq_bp_job_next <- function(job) {
  message <- job$message %||% list(type = "DONE")
  job$message <- NULL
  message
}
