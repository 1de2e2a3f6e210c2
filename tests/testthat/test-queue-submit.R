test_that("ids are the user's, or numbered with a dot", {
  q <- local_queue(1)
  expect_identical(q$push(function() 1), ".1")
  expect_invisible(q$push(function() 1))
  expect_identical(q$push(function() 1, id = "mine"), "mine")
  expect_identical(q$push(function() 1, id = "caf\u00e9 \u4e2d"), "caf\u00e9 \u4e2d")
  expect_named(pop_all(q), c(".1", ".2", "mine", "caf\u00e9 \u4e2d"), ignore.order = TRUE)
})

test_that("an id can be used once at a time", {
  q <- local_queue(1)
  q$push(function() 1, id = "a")
  cnd <- caught(q$push(function() 2, id = "a"))
  expect_identical(class(cnd), c("taskq_error_duplicate", "taskq_error", "error", "condition"))
  expect_identical(cnd$id, "a")
  expect_identical(conditionCall(cnd)[[1L]], quote(q$push))
  expect_true(wait_until(q$get_num_done() == 1))
  expect_s3_class(caught(q$push(function() 2, id = "a")), "taskq_error_duplicate")
  expect_identical(q$pop()$result, 1)
  q$push(function() 3, id = "a")
  expect_identical(q$pop(20000)$result, 3)
})

test_that("an automatic id steps over one that the user has taken", {
  q <- local_queue(1)
  q$push(function() 1, id = ".1")
  id <- q$push(function() 2)
  expect_false(id == ".1")
  expect_length(pop_all(q), 2L)
})

test_that("what cannot be pushed is named, and changes nothing", {
  q <- local_queue(1)
  for (fun in list(1, "sum", NULL, quote(f))) expect_input_error(q$push(fun), "fun")
  for (args in list(1, "a", sum)) expect_input_error(q$push(sum, args), "args")
  for (id in list("", NA, 1, c("a", "b"), ".idle-1", strrep("x", 10001))) expect_input_error(q$push(sum, id = id), "id")
  expect_input_error(q$push(sum, limit = 1000), "limit")
  expect_true(q$is_idle())
  expect_identical(q$push(function() 1), ".1")
  expect_identical(q$pop(20000)$result, 1)
})

test_that("arguments come as values", {
  q <- local_queue(1)
  expect_identical(run_task(q, function(x) x, list(quote(a + b)))$result, quote(a + b))
  expect_identical(run_task(q, function(x, y) x - y, list(y = 1, 5))$result, 4)
  expect_identical(run_task(q, function(x) is.null(x), list(NULL))$result, TRUE)
  expect_identical(run_task(q, function(...) names(list(...)), list(1, a = 2))$result, c("", "a"))
  expect_identical(run_task(q, sum, list(1, 2, 3))$result, 6)
  expect_identical(run_task(q, stats::sd, list(c(1, 3)))$result, stats::sd(c(1, 3)))
})

test_that("objects of every kind come and go", {
  q <- local_queue(1)
  values <- list(NULL, NA, 1:3, 1i, "caf\u00e9", as.raw(1:3), list(), mtcars, factor("a"),
    Sys.time(), quote(x + y), y ~ x, as.POSIXlt("2020-01-01", tz = "UTC"), strrep("x", 1e6))
  for (value in values) {
    result <- run_task(q, function(x) x, list(value))
    expect_equal(result$result, value, ignore_attr = ".Environment")
  }
  for (n in c(0, 1, 65535, 65536, 65537, 1e7)) {
    expect_length(run_task(q, function(x) x, list(raw(n)))$result, as.integer(n))
  }
  expect_null(run_task(q, function() new.env())$error)
  expect_type(run_task(q, function() function(x) x)$result, "closure")
  expect_identical(run_task(q, function() invisible(7))$result, 7)
})

test_that("an external pointer comes as an empty one", {
  q <- local_queue(1)
  pointer <- q$.__enclos_env__$private$handle
  expect_warning(result <- run_task(q, function(x) typeof(x), list(pointer)), class = "taskq_warning_reference")
  expect_identical(result$result, "externalptr")
})

test_that("a queue as an argument does not end the queue", {
  q <- local_queue(1)
  result <- run_task(q, function(q) {
    message <- tryCatch(q$push(sum), taskq_error = function(cnd) class(cnd)[1L])
    rm(q)
    gc()
    message
  }, list(q))
  expect_identical(result$result, "taskq_error_closed")
  expect_identical(run_task(q, function() 1)$result, 1)
})

test_that("a thousand tasks can be pushed before the first session is up", {
  q <- local_queue(2)
  ids <- vapply(1:1000, function(i) q$push(function(i) i, list(i)), "")
  expect_identical(ids, paste0(".", 1:1000))
  results <- pop_all(q)
  expect_identical(vapply(results[ids], function(x) x$result, 0L), setNames(1:1000, ids))
})

test_that("a function does not see the global environment of the host, and the error says how to send it", {
  q <- local_queue(1)
  assign("only_in_host", 1, globalenv())
  on.exit(rm("only_in_host", envir = globalenv()), add = TRUE)
  result <- run_task(q, global(function() only_in_host))
  expect_match(conditionMessage(result$error), "`only_in_host`", fixed = TRUE)
  expect_match(conditionMessage(result$error), "`args` or `globals`", fixed = TRUE)
})

test_that("a model that a task has made can be updated, as after do.call(), here and in another task", {
  q <- local_queue(1)
  fit <- run_task(q, stats::lm, list(mpg ~ wt, data = mtcars))$result
  right <- coef(lm(mpg ~ wt + hp, data = mtcars))
  expect_equal(coef(update(fit, . ~ . + hp)), right)
  expect_equal(coef(run_task(q, function(fit) update(fit, . ~ . + hp), list(fit))$result), right)
  fit <- run_task(q, stats::glm, list(am ~ wt, family = binomial(), data = mtcars))$result
  expect_s3_class(suppressWarnings(step(fit, am ~ wt + hp, trace = 0)), "glm")
})

test_that("a finalizer that pushes while push() serializes does no harm", {
  q <- local_queue(1)
  q$push(function() 0)
  expect_identical(q$pop(20000)$result, 0)
  handle <- q$.__enclos_env__$private$handle
  inside <- FALSE
  pushed_inside <- pushed <- 0L
  litter <- function(i) {
    reg.finalizer(new.env(), function(e) {
      if (inside) pushed_inside <<- pushed_inside + 1L
      pushed <<- pushed + 1L
      q$push(as.function(list(i * 100L)))
    })
    NULL
  }
  # R collects at the first allocation, then at the second, and so on, and from the first on again, until it was one of
  # push()'s a few times: not every collection finds what has just been left.
  rounds <- 0L
  while (rounds < 500L && pushed_inside < 3L) {
    rounds <- rounds + 1L
    outer <- as.function(list(quote((function() 7L)())), globalenv())
    id <- paste0("outer-", rounds)
    litter(rounds)
    inside <- TRUE
    gctorture2(1000000L, (rounds - 1L) %% 50L + 1L)
    taskq:::rs_push(handle, id, outer, NULL, NULL)
    gctorture2(0L)
    inside <- FALSE
  }
  expect_gte(pushed_inside, 3L)
  results <- pop_all(q)
  gc()
  results <- c(results, pop_all(q))
  expect_length(results, rounds + pushed)
  expect_true(all(vapply(results[paste0("outer-", seq_len(rounds))], function(x) identical(x$result, 7L), NA)))
})
