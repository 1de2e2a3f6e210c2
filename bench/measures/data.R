# Large arguments and results, and objects that many tasks share.

data_measures <- function(settings) {
  length_of <- as_task(function(x) length(x))
  zeros <- as_task(function(n) numeric(n))
  element <- as_task(function(x, i) x[[(i * 7919L) %% length(x) + 1L]])
  n <- 1e7
  bytes <- 8 * n
  # Made when it is needed: a session that holds it takes longer to fork.
  big <- function() as.numeric(seq_len(n)) + 0.5

  with_big <- function(measure) {
    prepare <- measure$prepare
    measure$prepare <- function(peer) c(prepare(peer), list(big = big()))
    measure
  }

  list(
    big_argument = c(
      with_big(with_pool(1, function(pool) {
        c(big_argument = timed(stopifnot(run_task(pool, length_of, list(pool$big)) == n)))
      })),
      list(limits = copy_limits("big_argument", bytes))
    ),

    big_result = c(
      with_pool(1, function(pool) {
        c(big_result = timed(stopifnot(length(run_task(pool, zeros, list(n))) == n)))
      }),
      list(limits = copy_limits("big_result", bytes))
    ),

    share = c(
      with_big(with_pool(settings$workers, function(pool) {
        if (is_taskq(pool$peer)) share_once(pool, element) else share_rival(pool, element, if (settings$quick) 2 else 5)
      })),
      list(limits = copy_limits("share_total", bytes))
    )
  )
}

share_once <- function(pool, element) {
  if (!exists("share", asNamespace("taskq"))) not_here("not in this version: share()")
  share <- get("share", asNamespace("taskq"))
  hundred <- function(x) {
    seconds <- timed({
      for (i in 1:100) pool$handle$push(element, list(x, i))
      for (i in 1:100) found <- pool$handle$pop(Inf)
    })
    if (!is.null(found$error)) stop(found$error)
    seconds
  }
  gc(FALSE)
  with_scalar <- hundred(1)
  making <- timed(shared <- share(pool$big))
  with_shared <- hundred(shared)
  c(share_extra = (with_shared - with_scalar) / 100, share_total = making + with_shared)
}

# What they would do instead: PSOCK sends the object to every node once, the others with each task,
# of which they do only some here.
share_rival <- function(pool, element, some) {
  if (!is.null(pool$peer$share)) {
    return(c(share_total = timed(pool$peer$share(pool$handle, pool$big, element, 100))))
  }
  c(share_total = 100 / some * timed(for (i in seq_len(some)) run_task(pool, element, list(pool$big, i))))
}

copy_limits <- function(row, bytes) {
  figure <- function(seconds) stats::setNames(seconds, row)
  list(
    "memfd: write, map, copy" = function() figure(c_limit("memfd", bytes)),
    "Unix socket, one way" = function() figure(c_limit("socket", bytes)),
    "serialize + unserialize" = function() {
      big <- numeric(bytes / 8)
      figure(timed(unserialize(serialize(big, NULL, xdr = FALSE))))
    }
  )
}
