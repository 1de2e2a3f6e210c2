# Objects that are of no use in another process: named when they are pushed, and when they come back.

refused <- function(expr) tryCatch({expr; NULL}, taskq_error_input = identity)

warned <- function(expr) {
  conditions <- list()
  withCallingHandlers(expr, taskq_warning_reference = function(cnd) {
    conditions[[length(conditions) + 1L]] <<- cnd
    tryInvokeRestart("muffleWarning")
  })
  conditions
}

test_that("a connection is refused by the name of its argument or variable, with what to do", {
  q <- local_queue(1)
  con <- file(tempfile(), "w")
  on.exit(close(con), add = TRUE, after = FALSE)
  for (cnd in list(
    refused(q$push(function(to) cat("x", file = to), list(con))),
    refused(q$push(function(x, ...) 1, list(x = list(1, to = con)))),
    refused(q$push_many(function(to) 1, list(list(1), list(con)))),
    refused(q$map(list(1, con), function(to) 1, progress = FALSE)),
    refused(q$push(function() cat("x", file = con))),
    refused(q$push(function(x) x, globals = list(log = con)))
  )) {
    expect_s3_class(cnd, "taskq_error_input")
    expect_match(conditionMessage(cnd), "which is of no use in another process", fixed = TRUE)
    expect_match(conditionMessage(cnd), "open it in the task", fixed = TRUE)
  }
  message <- function(...) refused(q$push(...))$message
  expect_match(message(function(to) 1, list(con)), "argument `to` is a connection (file)", fixed = TRUE)
  expect_match(message(function(x) 1, list(x = list(1, to = con))), "`x` holds a connection at `x$to`", fixed = TRUE)
  expect_match(message(function() con), "variable `con` is a connection", fixed = TRUE)
  expect_match(message(function(x) x, globals = list(log = con)), "object `log` is a connection", fixed = TRUE)
  expect_true(q$is_idle())
  expect_identical(run_task(q, function(to) inherits(to, "terminal"), list(stdout()))$result, TRUE)
})

test_that("a database connection is refused, and one that comes back is warned of", {
  skip_if_not_installed("RSQLite")
  q <- local_queue(1)
  con <- DBI::dbConnect(RSQLite::SQLite(), ":memory:")
  on.exit(DBI::dbDisconnect(con), add = TRUE)
  cnd <- refused(q$push(function(con) DBI::dbGetQuery(con, "select 1"), list(con)))
  expect_match(cnd$message, "argument `con` is a database connection (SQLiteConnection)", fixed = TRUE)
  expect_match(cnd$body, "`init`", fixed = TRUE)
  expect_identical(cnd$arg, "con")
  result <- run_task(q, function() list(db = DBI::dbConnect(RSQLite::SQLite(), ":memory:")))
  expect_identical(result$status, "success")
  expect_s3_class(result$warnings[[1L]], "taskq_warning_reference")
  said <- conditionMessage(result$warnings[[1L]])
  expect_match(said, "the value holds a database connection at `result$db`", fixed = TRUE)
})

test_that("an external pointer is warned of, once for each place, and told of where it comes back", {
  skip_if_not_installed("xml2")
  q <- local_queue(1)
  page <- xml2::read_xml("<a><b/></a>")
  conditions <- warned(for (i in 1:3) q$push(function(page) is.null(page$node), list(page)))
  expect_length(conditions, 1L)
  expect_match(conditionMessage(conditions[[1L]]), "`page` holds an external pointer at `page$node`", fixed = TRUE)
  q$wait(progress = FALSE)
  expect_length(q$collect(progress = FALSE)$result, 3L)
  for (queue in list(q, local_queue(0))) {
    result <- run_task(queue, function() xml2::read_xml("<a><b/></a>"))
    expect_identical(result$status, "success")
    expect_s3_class(result$warnings[[1L]], "taskq_warning_reference")
  }
})

test_that("what belongs to a session of Shiny is refused with what to send instead", {
  skip_if_not_installed("shiny")
  q <- local_queue(1)
  said <- list()
  try_push <- function(...) refused(q$push(...))
  shiny::testServer(function(input, output, session) {
    r <- shiny::reactive(input$n)
    v <- shiny::reactiveVal(1)
    said$reactive <<- try_push(function(r) r() * 2, list(r))
    said$captured <<- try_push(function() r() * 2)
    said$value <<- try_push(function(v) v(), list(v))
    said$input <<- try_push(function(x) x$n, list(input))
    said$output <<- try_push(function() output$x <- 1)
    said$session <<- try_push(function(s) 1, list(session))
    said$progress <<- try_push(function(p) p$set(0.5), list(shiny::Progress$new(session)))
    said$plain <<- try_push(function(n) n, list(shiny::isolate(input$n)))
  }, session$setInputs(n = 1))
  expect_null(said$plain)
  expect_match(said$reactive$message, "argument `r` is a reactive (reactiveExpr)", fixed = TRUE)
  expect_match(said$captured$message, "variable `r` is a reactive", fixed = TRUE)
  expect_match(said$value$message, "argument `v` is a reactive value", fixed = TRUE)
  expect_match(said$input$message, "argument `x` is reactive values (reactivevalues)", fixed = TRUE)
  expect_match(said$input$body, "list(input$n)", fixed = TRUE)
  expect_match(said$output$message, "variable `output` is `output` of Shiny", fixed = TRUE)
  expect_match(said$session$message, "argument `s` is a session of Shiny", fixed = TRUE)
  expect_match(said$progress$message, "argument `p` is a Progress of Shiny", fixed = TRUE)
  expect_match(said$progress$body, "task_progress()", fixed = TRUE)
})

test_that("a compiled function is refused", {
  q <- local_queue(1)
  compiled <- global(function(x) NULL)
  body(compiled) <- call(".Call", getNativeSymbolInfo("C_tq_call", getLoadedDLLs()$taskq)$address, quote(x))
  expect_match(refused(q$push(compiled, list(1)))$message, "the function `fun` is a compiled function", fixed = TRUE)
  expect_match(refused(q$push(function(f) f(1), list(compiled)))$message, "argument `f` is a compiled", fixed = TRUE)
})

test_that("a data.table, a queue, and an object with methods travel without a word", {
  q <- local_queue(1)
  counter <- R6::R6Class("Counter", public = list(n = 1, add = function() self$n <- self$n + 1))$new()
  expect_silent(result <- run_task(q, function(counter) {
    counter$add()
    counter
  }, list(counter)))
  expect_identical(result$result$n, 2)
  expect_length(result$warnings, 0L)
  expect_silent(result <- run_task(q, function(q) class(q)[1L], list(q)))
  expect_identical(result$result, "task_q")
  skip_if_not_installed("data.table")
  table <- data.table::data.table(a = 1:3, b = letters[1:3])
  expect_silent(result <- run_task(q, function(d) d[d$a > 1, ], list(table)))
  expect_identical(result$result$b, c("b", "c"))
  expect_length(result$warnings, 0L)
})

test_that("the error of a task does not advise to send what would be refused", {
  assign("taskq_test_log", file(tempfile()), globalenv())
  on.exit({
    close(get("taskq_test_log", globalenv()))
    rm("taskq_test_log", envir = globalenv())
  })
  hint <- tq_error_hint(simpleError("object 'taskq_test_log' not found"), "run")
  expect_match(hint, "`taskq_test_log` is a connection, which is of no use in another process: open it", fixed = TRUE)
})
