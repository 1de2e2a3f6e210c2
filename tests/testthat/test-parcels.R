# Large vectors that are sent go in memory files and arrive as vectors over these. It may not be seen but by the time it
# takes.

is_sent <- function(x) any(grepl("sent by taskq", utils::capture.output(.Internal(inspect(x)))))
environment(is_sent) <- globalenv()

skip_without_parcels <- function() {
  q <- local_queue(1)
  skip_if_not(is_sent(run_task(q, identity, list(numeric(1e5)))$result), "no memory files")
}

# Bytes from which on a vector goes in a file.
threshold <- 512 * 1024

# A vector of every type that does, with everything special in it, and with attributes.
large_vectors <- function() {
  at <- function(values, size) rep_len(values, threshold / size)
  methods::setClass("TaskqNumbers", contains = "numeric", where = globalenv())
  list(
    logical = at(c(TRUE, NA, FALSE), 4),
    integer = at(c(1L, NA, -.Machine$integer.max, 0L), 4),
    double = at(c(1.5, NA, NaN, Inf, -Inf, -0, .Machine$double.xmin), 8),
    complex = at(complex(real = c(1, NA, NaN), imaginary = c(0, 1, Inf)), 16),
    raw = at(as.raw(0:255), 1),
    names = structure(at(1:3, 4), names = at(c("a", "", NA, "\u00e9"), 4)),
    matrix = matrix(at(1:3 / 7, 8), 4, dimnames = list(letters[1:4], NULL)),
    factor = factor(at(c("b", NA, "a"), 4)),
    date = as.Date("2026-01-01") + at(0:400, 8),
    odd = structure(at(1:3 + 0.5, 8), class = "odd", own = list(1, "a")),
    S4 = methods::new("TaskqNumbers", at(1:3 / 3, 8))
  )
}

# Bit by bit: identical() takes -0 for 0.
expect_same <- function(x, y, label) {
  expect_true(identical(x, y, num.eq = FALSE, single.NA = FALSE, attrib.as.set = FALSE), label = label)
}

# How many of the files are mapped or open here.
parcels <- function(pid = "self") {
  sum(grepl("memfd:taskq-payload", readLines(file.path("/proc", pid, "maps")), fixed = TRUE)) +
    (if (pid == "self") memory_files("taskq-payload") else 0L)
}

# The files of what waits in a queue, for these arguments.
files_of <- function(q, ...) {
  q$pause()
  before <- memory_files("taskq-payload")
  id <- q$push(function(...) NULL, list(...))
  on.exit({
    q$cancel(id)
    q$pop(20000)
    q$resume()
  })
  memory_files("taskq-payload") - before
}

test_that("every type goes and comes back the same, without being copied out", {
  skip_without_parcels()
  skip_on_cran()
  q <- local_queue(1)
  all <- large_vectors()
  on.exit(methods::removeClass("TaskqNumbers", where = globalenv()), add = TRUE)
  for (name in names(all)) {
    x <- all[[name]]
    came <- run_task(q, global(function(x, is_sent) {
      y <- x
      y[2] <- y[1]
      list(is_sent(x), isS4(x), x, y)
    }), list(x, is_sent))$result
    expect_true(came[[1]], label = paste(name, "arrives"))
    expect_identical(came[[2]], isS4(x), label = name)
    expect_same(came[[3]], x, name)
    expect_true(is_sent(came[[3]]), label = paste(name, "comes back"))
    y <- x
    y[2] <- y[1]
    expect_same(came[[4]], y, paste(name, "changed there"))
    mine <- came[[3]]
    mine[2] <- mine[1]
    expect_same(mine, y, paste(name, "changed here"))
    expect_same(came[[3]], x, paste(name, "after that"))
  }
})

test_that("what R computes of it is the same", {
  skip_without_parcels()
  skip_on_cran()
  q <- local_queue(1)
  for (original in list(runif(1e5), sample(2e5), as.raw(1:1e6 %% 256))) {
    x <- run_task(q, identity, list(original))$result
    questions <- list(range = range, sort = sort, unique = unique, duplicated = duplicated, rev = rev,
      head = function(x) x[c(3, 1, NA)], some = function(x) x[-(1:9)], c = function(x) c(x, x),
      matrix = function(x) { dim(x) <- c(1, length(x)); x },
      frame = function(x) data.frame(x)[3:1, ], size = utils::object.size, text = function(x) format(x[1:100]))
    for (name in names(questions)) {
      ask <- function(x) tryCatch(questions[[name]](x), error = conditionMessage)
      expect_identical(ask(x), ask(original), label = name)
    }
    expect_true(is_sent(x))
  }
})

