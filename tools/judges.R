# Runs the tests of other packages with taskq in the place of their own backends, and prints what passed, by package. A
# package that is not installed is left out, and said to be. Usage:
#
#   R_LIBS=<folder of installed packages> Rscript tools/judges.R [future foreach]
#
# future: the suite of the package future.tests. foreach: the tests in the sources of foreach, in the folder that the
# environment variable FOREACH_TESTS names, once by registerDoTaskq() and once by doParallel on task_q_cluster().
judges <- commandArgs(trailingOnly = TRUE)
if (length(judges) == 0L) judges <- c("future", "foreach")

absent <- function(...) Filter(function(package) !requireNamespace(package, quietly = TRUE), c("taskq", ...))

row <- function(judge, ..., passed, failed, skipped) {
  versions <- vapply(c(...), function(package) paste(package, packageVersion(package)), "")
  cat(sprintf("%s (%s): %d passed, %d failed, %d skipped\n", judge, toString(versions), passed, failed, skipped))
}

# Prints each test, and their sums.
judge_future <- function() {
  cat(sprintf("future.tests %s, future %s:\n", packageVersion("future.tests"), packageVersion("future")))
  future.tests::check("taskq::task_q_future", timeout = 60, session_info = FALSE, exit_value = FALSE)
}

judge_foreach <- function() {
  sources <- Sys.getenv("FOREACH_TESTS")
  if (!dir.exists(sources)) return(cat("foreach: FOREACH_TESTS is not a folder\n"))
  library(foreach)
  # Their setup registers a backend of its own, and says which tests are for one with workers.
  folder <- tempfile("foreach-")
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  Sys.setenv(FOREACH_BACKEND = "PAR")
  file.copy(list.files(sources, "^test.*[.][Rr]$", full.names = TRUE), folder)
  run <- function(how) {
    result <- testthat::test_dir(folder, reporter = "silent", stop_on_failure = FALSE, package = "foreach")
    stopifnot(getDoParName() != "doSEQ")
    result <- as.data.frame(result)
    row(paste("foreach by", how), "foreach", passed = sum(result$passed), failed = sum(result$failed, result$error),
      skipped = sum(result$skipped))
  }
  taskq::registerDoTaskq(2)
  run("registerDoTaskq()")
  registerDoSEQ()
  cl <- taskq::task_q_cluster(2)
  doParallel::registerDoParallel(cl)
  run("task_q_cluster()")
  parallel::stopCluster(cl)
}

needs <- list(future = c("future", "future.tests"), foreach = c("foreach", "doParallel", "testthat"))
for (judge in judges) {
  missing <- absent(needs[[judge]])
  if (length(missing)) {
    cat(sprintf("%s: not run, for want of %s\n", judge, toString(missing)))
  } else {
    list(future = judge_future, foreach = judge_foreach)[[judge]]()
  }
}
