# Shared vectors against R's own, on every type.

is_shared <- function(x) taskq:::rs_is_shared(x)
environment(is_shared) <- globalenv()
segments <- function() taskq:::rs_num_segments()
environment(segments) <- globalenv()

skip_without_sharing <- function() skip_if_not(is_shared(share(numeric(1000))), "no memory files")

# Vectors of every type with everything special in them, each longer than what stays as it is.
vectors <- function(n = 1500) {
  at <- function(values) rep_len(values, n)
  strings <- c("a", "", NA, strrep("long ", 100), "\u00e9t\u00e9", "\u6f22\u5b57")
  latin1 <- "\xe9t\xe9"
  Encoding(latin1) <- "latin1"
  bytes <- "\xff\xfe"
  Encoding(bytes) <- "bytes"
  list(
    logical = at(c(TRUE, NA, FALSE)),
    integer = at(c(1L, NA, -.Machine$integer.max, 0L)),
    sequence = seq_len(n),
    double = at(c(1.5, NA, NaN, Inf, -Inf, -0, .Machine$double.xmin)),
    sorted = sort(at(c(3, 1, 2))),
    complex = at(complex(real = c(1, NA, NaN), imaginary = c(0, 1, Inf))),
    raw = at(as.raw(0:255)),
    string = at(strings),
    encodings = at(c(strings, latin1, bytes)),
    names = structure(at(1:3), names = at(strings)),
    matrix = matrix(at(1:3 / 7), 3, dimnames = list(c("x", "y", "z"), sprintf("c%d", seq_len(n / 3)))),
    array = array(at(1:3), c(5, 10, n / 50)),
    factor = factor(at(c("b", NA, "a"))),
    levels = factor(sprintf("level%d", seq_len(n))),
    date = as.Date("2026-01-01") + at(0:400),
    time = as.POSIXct("2026-01-01", tz = "UTC") + at(0:400),
    difference = as.difftime(at(1:3), units = "hours"),
    long = seq_len(1e5) + 0
  )
}

small <- list(
  NULL, logical(), 1L, NA_real_, "a", raw(), character(), integer(), list(), list(1, "a", NULL), factor("a"),
  data.frame(), data.frame(a = 1:3)
)

# A bitwise comparison: identical() alone takes -0 for 0.
expect_same <- function(x, y, label) {
  expect_true(identical(x, y, num.eq = FALSE, single.NA = FALSE, attrib.as.set = FALSE), label = label)
}

test_that("a shared vector is the same vector, of every type", {
  skip_without_sharing()
  for (name in names(all <- vectors())) {
    shared <- share(all[[name]])
    expect_true(is_shared(shared), label = name)
    expect_same(shared, unserialize(serialize(all[[name]], NULL)), name)
    expect_identical(Encoding(as.character(shared)), Encoding(as.character(all[[name]])), label = name)
  }
  for (x in small) expect_identical(share(x), x)
})

test_that("what R computes of it is the same", {
  skip_without_sharing()
  skip_on_cran()
  # Which of NA and NaN comes of a sum of both is not said: ?NaN.
  sum_of <- function(ask) {
    function(x) {
      sum <- ask(x)
      replace(sum, is.nan(sum), NA)
    }
  }
  questions <- list(
    sum = sum_of(sum), range = function(x) range(x, na.rm = TRUE), sort = sort, order = order, unique = unique,
    duplicated = duplicated, match = function(x) match(x, rev(x)), table = table, rev = rev, is.na = is.na,
    head = function(x) head(x, 3), negative = function(x) x[-1], positive = function(x) x[c(3, 1, 1)],
    beyond = function(x) x[c(1, length(x) + 1)], logical = function(x) x[c(TRUE, FALSE)],
    missing = function(x) x[NA_integer_], none = function(x) x[0],
    element = function(x) x[[2]], last = function(x) x[[length(x)]],
    bytes = function(x) object.size(x) > 0,
    text = function(x) format(x), paste = function(x) paste(x), c = function(x) c(x, x),
    vapply = function(x) vapply(x, is.na, NA),
    numbers = as.numeric, names = function(x) names(x), double = function(x) x * 2, and = function(x) x & TRUE,
    equal = function(x) x == x, mean = sum_of(mean), cumsum = sum_of(cumsum), product = sum_of(function(x) x %*% x),
    split = function(x) split(x, x), string = function(x) toupper(x), width = function(x) nchar(x, "bytes"),
    deparse = function(x) deparse(x),
    replaced = function(x) replace(x, 2, x[1]),
    attributes = function(x) { attr(x, "a") <- 1; x }, dim = function(x) { dim(x) <- NULL; x },
    frame = function(x) data.frame(x = as.vector(x))[3:1, , drop = FALSE]
  )
  answer <- function(ask, x) {
    # table() changes it, and leaves it so when it fails.
    warn <- getOption("warn")
    on.exit(options(warn = warn))
    suppressWarnings(tryCatch(ask(x), error = function(cnd) conditionMessage(cnd)))
  }
  for (name in names(all <- vectors())) {
    if (name %in% c("long", "levels")) next
    shared <- share(all[[name]])
    for (what in names(questions)) {
      same <- identical(answer(questions[[what]], shared), answer(questions[[what]], all[[name]]))
      expect_true(same, label = paste(name, what))
    }
    expect_true(is_shared(shared), label = name)
  }
})

