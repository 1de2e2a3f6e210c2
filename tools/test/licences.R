# Reads the output of cargo metadata on standard input; the argument is a file like src/rust/deny.toml. Prints the
# licences, and status 1 when one of them is not allowed.
config <- readLines(commandArgs(trailingOnly = TRUE)[[1]])
begin <- match("allow = [", config)
end <- begin - 1L + match("]", config[begin:length(config)])
allowed <- sub('^ *"(.*)",$', "\\1", config[(begin + 1L):(end - 1L)])

# An SPDX expression: A OR B, A AND B, A WITH exception, parentheses; AND binds tighter. "/" is an old way to say OR.
is_allowed <- function(expression) {
  text <- gsub("/", " OR ", expression, fixed = TRUE)
  words <- strsplit(trimws(gsub("([()])", " \\1 ", text)), " +")[[1]]
  at <- 1L
  this <- function() if (at <= length(words)) words[[at]] else ""
  take <- function() {
    word <- this()
    at <<- at + 1L
    word
  }
  one <- function() {
    name <- take()
    if (name == "(") {
      value <- either()
      if (take() != ")") stop("no SPDX expression: ", expression)
      return(value)
    }
    if (this() == "WITH") name <- paste(name, take(), take())
    name %in% allowed
  }
  all_of <- function() {
    value <- one()
    while (this() == "AND") {
      take()
      other <- one()
      value <- value && other
    }
    value
  }
  either <- function() {
    value <- all_of()
    while (this() == "OR") {
      take()
      other <- all_of()
      value <- value || other
    }
    value
  }
  value <- either()
  if (at <= length(words)) stop("no SPDX expression: ", expression)
  value
}

# Whoever changes the reading sees here that it still tells right from wrong.
allowed_here <- allowed
allowed <- c("MIT", "Apache-2.0 WITH LLVM-exception")
stopifnot(
  is_allowed("MIT"), is_allowed("MIT OR GPL-3.0"), is_allowed("GPL-3.0/MIT"), is_allowed("GPL-3.0 AND X OR MIT"),
  is_allowed("(GPL-3.0 OR MIT) AND Apache-2.0 WITH LLVM-exception"),
  !is_allowed("GPL-3.0"), !is_allowed("MIT AND GPL-3.0"), !is_allowed("Apache-2.0"), !is_allowed("(MIT OR X) AND Y")
)
allowed <- allowed_here

crates <- jsonlite::parse_json(file("stdin"))$packages
licence <- vapply(crates, function(crate) if (is.null(crate$license)) "(none)" else crate$license, "")
origin <- vapply(crates, function(crate) if (is.null(crate$source)) "here" else crate$source, "")
named <- vapply(crates, function(crate) paste(crate$name, crate$version), "")
fine <- vapply(licence, is_allowed, NA)
known <- origin %in% c("here", "registry+https://github.com/rust-lang/crates.io-index")

for (text in sort(unique(licence[fine]))) cat(sprintf("%3d  %s\n", sum(licence == text), text))
if (!all(fine)) cat(sprintf("Not allowed by src/rust/deny.toml: %s: %s\n", named[!fine], licence[!fine]), sep = "")
if (!all(known)) cat(sprintf("Not from crates.io: %s: %s\n", named[!known], origin[!known]), sep = "")
quit(status = !all(fine, known))
