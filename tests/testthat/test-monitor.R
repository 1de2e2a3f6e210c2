# The monitor in a session: what is sent, and what is taken.

test_that("the first message has the page, the next only what has changed", {
  q <- local_queue(1)
  gate <- local_gate()
  q$push(gate$wait, list(gate$path), id = "a", tag = "x")
  q$push(function() 1, id = "b")
  wait_until(q$get_num_running() == 1)
  test_monitor(q, {
    first <- messages()[[1L]]
    expect_identical(first$to, "m-monitor")
    expect_identical(first$instance, "page-1")
    expect_identical(names(page()), c("a", "b"))
    expect_identical(page()$a$state, "running")
    expect_identical(page()$a$tag, "x")
    expect_identical(page()$a$worker, as.character(q$list_workers()$worker))
    expect_match(page()$a$memory, "MB")
    expect_identical(last("head")$counts$waiting, "1")
    expect_identical(last("tags"), list("x"))
    gate$open()
    expect_true(sees(page()$b$state == "success"))
    rows <- Filter(Negate(is.null), lapply(messages()[-1L], `[[`, "tasks"))
    told <- unlist(lapply(rows, function(news) lapply(news$rows, function(row) names(row$set))))
    expect_true("state" %in% told)
    expect_false("tag" %in% told)
    # What stays as it is is not sent again; the memory of a worker can change a little after its task.
    expect_true(sees({
      count <- length(messages())
      refresh()
      length(messages()) == count
    }))
    q$pop()
    q$pop()
    expect_true(sees(!length(page())))
    expect_identical(last("page")$shown, "No tasks")
  })
})

test_that("a page that was drawn anew gets all of it again", {
  q <- local_queue(1)
  q$push(function() 1, id = "a")
  wait_until(q$get_num_done() == 1)
  test_monitor(q, {
    send(monitor = list(instance = "page-2", shown = TRUE))
    again <- messages()[[length(messages())]]
    expect_identical(again$instance, "page-2")
    expect_identical(names(shown_page(list(again))), "a")
    expect_true(all(c("head", "page", "workers", "chosen") %in% names(again)))
  })
})

test_that("nothing is looked at while nobody sees it, and after the session", {
  q <- local_queue(1)
  counter <- local_looks()
  test_monitor(q, {
    expect_identical(counter$looks, 1)
    send(monitor = list(instance = "page-1", shown = FALSE))
    for (i in 1:5) refresh()
    expect_identical(counter$looks, 1)
    q$push(function() 1, id = "a")
    send(monitor = list(instance = "page-1", shown = TRUE))
    expect_identical(counter$looks, 2)
    expect_identical(names(page()), "a")
    session$close()
    for (i in 1:5) refresh()
    expect_identical(counter$looks, 2)
  })
  test_monitor(q, {
    expect_identical(counter$looks, 3)
    for (junk in list("x", 1, NA, list(shown = "yes"), list(1, 2), list())) send(monitor = junk)
    refresh()
    expect_identical(counter$looks, 3)
  })
})

test_that("pages, sorting and filters are the server's", {
  q <- local_queue(1)
  q$pause()
  q$push_many(function(i) i, lapply(1:60, list), ids = sprintf("t%02d", 1:60))
  q$push(function() 1, id = "tagged", tag = "x")
  test_monitor(q, {
    expect_identical(names(page()), sprintf("t%02d", 1:25))
    expect_identical(last("page")$shown, "1\u201325 of 61")
    send(page = 3)
    expect_identical(names(page()), c(sprintf("t%02d", 51:60), "tagged"))
    send(size = "100")
    expect_length(page(), 61L)
    expect_identical(last("page")$page, 1L)
    send(size = "25", sort = list(by = "id", descending = TRUE))
    expect_identical(names(page())[1:2], c("tagged", "t60"))
    expect_identical(last("page")[c("by", "descending")], list(by = "id", descending = TRUE))
    send(page = 2)
    send(tag = "=x")
    expect_identical(names(page()), "tagged")
    send(tag = "", find = "T0")
    expect_identical(names(page()), sprintf("t%02d", 9:1))
    send(find = "", state = "running")
    expect_identical(last("page")$shown, "No task is found")
    for (junk in list("x", NA, list(), c(1, 2), Inf, -5, 1e300)) send(page = junk)
    expect_identical(last("page")$shown, "No task is found")
  })
})

