# Called by memory.sh, under valgrind: the tests of what reads, writes and holds R's objects in the user's own session.
# The long ones are left out, as on CRAN: valgrind makes everything many times slower.
Sys.unsetenv("NOT_CRAN")
files <- "^(border|plain|share|payload|parcels|inline|task-result)$"
results <- as.data.frame(testthat::test_dir(
  "tests/testthat",
  package = "taskq",
  load_package = "installed",
  filter = files,
  reporter = "check",
  stop_on_failure = FALSE
))
failed <- results$failed > 0 | results$error
cat(sprintf("tests: %d tests passed, %d failed\n", sum(!failed), sum(failed)))
quit("no", status = as.integer(any(failed)))
