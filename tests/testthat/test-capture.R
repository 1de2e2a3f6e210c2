# What a function captures of the frames in which it was made. Each case is a function and lists of arguments for it;
# the right value is that of do.call(), and of lapply() for the first arguments.

in_global <- function(expr) eval(substitute(expr), new.env(parent = globalenv()))

# Factories, made as users make them: at the top level.
closures <- function() {
  in_global({
    late <- function(n) function(x) x + n
    over_base <- function(T, pi, c) function(x) x / T + pi + length(c(c, x)) # nolint: object_name, T_and_F_symbol.
    nested <- function(a) function(b) function(x) c(a, b, x)
    recursive <- function() {
      fib <- function(n) if (n < 2) n else fib(n - 1) + fib(n - 2)
      function(x) fib(x)
    }
    mutual <- function() {
      even <- function(n) n == 0 || odd(n - 1)
      odd <- function(n) n != 0 && even(n - 1)
      even
    }
    siblings <- local({
      count <- 0
      add <- function(by) count <<- count + by
      read <- function() count
      function(x) {
        add(x)
        add(x)
        read()
      }
    })
    with_dots <- function(...) function(x) list(x, list(...), ...length(), ..1, names(list(...)))
    no_dots <- function(...) function(x) length(list(...)) + x
    conditional <- function(x) {
      function(y) {
        if (y > 1) x <- 0
        x + y
      }
    }
    assigned_first <- function(x) {
      function(y) {
        x <- y
        for (i in 1:2) x <- x + i
        x
      }
    }
    never_used <- function(verbose, con = stop("no connection")) function(x) if (verbose) con else x
    missing_unused <- function(a, b) function(x) if (x > 1e6) b else a
    default_from_other <- function(a, b = a * 2) function(x) x + b
    replacing <- function(k) {
      `second<-` <- function(x, value) {
        x[2] <- value + k
        x
      }
      function(x) {
        y <- c(x, x)
        second(y) <- 1
        y
      }
    }
    part_of_captured <- function(v) {
      function(x) {
        v[1] <- x
        v
      }
    }
    functions_in_list <- function(a) {
      fs <- list(f = function(x) x + a, g = list(function(x) x * a))
      function(x) c(fs$f(x), fs$g[[1]](x))
    }
    by_formula <- function(w) {
      fo <- y ~ x + I(x * w)
      function(k) coef(lm(fo, data.frame(x = c(1, 2, 4, 7), y = k * c(2, 4, 7, 1))))[1:2]
    }
    quoted <- function(n) function(x) eval(quote(x + n))
    self <- function(start) {
      self <- environment()
      total <- start
      function(x) {
        self$total <- self$total + x
        total
      }
    }
    active <- function(n) {
      makeActiveBinding("twice", function() 2 * n, environment())
      function(x) x + twice
    }
    named_as_function <- function(c) function(x) c(x, length(c))
    formal_of_that_name <- function(f) function(x, f = 10) c(f(x), f)
    deep <- function(x1) {
      g <- function(x2) {
        h <- function(x3) function(x) c(x1, x2, x3, x, here(x))
        here <- function(x) x * x1
        h
      }
      g(2)(3)
    }
    counter <- function() {
      i <- 0
      function(x) {
        i <<- i + x
        i
      }
    }
    default_argument <- function(n) function(x, y = n) x + y
    list(
      late = list(late(300), list(1)), over_base = list(over_base(2, 3, 1:4), list(10)),
      nested = list(nested("a")("b"), list("x")), recursive = list(recursive(), list(7)),
      mutual = list(mutual(), list(10)), siblings = list(siblings, list(3)),
      with_dots = list(with_dots(k = 1, quote(a + b), "t"), list(0)), no_dots = list(no_dots(), list(4)),
      conditional = list(conditional(5), list(1)), conditional_other = list(conditional(5), list(2)),
      assigned_first = list(assigned_first(stop("never")), list(2)),
      never_used = list(never_used(FALSE), list(8)), missing_unused = list(missing_unused(1), list(2)),
      default_from_other = list(default_from_other(4), list(1)), replacing = list(replacing(5), list(9)),
      part_of_captured = list(part_of_captured(1:3), list(9L)),
      functions_in_list = list(functions_in_list(3), list(4)), by_formula = list(by_formula(2), list(3)),
      quoted = list(quoted(4), list(3)), self = list(self(10), list(5)), active = list(active(4), list(1)),
      named_as_function = list(named_as_function(1:3), list(5)),
      formal_of_that_name = list(formal_of_that_name(function(x) x + 1), list(5)), deep = list(deep(5), list(4)),
      counter = list(counter(), list(3)), default_argument = list(default_argument(4), list(3)),
      vectorize = list(Vectorize(function(a, b) a + b), list(1:3, 4)), negate = list(Negate(is.null), list(1)),
      ecdf = list(ecdf(c(1, 5, 9)), list(6)), approx = list(approxfun(1:3, c(2, 4, 8)), list(2.5)),
      spline = list(splinefun(1:4, c(1, 4, 9, 16)), list(2.5)),
      compose = list(Reduce(function(f, g) function(x) g(f(x)), list(sqrt, function(x) x + 1, exp)), list(4))
    )
  })
}