test_that("lists and data frames keep their shape, and what is small or has a short form stays in them", {
  skip_without_parcels()
  q <- local_queue(1)
  frame <- data.frame(a = runif(1e5), b = seq_len(1e5), c = sprintf("s%d", 1:1e5))
  frame$d <- as.POSIXct("2026-01-01") + frame$a
  all <- list(frame = frame, deep = list(list(list(x = numeric(1e5) + 1, y = quote(a + b)))), none = NULL, f = mean,
    where = environment(stats::sd), twice = frame$a)
  came <- run_task(q, global(function(x, is_sent) {
    list(x, c(vapply(x$frame, is_sent, NA), is_sent(x$deep[[1]][[1]]$x)))
  }), list(all, is_sent))$result
  expect_identical(came[[1]], all)
  # A sequence needs no file, and strings go as they always did.
  expect_identical(unname(came[[2]]), c(TRUE, FALSE, FALSE, TRUE, TRUE))
  expect_identical(files_of(q, 1:1e9, list(seq(1, 1e8))), 0L)
})

test_that("a list of 20 large vectors has 16 files of its own and one in common", {
  skip_on_cran()
  skip_without_parcels()
  q <- local_queue(1)
  many <- lapply(1:20, function(i) runif(1e5) + i)
  expect_identical(files_of(q, many), 17L)
  came <- run_task(q, global(function(x, is_sent) list(x, vapply(x, is_sent, NA))), list(many, is_sent))$result
  expect_identical(came[[1]], many)
  expect_true(all(came[[2]], vapply(came[[1]], is_sent, NA)))
})

test_that("it begins at 512 KiB", {
  skip_without_parcels()
  q <- local_queue(1)
  for (less in 0:1) {
    for (x in list(raw(threshold - less), numeric(threshold / 8 - less), complex(threshold / 16 - less))) {
      expect_identical(is_sent(run_task(q, identity, list(x))$result), less == 0, label = typeof(x))
    }
  }
  expect_identical(run_task(q, identity, list(numeric()))$result, numeric())
})

test_that("C code that writes in place writes for itself: not for the host, another try or another look", {
  skip_without_parcels()
  poke <- local_poke()
  q <- local_queue(1)
  x <- runif(1e5)
  original <- x + 0
  changed <- replace(original, 2, 42)
  poked <- global(function(x, library) {
    before <- x[[2]]
    dll <- dyn.load(library)
    .Call(dll$poke, x)
    if (taskq::task_attempt() < 3) stop("again")
    list(before, x)
  })
  q$push(poked, list(x, poke$library), tries = 3, retry_on = "error")
  result <- q$pop(20000)$result
  expect_identical(result[[1]], original[[2]])
  expect_identical(result[[2]], changed)
  expect_identical(x, original)

  q$pause()
  q$push(identity, list(x))
  look <- q$list_tasks(idle = FALSE)$args[[1]][[1]]
  poke$number(look)
  expect_identical(look, changed)
  q$resume()
  expect_identical(q$pop(20000)$result, original)

  # Each look is one of its own, until the last one has it alone.
  q$push(identity, list(x))
  q$wait(timeout = 20000)
  looks <- list(q$list_tasks(idle = FALSE)$result[[1]]$result, q$list_tasks(idle = FALSE)$result[[1]]$result)
  poke$number(looks[[1]])
  expect_identical(looks, list(changed, original))
  last <- q$pop(20000)$result
  poke$number(last)
  expect_identical(list(last, looks[[2]]), list(changed, original))
  # Those that share a file do not write into it.
  many <- run_task(q, identity, list(lapply(1:20, function(i) original)))$result
  for (i in c(1, 18)) poke$number(many[[i]])
  expect_identical(many, replace(rep(list(original), 20), c(1, 18), list(changed)))
})

test_that("it is saved and sent on as plain data", {
  skip_without_parcels()
  skip_on_cran()
  q <- local_queue(1)
  x <- list(runif(1e5), structure(seq_len(2e5) + 0L, class = "odd"))
  path <- tempfile()
  on.exit(unlink(path))
  there <- run_task(q, global(function(x, path) {
    saveRDS(x, path)
    list(serialize(x, NULL, version = 2), x)
  }), list(x, path))$result
  came <- there[[2]]
  expect_identical(unserialize(there[[1]]), x)
  expect_identical(readRDS(path), x)
  expect_identical(serialize(came, NULL), serialize(x, NULL))
  save(came, file = path)
  code <- "load('%s'); stopifnot(!'taskq' %%in%% loadedNamespaces()); cat(length(came), sum(came[[1]]) > 0)"
  code <- sprintf(code, path)
  out <- system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", "-e", shQuote(code)), stdout = TRUE)
  expect_identical(out, "2 TRUE")
  expect_identical(run_task(q, identity, list(came))$result, x)
  expect_identical(share(came), came)
})

