# Runs tests/testthat against the installed package; writes the counts of tests
# (passed, failed, skipped) to the file named by COUNTS.
list_reporter <- testthat::ListReporter$new()
testthat::test_dir(
  "tests/testthat",
  package = "taskq",
  load_package = "installed",
  reporter = testthat::MultiReporter$new(
    list(list_reporter, testthat::CheckReporter$new())
  ),
  stop_on_failure = FALSE
)
results <- as.data.frame(list_reporter$get_results())

failed <- results$failed > 0 | results$error
skipped <- results$skipped & !failed
counts <- c(sum(!failed & !skipped), sum(failed), sum(skipped))
writeLines(paste(counts, collapse = " "), Sys.getenv("COUNTS", "/dev/stdout"))

slow <- head(results[order(-results$real), ], 5)
message("Slowest: ", toString(sprintf("%s (%.1f s)", slow$test, slow$real)))
quit(status = any(failed))