test_that("of ten thousand tasks a page is sent", {
  q <- local_queue(1)
  q$pause()
  q$push_many(function(i) i, lapply(seq_len(10000), list))
  test_monitor(q, {
    expect_length(page(), 25L)
    expect_lt(length(serialize(messages(), NULL)), 50000)
    expect_identical(last("head")$counts$waiting, "10,000")
    expect_identical(last("page")$pages, 400L)
  })
})

test_that("the output of the chosen task is followed, and its error told", {
  q <- local_queue(1)
  gates <- list(local_gate(), local_gate())
  q$push(function(paths) {
    cat("one ")
    while (!file.exists(paths[[1L]])) Sys.sleep(0.005)
    cat("two ")
    message("three")
    while (!file.exists(paths[[2L]])) Sys.sleep(0.005)
    stop("four")
  }, list(c(gates[[1L]]$path, gates[[2L]]$path)), id = "a")
  test_monitor(q, {
    expect_null(session$returned$selected())
    send(chosen = list(n = 1, ids = list("a"), current = "a"))
    expect_identical(session$returned$selected(), "a")
    expect_true(sees(identical(output()$stdout, "one ")))
    gates[[1L]]$open()
    expect_true(sees(output()$stdout == "one two " && output()$stderr == "three\n"))
    gates[[2L]]$open()
    expect_true(sees(grepl("four", output()$error)))
    expect_identical(output()$state, "error")
    expect_match(output()$stderr, "three\n", fixed = TRUE)
    expect_identical(sum(vapply(messages(), function(message) isTRUE(message$output$reset), NA)), 1L)
    # What was seen is not sent again.
    count <- length(Filter(function(message) !is.null(message$output), messages()))
    refresh()
    expect_length(Filter(function(message) !is.null(message$output), messages()), count)
    q$pop()
    expect_true(sees(isTRUE(last("output")$gone)))
    expect_null(output())
    expect_null(session$returned$selected())
  })
})

test_that("a task of the same id is another task", {
  q <- local_queue(1)
  q$push(function() cat("first"), id = "a")
  wait_until(q$get_num_done() == 1)
  test_monitor(q, {
    send(chosen = list(n = 1, ids = list("a"), current = "a"))
    expect_true(sees(identical(output()$stdout, "first")))
    q$pop()
    q$push(function() cat("second"), id = "a")
    expect_true(sees(identical(output()$stdout, "second")))
    resets <- vapply(messages(), function(message) isTRUE(message$output$reset), NA)
    expect_gt(sum(resets), 1)
  })
})

test_that("chosen tasks are cancelled, and what was done is told", {
  q <- local_queue(1)
  q$push(function() 1, id = "done")
  wait_until(q$get_num_done() == 1)
  q$push(function() Sys.sleep(60), id = "runs")
  q$push(function() 1, id = "waits")
  q$push(function() 1, id = "other")
  wait_until(q$get_num_running() == 1)
  test_monitor(q, {
    send(cancel = 1)
    expect_match(last("notice"), "No chosen task")
    send(chosen = list(n = 1, ids = list("done", "runs", "waits"), current = "runs"))
    expect_identical(last("chosen")$active, 2L)
    send(cancel = 2)
    expect_identical(last("notice"), "2 tasks are being cancelled.")
    expect_true(sees(q$get_num_done() == 4))
    status <- q$list_tasks(idle = FALSE)
    expect_identical(status$status[match(c("done", "runs", "waits", "other"), status$id)],
      c("success", "cancelled", "cancelled", "success"))
  })
})

test_that("the queue is paused, resumed and resized", {
  q <- local_queue(1)
  wait_until(q$list_workers()$state == "idle")
  test_monitor(q, {
    expect_true(last("head")$can$pause)
    send(pause = 1)
    expect_identical(last("head")$state, "paused")
    expect_true(last("head")$can$resume)
    send(resume = 1)
    expect_identical(last("head")$state, "open")
    send(workers = 2, resize = 1)
    expect_identical(last("head")$workers, "2")
    for (junk in list("many", NA, -1, 1e9, list(1, 2), NULL)) {
      send(workers = junk, resize = runif(1))
      expect_match(last("notice"), "must be")
    }
    expect_identical(nrow(q$list_workers()), 2L)
  })
})

