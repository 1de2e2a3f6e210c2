# G: whatever a task writes, the host keeps it whole or counts what it drops, and no other task waits for it.

# The limit of what is kept of one stream, half from each end; see the engine's configuration.
kept_bytes <- 16 * 2^20

test_that("G1, G2: a flood is cut and counted, in bounded memory, while the other worker goes on", {
  skip_on_cran()
  q <- local_queue(2)
  run_task(q, function() 1)
  expect_true(wait_until(all(q$list_workers()$state == "idle")))
  resident <- resident_bytes()
  reset_peak()
  q$push(function() system("head -c 300000000 /dev/zero | tr '\\0' x; printf end"), id = "flood")
  # What others need meanwhile. The flood is not popped.
  took <- numeric()
  while (q$get_num_running() > 0L) {
    id <- q$push(function() 1)
    took <- c(took, system.time(expect_true(q$wait(id, 20000)), gcFirst = FALSE)[["elapsed"]])
  }
  expect_gt(length(took), 2L)
  expect_lt(stats::median(took), 0.1)
  expect_true(q$wait("flood"))
  # What is kept, once more while it is put together, and what R and the allocators add.
  expect_lt(peak_bytes() - resident, 5 * kept_bytes)
  result <- pop_all(q)$flood
  dropped <- attr(result, "dropped")[["bytes"]]
  notice <- sprintf("\n[taskq: %.0f bytes of output dropped here]\n", dropped)
  expect_identical(nchar(result$stdout) - nchar(notice) + dropped, 300000003)
  expect_identical(regexpr(notice, result$stdout, fixed = TRUE)[[1L]], as.integer(kept_bytes / 2) + 1L)
  expect_true(endsWith(result$stdout, "xend"))
})

test_that("G1: a million short lines, and one long one, are complete and in order", {
  skip_on_cran()
  q <- local_queue(1)
  result <- run_task(q, function() system("seq 1000000"))
  expect_null(attr(result, "dropped"))
  expect_true(identical(result$stdout, paste0(format(1:1e6, scientific = FALSE, trim = TRUE), "\n", collapse = "")))
  # Here each line is a write of its own.
  result <- run_task(q, function() writeLines(as.character(1:1e5)))
  expect_true(identical(result$stdout, paste0(format(1:1e5, scientific = FALSE, trim = TRUE), "\n", collapse = "")))
  result <- run_task(q, function() {
    cat(strrep("x", 3e6))
    message(strrep("y", 1e6), appendLF = FALSE)
  })
  expect_true(identical(result$stdout, strrep("x", 3e6)))
  expect_true(identical(result$stderr, strrep("y", 1e6)))
})

test_that("G1: bytes that are no text come as text, and characters are not cut", {
  q <- local_queue(1)
  odd <- list(
    "a\\0b" = "a<00>b", "\\377\\376" = "<ff><fe>", "caf\\351" = "caf<e9>", "\\303\\251" = "\u00e9",
    "\\303" = "<c3>", "\\360\\237\\230\\200" = "\U0001f600"
  )
  for (bytes in names(odd)) {
    result <- run_task(q, function(bytes) system(sprintf("printf '%s'; printf '%s' >&2", bytes, bytes)), list(bytes))
    expect_identical(result$stdout, odd[[bytes]], label = bytes)
    expect_identical(result$stderr, odd[[bytes]], label = bytes)
  }
  # At each of the places where the host may have to read once more.
  for (before in c(4095:4097, 65534:65537)) {
    result <- run_task(q, function(n) cat(strrep("x", n), "\u20ac\u00e9", sep = ""), list(before))
    expect_identical(result$stdout, paste0(strrep("x", before), "\u20ac\u00e9"), label = before)
  }
  # One half of a character now, the other later.
  result <- run_task(q, function() system("printf '\\303'; sleep 0.1; printf '\\251'"))
  expect_identical(result$stdout, "\u00e9")
})

test_that("G3: a task that closes or replaces its standard descriptors takes nothing from the next", {
  skip_on_cran()
  skip_on_os("windows")
  q <- local_queue(1)
  closer <- function(fds, path) {
    utils::getFromNamespace("closeFD", "parallel")(fds)
    # Gets the lowest number that is free.
    if (!is.null(path)) kept <<- file(path, "w")
    cat("lost")
    message("lost")
    Sys.getpid()
  }
  pid <- NULL
  for (fds in list(0:2, 1L, 2L, 1:2)) {
    for (path in list(NULL, "/dev/null")) {
      result <- run_task(q, global(closer), list(fds, path))
      expect_identical(result$status, "success")
      pid <- c(pid, result$result)
      result <- run_task(q, function() {
        cat("out")
        system("echo child; echo error >&2")
        message("err")
        readLines("/dev/stdin")
      })
      expect_match(result$stdout, "out", fixed = TRUE)
      expect_match(result$stdout, "child", fixed = TRUE)
      expect_match(result$stderr, "error\n", fixed = TRUE)
      expect_match(result$stderr, "err\n", fixed = TRUE)
      expect_identical(result$result, character())
    }
  }
  # No session had to be replaced for it.
  expect_length(unique(pid), 1L)
})

test_that("G3: a child that keeps the output open does not delay the end of a task", {
  skip_on_cran()
  q <- local_queue(1)
  took <- system.time(result <- run_task(q, function() {
    cat("mine")
    system("sleep 1000 &")
    "done"
  }))[["elapsed"]]
  expect_identical(result$result, "done")
  expect_identical(result$stdout, "mine")
  expect_lt(took, 2)
  expect_identical(run_task(q, function() cat("next"))$stdout, "next")
})

test_that("G4: of a task that crashes, all that it wrote is there, R's traceback included", {
  skip_on_cran()
  q <- local_queue(1)
  result <- run_task(q, function() {
    cat("to stdout")
    named_here <- function() {
      tools::pskill(Sys.getpid(), 11L)
      Sys.sleep(10)
    }
    named_here()
  })
  expect_identical(result$status, "crash")
  expect_identical(result$stdout, "to stdout")
  expect_match(result$stderr, "caught segfault", fixed = TRUE)
  expect_match(result$stderr, "named_here()", fixed = TRUE)
})
