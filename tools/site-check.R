# Checks the pages in a folder: links within the site lead to a page, and to a place on it, that is there; what a page
# is made of (styles, scripts, pictures) comes from the site; all methods are in the index of the reference; no example
# has failed. Argument: the folder.
site <- normalizePath(commandArgs(trailingOnly = TRUE)[[1]])
pages <- list.files(site, "\\.html$", recursive = TRUE)
documents <- lapply(stats::setNames(nm = pages), function(page) xml2::read_html(file.path(site, page)))

values <- function(document, path) xml2::xml_text(xml2::xml_find_all(document, path))
places <- lapply(documents, function(document) c(values(document, "//@id"), values(document, "//a/@name")))
is_elsewhere <- function(link) grepl("^([a-z][a-z0-9+.-]*:|//)", link, ignore.case = TRUE)

# The file, from the top of the site, that a link on a page means; NA when it is not in the site at all.
target_of <- function(page, path) {
  if (!nzchar(path)) return(page)
  path <- utils::URLdecode(path)
  file <- normalizePath(file.path(site, dirname(page), path), mustWork = FALSE)
  if (dir.exists(file)) file <- file.path(file, "index.html")
  if (!startsWith(file, paste0(site, "/"))) return(NA_character_)
  substring(file, nchar(site) + 2)
}

broken_links <- function(page) {
  links <- unique(values(documents[[page]], "//a/@href"))
  bad <- vapply(links, FUN.VALUE = "", function(link) {
    if (is_elsewhere(link)) return("")
    target <- target_of(page, sub("[?#].*", "", link))
    if (is.na(target) || !file.exists(file.path(site, target))) return("no such page")
    place <- utils::URLdecode(sub("^[^#]*#?", "", link))
    if (nzchar(place) && !place %in% places[[target]]) return("no such place on that page")
    ""
  })
  sprintf("%s: link to %s: %s", page, links, bad)[nzchar(bad)]
}

foreign_parts <- function(page) {
  parts <- c(
    values(documents[[page]], "//link[@rel='stylesheet' or @rel='icon']/@href"),
    values(documents[[page]], "//*[self::script or self::img or self::iframe or self::source]/@src")
  )
  parts <- unique(parts[!startsWith(parts, "data:")])
  there <- vapply(parts, FUN.VALUE = NA, function(part) {
    if (!nzchar(part) || is_elsewhere(part)) return(FALSE)
    file.exists(file.path(site, target_of(page, sub("[?#].*", "", part))))
  })
  sprintf("%s: '%s' is not in the site", page, parts[!there])
}

foreign_styles <- function(sheet) {
  text <- paste(readLines(file.path(site, sheet), warn = FALSE, encoding = "UTF-8"), collapse = "\n")
  urls <- regmatches(text, gregexpr("url\\([^)]*\\)|@import[^;]*", text))[[1]]
  urls <- unique(gsub("^url\\([\"']?|[\"']?\\)$", "", urls))
  urls <- urls[!startsWith(urls, "data:") & !startsWith(urls, "#")]
  there <- !is_elsewhere(urls) & file.exists(file.path(site, dirname(sheet), sub("[?#].*", "", urls)))
  sprintf("%s: %s is not in the site", sheet, urls[!there])
}

# A method has no page that pkgdown would miss in the index.
unlisted_methods <- function(page) {
  methods <- grep("^method-.*-.", values(documents[[page]], "//a/@id"), value = TRUE)
  listed <- values(documents[["reference/index.html"]], "//a/@href")
  unlisted <- Filter(function(method) !paste0(basename(page), "#", method) %in% listed, methods)
  sprintf("%s: %s is not in the index of the reference", page, unlisted)
}

failed_examples <- function(page) {
  errors <- values(documents[[page]], "//*[contains(concat(' ', @class, ' '), ' r-err ')]")
  sprintf("%s: an example fails: %s", page, errors)
}

sheets <- list.files(site, "\\.css$", recursive = TRUE)
faults <- unlist(c(
  lapply(pages, broken_links),
  lapply(pages, foreign_parts),
  lapply(sheets, foreign_styles),
  lapply(grep("^reference/", pages, value = TRUE), failed_examples),
  lapply(grep("^reference/", pages, value = TRUE), unlisted_methods)
))
cat(faults, sep = "\n")
cat(sprintf("%d pages, %d faults\n", length(pages), length(faults)))
quit(status = length(faults) > 0 || length(pages) == 0)
