# `task_q_cluster()`: a cluster of parallel whose nodes are sessions of a queue. Each runs parallel's own loop, in one
# task that lasts as long as the cluster, on a socket to this session. So all that is done with a cluster is
# parallel's; ours is how nodes begin, how they end, and what is said of one that has died.
#
# A port is open to all users of the machine while the nodes connect. Both ends say a word first that only they know,
# and read nothing else from whoever does not know it.

#' A cluster of parallel on a queue
#'
#' `cl <- task_q_cluster(4)` is for all that takes a cluster: [parallel::parLapply()] and the other functions of
#' parallel, doParallel, boot, pbapply, caret. In R 4.5 and newer, when taskq is loaded, so is
#' `parallel::makeCluster(4, type = "TASKQ")`.
#'
#' Results, errors, random numbers, and what `clusterExport()` and `clusterEvalQ()` leave on a node are as with
#' [parallel::makePSOCKcluster()], whose protocol this is. What is different:
#' * Nodes are forked, with what `packages` and `preload` have loaded, instead of each starting an R of its own.
#' * When a node dies, the next use of it is an error that says which one and how. The others can be used.
#' * No node outlives this session, or the cluster when it is forgotten.
#'
#' @param workers The number of nodes, a whole number from 1 to 120: R has room for so many connections. Default 4.
#' @param ... Options of the queue, see [`task_q$new()`][task_q], for instance `packages`, `preload`, `init`, `threads`.
#' @return An object of the classes "taskq_cluster", "SOCKcluster" and "cluster". [parallel::stopCluster()] ends it.
#'
#'   Waits until all nodes are there. Throws `taskq_error_input` when `workers` or an option cannot be, and
#'   `taskq_error_start` when the nodes cannot start. Later a node that has died is a `taskq_error_crash`.
#' @examples
#' cl <- task_q_cluster(2)
#' parallel::parSapply(cl, 1:4, function(i) i^2)
#' parallel::stopCluster(cl)
#' @export
task_q_cluster <- function(workers = 4L, ...) {
  call <- sys.call()
  workers <- tq_check_own_workers(workers, "workers", call)
  limit <- tq_limits$max_nodes
  if (workers > limit) tq_input_error("workers", workers, sprintf("a whole number from 1 to %d", limit), call)
  tq_need("parallel", "task_q_cluster()", call)
  options <- list(...)
  tq_check_own_options(options, call)
  queue <- do.call(task_q$new, c(list(workers), options))
  cons <- vector("list", workers)
  is_ready <- FALSE
  on.exit(if (!is_ready) {
    queue$kill()
    for (con in cons) if (!is.null(con)) close(con)
  })
  door <- tq_node_door()
  on.exit(close(door$socket), add = TRUE)
  tasks <- vapply(seq_len(workers), function(rank) queue$push(tq_node, list(door$port, door$words, rank)), "")
  while (sum(lengths(cons)) < workers) {
    # The socket does not tell that a session cannot start: a result that is there, or its error, does.
    if (!socketSelect(list(door$socket), timeout = 0.5)) {
      result <- tryCatch(queue$pop(), taskq_error = function(cnd) list(error = cnd))
      if (!is.null(result)) {
        result$error$call <- call
        stop(result$error)
      }
    } else {
      node <- tq_node_accept(door)
      if (!is.null(node)) cons[[node$rank]] <- node$con
    }
  }
  is_ready <- TRUE
  shared <- list2env(list(queue = queue, left = workers))
  cluster <- lapply(seq_len(workers), function(rank) {
    link <- list2env(list(shared = shared, task = tasks[[rank]]))
    structure(list(con = cons[[rank]], host = "localhost", rank = rank, link = link),
      class = c("taskq_node", "SOCK0node", "SOCKnode"))
  })
  structure(cluster, class = c("taskq_cluster", "SOCKcluster", "cluster"))
}

# ---- how they meet ----

tq_node_word_bytes <- 16L

tq_node_word <- function() {
  source <- file("/dev/urandom", "rb", raw = TRUE)
  on.exit(close(source))
  readBin(source, "raw", tq_node_word_bytes)
}

# As long as parallel's own nodes wait for a message: thirty days.
tq_node_timeout <- 30L * 24L * 3600L

