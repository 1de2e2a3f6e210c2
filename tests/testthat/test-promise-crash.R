# B2, B3, B4, B12: each way in which a worker can die, at each moment of its life.

# How a worker dies, as seen from outside: a signal or an exit status; or the error that R makes of it instead.
ways <- list(
  quit = list(exit_code = 0L, how = function() quit("no")),
  status = list(exit_code = 3L, how = function() quit("no", status = 3)),
  # An address whose last byte is 0: of what `_exit()` is given, the last byte is the status.
  exit = list(exit_code = 0L, how = function() {
    dyn.load(libc())
    repeat {
      for (object in lapply(1:500, function(i) raw(1))) {
        if (any(grepl("00>", utils::capture.output(.Internal(address(object)))))) .Call("_exit", object)
      }
    }
  }),
  kill = list(signal = 9L, how = function() tools::pskill(Sys.getpid(), 9L)),
  segv = list(signal = 11L, how = function() {
    tools::pskill(Sys.getpid(), 11L)
    Sys.sleep(10)
  }),
  fault = list(signal = 11L, how = function() {
    dyn.load(libc())
    .C("memcpy", raw(1), raw(1), raw(1))
  }),
  abort = list(signal = 6L, how = function() {
    dyn.load(libc())
    .C("abort")
  }),
  jump = list(exit_code = 1L, how = function() invokeRestart("abort")),
  recursion = list(message = "infinite recursion", how = function() {
    f <- function() f()
    f()
  }),
  stack = list(message = "C stack usage", how = function() {
    options(expressions = 5e5)
    f <- function() eval(quote(f()))
    f()
  })
)

# What the tasks need to die, sent as globals: they have no other way to know it.
dying <- list(
  hows = lapply(ways, function(way) global(way$how)),
  libc = global(function() {
    line <- grep("/libc[.-][^/]*$", readLines("/proc/self/maps"), value = TRUE)[[1L]]
    sub("^[^/]*", "", line)
  }),
  die = global(function(way) {
    message("last words")
    writeLines(tempdir(), paste0(told, "-"))
    file.rename(paste0(told, "-"), told)
    hows[[way]]()
    "survived"
  }),
  # unserialize() asks the registry for a namespace by its name; what stands there may be a function.
  arm_namespaces = global(function() {
    registry <- .Internal(getNamespaceRegistry())
    for (way in names(hows)) eval(substitute(
      makeActiveBinding(name, function() die(way), registry), list(name = paste0("tq.", way), way = way)
    ))
  })
)

# The name of a namespace travels instead of its content. `spec` may be a function, which serialize() then calls.
namespace_of <- global(function(spec) {
  info <- new.env()
  if (is.function(spec)) makeActiveBinding("spec", spec, info) else assign("spec", spec, envir = info)
  env <- new.env()
  assign(".__NAMESPACE__.", info, envir = env)
  env
})

# The task that dies that way at that moment: its function and arguments.
moments <- list(
  receive = function(way) list(function(x) 1, list(namespace_of(c(name = paste0("tq.", way), version = "1")))),
  run = function(way) list(function(way) die(way), list(way)),
  reply = function(way) {
    list(function(way, namespace_of) {
      force(way)
      namespace_of(function() {
        die(way)
        c("other", "1")
      })
    }, list(way, namespace_of))
  },
  output = function(way) {
    list(function(way) {
      for (i in 1:200) cat(strrep("x", 999), "\n", sep = "")
      cat("half a line")
      die(way)
    }, list(way))
  }
)

phase_text <- c(receive = "could not be read by the worker", reply = "its result could not be sent")

# A queue of which one worker is kept by a task that wants its temporary files to stay. `told` is where what dies names
# its directory; `spared()` lets the task end, and says whether its files are there.
local_doom <- function(frame = parent.frame()) {
  skip_if_not(file.exists("/proc/self/maps"))
  gate <- local_gate(frame)
  told <- tempfile("told-")
  do.call(on.exit, list(bquote(unlink(.(told))), add = TRUE), envir = frame)
  q <- local_queue(2, globals = c(dying, told = told), init = global(function() arm_namespaces()), frame = frame)
  q$push(function(gate) {
    path <- tempfile()
    file.create(path)
    while (!file.exists(gate)) Sys.sleep(0.01)
    file.exists(path)
  }, list(gate$path), id = "sibling")
  expect_true(wait_until(q$get_num_running() == 1L))
  spared <- function() {
    gate$open()
    q$pop(20000)$result
  }
  list(queue = q, told = told, spared = spared)
}

expect_died <- function(result, way, moment, told) {
  label <- paste(way, "at", moment)
  expected <- ways[[way]]
  if (!is.null(expected$message)) {
    expect_identical(result$status, "error", label = label)
    expect_match(conditionMessage(result$error), expected$message)
    if (moment %in% names(phase_text)) expect_match(conditionMessage(result$error), phase_text[[moment]])
    expect_true(is_alive(result$worker), label = label)
  } else {
    expect_identical(result$status, "crash", label = label)
    expect_s3_class(result$error, "taskq_error_crash")
    expect_identical(result$error$signal, expected$signal %||% NA_integer_, label = label)
    expect_identical(result$error$exit_code, expected$exit_code %||% NA_integer_, label = label)
    expect_match(result$stderr, "last words", fixed = TRUE)
    expect_false(is_alive(result$worker), label = label)
    dir <- readLines(told)
    expect_true(wait_until(!dir.exists(dir), 1), label = paste(label, "directory is gone"))
  }
  expect_null(result$result)
  unlink(told)
}

