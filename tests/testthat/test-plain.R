# The bytes of small values, which are written and read without R's serializer.

plain <- function(x) taskq:::rs_plain(x)
native <- function(x) serialize(x, NULL, xdr = FALSE, version = 3)

values <- list(
  NULL, TRUE, NA, FALSE, logical(), 1L, NA_integer_, integer(), c(5L, -3L), 0.5, NA_real_, NaN, -Inf, numeric(),
  "", "a", NA_character_, c("x", NA, ""), character(), enc2utf8("\u00e4\u20ac"), list(), list(NULL), list(1, "a", TRUE),
  list(a = 1), list(a = 1, list(b = "x", c = NULL)), list(a = list(a = list(a = 1))), list(value = NULL),
  stats::setNames(list(1, 2), c("n", NA)), stats::setNames(list(1), enc2utf8("\u00e4")), list(value = c(0.5, 2:100))
)

test_that("plain values have the bytes that R writes", {
  # C code is not told there whether a list has names only.
  names_are_plain <- getRversion() < "4.5.0" || getRversion() >= "4.6.0"
  for (value in values) expect_identical(plain(value), if (is.null(names(value)) || names_are_plain) native(value))
})

test_that("plain bytes are what R reads", {
  for (value in values) {
    read <- plain(native(value))
    expect_identical(read, list(value))
    if (is.character(value)) expect_identical(Encoding(read[[1]]), Encoding(value))
  }
})

test_that("whatever else is left to R", {
  latin1 <- "\xe4"
  Encoding(latin1) <- "latin1"
  bytes <- "\xe4"
  Encoding(bytes) <- "bytes"
  others <- list(
    c(a = 1), factor("a"), Sys.Date(), 1i, quote(a), quote(a + b), sum, function() 1, globalenv(), new.env(), y ~ x,
    1:10, matrix(1:4, 2), data.frame(a = 1), numeric(1000), strrep("x", 2000), list(list(list(list(list(list(1)))))),
    structure(list(1), class = "c"), structure(list(a = 1), names = "a", extra = 1), list(quote(a)), list(c(a = 1)),
    asS4(list(1)), latin1, bytes, as.list(1:1000), pairlist(a = 1), expression(a)
  )
  for (other in others) expect_null(plain(other))
  for (other in others) expect_null(plain(native(other)))
})

test_that("bytes that make no sense are left to R", {
  whole <- native(list(a = 1, b = list(c = "text", d = NULL), e = c(TRUE, NA)))
  expect_type(plain(whole), "list")
  for (length in seq_len(length(whole)) - 1L) expect_null(plain(whole[seq_len(length)]))
  expect_null(plain(c(whole, as.raw(0))))
  # A length that is not there leads to no large vector: 13 is an integer vector's type.
  head <- utils::head(native(NULL), -4L)
  expect_null(plain(c(head, writeBin(c(13L, .Machine$integer.max), raw()))))
  expect_null(plain(c(head, writeBin(c(13L, -1L), raw()))))
  expect_null(plain(serialize(list(1), NULL, xdr = TRUE)))
  set.seed(1)
  for (i in 1:2000) {
    broken <- whole
    at <- sample(seq(length(head) + 1L, length(whole)), 1L)
    broken[[at]] <- as.raw(sample(0:255, 1L))
    read <- plain(broken)
    if (!is.null(read)) expect_identical(read, list(unserialize(broken)))
  }
})

test_that("a plain value is the same after a task, in both directions", {
  q <- local_queue(1)
  for (value in values) {
    q$push(function(x) x, list(value))
    expect_identical(q$pop(Inf)$result, value)
    q$push(function(x) x, list(x = value))
    expect_identical(q$pop(Inf)$result, value)
  }
})