test_that("who changes it changes a copy", {
  skip_without_sharing()
  for (name in names(all <- vectors())) {
    original <- all[[name]]
    shared <- share(original)
    mine <- shared
    mine[2] <- mine[1]
    original[2] <- original[1]
    expect_same(mine, original, name)
    expect_same(shared, all[[name]], name)
    only <- share(all[[name]])
    only[[2]] <- only[[1]]
    expect_same(only, original, name)
  }
  l <- share(list(a = numeric(1000), b = "x"))
  l$a[5] <- 1
  expect_identical(l$a, replace(numeric(1000), 5, 1))
})

test_that("C code that writes in place writes for itself, and what it wrote is sent", {
  skip_without_sharing()
  poke <- local_poke()

  q <- local_queue(1)
  # In a copy, and in private pages.
  for (original in list(runif(1000), runif(1e5), as.character(1:1000))) {
    x <- share(original)
    other <- run_task(q, identity, list(x))$result
    changed <- replace(original, 2, if (is.character(original)) "42" else 42)
    if (is.character(x)) poke$string(x) else poke$number(x)
    expect_true(identical(x, changed) && identical(other, original))
    expect_identical(c(is_shared(x), is_shared(other)), c(FALSE, TRUE))
    expect_true(identical(run_task(q, identity, list(list(x, other)))$result, list(changed, original)))
    again <- share(x)
    expect_true(is_shared(again) && identical(again, changed))
  }
})

test_that("lists and data frames are shared at any depth, and the rest of them is as it was", {
  skip_without_sharing()
  table <- data.frame(n = runif(500), s = sprintf("s%d", 1:500), f = gl(5, 100), row.names = sprintf("r%d", 1:500))
  table$l <- as.list(1:500)
  x <- structure(list(table = table, deep = list(1, list(2, NULL, vectors()), "a"), f = y ~ x), class = "mine",
    note = "n")
  x$f <- NULL
  shared <- share(x)
  expect_same(shared, x, "a list")
  expect_true(is_shared(shared$table$n))
  expect_true(is_shared(attr(shared$table, "row.names")))
  expect_true(is_shared(shared$deep[[2]][[3]]$raw))
  expect_same(shared[["table"]][table$n > 0.5, ], table[table$n > 0.5, ], "rows")
  expect_identical(aggregate(n ~ f, shared$table, mean), aggregate(n ~ f, table, mean))
  expect_identical(coef(lm(n ~ f, shared$table)), coef(lm(n ~ f, table)))
  # It is one segment, and sharing it again costs nothing.
  gc()
  before <- segments()
  again <- share(shared)
  expect_identical(segments(), before)
  expect_true(is_shared(again$table$n))
  both <- share(list(shared, numeric(1000)))
  expect_identical(segments(), before + 1)
  expect_same(both[[1]], x, "a part that was shared")
})