# Every call begins with functions that were made anew: some count.
value_of <- function(name) {
  case <- closures()[[name]]
  do.call(case[[1L]], case[[2L]])
}

test_that("push(), push_many(), run() and map() give what do.call() and lapply() give, for every closure", {
  skip_on_cran()
  q <- local_queue(2)
  inline <- local_queue(0)
  for (name in names(closures())) {
    right <- value_of(name)
    push <- function(q, case) {
      q$push(case[[1L]], case[[2L]])
      q$pop(60000)
    }
    expect_identical(push(q, closures()[[name]])$result, right, label = name)
    expect_identical(push(inline, closures()[[name]])$result, right, label = paste(name, "inline"))
    case <- closures()[[name]]
    q$push_many(case[[1L]], list(case[[2L]], case[[2L]]))
    expect_identical(q$collect(progress = FALSE)$result, list(right, right), label = paste(name, "of many"))
    for (queue in list(q, inline)) {
      case <- closures()[[name]]
      mapped <- queue$map(case[[2L]][1L], case[[1L]], case[[2L]][-1L], progress = FALSE)
      case <- closures()[[name]]
      expect_identical(mapped, do.call(lapply, c(list(case[[2L]][1L], case[[1L]]), case[[2L]][-1L])), label = name)
    }
  }
})

test_that("preload and init see what they capture", {
  factory <- in_global(function(n) function() options(taskq_captured = n))
  q <- local_queue(1, init = factory(7))
  q$push(function() getOption("taskq_captured"))
  expect_identical(q$pop(60000)$result, 7)
  q <- local_queue(1, preload = factory(8))
  q$push(function() getOption("taskq_captured"))
  expect_identical(q$pop(60000)$result, 8)
})

test_that("what is captured has the value that it has at the push, each time", {
  q <- local_queue(1)
  n <- 1
  f <- function() n
  for (i in 1:3) {
    n <- i
    q$push(f)
  }
  expect_identical(q$collect(progress = FALSE)$result, list(1L, 2L, 3L))
})

test_that("only what is used travels, and the function is the same at each push", {
  make <- in_global(function(n, big = numeric(1e6)) {
    force(big)
    function(x) {
      big <- x
      big + n
    }
  })
  one <- tq_portable(make(1))
  other <- tq_portable(make(2))
  expect_identical(one$captured, list(n = 1))
  expect_identical(other$captured, list(n = 2))
  expect_identical(environment(one$fun), globalenv())
  expect_identical(serialize(one$fun, NULL), serialize(other$fun, NULL))
  deep <- in_global(function(n, big = numeric(1e6)) {
    helper <- function(x) x + n
    function(x) helper(x)
  })
  expect_lt(length(serialize(tq_portable_function(deep(1)), NULL)), 1e4)
})

test_that("a variable that has no value is an error only where it is used, with its own message", {
  q <- local_queue(1)
  make <- in_global(function(n, m = stop("there is no m")) function(x) if (x) n else m)
  for (x in c(TRUE, FALSE)) q$push(make(), list(x))
  errors <- q$collect(progress = FALSE)$error
  expect_match(conditionMessage(errors[[1L]]), "argument \"n\" is missing, with no default", fixed = TRUE)
  expect_match(conditionMessage(errors[[2L]]), "there is no m", fixed = TRUE)
  # The same variable again.
  f <- make(1)
  expect_silent(for (x in c(TRUE, FALSE)) q$push(f, list(x)))
  expect_identical(q$collect(progress = FALSE)$status, c("success", "error"))
})

test_that("a frame ends where it ended: at the global environment, or at the namespace of its package", {
  expect_identical(environment(tq_portable(in_global(function() 1))$fun), globalenv())
  expect_identical(environment(tq_portable(stats::ecdf(1:3))$fun), asNamespace("stats"))
  f <- eval(quote(local({
    n <- 1
    function() n
  })), new.env(parent = asNamespace("stats")))
  captured <- tq_portable_function(f)
  expect_identical(parent.env(environment(captured)), asNamespace("stats"))
})

