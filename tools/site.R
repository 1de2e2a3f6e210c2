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

# A name like `close()` in a text is that of a method here, and not that of a function of R, to which pkgdown links it.
# In the articles on design it may be a system call, too.
methods <- xml2::read_html(file.path(site, "reference/task_q.html"))
methods <- xml2::xml_attr(xml2::xml_find_all(methods, "//a[starts-with(@id, 'method-task_q-')]"), "id")
names(methods) <- sub("method-task_q-(.*)", "\\1()", methods)
link_methods <- function(document, page) {
  path <- "//main//code[not(ancestor::a or ancestor::pre or ancestor::h1 or ancestor::h2 or ancestor::h3)]"
  for (code in xml2::xml_find_all(document, path)) {
    method <- xml2::xml_text(code)
    if (!method %in% names(methods)) next
    xml2::xml_remove(xml2::xml_children(code))
    if (startsWith(page, "articles/design")) {
      xml2::xml_text(code) <- method
    } else {
      xml2::xml_text(code) <- ""
      href <- paste0(if (grepl("/", page)) "../", "reference/task_q.html#", methods[[method]])
      xml2::xml_add_child(code, "a", method, href = href)
    }
  }
}

for (page in list.files(site, "\\.html$", recursive = TRUE)) {
  document <- xml2::read_html(file.path(site, page), encoding = "UTF-8")
  # The templates have a place for a logo, also where there is none.
  xml2::xml_remove(xml2::xml_find_all(document, "//img[@class = 'logo' and @src = '']"))
  link_methods(document, page)
  writeLines(as.character(document, options = character()), file.path(site, page), useBytes = TRUE)
}

# A page that was opened as a file may load a script, and not fetch JSON.
index <- file.path(site, "search.json")
writeLines(c("window.searchIndex =", readLines(index, encoding = "UTF-8"), ";"), file.path(site, "search.js"),
  useBytes = TRUE)
unlink(index)
