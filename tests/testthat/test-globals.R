# `globals = "auto"`: what a function uses of the global environment goes with it.

local_globals <- function(objects, frame = parent.frame()) {
  list2env(objects, globalenv())
  do.call(on.exit, list(bquote(rm(list = .(names(objects)), envir = globalenv())), add = TRUE), envir = frame)
}

test_that("globals = \"auto\" sends what a function uses, what that uses, and the packages", {
  local_globals(list(
    auto_rate = 3, auto_helper = global(function(x) auto_inner(x) * auto_rate),
    auto_inner = global(function(x) x + auto_base), auto_base = 10, auto_unused = function() stop("not sent"),
    auto_factory = local({
      k <- 100
      function(x) x + k
    }, envir = new.env(parent = globalenv()))
  ))
  fun <- global(function(x) c(auto_helper(x), auto_factory(x), exists("auto_unused"), is.function(ns)))
  library(splines)
  on.exit(detach("package:splines"), add = TRUE)
  right <- c((1 + 10) * 3, 101, 0, 1)
  for (q in list(local_queue(1), local_queue(0))) {
    if (nrow(q$list_workers())) right[3] <- 0 else right[3] <- 1
    expect_identical(run_task(q, fun, list(1), globals = "auto")$result, right)
  }
  q <- local_queue(1, globals = "auto")
  right[3] <- 0
  expect_identical(run_task(q, fun, list(1), globals = list("auto", auto_base = 20))$result[1L], 63)
  expect_identical(run_task(q, fun, list(1))$result, right)
  q$push_many(fun, list(list(1), list(1)))
  expect_identical(q$collect(progress = FALSE)$result, list(right, right))
  expect_identical(q$map(c(1, 1), fun, progress = FALSE), list(right, right))
  assign("auto_rate", 4, globalenv())
  expect_identical(run_task(q, fun, list(1))$result[1L], 44)
  q <- local_queue(1, globals = "auto", init = global(function() options(taskq_auto = auto_helper(0))))
  expect_identical(run_task(q, global(function() getOption("taskq_auto")))$result, 40)
})

test_that("without it nothing of the global environment is sent, and the error names the option", {
  local_globals(list(auto_alone = 1))
  q <- local_queue(1)
  error <- run_task(q, global(function() auto_alone))$error
  expect_match(conditionMessage(error), "`globals = \"auto\"`", fixed = TRUE)
})

test_that("what a function in an attribute uses is sent, too, as of models that start themselves", {
  local_globals(list(auto_initial = 7))
  model <- structure(global(function(x) x), initial = global(function(x) x + auto_initial))
  expect_identical(tq_used_globals(model, NULL)$globals, list(auto_initial = 7))
})

test_that("globals that cannot be are refused", {
  q <- local_queue(0)
  for (globals in list("all", list("auto", "auto"), list(1), list("auto", 1), c("auto", "x"))) {
    expect_error(q$push(function() 1, globals = globals), class = "taskq_error_input")
  }
})
