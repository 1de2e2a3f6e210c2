# What programs can tell of comments and documents: the files, folders and functions of ours that they name are there,
# and no line is longer than 120 characters, but for rows of tables and heads of chunks, which are one line. In the
# documents that lead through the code, all functions are ours, but for `foreign`. Words that were given up
# (CONTRIBUTING.md, "Words") are not in names or comments of the code, and no public type has the name of another one.
folders <- c(".github", "R", "bench", "inst", "man", "pkgdown", "src", "tests", "tools", "vignettes")
all <- c(list.files(folders, recursive = TRUE, full.names = TRUE, all.files = TRUE), list.files(all.files = TRUE))
all <- all[!grepl("(^|/)(target|vendor|node_modules|[.]git)/|[.](o|so|a)$", all) & !dir.exists(all)]
texts <- grep("[.](R|Rmd|md|rs|toml|c|h|sh|js|mjs|css|scss|yml)$", all, value = TRUE)

# What is read of a file, line by line; code is left out.
text_of <- function(file, lines) {
  switch(sub(".*[.]", "", file),
    md = , Rmd = lines,
    rs = , js = , mjs = , scss = sub("^.*?(//|$)", "", lines, perl = TRUE),
    c = , h = , css = sub("^#include.*", "", lines),
    sub("^[^#]*(#|$)", "", lines)
  )
}

# The parts of a line that match, without those that are something else.
named <- function(pattern, line) setdiff(regmatches(line, gregexpr(pattern, line, perl = TRUE))[[1]], others)
others <- c("PEER.R", "Node.js", "src/main/RNG.c", "build/")
generated <- c("R/rust-calls.R", list.files("tests/testthat/_snaps", full.names = TRUE))
guides <- c("CONTRIBUTING.md", "vignettes/articles/design-house.Rmd")
foreign <- c("on.exit", "rs_name", "sendmsg", "utils::news")

# A file may be named by the end of its path; a test of a crate as in the article on guarantees.
is_file <- function(name) {
  name <- sub("^([.]{1,2}/)+", "", name)
  if (any(endsWith(paste0("/", all), paste0("/", name)))) return(TRUE)
  name <- sub("^(core|engine|payload|record|sys|wire|worker)/(\\w+[.]rs)$", "taskq-\\1/tests/\\2", name)
  ending <- paste0("/", name)
  if (!grepl("*", name, fixed = TRUE)) return(any(endsWith(paste0("/", all), ending)))
  any(grepl(sub("^\\^", "", utils::glob2rx(ending)), paste0("/", all)))
}
is_folder <- function(name) any(grepl(paste0("/", name), paste0("/", all), fixed = TRUE))

code <- unlist(lapply(grep("^(R|src|tests|tools)/.*[.](R|rs|c|h|sh)$", all, value = TRUE), readLines, warn = FALSE))
defined <- unique(unlist(regmatches(code, gregexpr("\\b(tq|rs)_\\w+(?!\\w|\\(\\))", code, perl = TRUE))))
is_function <- function(name) sub("()", "", name, fixed = TRUE) %in% defined
called <- gregexpr("\\b[\\w.]+(?=(<'\\w+>)?\\(| (<-|=) function\\()", code, perl = TRUE)
called <- unique(unlist(regmatches(code, called)))
is_called <- function(name) name %in% foreign || sub(".*:", "", name) %in% called

faults <- character()
check <- function(file, place, names, is_there) {
  missing <- names[!vapply(names, is_there, NA)]
  faults <<- c(faults, sprintf("%s:%d: there is no %s", rep(file, length(missing)), place, missing))
}
kinds <- "(R|Rmd|md|rs|toml|c|h|sh|js|mjs|css|scss|yml)"
for (file in texts) {
  lines <- readLines(file, warn = FALSE, encoding = "UTF-8")
  long <- which(nchar(lines, "chars", allowNA = TRUE) > 120L & !grepl("^ *(//[!/]|#|[*])? *[|]|^```\\{", lines))
  if (file %in% generated) long <- integer()
  faults <- c(faults, sprintf("%s:%d: more than 120 characters", rep(file, length(long)), long))
  lines <- text_of(file, lines)
  for (place in grep(paste0("[.]", kinds, "|/`|\\("), lines)) {
    line <- lines[[place]]
    check(file, place, named(sprintf("(?<![<\\w./*-])[\\w./*-]+[.]%s\\b(?![\\w(.-])", kinds), line), is_file)
    check(file, place, named("\\b(tq|rs)_\\w+\\(\\)", line), is_function)
    if (file %in% guides) check(file, place, named("(?<=`)[\\w.:]+(?=\\([^`]*\\)`)", line), is_called)
    if (grepl("md$", file)) check(file, place, named("(?<=`)[\\w-]+(/[\\w-]+)*/(?=`)", line), is_folder)
  }
}

# Also as parts of names.
retired <- c("stem", "nurser(y|ies)", "helm", "lineage", "heritage", "likeness", "desk", "bell", "relief", "leisure",
  "stirs", "census", "bur(y|ied)", "strays?", "errand")
retired <- sprintf("(?i)(?<![a-z])(%s)s?(?![a-z])", paste(retired, collapse = "|"))
for (file in grep("^(R|src)/.*[.](R|rs|c|h)$", all, value = TRUE)) {
  lines <- readLines(file, warn = FALSE, encoding = "UTF-8")
  again <- grep(retired, gsub("file_stem", "", gsub("([a-z])([A-Z])", "\\1_\\2", lines)), perl = TRUE)
  faults <- c(faults, sprintf("%s:%d: a word that was given up", rep(file, length(again)), again))
}
crates <- grep("^src/rust/(src|crates/[^/]+/src)/.*[.]rs$", all, value = TRUE)
declared <- unlist(lapply(crates, readLines, warn = FALSE))
declared <- grep("^ *pub (struct|enum|type|trait|union) ", declared, value = TRUE)
types <- sub("^ *pub \\w+ (\\w+).*", "\\1", declared)
faults <- c(faults, sprintf("two public types are called %s", unique(types[duplicated(types)])))

cat(faults, sep = "\n")
cat(sprintf("%d texts, %d faults\n", length(texts), length(faults)))
quit(status = length(faults) > 0L || length(texts) == 0L)