test_that("a list can have more vectors than R protects at a time", {
  list <- rep(list(as.numeric(1:200)), 51000)
  shared <- share(list)
  expect_true(rs_is_shared(shared[[51000]]))
  expect_identical(shared, list)
  # It looks at each of them for large ones.
  q <- local_queue(1)
  q$push(function(x) c(length(x), sum(x[[51000]])), list(c(as.list(seq_len(50999)), list(numeric(1e5) + 1))))
  expect_identical(q$pop(60000)$result, c(51000, 1e5))
})

test_that("what cannot be shared is named with its place", {
  cnd <- caught(share(list(a = 1, b = list(2, mean))))
  expect_s3_class(cnd, "taskq_error_input")
  expect_identical(cnd$path, "x$b[[2]]")
  expect_match(conditionMessage(cnd), "`x$b[[2]]` is a function", fixed = TRUE)
  for (x in list(globalenv(), quote(a), quote(a + b), mean, y ~ x, expression(a))) {
    expect_s3_class(caught(share(x)), "taskq_error_input")
    expect_identical(caught(share(x))$arg, "x")
  }
  points <- methods::setClass("points", representation(x = "numeric"), where = environment())
  expect_s3_class(caught(share(points(x = 1))), "taskq_error_input")
})

test_that("every type goes to a worker and back as a handle, at any depth", {
  skip_without_sharing()
  q <- local_queue(1)
  all <- vectors()
  shared <- share(all)
  run_task(q, function() 1)
  result <- run_task(q, global(function(x, is_shared) {
    list(all(vapply(x, is_shared, NA)), x, lapply(x, function(v) { v[2] <- v[1]; v }), x$double[[1]])
  }), list(shared, is_shared))
  expect_identical(result$status, "success")
  expect_true(result$result[[1]])
  expect_same(result$result[[2]], all, "what came back")
  expect_true(all(vapply(result$result[[2]], is_shared, NA)))
  expect_same(result$result[[3]], lapply(all, function(v) { v[2] <- v[1]; v }), "what was changed there")
  expect_same(shared, all, "what was sent")
})

test_that("results and globals are shared, also without forks and without workers", {
  skip_without_sharing()
  for (workers in 0:1) {
    q <- local_queue(workers)
    result <- run_task(q, global(function() taskq::share(list(a = sample(1e4) / 2, b = "b"))))$result
    expect_true(is_shared(result$a), label = workers)
    q$push(global(function() c(sum(big$a), is_shared(big$a))), globals = list(big = result, is_shared = is_shared))
    expect_identical(q$pop(20000)$result, c(sum(result$a), 1), label = workers)
  }
  alone <- function(is_shared) {
    q <- taskq::task_q$new(1)
    on.exit(q$kill())
    x <- taskq::share(runif(1e4))
    q$push(function(x, is_shared) list(x, is_shared(x)), list(x, is_shared))
    result <- suppressWarnings(q$pop(30000))
    stopifnot(identical(result$result[[1]], x), is_shared(result$result[[1]]))
    result$result[[2]]
  }
  expect_true(in_host(alone, is_shared, env = "TASKQ_WITHOUT=fork"))
})

test_that("without memory files an object stays as it is", {
  without <- function(is_shared) {
    x <- taskq::share(list(runif(1e4)))
    q <- taskq::task_q$new(1)
    on.exit(q$kill())
    q$push(function(x) x, list(x))
    c(is_shared(x[[1]]), identical(q$pop(30000)$result, x))
  }
  expect_identical(in_host(without, is_shared, env = "TASKQ_WITHOUT=memfd"), c(FALSE, TRUE))
})

test_that("more segments than go with one task are sent as data", {
  skip_without_sharing()
  q <- local_queue(1)
  many <- lapply(1:230, function(i) share(rep(i, 1000)))
  result <- run_task(q, global(function(x, is_shared) {
    list(vapply(x, is_shared, NA), vapply(x, sum, 0))
  }), list(many, is_shared))$result
  expect_identical(result[[1]], rep(c(TRUE, FALSE), c(200, 30)))
  expect_identical(result[[2]], 1:230 * 1000)
})

test_that("it is saved as plain data, which R loads without taskq", {
  skip_without_sharing()
  x <- share(vectors())
  path <- tempfile()
  on.exit(unlink(path))
  saveRDS(x, path)
  expect_same(readRDS(path), vectors(), "here")
  code <- sprintf("x <- readRDS('%s'); stopifnot(!'taskq' %%in%% loadedNamespaces()); cat(length(x), sum(x$long))",
    path)
  out <- system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", "-e", shQuote(code)), stdout = TRUE)
  expect_identical(out, paste(length(x), sum(vectors()$long)))
})