test_that("a crash and another try find what was sent, and a result outlives its queue and collections", {
  skip_without_parcels()
  q <- local_queue(1)
  x <- runif(1e5)
  q$push(function(x) if (taskq::task_attempt() == 1) tools::pskill(Sys.getpid(), 9) else x, list(x), tries = 2)
  result <- q$pop(20000)
  expect_identical(result[c("result", "tries")], list(result = x, tries = 2L))
  q$push(global(function(x) parallel::mccollect(parallel::mcparallel(sum(x)))[[1]]), list(x))
  expect_identical(q$pop(20000)$result, sum(x))
  q$push(identity, list(x), isolate = TRUE)
  q$push(identity, list(x + 1))
  expect_true(q$wait(timeout = 30000))
  gc()
  q$close()
  first <- q$pop(20000)$result
  rest <- q$collect()$result[[1]]
  rm(q)
  gc()
  expect_identical(list(first, rest), list(x, x + 1))
})

test_that("a fork of the host has what has arrived", {
  skip_without_parcels()
  # Not here: packages that start processes take the signal by which parallel learns of the end of its own.
  seen <- in_host(function() {
    q <- taskq::task_q$new(1)
    q$push(function() as.double(1:1e5))
    x <- q$pop(20000)$result
    q$close()
    parallel::mccollect(parallel::mcparallel(sum(x)))[[1]]
  })
  expect_identical(seen, sum(as.double(1:1e5)))
})

test_that("maps and many pushes send them, too", {
  skip_without_parcels()
  skip_on_cran()
  q <- local_queue(2)
  elements <- lapply(1:6, function(i) runif(1e5) + i)
  both <- global(function(x, y, is_sent) list(is_sent(x), is_sent(y), x + y))
  results <- q$map(elements, both, list(y = elements[[1]], is_sent = is_sent))
  expect_identical(lapply(results, `[[`, 3), lapply(elements, function(x) x + elements[[1]]))
  expect_true(all(vapply(results, `[[`, NA, 1)))
  # A function is kept where it was sent; what is not very large stays in it.
  expect_false(any(vapply(results, `[[`, NA, 2)))
  one <- global(function(i, y, is_sent) c(is_sent(y), sum(y) + i))
  very <- q$map(1:3, one, list(y = numeric(1e6 + 5e4), is_sent = is_sent))
  expect_identical(very, lapply(1:3, function(i) c(1, i)))
  ids <- q$push_many(function(x) sum(x), lapply(elements, list))
  expect_identical(unname(vapply(pop_all(q)[ids], `[[`, 1, "result")), vapply(elements, sum, 1))
})

test_that("a queue without workers gives the same, and its results hold no descriptors", {
  skip_without_parcels()
  q <- local_queue(0)
  x <- runif(1e5)
  result <- run_task(q, function(x) list(x, rev(x)), list(x))$result
  expect_identical(result, list(x, rev(x)))
  expect_true(is_sent(result[[2]]))
  q$push(identity, list(x))
  gc()
  expect_identical(memory_files("taskq-payload"), 0L)
})

test_that("without memory files, or with small or few ones, everything goes as data", {
  both <- function(memory_files, is_sent) {
    q <- taskq::task_q$new(1)
    on.exit(q$kill())
    x <- data.frame(a = runif(1e6), b = 1)
    q$pause()
    for (i in 1:3) q$push(function(x, is_sent) list(is_sent(x$a), x), list(x, is_sent))
    files <- memory_files("taskq-payload")
    q$resume()
    results <- lapply(1:3, function(i) q$pop(30000)$result)
    for (result in results) stopifnot(identical(result[[2]], x))
    list(files, vapply(results, `[[`, NA, 1), is_sent(results[[1]][[2]]$a))
  }
  ask <- function(...) in_host(both, memory_files, utils::removeSource(is_sent), ...)
  expect_identical(ask(), list(6L, rep(TRUE, 3), TRUE))
  expect_identical(ask(env = "TASKQ_WITHOUT=memfd"), list(0L, rep(FALSE, 3), FALSE))
  # In kilobytes: a file may hold less than a column.
  expect_identical(ask(sh = "ulimit -S -f 6000"), list(0L, rep(FALSE, 3), FALSE))
  expect_identical(ask(sh = "ulimit -n 400", env = "TASKQ_WITHOUT=fork")[[1]], 6L)
})

