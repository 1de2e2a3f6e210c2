# Each function of Rust that R calls, when any of the calls fails that it makes of R, as where R has no memory: the
# error is R's own, nothing is left or lost, and the next call works.

# For the host: has one call of those fail that a step makes under the guard. The message of its error, or "fine"; and
# whether there was such a call.
fail_in_step <- function(step, number) {
  made <- step$before()
  got <- jumping(number, function() step$call(made))
  is_error <- inherits(got$value, "error")
  step$after(if (is_error) NULL else got$value)
  list(told = if (is_error) conditionMessage(got$value) else "fine", has_failed = got$has_failed)
}

# Has the first fail, the second, and so on: the messages. The last is what comes of the step when none fails.
fail_everywhere <- function(step) {
  told <- character()
  repeat {
    got <- fail_in_step(step, length(told) + 1L)
    told <- c(told, got$told)
    if (!got$has_failed || length(told) > 300L) return(told)
  }
}

# By how much more this process grows when calls fail than when none does. It is tried again: what is kept up to a
# limit, as what a queue has run, is there after a while.
grows_by <- function(step, count) {
  for (round in 1:10) {
    seen <- list(used_now())
    for (number in list(rep(1e6, count), seq_len(count))) {
      for (i in 1:20) for (one in number) fail_in_step(step, one)
      seen <- c(seen, list(used_now()))
    }
    more <- (seen[[3L]] - seen[[2L]]) - (seen[[2L]] - seen[[1L]])
    if (all(more <= c(6000, 12, 150))) break
  }
  more
}

test_that("O10: each function that R calls is among those that are tested here", {
  skip_on_cran()
  steps <- body(border_steps)
  named <- names(steps[[length(steps)]])[-1L]
  called <- grep("^rs_", ls(asNamespace("taskq"), all.names = TRUE), value = TRUE)
  expect_identical(setdiff(called, named), character())
  expect_identical(setdiff(named, called), character())
})

test_that("O10: a call of R that fails within Rust leaves nothing behind, and the next one works", {
  skip_on_cran()
  skip_if_not_installed("later")
  jumps <- local_jumps()
  objects <- list(border_steps = border_steps, jumping = jumping, fail_in_step = fail_in_step,
    fail_everywhere = fail_everywhere, grows_by = grows_by, used_now = used_now, library = jumps$library)
  found <- in_host_with(objects, function() {
    dyn.load(library)
    environment(border_steps) <- new.env(parent = asNamespace("taskq"))
    lapply(Filter(is.list, border_steps()), function(step) {
      told <- fail_everywhere(step)
      list(told = told, ends = step$ends, grown = grows_by(step, length(told) - 1L))
    })
  }, sh = jumps$sh)
  for (name in names(found)) {
    told <- found[[name]]$told
    last <- length(told)
    expect_identical(unique(told[-last]), if (last > 1L) "no memory for this" else character(), label = name)
    expect_match(told[[last]], found[[name]]$ends, fixed = TRUE, label = name)
    grown <- found[[name]]$grown
    expect_true(all(grown <= c(6000, 12, 150)), label = paste(name, "leaves nothing behind:", toString(grown)))
  }
  calls <- vapply(found, function(x) length(x$told) - 1L, 0L)
  # What takes a task makes nothing any more.
  expect_identical(names(calls)[calls == 0L],
    c("rs_disarm", "rs_broadcast", "rs_read", "rs_map_results", "rs_commit", "rs_commit_all"))
})

test_that("O10: a call of R that fails in a session costs a task or the session, and no task is lost", {
  skip_on_cran()
  jumps <- local_jumps()
  found <- in_host_with(list(library = jumps$library), function() {
    q <- taskq::task_q$new(1)
    on.exit(q$kill())
    arm <- function(library, number) {
      dyn.load(library)
      .C("jumps_set", number)
      "armed"
    }
    fail <- function() stop("own")
    left <- function() if (is.loaded("jumps_left")) .C("jumps_left", 0L)[[1L]] else 0L
    status <- list()
    repeat {
      q$push(arm, list(library, length(status) + 1L), id = "arm")
      q$push(fail, id = "fail")
      q$push(function(x) x, list(quote(a + b)), id = "work")
      q$push(left, id = "left")
      results <- lapply(1:4, function(i) q$pop(30000))
      names(results) <- vapply(results, `[[`, "", "task_id")
      status <- c(status, list(vapply(results[c("arm", "fail", "work")], `[[`, "", "status")))
      if (isTRUE(results$left$result > 0L) || length(status) > 300L) break
    }
    list(status = do.call(rbind, status), idle = q$is_idle())
  }, sh = jumps$sh)
  expect_true(found$idle)
  expect_gt(nrow(found$status), 10L)
  expect_identical(unname(found$status[nrow(found$status), ]), c("success", "error", "success"))
  expect_true(all(found$status %in% c("success", "error", "crash")))
  # A session in which it fails is not used for long.
  expect_lt(sum(rowSums(found$status == "crash") > 1L), 1L)
})
