#!/usr/bin/env Rscript
# Whether sessions are forked when a package is attached in `packages =`, for one package after the other: prints the
# table in vignettes/articles/design-processes.Rmd. Needs the packages; nothing is installed.
#
#   Rscript tools/forks.R              the fifty packages that most others in Debian's archive need, and some more
#   Rscript tools/forks.R dplyr arrow  these

# Named by how many other R packages of the archive depend on each. Headers alone, of which nothing is loaded, are none.
most_needed <- function(count) {
  lines <- system2("apt-cache", "dumpavail", stdout = TRUE)
  lines <- lines[startsWith(lines, "Package: ") | startsWith(lines, "Depends: ")]
  name <- sub("Package: ", "", lines[cummax(ifelse(startsWith(lines, "Package: "), seq_along(lines), 0L))])
  needs <- lines[startsWith(lines, "Depends: ") & startsWith(name, "r-")]
  needed <- unlist(lapply(regmatches(needs, gregexpr("r-cran-[a-z0-9.]+", needs)), unique))
  needed <- sort(table(setdiff_all(needed, c("r-cran-bh", "r-cran-cpp11"))), decreasing = TRUE)
  sub("r-cran-", "", names(needed)[seq_len(count)], fixed = TRUE)
}

setdiff_all <- function(x, y) x[!x %in% y]

# What people have asked about: event loops, databases, the tidyverse as a whole.
also <- c("tidyverse", "readr", "forcats", "lubridate", "later", "promises", "httpuv", "plumber", "rsqlite", "future",
  "caret", "rmarkdown", "callr", "processx", "reticulate", "rcppparallel", "openssl", "testthat", "haven", "readxl")

installed <- unique(unlist(lapply(.libPaths(), list.files)))
wanted <- commandArgs(TRUE)
if (!length(wanted)) wanted <- unique(c(most_needed(50L), also))
found <- installed[match(tolower(wanted), tolower(installed))]
if (anyNA(found)) {
  missing <- paste0("r-cran-", tolower(wanted[is.na(found)]), collapse = " ")
  stop("not installed: apt-get install ", missing)
}

# The names of those of `packages` that are loaded with `package`.
comes_with <- function(package, packages) {
  code <- sprintf("invisible(loadNamespace(\"%s\")); cat(intersect(%s, loadedNamespaces()))", package,
    paste(deparse(packages), collapse = ""))
  strsplit(system2("Rscript", c("--vanilla", "-e", shQuote(code)), stdout = TRUE, stderr = FALSE), " ")
}

# How many threads R has once the package is loaded, without a queue.
threads_alone <- function(package) {
  code <- sprintf("invisible(loadNamespace(\"%s\")); cat(length(list.files(\"/proc/self/task\")))", package)
  as.integer(system2("Rscript", c("--vanilla", "-e", shQuote(code)), stdout = TRUE, stderr = FALSE))
}

forks <- function(package) {
  why <- NULL
  hear <- function(cnd) {
    why <<- cnd$body[names(cnd$body) == "x"]
    invokeRestart("muffleWarning")
  }
  q <- taskq::task_q$new(1, packages = package)
  on.exit(q$kill())
  withCallingHandlers(
    {
      q$push(function(package) paste0("package:", package) %in% search(), list(package))
      attached <- isTRUE(q$pop(Inf)$result)
      q$poll()
    },
    taskq_warning_fork = hear
  )
  if (!attached) stop(package, " could not be attached")
  why
}

cat("| package | version | threads, alone | sessions are | why not |\n| --- | --- | --- | --- | --- |\n")
for (package in found) {
  alone <- threads_alone(package)
  by <- if (alone > 1L && package != "cli" && "cli" %in% unlist(comes_with(package, "cli"))) " (cli)" else ""
  why <- forks(package)
  cat(sprintf("| %s | %s | %d%s | %s | %s |\n", package, utils::packageVersion(package), alone, by,
    if (is.null(why)) "forked" else "started", paste(why, collapse = "; ")))
}
