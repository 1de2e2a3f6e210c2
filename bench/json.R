# As much JSON as the results need: lists, data frames by rows, strings, numbers, TRUE/FALSE, NULL,
# and I(x) for a vector that is an array even if it has one element.

to_json <- function(x, indent = "") {
  inner <- paste0(indent, "  ")
  block <- function(open, items, close) {
    if (!length(items)) return(paste0(open, close))
    body <- paste0(inner, items, collapse = ",\n")
    paste0(open, "\n", body, "\n", indent, close)
  }
  if (is.null(x)) return("null")
  if (is.data.frame(x)) x <- lapply(seq_len(nrow(x)), function(i) as.list(x[i, , drop = FALSE]))
  if (is.list(x)) {
    items <- vapply(x, to_json, "", indent = inner)
    if (is.null(names(x))) return(block("[", items, "]"))
    keys <- vapply(names(x), json_string, "")
    return(block("{", paste0(keys, ": ", items), "}"))
  }
  if (length(x) != 1 || inherits(x, "AsIs")) return(json_array(x))
  if (is.character(x) && !is.na(x)) return(json_string(x))
  if (is.logical(x) && !is.na(x)) return(if (x) "true" else "false")
  if (!is.finite(x)) return("null")
  format(x, digits = 7, scientific = if (abs(x) < 1e-4 && x != 0) TRUE else 15)
}

json_array <- function(x) paste0("[", paste(vapply(unclass(x), to_json, ""), collapse = ", "), "]")

json_string <- function(x) paste0("\"", gsub("([\"\\\\])", "\\\\\\1", enc2utf8(x)), "\"")

# Objects become named lists, arrays unnamed ones.
from_json <- function(text) {
  pattern <- "\"([^\"\\\\]|\\\\.)*\"|-?[0-9][-+.0-9eE]*|true|false|null|[][{}:,]"
  tokens <- regmatches(text, gregexpr(pattern, text, perl = TRUE))[[1]]
  at <- 0L
  take <- function() tokens[at <<- at + 1L]
  string <- function(token) gsub("\\\\(.)", "\\1", substr(token, 2, nchar(token) - 1))
  members <- function(close, named) {
    found <- list()
    keys <- character()
    while ((token <- take()) != close) {
      if (token == ",") next
      if (named) {
        keys <- c(keys, string(token))
        take()
        token <- take()
      }
      found <- c(found, list(value(token)))
    }
    if (named) stats::setNames(found, keys) else found
  }
  value <- function(token = take()) {
    switch(token,
      "{" = members("}", named = TRUE),
      "[" = members("]", named = FALSE),
      "true" = TRUE,
      "false" = FALSE,
      "null" = NULL,
      if (startsWith(token, "\"")) string(token) else as.numeric(token)
    )
  }
  value()
}
