# Called by tools/coverage.sh: builds the staged package so that it notes what is run of its R and C code (and of the
# Rust code, by RUSTFLAGS), runs its tests, and keeps what covr has seen. Arguments: the folder of the run, and a
# regular expression for the names of test files.
arguments <- commandArgs(trailingOnly = TRUE)
work <- arguments[[1]]
filter <- if (length(arguments) > 1 && nzchar(arguments[[2]])) arguments[[2]]
package <- file.path(work, "taskq")
library_path <- file.path(work, "library")
unlink(library_path, recursive = TRUE)

# Rust's own linker would add what writes its records.
invisible(loadNamespace("covr"))
flags <- getOption("covr.flags")
flags[["LDFLAGS"]] <- paste(flags[["LDFLAGS"]], "-Wl,-u,__llvm_profile_runtime")
options(covr.flags = flags)

# In the library it would be looked for where it was compiled, and installed, once more.
code <- sprintf(
  'setwd("%s")
   results <- testthat::test_dir("tests/testthat", package = "taskq", load_package = "installed", filter = %s,
     reporter = testthat::SilentReporter$new(), stop_on_failure = FALSE)
   saveRDS(as.data.frame(results)[c("file", "test", "nb", "failed", "skipped", "error")], "%s")',
  package, deparse(filter), file.path(work, "tests.rds")
)
seen <- covr::package_coverage(package, type = "none", code = code, quiet = FALSE, clean = FALSE,
  install_path = library_path)
saveRDS(covr::tally_coverage(seen, by = "line"), file.path(work, "covr.rds"))

tests <- readRDS(file.path(work, "tests.rds"))
failed <- tests$failed > 0 | tests$error
told <- sprintf("%d passed, %d failed, %d skipped", sum(!failed & !tests$skipped), sum(failed),
  sum(tests$skipped & !failed))
# What is measured is slower, and loads what is measured with.
told <- c(told, sprintf("  failed while measured: %s: %s", tests$file[failed], tests$test[failed]))
writeLines(told, file.path(work, "tests.txt"))