test_that("a monitor sets no more workers than its app allows, whatever a browser sends", {
  q <- local_queue(1)
  test_monitor(q, {
    expect_identical(last("head")$max_workers, 2)
    send(workers = 3, resize = 1)
    expect_match(last("notice"), "2 workers at most")
    expect_identical(last("head")$workers, "1")
    send(workers = 2, resize = 2)
    expect_identical(last("head")$workers, "2")
  }, max_workers = 2)
  for (wrong in list(0, 1.5, NA, "many")) {
    expect_input_error(task_q_monitor_server("m", q, max_workers = wrong), "max_workers")
    expect_input_error(task_q_monitor(q, max_workers = wrong, launch = FALSE), "max_workers")
  }
})

test_that("the row of a task that failed says why in one line, and each outcome is counted for itself", {
  q <- local_queue(1)
  q$push(function() 1, id = "good")
  q$push(function() stop("no data\nof today"), id = "bad")
  q$push(function() tools::pskill(Sys.getpid(), 9), id = "dead")
  q$push(function() Sys.sleep(60), id = "late", timeout = 50)
  q$push(function() 1, after = "bad", id = "left")
  q$wait(progress = FALSE)
  test_monitor(q, {
    expect_identical(page()$bad$message, "no data")
    expect_match(page()$dead$message, "^crashed its worker")
    expect_match(page()$late$message, "^ran out of time")
    expect_identical(page()$good$message, "")
    expect_identical(unlist(last("head")$counts), c(waiting = "0", running = "0", success = "1", failed = "3",
      cancelled = "0", skipped = "1"))
  })
})

test_that("what is not shown is refused: tasks of others, unknown ones, and junk", {
  q <- local_queue(1)
  q$push(function() {cat("secret"); Sys.sleep(60)}, id = "theirs", tag = "bob")
  q$push(function() 1, id = "mine", tag = "ann")
  q$push(function() 1, id = "untagged")
  wait_until(q$get_num_running() == 1)
  test_monitor(q, tag = "ann", {
    expect_identical(names(page()), "mine")
    expect_identical(last("head")$counts$waiting, "1")
    expect_identical(last("head")$counts$running, "0")
    for (ids in list(list("theirs"), list("untagged"), list("nobody"), "theirs", list("mine", "theirs"))) {
      send(chosen = list(n = 1, ids = ids, current = "theirs"))
      send(cancel = runif(1))
      expect_match(last("notice"), "^(No chosen|1 task)")
    }
    send(chosen = list(n = 2, ids = list("theirs"), current = "theirs"))
    expect_match(last("notice"), "Refused")
    expect_null(session$returned$selected())
    for (i in 1:3) refresh()
    for (junk in list(NA, 1, "mine", list(), list(ids = list(list(1), NULL, 3)), list(ids = "\xff", current = NA))) {
      send(chosen = junk)
    }
    send(pause = 1, resume = 1, workers = 5, resize = 1)
    told <- rapply(messages(), function(text) text, "character", how = "unlist")
    expect_false(any(grepl("secret", told)))
    expect_false("theirs" %in% told)
    expect_false(any(unlist(last("head")$can[c("pause", "resume", "resize", "timeline")])))
  })
  tasks <- q$list_tasks(idle = FALSE)
  expect_identical(tasks$state[tasks$id == "theirs"], "running")
  expect_identical(tasks$state[tasks$id == "untagged"], "waiting")
  expect_identical(tasks$status[tasks$id == "mine"], "cancelled")
  expect_identical(nrow(q$list_workers()), 1L)
  expect_output(print(q), "open")
})

test_that("without controls the server takes no command", {
  q <- local_queue(1)
  q$push(function() Sys.sleep(60), id = "a")
  wait_until(q$get_num_running() == 1)
  test_monitor(q, controls = FALSE, {
    send(chosen = list(n = 1, ids = list("a"), current = "a"))
    expect_identical(session$returned$selected(), "a")
    send(cancel = 1, pause = 1, workers = 4, resize = 1)
    refresh()
    expect_identical(last("head")$state, "open")
    expect_false(any(unlist(last("head")$can[c("cancel", "pause", "resume", "resize")])))
  })
  expect_identical(q$get_num_running(), 1L)
  expect_identical(nrow(q$list_workers()), 1L)
})

