# Writes the authors and licences of the crates in a release. Reads the output
# of cargo metadata on standard input; its argument is a file with the names
# ("<crate>-<version>") of those that are shipped.
used <- readLines(commandArgs(trailingOnly = TRUE)[[1]])
metadata <- jsonlite::parse_json(file("stdin"))

shipped <- Filter(
  function(crate) {
    !is.null(crate$source) && paste0(crate$name, "-", crate$version) %in% used
  },
  metadata$packages
)
describe <- function(crate) {
  authors <- sub(" *<.*", "", unlist(crate$authors))
  if (length(authors) == 0) {
    authors <- paste("see", if (is.null(crate$repository)) crate$name else crate$repository)
  }
  c(
    paste(crate$name, crate$version),
    paste("  Authors:", paste(authors, collapse = ", ")),
    paste("  Licence:", if (is.null(crate$license)) crate$license_file else crate$license),
    ""
  )
}
writeLines(c(
  "taskq contains the sources of these Rust crates (src/rust/vendor.tar.xz):",
  "",
  unlist(lapply(shipped, describe))
))
