# What printing knows of the place where it is shown: how wide it is, and whether it has symbols and colours. cli knows
# that best, where it is loaded or somebody looks; nothing here needs it.

tq_width <- function() max(tq_limits$min_width, getOption("width", 80L))

# Not in a worker: loading cli starts a thread.
tq_has_cli <- function() {
  if (isNamespaceLoaded("cli")) return(TRUE)
  is_watched <- interactive() || isatty(stdout()) || isatty(stderr())
  is_watched && !rs_is_worker() && requireNamespace("cli", quietly = TRUE)
}

# The mark of a bullet, as rlang's errors have it.
tq_symbol <- function(name) {
  if (!tq_has_cli()) return(name)
  switch(name, i = cli::symbol$info, x = cli::symbol$cross, name)
}

# For what is printed to stdout. `style`: "good", "bad", "busy", "strong" or "faint".
tq_paint <- function(text, style) {
  if (!tq_has_cli()) return(text)
  colours <- cli::num_ansi_colors(stdout())
  if (colours <= 1L) return(text)
  old <- options(cli.num_colors = colours)
  on.exit(options(old))
  paint <- switch(style,
    good = cli::col_green, bad = cli::col_red, busy = cli::col_cyan, strong = cli::style_bold, faint = cli::col_silver
  )
  as.character(paint(text))
}

# Lines of at most `width` columns; what is there of line breaks and of leading spaces stays.
tq_wrap <- function(text, width = tq_width(), exdent = 0L) {
  lines <- unlist(strsplit(paste0(text, "\n"), "\n", fixed = TRUE))
  wrap <- function(line) {
    if (tq_columns(line) <= width) return(line)
    indent <- attr(regexpr("^ *", line), "match.length")
    strwrap(line, width + 1L, indent = indent, exdent = indent + exdent)
  }
  # strwrap() refuses what is not valid text.
  unlist(lapply(lines, function(line) tryCatch(wrap(line), error = function(cnd) line)), use.names = FALSE)
}

tq_columns <- function(text) nchar(text, "width", allowNA = TRUE)

# A text of at most `width` columns; "..." stands for the rest.
tq_cut <- function(text, width = tq_width()) {
  columns <- tq_columns(text)
  long <- !is.na(columns) & columns > width
  text[long] <- paste0(strtrim(text[long], max(0L, width - 3L)), "...")
  text
}