test_that("what tasks say travels as it is, and becomes text on the page only", {
  q <- local_queue(1)
  evil <- "<script>alert('&')</script>"
  gate <- local_gate()
  q$push(function(path, evil) {
    taskq::task_progress(0.5, evil)
    cat(evil)
    while (!file.exists(path)) Sys.sleep(0.005)
  }, list(gate$path, evil), id = evil, tag = evil)
  test_monitor(q, {
    send(chosen = list(n = 1, ids = list(evil), current = evil))
    expect_true(sees(identical(page()[[evil]]$message, evil)))
    expect_identical(page()[[evil]]$tag, evil)
    expect_identical(last("tags"), list(evil))
    expect_true(sees(identical(output()$stdout, evil)))
    gate$open()
  })
  script <- paste(readLines(system.file("monitor", "monitor.js", package = "taskq")), collapse = "\n")
  ways <- "innerHTML|outerHTML|insertAdjacentHTML|document\\.write|\\.html\\(|eval\\(|new Function|setTimeout\\([\"']"
  expect_false(grepl(ways, script))
  expect_match(script, "textContent")
})

test_that("a session that ends cancels its tasks, or keeps them", {
  q <- local_queue(1)
  q$pause()
  ids <- function() q$list_tasks(idle = FALSE)
  status <- function(id) ids()$status[ids()$id == id]
  browser <- mock_browser()
  q$push(function() 1, id = "mine", tag = browser$token)
  q$push(function() 1, id = "theirs", tag = "x")
  test_monitor(q, {}, browser = mock_browser())
  expect_identical(status("mine"), NA_character_)
  test_monitor(q, session$close(), session_cleanup = "cancel", browser = browser)
  expect_identical(status("mine"), "cancelled")
  expect_identical(status("theirs"), NA_character_)
  test_monitor(q, session$close(), tag = "x", session_cleanup = "keep")
  expect_identical(status("theirs"), NA_character_)
  test_monitor(q, session$close(), tag = "x", session_cleanup = "cancel")
  expect_identical(status("theirs"), "cancelled")
  q$kill()
  expect_silent(test_monitor(q, session$close(), session_cleanup = "cancel"))
})

test_that("a queue that is closed while it is shown says so, and its controls are off", {
  q <- local_queue(1)
  q$push(function() 1, id = "a")
  wait_until(q$get_num_done() == 1)
  test_monitor(q, {
    expect_identical(last("alert"), "")
    q$close()
    expect_true(sees(identical(last("head")$state, "closed")))
    expect_match(last("alert"), "closed")
    expect_false(any(unlist(last("head")$can[c("pause", "resume", "resize")])))
    expect_identical(names(page()), "a")
    send(workers = 3, resize = 1)
    expect_match(last("notice"), "closed")
    send(pause = 1)
    expect_match(last("notice"), "closed")
  })
})

test_that("a pool that fails is shown with its reason", {
  q <- local_queue(1, init = function() stop("no <b>licence</b>"))
  test_monitor(q, {
    expect_true(sees(identical(last("head")$state, "failed")))
    expect_match(last("alert"), "no <b>licence</b>", fixed = TRUE)
  })
})

test_that("tasks that run in this session are shown too", {
  q <- local_queue(0)
  q$push(function() cat("here"), id = "a")
  test_monitor(q, {
    expect_identical(page()$a$state, "success")
    expect_false(last("head")$can$resize)
    send(chosen = list(n = 1, ids = list("a"), current = "a"))
    expect_identical(output()$stdout, "here")
  })
})

test_that("two monitors of a queue and two queues live in one app", {
  q <- local_queue(1, name = "first")
  other <- local_queue(1, name = "second")
  q$push(function() 1, id = "a")
  other$push(function() 1, id = "b")
  wait_until(q$get_num_done() == 1 && other$get_num_done() == 1)
  browser <- mock_browser()
  server <- function(input, output, session) {
    task_q_monitor_server("one", q)
    task_q_monitor_server("two", q, controls = FALSE)
    task_q_monitor_server("three", other)
  }
  shiny::testServer(server, session = browser, expr = {
    for (id in c("one", "two", "three")) {
      do.call(session$setInputs, stats::setNames(list(list(instance = id, shown = TRUE)), paste0(id, "-monitor")))
    }
    of <- function(id) Filter(function(message) message$to == paste0(id, "-monitor"), browser$messages)
    expect_identical(names(shown_page(of("one"))), "a")
    expect_identical(names(shown_page(of("two"))), "a")
    expect_identical(names(shown_page(of("three"))), "b")
    session$setInputs(`two-pause` = 1)
    expect_output(print(q), "open")
    session$setInputs(`three-pause` = 1)
    expect_output(print(q), "open")
    expect_output(print(other), "paused")
  })
})

