# Called by tools/coverage.sh: the table, and the files of which least is run. Its argument is the folder of the run.
work <- commandArgs(trailingOnly = TRUE)[[1]]

# Lines of code: file, line and whether it was run. What stands below a file's `mod tests` is no code.
read_lcov <- function(name) {
  lines <- readLines(file.path(work, paste0(name, ".lcov")))
  starts <- grepl("^SF:", lines)
  file <- c(NA, sub("^SF:", "", lines[starts]))[cumsum(starts) + 1L]
  is_line <- grepl("^DA:", lines)
  numbers <- do.call(rbind, strsplit(sub("^DA:", "", lines[is_line]), ","))
  found <- data.frame(file = file[is_line], line = as.integer(numbers[, 1L]), run = numbers[, 2L] != "0")
  found$file <- sub("^.*/src/rust/", "src/rust/", found$file)
  code_of <- function(path) {
    text <- readLines(path)
    tests <- which(text == "#[cfg(test)]" & c(text[-1L], "") == "mod tests {")
    if (length(tests)) tests[[1L]] else length(text) + 1L
  }
  ends <- vapply(unique(found$file), code_of, 0)
  # A binary of one crate and one of another, or R's, may both have a line.
  found <- stats::aggregate(run ~ file + line, found[found$line < ends[found$file], ], any)
  found[order(found$file, found$line), ]
}

part_of <- function(file) {
  part <- ifelse(startsWith(file, "R/"), "R", ifelse(grepl("[.][ch]$", file), "C", "taskq (binding)"))
  crate <- grepl("^src/rust/crates/", file)
  part[crate] <- sub("^src/rust/crates/([^/]+)/.*", "\\1", file[crate])
  part
}

rust <- Map(read_lcov, c(rust = "rust", r = "r", both = "both"))
seen <- as.data.frame(readRDS(file.path(work, "covr.rds")))
seen <- seen[grepl("^(R|src)/", seen$filename), ]
seen <- data.frame(file = seen$filename, line = seen$line, run = seen$value > 0)
none <- transform(seen, run = NA)
all <- list(rust = rbind(rust$rust, none), r = rbind(rust$r, seen), both = rbind(rust$both, seen))

percent <- function(run) if (!length(run) || anyNA(run)) "" else sprintf("%.1f %%", 100 * mean(run))
parts <- c("taskq-core", "taskq-ledger", "taskq-wire", "taskq-sys", "taskq-payload", "taskq-worker", "taskq-engine",
  "taskq (binding)", "C", "R")
row <- function(of) {
  run <- lapply(all, function(lines) lines$run[of(lines$file)])
  c(sprintf("%d", length(run$both)), vapply(run, percent, ""))
}
rows <- lapply(parts, function(part) row(function(file) part_of(file) == part))
rows <- c(rows, list(row(function(file) startsWith(file, "src/rust/")), row(function(file) TRUE)))
table <- cbind(c(parts, "Rust", "all"), do.call(rbind, rows))
colnames(table) <- c("part", "lines", "crates' tests", "R tests", "both")
cat("\n")
cat(sprintf("%-16s %7s %14s %9s %9s\n", colnames(table)[1L], colnames(table)[2L], colnames(table)[3L],
  colnames(table)[4L], colnames(table)[5L]))
for (i in seq_len(nrow(table))) cat(do.call(sprintf, as.list(c("%-16s %7s %14s %9s %9s\n", table[i, ]))))

files <- stats::aggregate(run ~ file, all$both, function(run) c(lines = length(run), run = sum(run)))
files <- data.frame(file = files$file, lines = files$run[, "lines"], missed = files$run[, "lines"] - files$run[, "run"])
files <- utils::head(files[order(-files$missed), ], 15L)
cat("\nMost lines that no test was seen to run:\n")
cat(sprintf("%5d of %4d  %s\n", files$missed, files$lines, files$file), sep = "")
