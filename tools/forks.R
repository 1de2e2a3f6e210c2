#!/usr/bin/env Rscript
# Whether sessions are forked when a package is attached in `packages =`, for one package after the other: a table, of
# which vignettes/articles/design-processes.Rmd tells. Needs the packages; nothing is installed.
#
#   Rscript tools/forks.R              the fifty packages that most others in Debian's archive need, and some more
#   Rscript tools/forks.R dplyr arrow  these

# By how many other R packages of the archive need each. Two are headers only, of which nothing is loaded.
most_needed <- function(count) {
  lines <- system2("apt-cache", "dumpavail", stdout = TRUE)
  is_name <- startsWith(lines, "Package: ")
  name <- lines[is_name][cumsum(is_name)]
  needs <- lines[startsWith(lines, "Depends: ") & startsWith(name, "Package: r-")]
  needed <- unlist(lapply(regmatches(needs, gregexpr("r-cran-[a-z0-9.]+", needs)), unique))
  needed <- sort(table(needed[!needed %in% c("r-cran-bh", "r-cran-cpp11")]), decreasing = TRUE)
  sub("r-cran-", "", names(needed)[seq_len(count)], fixed = TRUE)
}

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

# How many threads R has once the package is loaded, without a queue; and whether cli has come along.
alone <- function(package) {
  code <- "cat(length(list.files(\"/proc/self/task\")), if (isNamespaceLoaded(\"cli\")) \"(cli)\")"
  code <- sprintf("invisible(loadNamespace(\"%s\")); %s", package, code)
  found <- system2("Rscript", c("--vanilla", "-e", shQuote(code)), stdout = TRUE, stderr = FALSE)
  if (startsWith(found, "1")) "1" else found
}

# NULL, or why not.
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
  threads <- alone(package)
  why <- forks(package)
  cells <- c(package, format(utils::packageVersion(package)), threads, if (is.null(why)) "forked" else "started",
    paste(why, collapse = "; "))
  cat("|", paste(cells, collapse = " | "), "|\n")
}