test_that("the timeline is drawn when something moves, and not for those who see a part", {
  q <- local_queue(1)
  q$push(function() 1, id = "a")
  wait_until(q$get_num_done() == 1)
  test_monitor(q, {
    expect_true(last("head")$can$timeline)
    expect_match(session$getOutput("m-timeline")$src, "^data:image/png")
  })
  test_monitor(q, tag = "x", expect_error(session$getOutput("m-timeline")))
})

test_that("misuse is refused in words that help", {
  q <- local_queue(0)
  skip_if_not_installed("shiny")
  expect_input_error(task_q_monitor_ui(1), "id")
  expect_s3_class(caught(task_q_monitor_ui("m", "n")), "taskq_error_input")
  expect_input_error(task_q_monitor_server("m", list()), "queue")
  expect_input_error(task_q_monitor_server("m", q, tag = 1), "tag")
  expect_input_error(task_q_monitor_server("m", q, controls = NA), "controls")
  for (refresh in list(0, 99, Inf, NA, "fast")) {
    expect_input_error(task_q_monitor_server("m", q, refresh = refresh), "refresh")
  }
  expect_input_error(task_q_monitor_server("m", q, session_cleanup = "maybe"), "session_cleanup")
  expect_input_error(task_q_monitor_server("m", q, colour = "red"), "colour")
  expect_input_error(task_q_monitor("queue"), "queue")
  expect_input_error(task_q_monitor(q, launch = 1), "launch")
  expect_input_error(task_q_monitor(q, colour = 1), "colour")
  expect_input_error(task_q_monitor(q, "x"), "...")
  outside <- caught(task_q_monitor_server("m", q))
  expect_s3_class(outside, "taskq_error_session")
  expect_match(conditionMessage(outside), "inside the server")
})

test_that("every control of the page has a name, and tables have headers and captions", {
  skip_if_not_installed("shiny")
  html <- as.character(task_q_monitor_ui("m"))
  count <- function(pattern) lengths(regmatches(html, gregexpr(pattern, html)))
  expect_identical(count("<table"), count("<caption"))
  expect_identical(count("<th[ >]"), count("<th[^>]* scope=\"col\"|<th scope=\"col\""))
  fields <- regmatches(html, gregexpr("<(input|select)[^>]* id=\"[^\"]+\"", html))[[1L]]
  ids <- sub(".* id=\"([^\"]+)\"", "\\1", fields)
  expect_gt(length(ids), 4)
  for (id in ids) expect_match(html, sprintf("<label[^>]* for=\"%s\"", id))
  expect_match(html, "aria-live=\"polite\"")
})

test_that("the stand-alone monitor is an app, and Ctrl-C in it leaves the queue as it was", {
  q <- local_queue(0)
  skip_if_not_installed("shiny")
  expect_s3_class(task_q_monitor(q, launch = FALSE), "shiny.appobj")
  value <- in_host(function() {
    options(shiny.port = NULL)
    library(taskq)
    q <- task_q$new(1)
    q$push(function() Sys.sleep(60), id = "a")
    later::later(function() tools::pskill(Sys.getpid(), tools::SIGINT), 0.5)
    ended <- tryCatch({
      task_q_monitor(q, launch = TRUE)
      "closed"
    }, interrupt = function(cnd) "interrupted")
    state <- q$list_tasks(idle = FALSE)$state
    q$push(function() 1, id = "b")
    q$cancel("a")
    result <- q$collect(progress = FALSE)$status
    q$close()
    list(ended = ended, state = state, result = result)
  })
  expect_identical(value$ended, "interrupted")
  expect_true(value$state %in% c("running", "waiting"))
  expect_identical(value$result, c("cancelled", "success"))
})