test_that("it is saved as plain data also while it is being sent", {
  skip_without_sharing()
  q <- local_queue(1)
  x <- share(runif(1e4))
  saved <- NULL
  # Writing a namespace asks it for its name, by code of R.
  info <- new.env()
  makeActiveBinding("spec", function() {
    saved <<- serialize(x, NULL)
    c(name = "stats", version = as.character(getRversion()))
  }, info)
  namespace <- new.env()
  assign(".__NAMESPACE__.", info, envir = namespace)
  result <- run_task(q, global(function(x, namespace, is_shared) list(x, is_shared(x))), list(x, namespace, is_shared))
  expect_identical(result$result, list(as.numeric(x), TRUE))
  expect_true(length(saved) > 8e4)
  expect_identical(unserialize(saved), as.numeric(x))
})

test_that("the memory is freed with the last vector, on both sides, and after kill -9", {
  skip_without_sharing()
  in_maps <- function(pid = "self") sum(grepl("memfd:taskq-share", readLines(file.path("/proc", pid, "maps"))))
  q <- local_queue(1)
  run_task(q, function() 1)
  gc()
  before <- c(memory_files("taskq-share"), in_maps(), segments())
  x <- share(list(runif(1e5), sprintf("%d", 1:1e4)))
  identical(x[[1]], x[[1]] + 0)
  result <- run_task(q, function(x) x, list(x))
  pid <- result$worker
  expect_true(in_maps(pid) > 0)
  rm(x, result)
  gc()
  expect_identical(c(memory_files("taskq-share"), in_maps(), segments()), before)
  # Its worker has nothing to do, and collects.
  expect_true(wait_until(in_maps(pid) == 0))

  x <- share(runif(1e5))
  q$push(function(x) tools::pskill(Sys.getpid(), 9), list(x))
  expect_identical(q$pop(20000)$status, "crash")
  expect_identical(run_task(q, function(x) sum(x), list(x))$result, sum(x))
  rm(x)
  gc()
  expect_identical(c(memory_files("taskq-share"), in_maps(), segments()), before)
})

test_that("all workers see the same pages", {
  skip_without_sharing()
  skip_on_cran()
  q <- local_queue(2)
  x <- share(runif(4e6))
  rss <- global(function(x) {
    total <- sum(x)
    lines <- readLines("/proc/self/smaps")
    from <- grep("memfd:taskq-share", lines)[1]
    part <- lines[from + 1:22]
    kb <- function(name) as.numeric(gsub("[^0-9]", "", grep(paste0("^", name, ":"), part, value = TRUE)))
    c(kb("Rss"), kb("Anonymous"))
  })
  for (i in 1:4) q$push(rss, list(x))
  for (result in lapply(1:4, function(i) q$pop(20000)$result)) {
    expect_true(result[[1]] > 30000)
    expect_identical(result[[2]], 0)
  }
})

test_that("R finds nothing to collect too early", {
  skip_without_sharing()
  skip_on_cran()
  x <- list(a = sprintf("s%d", 1:150), b = structure(runif(150), names = sprintf("n%d", 1:150)),
    c = list(1:300 + 0L, "a"))
  expected <- serialize(x, NULL)
  handle <- task_q$new(0)
  on.exit(handle$kill())
  # R would compile functions meanwhile, which is long then.
  jit <- compiler::enableJIT(0)
  on.exit(compiler::enableJIT(jit), add = TRUE)
  gctorture(TRUE)
  shared <- share(x)
  # Most of what is allocated here is of R code that looks at the function.
  gctorture2(3L)
  handle$push(function(x) x, list(shared))
  gctorture(TRUE)
  result <- handle$pop()$result
  sorted <- sort(shared$a)
  changed <- shared$b
  changed[1] <- 0
  gctorture(FALSE)
  expect_identical(serialize(shared, NULL), expected)
  expect_identical(serialize(result, NULL), expected)
  expect_true(is_shared(shared$a) && is_shared(result$a))
  expect_identical(sorted, sort(x$a))
})
