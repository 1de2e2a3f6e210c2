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
for (file in c("json.R", "peers.R", "processes.R", "measures.R", "harness.R")) {
  source(file.path(here, file), encoding = "UTF-8")
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

  settings <- list(
    repeats = chosen$repeats,
    block = if (chosen$quick) 0.1 else 0.3, # seconds of one repeat of the latency
    budget = if (chosen$quick) 5 else 90,   # seconds for one rival in one measure
    patience = 180,                          # seconds after which one repeat has failed
    tasks = 20000,
    workers = max(2L, parallel::detectCores())
  )
  peers <- lapply(file.path("peers", paste0(chosen$peers, ".R")), load_peer)
  here_now <- vapply(peers, is_installed, TRUE)
  absent <- vapply(peers[!here_now], `[[`, "", "name")
  peers <- peers[here_now]

  facts <- machine_facts()
  cat(
    sprintf("%d cores, %s, R %s, load %.2f, %s\n", facts$cores, facts$kernel, facts$r, facts$load,
      facts$date),
    sprintf("  %s %s\n", vapply(peers, `[[`, "", "name"), vapply(peers, peer_version, "")),
    if (length(absent)) paste0("  not installed: ", paste(absent, collapse = ", "), "\n"),
    "  median, cost relative to taskq, smallest to largest, repeats\n",
    sep = ""
  )

  todo <- measures(settings)
  if (!is.null(chosen$only)) todo <- todo[one_of(chosen$only, names(todo))]
  samples <- list()
  failures <- list()
  for (name in names(todo)) {
    message("measuring: ", name)
    entries <- run_measure(todo[[name]], peers, settings)
    new <- unlist(lapply(entries, entry_samples), recursive = FALSE)
    if (length(new)) print_table(summarise(new))
    for (entry in entries) {
      if (is.null(entry$error)) next
      cat("\nFAILED: ", entry$name, ", ", name, ": ", entry$error, "\n", sep = "")
      # Without the message, which may name places of this machine.
      failures <- c(failures, list(list(measure = name, who = entry$name)))
    }
    samples <- c(samples, new)
  }

  if (!is.null(json)) {
    figures <- summarise(samples)
    result <- list(
      machine = facts,
      settings = settings,
      versions = stats::setNames(lapply(peers, peer_version), vapply(peers, `[[`, "", "name")),
      absent = as.list(absent),
      rows = rows[unique(figures$row)],
      figures = figures,
      goals = judge(figures),
      failures = failures,
      samples = samples
    )
    writeLines(to_json(result), json, useBytes = TRUE)
  }
}

parse_arguments <- function(arguments) {
  found <- list(quick = FALSE, json = NULL, only = NULL, peers = peer_names, repeats = 5L)
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
