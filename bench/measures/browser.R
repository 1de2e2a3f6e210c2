# What a visitor of a Shiny app notices of its jobs. Measured by a scenario of the browser tests.

browser_measures <- function(settings) {
  list(
    click = list(
      who = only_taskq,
      most_repeats = 3L, # each is the median of many
      once = function(peer) c(click = scenario("responsive")[["click"]])
    )
  )
}

# A scenario of tests/browser. Its output has lines of a name and a figure.
scenario <- function(name) {
  counts <- tempfile("counts-")
  on.exit(unlink(counts))
  runner <- file.path("..", "tools", "test", "browser.sh")
  output <- suppressWarnings(
    system2(runner, name, stdout = TRUE, stderr = FALSE, env = paste0("COUNTS=", counts))
  )
  skipped <- grep("^Skipped: ", output, value = TRUE)
  if (length(skipped)) not_here(sub("^Skipped: ", "", skipped[1]))
  if (!is.null(attr(output, "status"))) stop("the scenario failed")
  words <- strsplit(grep("^[a-z_]+ [0-9.]+$", output, value = TRUE), " ")
  stats::setNames(as.numeric(vapply(words, `[`, "", 2)), vapply(words, `[`, "", 1))
}
