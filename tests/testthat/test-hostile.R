# What comes from a session is not believed: whatever it is, it costs its own task, and the queue goes on.

# Objects of plain R that need more C stack to be read than there is.
deep <- list(
  call = function() as.call(c(quote(f), as.list(seq_len(40000)))),
  nested_call = function() {
    x <- quote(a)
    for (i in 1:20000) x <- call("(", x)
    x
  },
  attribute = function() {
    x <- 1
    for (i in 1:15000) x <- structure(1, a = x)
    x
  },
  pairlist = function() as.pairlist(as.list(seq_len(40000))),
  formals = function() as.function(c(as.pairlist(structure(as.list(1:40000), names = paste0("a", 1:40000))), 1))
)

nested_list <- function(n) {
  x <- NULL
  for (i in seq_len(n)) x <- list(x)
  x
}

expect_unreadable <- function(result, why = "it is nested too deeply") {
  expect_identical(result$status, "error")
  expect_s3_class(result$error, "taskq_error_task")
  expect_identical(result$error$phase, "reply")
  expect_match(conditionMessage(result$error), paste("its result cannot be read:", why), fixed = TRUE)
}

test_that("a result that is nested too deeply is its task's error, and those behind it are popped", {
  q <- local_queue(1)
  ids <- vapply(names(deep), function(name) q$push(deep[[name]], id = name), "")
  q$push(function() "fine", id = "fine")
  expect_true(q$wait(timeout = 60000, progress = FALSE))
  tasks <- q$list_tasks(payload = TRUE)
  for (name in ids) expect_unreadable(tasks$result[[match(name, tasks$id)]])
  collected <- q$collect("attribute", progress = FALSE)
  expect_match(conditionMessage(collected$error[[1L]]), "nested too deeply")
  for (name in setdiff(ids, "attribute")) {
    result <- q$pop(1000)
    expect_identical(result$task_id, name)
    expect_unreadable(result)
  }
  expect_identical(q$pop(1000)$result, "fine")
  expect_true(q$is_idle())
})

test_that("a deep result rejects its promise, and is the error of its element in a map", {
  skip_if_not_installed("promises")
  q <- local_queue(1)
  value <- NULL
  promise <- promises::then(q$run(deep$call), onRejected = function(cnd) value <<- conditionMessage(cnd))
  wait_until({
    later::run_now(0.1)
    !is.null(value)
  })
  expect_match(value, "nested too deeply")
  some <- function(i) if (i == 2) as.call(c(quote(f), as.list(seq_len(40000)))) else i
  expect_error(q$map(1:3, some, progress = FALSE), "element .*nested too deeply", class = "taskq_error_task")
  kept <- q$map(1:3, some, on_error = "keep", progress = FALSE, chunk = 1)
  expect_identical(kept[c(1L, 3L)], list(1L, 3L))
  expect_s3_class(kept[[2L]], "taskq_error_task")
})

test_that("deep arguments are an error of push() or of the task, and list_tasks() goes on", {
  q <- local_queue(1)
  refused <- tryCatch(q$push(identity, list(nested_list(40000))), error = class)
  expect_true("stackOverflowError" %in% refused)
  expect_true(q$is_idle())
  id <- q$push(function(x) "never", list(deep$pairlist()))
  q$push(function() "fine")
  expect_null(q$list_tasks(payload = TRUE)$args[[1L]])
  result <- q$pop(20000)
  expect_identical(result$task_id, id)
  expect_identical(result$error$phase, "receive")
  expect_identical(q$pop(20000)$result, "fine")
})

test_that("what R could read at another time is thrown, and stays in the queue", {
  q <- local_queue(1)
  id <- q$push(function() as.call(c(quote(f), as.list(seq_len(16000)))))
  expect_true(q$wait(timeout = 20000, progress = FALSE))
  old <- options(expressions = 500000)
  on.exit(options(old), add = TRUE)
  # Most of the C stack is taken by calls of R code, which is not compiled.
  below <- function(used, ask) {
    info <- Cstack_info()
    if (info[["current"]] > used * info[["size"]]) ask() else eval(quote(below(used, ask)))
  }
  skip_if_not(isTRUE(Cstack_info()[["size"]] < 9e6), "the C stack is large")
  thrown <- tryCatch(below(0.6, function() q$pop(0)), error = identity)
  expect_s3_class(thrown, "stackOverflowError")
  result <- q$pop(0)
  expect_identical(result$task_id, id)
  expect_length(result$result, 16001L)
})

