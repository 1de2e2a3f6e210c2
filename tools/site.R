# Builds the site with pkgdown. Arguments: the sources, which should be a copy, and the folder of the site.
arguments <- commandArgs(trailingOnly = TRUE)
sources <- normalizePath(arguments[[1]])
site <- arguments[[2]]
options(pkgdown.internet = FALSE, warn = 1)
# Code that names a package that is not installed is to stay without links; downlit would ask CRAN where they lead.
utils::assignInNamespace("CRAN_urls", function() data.frame(Package = character(), URL = character()), "downlit")

pkg <- pkgdown::as_pkgdown(sources, override = list(destination = normalizePath(site, mustWork = FALSE)))
pkgdown::init_site(pkg)
pkgdown::build_home(pkg, preview = FALSE)
pkgdown::build_reference(pkg, lazy = FALSE, devel = FALSE, preview = FALSE)
pkgdown::build_articles(pkg, lazy = FALSE, preview = FALSE)
pkgdown::build_news(pkg, preview = FALSE)
pkgdown::build_search(pkg)

# The templates have a place for a logo, also where there is none.
for (page in list.files(site, "\\.html$", recursive = TRUE, full.names = TRUE)) {
  html <- readLines(page, encoding = "UTF-8")
  writeLines(sub('<img src="" class="logo" alt="">', "", html, fixed = TRUE), page, useBytes = TRUE)
}

# A page that was opened as a file may load a script, and not fetch JSON.
index <- file.path(site, "search.json")
writeLines(c("window.searchIndex =", readLines(index, encoding = "UTF-8"), ";"), file.path(site, "search.js"),
  useBytes = TRUE)
unlink(index)
