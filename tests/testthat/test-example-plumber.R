# inst/examples/plumber: requests that wait for tasks do not block others.

# Sends a request; the answer is read by response().
request <- function(port, path) {
  con <- socketConnection("127.0.0.1", port, open = "r+b", blocking = TRUE, timeout = 30)
  writeLines(c(paste("GET", path, "HTTP/1.0"), "Host: 127.0.0.1", "Connection: close", ""), con, sep = "\r\n")
  con
}

response <- function(con) {
  on.exit(close(con))
  lines <- sub("\r$", "", readLines(con, warn = FALSE))
  border <- match("", lines)
  list(status = as.integer(strsplit(lines[1L], " ")[[1L]][2L]), body = paste(lines[-seq_len(border)], collapse = "\n"))
}

test_that("an endpoint that returns a promise does not block the others", {
  skip_on_cran()
  skip_if_not_installed("plumber")
  skip_without_promises()
  gate <- local_gate()
  host <- local_host(bquote({
    api <- plumber::pr(system.file("examples/plumber/plumber.R", package = "taskq"))
    # Estimates take until the test says so.
    work <- api$environment$queue
    assign("estimate_pi", envir = api$environment, eval(quote(function(n) {
      if (n == 13) stop("bad luck")
      while (!file.exists(.(gate$path))) Sys.sleep(0.005)
      n
    }), globalenv()))
    port <- httpuv::randomPort()
    api <- plumber::pr_set_docs(api, FALSE)
    api <- plumber::pr_hook(api, "exit", function() work$close())
    cat("port", port, "\n")
    plumber::pr_run(api, host = "127.0.0.1", port = port, quiet = TRUE)
  }))
  line <- next_line(host, 60)
  expect_match(line, "^port [0-9]+")
  port <- as.integer(sub("port ", "", line))
  connected <- function() {
    con <- tryCatch(suppressWarnings(request(port, "/ping")), error = function(cnd) NULL)
    !is.null(con) && response(con)$status == 200L
  }
  expect_true(wait_until(connected(), 30))
  slow <- lapply(1:3, function(n) request(port, paste0("/estimate?n=", n)))
  running <- function() response(request(port, "/ping"))$body
  expect_true(wait_until(identical(running(), "{\"waiting\":1,\"running\":2}"), 30))
  gate$open()
  answers <- lapply(slow, response)
  expect_identical(vapply(answers, `[[`, 0L, "status"), rep(200L, 3L))
  expect_identical(vapply(answers, `[[`, "", "body"), sprintf("{\"n\":%d,\"estimate\":%d}", 1:3, 1:3))
  failed <- response(request(port, "/estimate?n=13"))
  expect_identical(failed$status, 500L)
  expect_match(failed$body, "bad luck")
  for (n in c("none", "1&n=2", "%00", "1%00", "%FF", "NaN", "-1", "1e9", "0x10000000000", "1,2")) {
    refused <- response(request(port, paste0("/estimate?n=", n)))
    expect_identical(refused$status, 400L, label = paste("the status for", n))
    expect_match(refused$body, "n must be a number|holds a NUL", label = paste("the body for", n))
  }
  host$interrupt()
  host$wait(20000)
  expect_false(host$is_alive())
})