test_that("an outcome that is none, or no R object, is its task's error", {
  hostile <- local_hostile()
  q <- local_queue(1)
  q$push(function() taskq:::rs_reply("success", 7))
  expect_unreadable(q$pop(20000), "it is not what a worker sends")
  q$push(function() taskq:::rs_reply("error", list(error = 7)))
  expect_unreadable(q$pop(20000), "it is not what a worker sends")
  q$push(function() taskq:::rs_reply("success", list(value = 7)))
  expect_identical(q$pop(20000)$result, 7)

  cut_off <- utils::head(serialize(1, NULL, xdr = FALSE), -1L)
  unread <- list(charToRaw("garbage that is no R"), serialize("xdr", NULL), cut_off)
  serial <- 4
  for (payload in unread) {
    q$push(hostile_finish, list(hostile, serial, payload), id = "evil")
    q$push(function() "fine", id = "fine")
    result <- q$pop(20000)
    expect_identical(result$task_id, "evil")
    expect_unreadable(result, "it is not what a worker sends")
    expect_identical(q$pop(20000)$result, "fine")
    serial <- serial + 2
  }
})

test_that("results of tasks that were sent ahead cannot be made up: they run elsewhere", {
  hostile <- local_hostile()
  q <- local_queue(1)
  # Tasks are sent ahead of time as soon as they are known to be quick.
  for (i in 1:500) q$push(function() 0)
  expect_true(all(q$collect(progress = FALSE)$status == "success"))
  # Says that those behind it have ended, the nearest first, or the farthest.
  evil <- function(hostile, finish, serials, payload) for (serial in serials) finish(hostile, serial, payload)
  finish <- `environment<-`(hostile_finish, globalenv())
  payload <- serialize(list(value = "forged"), NULL, xdr = FALSE)
  q$pause()
  for (i in 1:200) {
    if (i %% 40 == 20) {
      serials <- 500 + i + if (i == 60) 20:1 else 1:20
      q$push(evil, list(hostile, finish, serials, payload), id = paste0("evil", i))
    } else {
      q$push(function(i) paste("true", i), list(i), id = paste0("task", i))
    }
  }
  q$resume()
  done <- q$collect(progress = FALSE)
  is_evil <- startsWith(done$task_id, "evil")
  expect_identical(nrow(done), 200L)
  expect_identical(unlist(done$result[!is_evil]), paste("true", sub("task", "", done$task_id[!is_evil], fixed = TRUE)))
  expect_null(q$pop(0))
})

test_that("a map does not believe what it is told of its elements", {
  q <- local_queue(1)
  lie <- function(value) taskq:::rs_reply("success", list(value = value))
  for (value in list(7, list(values = 1:5, failures = list(), done = 5, all_ms = 1, last_ms = 1),
    list(values = list(), failures = list(), done = -3, all_ms = 1, last_ms = 1))) {
    expect_error(q$map(list(value), lie, progress = FALSE), "not what a worker sends", class = "taskq_error_task")
  }
  expect_identical(q$map(1:3, identity, progress = FALSE), list(1L, 2L, 3L))
})

test_that("what R writes can be read, whatever it is", {
  q <- local_queue(1)
  everything <- function() {
    setClass("Hostile", representation(x = "numeric"), where = globalenv())
    local <- function(x, ...) x + 1
    for (i in 1:3) local(i)
    loop <- function(x) for (i in x) if (i > 2) print(quote(a + b)) else while (TRUE) switch(x, a = 1, 2)
    list(
      packages = lapply(c("base", "stats", "utils", "methods"), function(name) {
        as.list(asNamespace(name), all.names = TRUE)
      }),
      data = as.list(as.environment("package:datasets")),
      model = stats::lm(dist ~ speed, datasets::cars),
      code = list(local, compiler::cmpfun(loop), quote(f(x, ...)), expression(a, b), as.name("a"), sum, `if`,
        formals(loop)),
      kept = parse(text = "f <- function(x) x # kept", keep.source = TRUE),
      classes = list(new("Hostile", x = 1), getClass("Hostile")),
      altrep = list(1:10, letters, as.character(1:1000)),
      vectors = list(c(a = 1i), raw(3), NULL, NA_character_, "\u00e9", "\xe9"),
      environments = list(globalenv(), emptyenv(), baseenv(), new.env(hash = FALSE), as.environment(list(a = 1)))
    )
  }
  q$push(everything)
  result <- q$pop(60000)
  expect_identical(result$status, "success")
  expect_identical(result$result$altrep[[1L]], 1:10)
})
