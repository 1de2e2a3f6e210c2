# What the files of measures/ have in common. harness.R says what a measure is.

all_measures <- function(settings) {
  c(
    task_measures(settings), map_measures(settings), start_measures(settings),
    fresh_measures(settings), data_measures(settings), waiting_measures(settings),
    adapter_measures(settings), scaling_measures(settings), browser_measures(settings)
  )
}

only_taskq <- function(peers) Filter(is_taskq, peers)

where_installed <- function(package, fun) {
  if (requireNamespace(package, quietly = TRUE)) fun
}

# A measure of a warm pool.
with_pool <- function(n, once) {
  warm_up <- as_task(function() NULL)
  list(
    prepare = function(peer) {
      pool <- open_pool(peer, n)
      tryCatch(for (i in 1:10) run_task(pool, warm_up, list()), error = function(e) {
        close_pool(pool)
        stop(e)
      })
      pool
    },
    once = once,
    finish = close_pool
  )
}

run_task <- function(pool, fun, args) {
  pool$peer$push(pool$handle, fun, args)
  pool$peer$pop(pool$handle)
}

timed <- function(expr) {
  start <- Sys.time()
  force(expr)
  seconds_since(start)
}

# The mean time of a call, over as many as fill a block of time.
per_call <- function(f, block) {
  n <- 1
  repeat {
    seconds <- timed(for (i in seq_len(n)) f())
    if (seconds >= block / 4) break
    n <- n * 2
  }
  n <- ceiling(n * block / seconds)
  timed(for (i in seq_len(n)) f()) / n
}

# Waits for what it can only look at; never within a time that is measured.
await <- function(condition, patience = 20) {
  look <- substitute(condition)
  place <- parent.frame()
  deadline <- Sys.time() + patience
  while (!eval(look, place)) {
    if (Sys.time() > deadline) stop("waited in vain for ", deparse1(look))
    Sys.sleep(0.001)
  }
}

# A script of scripts/ in a fresh R process. Its output is lines of a name and a figure.
script <- function(file, peer = NULL, ...) {
  output <- rscript(c(file.path("scripts", file), peer$file, format_number(...)))
  words <- strsplit(grep("^[a-z_0-9]+ [-0-9.e+]+$", output, value = TRUE), " ")
  stats::setNames(as.numeric(vapply(words, `[`, "", 2)), vapply(words, `[`, "", 1))
}

# Runs Rscript in the folder of the benchmarks.
rscript <- function(arguments) {
  program <- file.path(R.home("bin"), "Rscript")
  output <- suppressWarnings(system2(program, shQuote(arguments), stdout = TRUE, stderr = FALSE))
  if (!is.null(attr(output, "status"))) stop("Rscript ended with ", attr(output, "status"))
  output
}

format_number <- function(...) vapply(list(...), format, "", scientific = FALSE, digits = 15)

# The program of limits/, compiled at its first use.
c_limit <- local({
  program <- NULL
  function(command, n) {
    if (is.null(program)) {
      built <- tempfile("limits-")
      compiler <- system2(file.path(R.home("bin"), "R"), c("CMD", "config", "CC"), stdout = TRUE)
      words <- strsplit(compiler, " +")[[1]]
      arguments <- c(words[-1], "-O2", "-o", shQuote(built), file.path("limits", "limits.c"))
      if (system2(words[1], arguments) != 0) stop("limits.c does not compile")
      program <<- built
    }
    as.numeric(system2(program, c(command, format_number(n)), stdout = TRUE))
  }
})