test_that("B2, B3, B4, B12: each way to die at each moment has its outcome, and costs nothing else", {
  skip_on_cran()
  doom <- local_doom()
  q <- doom$queue
  told <- doom$told
  for (moment in names(moments)) {
    for (way in names(ways)) {
      task <- moments[[moment]](way)
      result <- run_task(q, global(task[[1L]]), task[[2L]])
      expect_died(result, way, moment, told)
      # All that was written before, and nothing of it twice.
      if (moment == "output") {
        expect_identical(result$stdout, paste0(strrep(paste0(strrep("x", 999), "\n"), 200), "half a line"), label = way)
      }
      expect_identical(run_task(q, function() 1)$result, 1, label = paste(way, "at", moment))
    }
  }
  expect_true(doom$spared())
  expect_true(wait_until(identical(q$list_workers()$state, c("idle", "idle"))))
})

test_that("B4: a finalizer that ends the worker is a crash of the task in which it runs", {
  skip_on_cran()
  doom <- local_doom()
  q <- doom$queue
  told <- doom$told
  for (way in names(ways)) {
    # The function would be kept until the next one has come.
    q$push(global(function(way) {
      reg.finalizer(new.env(), function(e) die(way))
      "left"
    }), list(way), id = "leaves")
    q$push(function() NULL, id = "between")
    expect_identical(q$pop(20000)$result, "left")
    expect_identical(q$pop(20000)$status, "success")
    q$push(function() {
      gc()
      "collected"
    }, id = "collects")
    result <- q$pop(20000)
    if (way == "jump") {
      # It gets no further than the finalizer.
      expect_identical(result$result, "collected")
      expect_true(file.exists(told))
      unlink(told)
    } else if (is.null(ways[[way]]$message)) {
      expect_died(result, way, "finalizer", told)
    } else {
      # R makes a warning of an error in a finalizer.
      expect_identical(result$result, "collected")
      expect_match(result$stderr, ways[[way]]$message)
      unlink(told)
    }
    expect_identical(run_task(q, function() 1)$result, 1, label = way)
  }
  expect_true(doom$spared())
})

test_that("B4, B8: a worker that dies while it starts is an error of the start, with its last words", {
  skip_on_cran()
  skip_if_not(file.exists("/proc/self/maps"))
  told <- tempfile()
  on.exit(unlink(told))
  before <- host_resources()
  queues <- list()
  on.exit(for (q in queues) q$kill(), add = TRUE)
  for (way in names(ways)) {
    queues[[way]] <- task_q$new(2, globals = c(dying, told = told, way = way), init = global(function() die(way)))
    queues[[way]]$push(function() 1, id = "task")
  }
  for (way in names(ways)) {
    q <- queues[[way]]
    expected <- ways[[way]]
    cnd <- caught(q$pop(60000))
    expect_s3_class(cnd, "taskq_error_start")
    expect_match(cnd$stderr, "last words", fixed = TRUE)
    if (is.null(expected$message)) {
      expect_identical(cnd$signal, expected$signal %||% NA_integer_, label = way)
      expect_identical(cnd$exit_code, expected$exit_code %||% NA_integer_, label = way)
    } else {
      expect_match(conditionMessage(cnd), expected$message)
    }
    # The task has an outcome, the queue says why at every push, and no start is tried any more.
    result <- q$pop(20000)
    expect_identical(result$task_id, "task")
    expect_s3_class(result$error, "taskq_error_start")
    expect_s3_class(caught(q$push(function() 1)), "taskq_error_start")
    q$kill()
  }
  queues <- list()
  expect_nothing_leaked(before)
})

test_that("A3: a worker that is killed while it sends has sent its result, or has crashed", {
  skip_on_cran()
  skip_if_not(file.exists("/proc/self/stat"))
  told <- tempfile()
  on.exit(unlink(told))
  q <- local_queue(2)
  seen <- character()
  set.seed(1)
  rounds <- 30L
  for (i in seq_len(rounds)) {
    # Not compressible into a promise, and long enough to be under way for a while.
    # Now and then it never comes to sending, however slow the killer is.
    q$push(function(told, i, stay) {
      value <- rep(as.double(i), 2e6)
      writeLines(as.character(Sys.getpid()), paste0(told, "-"))
      file.rename(paste0(told, "-"), told)
      if (stay) Sys.sleep(600)
      value
    }, list(told, i, i %% 6L == 0L), id = paste0("killed-", i))
    q$push(function(i) i, list(i), id = paste0("other-", i))
    expect_true(wait_until(file.exists(told)))
    # At once, at some moment, or when the result is there.
    if (i %% 3L == 1L) Sys.sleep(stats::runif(1, 0, 0.03))
    if (i %% 3L == 2L) q$wait(paste0("killed-", i), 20000)
    tools::pskill(as.integer(readLines(told)), tools::SIGKILL)
    unlink(told)
    results <- pop_all(q)
    expect_setequal(names(results), paste0(c("killed-", "other-"), i))
    killed <- results[[paste0("killed-", i)]]
    seen <- c(seen, killed$status)
    if (killed$status == "success") expect_identical(killed$result, rep(as.double(i), 2e6))
    # Whatever was sent to the same worker and had not begun runs elsewhere. Had the first ended, the second may have
    # begun.
    other <- results[[paste0("other-", i)]]
    if (killed$status == "crash" || other$status != "crash") expect_identical(other$result, i)
  }
  expect_setequal(seen, c("success", "crash"))
})
