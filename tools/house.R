# The figures by which the article "A walk through the house" compares versions of the sources. Arguments: folders that
# each hold one (`git archive`), a column each; none: this one. Tests are left out: those in files of their own, and,
# for the sizes of files and functions, those at the end of a file of Rust.
lines_of <- function(paths) lapply(paths, readLines, warn = FALSE)
total <- function(texts) sum(lengths(texts))
uncommented <- function(text) text[!grepl("^ *//", text)]
untested <- function(text) {
  tests <- grep("^mod tests?\\b.*\\{", text)
  if (length(tests)) utils::head(text, tests[[1L]] - 2L) else text
}
found <- function(pattern, texts) sum(lengths(regmatches(unlist(texts), gregexpr(pattern, unlist(texts), perl = TRUE))))
quantiles <- function(numbers, at) paste(stats::quantile(numbers, at, type = 1), collapse = " / ")

# How many lines each function has. Code is formatted, so a function ends where it is indented as at its beginning.
functions <- function(text) {
  first <- grep("^ *(pub(\\([a-z]+\\))? )?(const |unsafe |extern \"C\" )*fn \\w+", text)
  vapply(first, FUN.VALUE = 0, function(at) {
    if (grepl("[;}]$", text[[at]])) return(1)
    indent <- sub("\\S.*", "", text[[at]])
    grep(sprintf("^%s(\\}|\\).*;)$", indent), text[-seq_len(at)])[[1L]] + 1
  })
}

# What stands in `entries!`, at the end of a file.
listed <- function(text) {
  first <- grep("^entries! \\{", text)
  if (length(first)) text[first:length(text)]
}

# The names of types, as often as they are given.
types <- function(texts, visible) {
  pattern <- sprintf("^(%s)(struct|enum|trait|type|union) (\\w+).*", visible)
  sub(".* ", "", sub(pattern, "\\1 \\2 \\3", grep(pattern, unlist(texts), value = TRUE, perl = TRUE), perl = TRUE))
}
doubled <- function(names) sum(table(names) > 1L)

count_concepts <- function(guide) {
  first <- grep("^## Concepts before", guide)
  if (!length(first)) return(NA)
  rows <- rle(grepl("^\\|", guide[first:length(guide)]))
  rows$lengths[rows$values][[1L]] - 2L
}

count <- function(folder) {
  some <- function(pattern) lines_of(Sys.glob(file.path(folder, pattern)))
  below <- function(pattern) {
    lines_of(list.files(Sys.glob(file.path(folder, pattern)), "[.]rs$", recursive = TRUE, full.names = TRUE))
  }
  r <- some("R/*.R")
  c <- some("src/*.[ch]")
  binding <- below("src/rust/src")
  rust <- c(binding, below("src/rust/crates/*/src"))
  compiled <- lapply(rust, untested)
  any_visible <- "(?:pub(?:\\([a-z]+\\))? )?"
  figures <- list(
    "lines of R" = total(r),
    "lines of C, with headers" = total(c),
    "lines of Rust" = total(rust),
    "lines of all three" = total(c(r, c, rust)),
    "routines that R calls" = found("\\{\"C_\\w+\"", c) + found("^ *#\\[extendr\\]", binding),
    "functions of Rust that R calls by their names" = found("\\brs_\\w+(\\[scope\\])?\\(", lapply(binding, listed)),
    "functions of Rust that C calls" = found("#\\[no_mangle\\]", binding),
    "`unsafe` in the binding" = found("\\bunsafe\\b", lapply(binding, uncommented)),
    "`unsafe` in taskq-sys" = found("\\bunsafe\\b", lapply(below("src/rust/crates/taskq-sys/src"), uncommented)),
    "types" = length(types(compiled, any_visible)),
    "names that two types have" = doubled(types(compiled, any_visible)),
    "the same, both of them public" = doubled(types(compiled, "pub ")),
    "lines of a file of Rust: median / 90 % / most" = quantiles(lengths(compiled), c(0.5, 0.9, 1)),
    "lines of a function of Rust: 95 % / most" = quantiles(unlist(lapply(compiled, functions)), c(0.95, 1)),
    "concepts before the first patch" = count_concepts(readLines(file.path(folder, "CONTRIBUTING.md")))
  )
  vapply(figures, as.character, "")
}

folders <- commandArgs(trailingOnly = TRUE)
if (!length(folders)) folders <- "."
figures <- lapply(folders, count)
cells <- do.call(cbind, c(list(names(figures[[1L]])), figures))
cat(sprintf("| %s |", c(
  paste(c("", basename(normalizePath(folders))), collapse = " | "),
  paste(rep("---", ncol(cells)), collapse = " | "),
  apply(cells, 1L, paste, collapse = " | ")
)), sep = "\n")