# A port that is free, of those that parallel uses, and what both ends say there.
tq_node_door <- function() {
  port <- 11000L
  last <- 11999L
  repeat {
    socket <- tryCatch(suppressWarnings(serverSocket(port)), error = function(cnd) if (port == last) stop(cnd))
    if (!is.null(socket)) break
    port <- port + 1L
  }
  list(socket = socket, port = port, words = list(host = tq_node_word(), node = tq_node_word()))
}

# list(con, rank) of the next node; NULL when it is none of ours.
tq_node_accept <- function(door) {
  con <- socketAccept(door$socket, blocking = TRUE, open = "a+b", timeout = 5L)
  said <- tryCatch(suppressWarnings(readBin(con, "raw", tq_node_word_bytes)), error = function(cnd) raw())
  if (!identical(said, door$words$node)) {
    close(con)
    return(NULL)
  }
  writeBin(door$words$host, con)
  socketTimeout(con, tq_node_timeout)
  list(con = con, rank = readBin(con, "integer", 1L))
}

# The task: a node of parallel, until it is told to end.
tq_node <- function(port, words, rank) {
  con <- socketConnection("localhost", port, blocking = TRUE, open = "a+b", timeout = tq_node_timeout)
  writeBin(words$node, con)
  writeBin(rank, con)
  if (!identical(readBin(con, "raw", tq_node_word_bytes), words$host)) stop("another process listens on the port")
  get("workLoop", asNamespace("parallel"))(structure(list(con = con), class = c("SOCK0node", "SOCKnode")))
}

# ---- parallel's generics ----

tq_node_send <- function(node, data) {
  tryCatch(serialize(data, node$con, xdr = FALSE), error = function(cnd) tq_node_lost(node, cnd))
}

tq_node_receive <- function(node) tryCatch(unserialize(node$con), error = function(cnd) tq_node_lost(node, cnd))

tq_cluster_receive <- function(cl) {
  ready <- FALSE
  while (!any(ready)) ready <- socketSelect(lapply(cl, `[[`, "con"))
  rank <- which.max(ready)
  list(node = rank, value = tq_node_receive(cl[[rank]]))
}

# `cnd`: of its connection. Its task tells why, once; a node that lives has another reason.
tq_node_lost <- function(node, cnd) {
  link <- node$link
  if (is.null(link$error)) {
    result <- tq_try(link$shared$queue$pop(2000, id = link$task))
    if (is.null(result$error)) stop(cnd)
    link$error <- result$error
  }
  lost <- link$error
  task <- paste("task", tq_quote(link$task))
  lost$message <- sub(task, sprintf("node %d of the cluster", node$rank), lost$message, fixed = TRUE)
  stop(lost)
}

tq_cluster_stop <- function(cl) {
  shared <- cl[[1L]]$link$shared
  for (node in cl) tq_try(close(node$con))
  tasks <- vapply(cl, function(node) node$link$task, "")
  shared$left <- shared$left - length(tasks)
  if (shared$left == 0L) {
    shared$queue$kill()
  } else {
    # Some nodes of a larger cluster: their sessions, which are free then, are not needed any more.
    shared$queue$cancel(tasks)
    shared$queue$wait(tasks, progress = FALSE)
    shared$queue$resize(shared$left)
  }
  invisible()
}

#' @export
print.taskq_cluster <- function(x, ...) {
  cat(sprintf("cluster of %s of a task queue\n", tq_number_of(length(x), "session")))
  invisible(x)
}

# Called when parallel is loaded.
tq_cluster_register <- function() {
  parallel <- asNamespace("parallel")
  registerS3method("sendData", "taskq_node", tq_node_send, envir = parallel)
  registerS3method("recvData", "taskq_node", tq_node_receive, envir = parallel)
  registerS3method("recvOneData", "taskq_cluster", tq_cluster_receive, envir = parallel)
  registerS3method("stopCluster", "taskq_cluster", tq_cluster_stop, envir = parallel)
  # Since R 4.5.
  register <- get0("registerClusterType", parallel)
  if (!is.null(register)) register("TASKQ", task_q_cluster, overwrite = TRUE)
}
