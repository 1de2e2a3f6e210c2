# Each function of Rust that R calls, where R has only a few bytes left.

test_that("O10: where R has no memory each function fails as R does, loses nothing, and works then", {
  skip_on_cran()
  skip_if_not_installed("later")
  found <- in_host_with(list(border_steps = border_steps, squeezed = squeezed), function() {
    environment(border_steps) <- new.env(parent = asNamespace("taskq"))
    lapply(Filter(is.list, border_steps()), function(step) {
      # What R makes when code is first run is there then.
      told <- vapply(c(Inf, Inf, 2^c(3, 7, 11), Inf), function(room) {
        made <- step$before()
        call <- function() step$call(made)
        got <- if (is.finite(room)) squeezed(call, room) else tryCatch(call(), error = identity)
        is_error <- inherits(got, "error")
        step$after(if (is_error) NULL else got)
        if (is_error) conditionMessage(got) else "fine"
      }, "")
      list(told = told, ends = step$ends)
    })
  }, sh = "export R_VSIZE=24M") # Less to fill.
  own <- "vector memory (exhausted|limit)|cannot allocate"
  for (name in names(found)) {
    told <- found[[name]]$told
    expect_match(grep(own, told, value = TRUE, invert = TRUE), found[[name]]$ends, fixed = TRUE, label = name)
    expect_match(told[[length(told)]], found[[name]]$ends, fixed = TRUE, label = name)
  }
  met <- vapply(found, function(x) any(grepl(own, x$told)), NA)
  expect_gt(mean(met), 0.5)
})
