# Rscript bench/plot.R RESULTS.json [PICTURE.png]
#
# Bars: what a rival costs, with taskq as 1, on a logarithmic axis; limits in grey.

this_file <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])
source(file.path(dirname(this_file), "json.R"))

colours <- c(taskq = "#1b6ca8", rival = "#d98032", limit = "#a8a8a8")

main <- function(arguments) {
  if (!length(arguments) %in% 1:2) stop("usage: Rscript bench/plot.R RESULTS.json [PICTURE.png]")
  picture <- arguments[2]
  if (is.na(picture)) picture <- sub("(\\.json)?$", ".png", arguments[1])
  result <- from_json(paste(readLines(arguments[1], encoding = "UTF-8"), collapse = "\n"))
  figures <- Filter(function(figure) !is.null(figure$ratio), result$figures)
  # The memory of one worker is the same picture as that of a hundred.
  shown <- setdiff(unique(vapply(figures, `[[`, "", "row")), "worker_memory")
  columns <- 2
  lines <- ceiling(length(shown) / columns)
  grDevices::png(picture, width = 1500, height = 60 + 330 * lines, res = 120, type = "cairo")
  on.exit(grDevices::dev.off())
  graphics::par(
    mfrow = c(lines, columns), mar = c(2.2, 11, 2.4, 4), oma = c(0, 0, 2, 0), cex.main = 1,
    family = "sans"
  )
  for (row in shown) {
    draw_row(result$rows[[row]]$title, Filter(function(figure) figure$row == row, figures))
  }
  graphics::mtext(
    sprintf(
      "Cost relative to taskq (log scale, shorter is better) - %d cores, R %s, %s",
      as.integer(result$machine$cores), result$machine$r, result$machine$date
    ),
    outer = TRUE, cex = 0.9
  )
}

draw_row <- function(title, figures) {
  figures <- rev(figures)
  ratio <- vapply(figures, `[[`, 0, "ratio")
  kind <- vapply(figures, `[[`, "", "kind")
  from <- min(0.1, ratio / 2)
  to <- max(10, ratio * 2)
  at <- graphics::barplot(
    log10(ratio) - log10(from),
    horiz = TRUE, col = colours[kind], border = NA, axes = FALSE, main = title,
    names.arg = vapply(figures, `[[`, "", "who"), las = 1, cex.names = 0.8,
    xlim = c(0, log10(to) - log10(from))
  )
  graphics::text(
    log10(ratio) - log10(from), at, format_ratio(ratio),
    pos = 4, cex = 0.8, xpd = NA
  )
  graphics::abline(v = -log10(from), col = colours[["taskq"]], lty = 2)
  ticks <- 10^seq(ceiling(log10(from)), floor(log10(to)))
  graphics::axis(1, log10(ticks) - log10(from), format_ratio(ticks), cex.axis = 0.8)
}

format_ratio <- function(ratio) {
  vapply(ratio, function(x) format(signif(x, if (x < 10) 2 else 3), big.mark = " "), "")
}

main(commandArgs(trailingOnly = TRUE))