test_that("J3: tasks that wait share the descriptors that they may have", {
  many <- function(memory_files) {
    q <- taskq::task_q$new(1)
    on.exit(q$kill())
    q$pause()
    x <- list(numeric(7e4), numeric(7e4) + 1, numeric(7e4) + 2)
    for (i in 1:80) q$push(function(x, i, is_sent) sum(x[[3]]) + i, list(x, i))
    files <- memory_files("taskq-payload")
    q$resume()
    results <- q$collect(timeout = 60000)$result
    stopifnot(identical(unlist(results), 14e4 + as.double(1:80)))
    c(files, memory_files("taskq-payload"))
  }
  # 50 in files of their own, then one for each task.
  expect_identical(in_host(many, memory_files, sh = "ulimit -n 400"), c(100L, 0L))
})

test_that("the memory is freed when nobody has it, on both sides, and without a collection by R", {
  skip_on_cran()
  skip_without_parcels()
  q <- local_queue(1)
  gc()
  # R itself may still hold a value of a test before this one.
  held <- parcels()
  result <- run_task(q, function(x) x, list(runif(1e6)))
  expect_identical(parcels(), held + 1L)
  expect_true(wait_until(parcels(result$worker) == 0), label = "its session collects when it has nothing to do")
  rm(result)
  gc()
  expect_identical(parcels(), held)
  # Of 25 times 40 MB R itself sees some bytes.
  big <- numeric(5e6)
  q <- local_queue(1, globals = list(big = big))
  most <- c(0, 0)
  count <- global(function(x) sum(grepl("memfd:taskq-payload", readLines("/proc/self/maps"))))
  for (i in 1:25) {
    there <- run_task(q, count, list(big))$result
    result <- run_task(q, global(function() big))
    most <- pmax(most, c(there, parcels()))
  }
  expect_true(all(most < 15), label = paste(c("as many as", most), collapse = " "))
  expect_identical(result$result, big)
  rm(result)
  gc()
})

test_that("what is not sent after all leaves nothing", {
  skip_on_cran()
  skip_without_parcels()
  q <- local_queue(1)
  run_task(q, function() 1)
  gc()
  x <- runif(1e6)
  before <- parcels()
  # Writing a namespace asks it for its name, by code of R.
  info <- new.env()
  makeActiveBinding("spec", function() stop("no name"), info)
  namespace <- new.env()
  assign(".__NAMESPACE__.", info, envir = namespace)
  expect_error(q$push(identity, list(x, namespace)), "no name")
  expect_identical(parcels(), before)
  unwritable <- global(function() {
    info <- new.env()
    makeActiveBinding("spec", function() stop("no name"), info)
    namespace <- new.env()
    assign(".__NAMESPACE__.", info, envir = namespace)
    namespace
  })
  result <- run_task(q, global(function(x, unwritable) list(x, unwritable())), list(x, unwritable))
  expect_identical(result$status, "error")
  expect_true(wait_until(parcels(result$worker) == 0))
  # In the middle of 400 MB.
  many <- rep(list(runif(5e6)), 10)
  slow <- function() {
    setTimeLimit(elapsed = 0.02, transient = TRUE)
    on.exit(setTimeLimit())
    q$push(function(x) length(x), list(many))
  }
  expect_error(slow(), "time limit")
  expect_identical(parcels(), before)
  expect_identical(c(q$get_num_waiting(), q$get_num_running(), q$get_num_done()), c(0L, 0L, 0L))
  q$pause()
  q$push(identity, list(x), id = "same")
  expect_error(q$push(identity, list(x), id = "same"), class = "taskq_error")
  expect_identical(parcels(), before + 1L)
  q$kill()
  expect_error(q$push(identity, list(x)), class = "taskq_error_closed")
  q$collect()
  expect_true(wait_until(parcels() == before))
})

test_that("R finds nothing to collect too early", {
  skip_without_parcels()
  skip_on_cran()
  q <- local_queue(1)
  x <- list(structure(runif(7e4), class = "odd", own = list(1)), list(as.raw(1:6e5 %% 256), b = numeric(8e4)))
  gctorture(TRUE)
  q$push(identity, list(x))
  gctorture(FALSE)
  q$wait(timeout = 20000)
  gctorture(TRUE)
  result <- q$pop(20000)$result
  gctorture(FALSE)
  expect_identical(result, x)
  expect_true(is_sent(result[[1]]) && is_sent(result[[2]]$b))
})
