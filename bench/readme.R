# Rscript bench/readme.R RESULTS.json README.md
#
# Puts the pictures of a run into man/figures beside README.md, and its table and its measuring
# conditions between the lines `<!-- bench: begin -->` and `<!-- bench: end -->` of README.md.

this_file <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])
here <- dirname(this_file)
source(file.path(here, "json.R"), encoding = "UTF-8")

main <- function(arguments) {
  if (length(arguments) != 2) stop("usage: Rscript bench/readme.R RESULTS.json README.md")
  readme <- arguments[2]
  lines <- readLines(readme, encoding = "UTF-8")
  from <- which(lines == "<!-- bench: begin -->")
  to <- which(lines == "<!-- bench: end -->")
  if (length(from) != 1 || length(to) != 1 || from > to) {
    stop(readme, " must have one line `<!-- bench: begin -->`, and after it one `<!-- bench: end -->`")
  }
  figures <- file.path(dirname(readme), "man", "figures")
  dir.create(figures, recursive = TRUE, showWarnings = FALSE)
  program <- file.path(R.home("bin"), "Rscript")
  if (system2(program, shQuote(c(file.path(here, "plot.R"), arguments[1], figures))) != 0) {
    stop("the pictures could not be drawn")
  }
  result <- from_json(paste(readLines(arguments[1], encoding = "UTF-8"), collapse = "\n"))
  text <- c(lines[seq_len(from)], "", describe(result), "", lines[to:length(lines)])
  writeLines(enc2utf8(text), readme, useBytes = TRUE)
}

describe <- function(result) {
  rivals <- result$versions[names(result$versions) != "taskq"]
  c(
    "![What others cost, with taskq as 1](man/figures/bench.png)",
    "",
    strwrap(width = 118, sprintf(
      paste(
        "Medians of %s rounds in which all took turns, on %d cores (load before: %s), R %s, %s: compare the ratios,",
        "not the times with those of your machine. Beside taskq: %s.%s", "`bench/README.md` says what is timed."
      ),
      format(result$settings$repeats), as.integer(result$machine$cores), format(result$machine$load),
      result$machine$r, result$machine$date,
      paste(names(rivals), unlist(rivals), collapse = ", "),
      if (length(result$absent)) paste0(" Not installed: ", paste(unlist(result$absent), collapse = ", "), ".") else ""
    )),
    "",
    markdown(unlist(result$table$header), lapply(result$table$cells, unlist)),
    "",
    "\"cost / goal\": up to 1 the goal is reached. \"= k x\": it costs k times what taskq costs.",
    "",
    "![More workers, more tasks, larger arguments](man/figures/bench-scaling.png)"
  )
}

markdown <- function(header, cells) {
  as_line <- function(words) paste0("| ", paste(words, collapse = " | "), " |")
  c(as_line(header), as_line(rep("---", length(header))), vapply(cells, as_line, ""))
}

main(commandArgs(trailingOnly = TRUE))
