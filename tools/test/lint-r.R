# Lints all R code, that of vignettes included, as .lintr says. What was clean before and is the same is not linted
# again: build/lint remembers it.
folders <- c("R", "bench", "inst", "tests", "tools", "vignettes")
files <- list.files(folders, pattern = "[.](R|Rmd)$", recursive = TRUE, full.names = TRUE)
linters <- eval(parse(text = read.dcf(".lintr", "linters")), asNamespace("lintr"))

# A file is known by its content, and by what is looked for.
dir.create("build/lint", showWarnings = FALSE, recursive = TRUE)
rules <- tools::md5sum(c(".lintr", "tools/test/lint-r.R"))
version <- as.character(utils::packageVersion("lintr"))
key <- function(file) {
  path <- tempfile()
  on.exit(unlink(path))
  writeLines(c(file, tools::md5sum(file), rules, version), path)
  file.path("build/lint", tools::md5sum(path))
}
keys <- vapply(files, key, "")
unlink(setdiff(list.files("build/lint", full.names = TRUE), keys))
files <- files[!file.exists(keys)]

# The largest first, so that no processor waits at the end.
files <- files[order(-file.size(files))]
lint <- function(file) {
  tryCatch(lintr::lint(file, linters, cache = FALSE), error = function(cnd) {
    stop(file, ": ", conditionMessage(cnd), call. = FALSE)
  })
}
cores <- max(1L, parallel::detectCores(), na.rm = TRUE)
lints <- parallel::mclapply(files, lint, mc.cores = min(cores, 4L), mc.preschedule = FALSE)
broken <- vapply(lints, inherits, NA, "try-error")
for (cnd in lints[broken]) cat(cnd)
clean <- !broken & lengths(lints) == 0L
invisible(file.create(keys[files[clean]]))
for (found in lints[!clean & !broken]) {
  for (lint in found) {
    cat(sprintf("%s:%d:%d: %s\n  %s\n", sub(paste0(getwd(), "/"), "", lint$filename, fixed = TRUE),
      lint$line_number, lint$column_number, lint$message, lint$line))
  }
}
cat(sprintf("%d files linted, %d with something to mend\n", length(files), sum(!clean)))
quit(status = !all(clean))
