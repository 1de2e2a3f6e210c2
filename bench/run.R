# Rscript bench/run.R [--quick] [--json FILE] [--only MEASURE,...] [--peers PEER,...] [--repeats N]
#
# Measures taskq, its rivals that are installed, and what the machine allows, in one run.
# See README.md beside this file.

usage <- paste(
  "usage: Rscript bench/run.R [--quick] [--json FILE] [--only MEASURE,...] [--peers PEER,...]",
  "[--repeats N]"
)

this_file <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])
here <- dirname(normalizePath(this_file))
parts <- c("json.R", "peers.R", "processes.R", "rows.R", "measures.R", "harness.R", "report.R")
for (file in c(file.path(here, parts), dir(file.path(here, "measures"), full.names = TRUE))) {
  source(file, encoding = "UTF-8")
}

main <- function(arguments) {
  chosen <- parse_arguments(arguments)
  json <- chosen$json
  # Before the change of folder, as the user meant it.
  if (!is.null(json)) {
    json <- file.path(normalizePath(dirname(json), mustWork = TRUE), basename(json))
  }
  owd <- setwd(here)
  on.exit(setwd(owd))
  Sys.setenv(R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep))

  settings <- settings_for(chosen)
  rows <- c(table_rows(settings), curve_rows)
  peers <- lapply(file.path("peers", paste0(chosen$peers, ".R")), load_peer)
  here_now <- vapply(peers, is_installed, TRUE)
  if ("taskq" %in% chosen$peers[!here_now]) stop("taskq is not installed", call. = FALSE)
  absent <- vapply(peers[!here_now], `[[`, "", "name")
  peers <- peers[here_now]

  facts <- machine_facts()
  print_head(facts, peers, absent)
  todo <- all_measures(settings)
  if (!is.null(chosen$only)) todo <- todo[one_of(chosen$only, names(todo))]
  samples <- list()
  missed <- list()
  for (name in names(todo)) {
    start <- Sys.time()
    entries <- run_measure(todo[[name]], peers, settings)
    message(sprintf("measured in %.0f s: %s", seconds_since(start), name))
    new <- unlist(lapply(entries, entry_samples), recursive = FALSE)
    if (length(new)) print_measure(summarise(new, rows), rows)
    missed <- c(missed, report_missed(entries, name))
    samples <- c(samples, new)
  }

  figures <- summarise(samples, rows)
  table <- goal_table(figures, rows, all = is.null(chosen$only))
  if (nrow(table$cells)) {
    cat("\nThe goals. \"cost / goal\": up to 1 it is reached. \"= k x\": it costs k times what taskq costs.\n\n")
    print_table(table)
  }
  if (is.null(json)) return(invisible())
  result <- list(
    machine = facts,
    settings = settings,
    versions = stats::setNames(lapply(peers, peer_version), vapply(peers, `[[`, "", "name")),
    absent = as.list(absent),
    missed = missed,
    rows = rows[unique(figures$row)],
    table = list(header = I(table$header), cells = apply(table$cells, 1, I, simplify = FALSE)),
    goals = judge(figures[is.na(figures$x), ], rows),
    figures = figures,
    samples = samples
  )
  writeLines(to_json(result), json, useBytes = TRUE)
}

settings_for <- function(chosen) {
  quick <- chosen$quick
  list(
    quick = quick,
    repeats = chosen$repeats,
    block = if (quick) 0.1 else 0.3, # seconds of one repeat of the latency
    budget = if (quick) 1 else 8,    # seconds for one rival in one measure
    turn = if (quick) 3 else 20,     # the same, for one repeat at one place of a curve
    patience = 600,                  # seconds after which one repeat has failed
    part = if (quick) 0.25 else 1,   # of the tasks that a slow rival gets
    workers = max(2L, parallel::detectCores()),
    tasks = 20000,                   # of the throughput
    elements = 1e5,                  # of a map
    waiting = if (quick) 1e5 else 1e6,
    listed = 1e5,                    # as scripts/waiting.R has it
    largest = if (quick) 1e6 else 1e9 # bytes of an argument
  )
}

print_head <- function(facts, peers, absent) {
  cat(
    sprintf("%d cores, %s, R %s, load %.2f, %s\n", facts$cores, facts$kernel, facts$r, facts$load,
      facts$date),
    sprintf("  %s %s\n", vapply(peers, `[[`, "", "name"), vapply(peers, peer_version, "")),
    if (length(absent)) paste0("  not installed: ", paste(absent, collapse = ", "), "\n"),
    "  median, cost relative to taskq, smallest to largest, repeats\n",
    sep = ""
  )
}

# Who has no figure, and why.
report_missed <- function(entries, measure) {
  missed <- list()
  for (entry in entries) {
    why <- if (!is.null(entry$missing)) entry$missing else if (!is.null(entry$error)) "failed"
    if (is.null(why)) next
    # An error's message is not stored: it may name places of this machine.
    detail <- if (!is.null(entry$error)) paste0(" (", entry$error, ")")
    at <- if (!is.null(entry$x)) paste0(" at ", count_text(entry$x))
    cat("\n  ", entry$name, ", ", measure, at, ": ", why, detail, "\n", sep = "")
    missed <- c(missed, list(list(measure = measure, who = entry$name, x = entry$x, why = why)))
  }
  missed
}

parse_arguments <- function(arguments) {
  found <- list(quick = FALSE, json = NULL, only = NULL, peers = peer_names, repeats = NULL)
  while (length(arguments)) {
    flag <- arguments[1]
    value <- arguments[2]
    arguments <- arguments[-1]
    if (flag == "--quick") {
      found$quick <- TRUE
      next
    }
    if (is.na(value)) stop(usage, call. = FALSE)
    arguments <- arguments[-1]
    switch(flag,
      "--json" = found$json <- value,
      "--only" = found$only <- strsplit(value, ",")[[1]],
      "--peers" = found$peers <- one_of(strsplit(value, ",")[[1]], peer_names),
      "--repeats" = found$repeats <- max(1L, as.integer(value)),
      stop(usage, call. = FALSE)
    )
  }
  if (is.null(found$repeats)) found$repeats <- if (found$quick) 3L else 5L
  found
}

one_of <- function(names, choices) {
  unknown <- setdiff(names, choices)
  if (!length(unknown)) return(names)
  stop(unknown[1], " is none of ", paste(choices, collapse = ", "), call. = FALSE)
}

machine_facts <- function() {
  system <- paste(Sys.info()[c("sysname", "release", "machine")], collapse = " ")
  list(
    cores = parallel::detectCores(),
    # Without what a builder of kernels adds to the version.
    kernel = sub("-[^ ]*", "", system),
    r = as.character(getRversion()),
    load = if (file.exists("/proc/loadavg")) scan("/proc/loadavg", n = 1, quiet = TRUE) else NA,
    date = as.character(Sys.Date())
  )
}

main(commandArgs(trailingOnly = TRUE))