test_that("names in quotes, in calls of packages and after $ are not taken for variables", {
  make <- in_global(function(part, stats, name = stop("never")) function(x) c(x$part, stats::sd(1:3), x[["name"]]))
  expect_null(tq_portable(make(1, 2))$captured)
})

test_that("source references do not travel", {
  text <- "function(x, g = function(y) { y }) { function(z, k = 1) { x } }"
  f <- eval(parse(text = text, keep.source = TRUE), globalenv())
  expect_false(is.null(attr(f, "srcref")))
  bare <- tq_portable(f)$fun
  expect_null(attr(bare, "srcref"))
  expect_false(any(grepl("srcfile", rawToChar(serialize(bare, NULL, ascii = TRUE)), fixed = TRUE)))
  expect_identical(bare(1)(), 1)
  expect_identical(formals(bare)$g[[1L]], as.name("function"))
  q <- local_queue(1)
  q$push(f, list(2))
  expect_identical(q$pop(60000)$result(), 2)
})

test_that("source references do not travel with functions in arguments, globals and what is captured, nor in results", {
  read <- function(text, env = globalenv()) eval(parse(text = text, keep.source = TRUE), env)
  lines <- rep("  # a line of the file in which they stand, which is long", 2000)
  inner <- read(paste(c("structure(function(x) {", lines, "  function(y) { x + y }", "}, class = 'mine', note = 'n')"),
    collapse = "\n"))
  whole <- serialize(inner, NULL)
  expect_gt(length(whole), 1e5)
  # What of it there is in the worker: a name for each place that has something left of it.
  look <- read("function(inner, ...) {
    given <- list(inner = inner, ...)
    has_source <- function(x) {
      if (is.function(x)) return(!is.null(attr(x, 'srcref')) || !is.null(attr(body(x), 'srcref')))
      is.list(x) && any(vapply(x, has_source, NA))
    }
    result <- c(vapply(given, has_source, NA), global = has_source(from_globals), of_queue = has_source(of_queue))
    list(names(result)[result], inner(1)(2), class(inner), attr(inner, 'note'))
  }")
  q <- local_queue(1, globals = list(of_queue = list(inner)))
  expected <- list(character(), 3, "mine", "n")
  args <- list(inner, deep = list(1, list(a = list(inner))), none = NULL)
  q$push(look, args, globals = list(from_globals = list(inner)))
  expect_identical(q$pop(60000)$result, expected)
  q$push_many(look, list(args), globals = list(from_globals = inner))
  expect_identical(q$pop(60000)$result, expected)
  has_source <- "function(x) { !is.null(attr(x, 'srcref')) }"
  flat <- in_global(function(f, values, has) function() c(has(f), vapply(values, has, NA)))
  deep <- in_global(function(f, values, has) {
    twice <- function(x) c(has(f), vapply(values, has, NA))
    function() twice()
  })
  for (make in list(flat, deep)) {
    q$push(make(inner, list(inner, inner), read(has_source)))
    expect_identical(q$pop(60000)$result, c(FALSE, FALSE, FALSE))
  }
  has <- read(has_source)
  expect_identical(q$map(list(inner), function(f, g, has) c(has(f), has(g)), list(inner, has)), list(c(FALSE, FALSE)))
  # It is the copy that has none.
  expect_identical(serialize(inner, NULL), whole)
  q$push(function(text) eval(parse(text = text, keep.source = TRUE), globalenv()), list(has_source))
  expect_null(attr(q$pop(60000)$result, "srcref"))
})

test_that("code that is very deep or long is walked", {
  long <- parse(text = paste(c("x", rep("n", 3000)), collapse = " + "))[[1L]]
  f <- in_global(function(n) function(x) NULL)(1)
  body(f) <- long
  expect_identical(tq_portable(f)$captured, list(n = 1))
  brackets <- Reduce(function(inner, i) call("(", inner), 1:2000, quote(n))
  body(f) <- brackets
  expect_identical(tq_portable(f)$captured, list(n = 1))
})

test_that("functions that were forgotten are not taken for others in their place", {
  skip_on_cran()
  make <- function(i) {
    code <- call("+", as.name(paste0("v", i)), 1)
    eval(call("function", NULL, code), list2env(structure(list(i), names = paste0("v", i)), parent = globalenv()))
  }
  is_right <- vapply(1:3000, function(i) {
    if (i %% 500 == 0) gc(FALSE)
    identical(tq_portable(make(i))$captured, structure(list(i), names = paste0("v", i)))
  }, NA)
  expect_identical(which(!is_right), integer())
})
