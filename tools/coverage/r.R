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

# Hundreds of processes load the package, and exit. What covr lets each do takes seconds, so that most tests would run
# into their deadlines. Made cheaper are both of its hooks: at load, statements are counted, and not what is nested
# within them, which takes most of the time to find; at exit, the counts are kept, without the sources they are of.
make_hooks_cheap <- function(package, library_path) {
  path <- file.path(library_path, package, "R", package)
  script <- paste(readLines(path), collapse = "\n")
  swap <- function(script, old, new) {
    stopifnot(grepl(old, script, fixed = TRUE))
    sub(old, new, script, fixed = TRUE)
  }
  script <- swap(script, "covr:::trace_environment(ns)", "{
    utils::assignInNamespace(\"impute_srcref\", function(...) NULL, \"covr\")
    covr:::trace_environment(ns)
  }")
  script <- swap(script, "covr:::save_trace(", "(function(folder) saveRDS(
    vapply(as.list(covr:::.counters), `[[`, 0, \"value\"), tempfile(\"counts-\", folder), compress = FALSE))(")
  writeLines(script, path)
}
trace("add_hooks", exit = quote(make_hooks_cheap(pkg_name, lib)), where = asNamespace("covr"), print = FALSE)

# In the library it would be looked for where it was compiled, and installed, once more.
code <- sprintf(
  'source("%5$s")
   setwd("%1$s")
   results <- testthat::test_dir("tests/testthat", package = "taskq", load_package = "installed", filter = %2$s,
     reporter = testthat::SilentReporter$new(), stop_on_failure = FALSE)
   saveRDS(table_of_results(results)[c("file", "test", "nb", "failed", "skipped", "error")], "%3$s")
   counters <- covr:::.counters
   for (record in list.files("%4$s", "^counts-", full.names = TRUE)) {
     counts <- readRDS(record)
     counts <- counts[counts > 0]
     for (key in names(counts)) counters[[key]]$value <- counters[[key]]$value + counts[[key]]
   }
   covr:::save_trace("%4$s")',
  package, deparse(filter), file.path(work, "tests.rds"), library_path, normalizePath("tools/test/results.R")
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
