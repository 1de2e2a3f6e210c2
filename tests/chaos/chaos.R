# Chaos: hosts with queues and random work, while their processes are killed, stopped and interrupted at random.
#
#   Rscript tests/chaos/chaos.R [--seconds 60] [--seed 1] [--hosts 2]
#
# Afterwards, of each host: every task that was pushed has exactly one outcome (of a host that was killed: at most one),
# no attempt has run twice, no task was begun more often than its tries, a success has run to its end, what was
# cancelled or skipped before it began has not begun, and no process and no file is left. host.R describes what is
# compared.
#
# Prints one line of counts; status 1 if anything was violated. The seed determines what is tried, not how it
# interleaves.

args <- commandArgs(TRUE)
option <- function(name, default) {
  at <- match(paste0("--", name), args)
  if (is.na(at)) default else args[[at + 1L]]
}
seconds <- as.numeric(option("seconds", "60"))
seed <- as.integer(option("seed", "1"))
num_hosts <- as.integer(option("hosts", "2"))
root <- tempfile("chaos-", dirname(tempdir()))
dir.create(root)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
set.seed(seed)

# Each comparison counts; a violation is told at once, with the host's folder.
checks <- 0L
violations <- character()
check <- function(holds, life, ...) {
  checks <<- checks + 1L
  if (!isTRUE(holds)) {
    text <- sprintf("life %d (%s): %s", life$number, life$fate, paste(...))
    violations <<- c(violations, text)
    message("VIOLATION ", text)
  }
}
strikes <- integer()
outcomes <- integer()
count <- function(counts, name, n = 1L) {
  counts[[name]] <- n + if (name %in% names(counts)) counts[[name]] else 0L
  counts
}

# --- processes -------------------------------------------------------------------------------------------------------

# State and parent, from after the name, which may hold anything.
stat_of <- function(pid) {
  stat <- tryCatch(suppressWarnings(readLines(sprintf("/proc/%d/stat", pid), 1L)), error = function(cnd) NULL)
  if (length(stat)) strsplit(sub("^.*\\) ", "", stat), " ")[[1L]][1:2]
}

is_alive <- function(pid) !is.null(stat <- stat_of(pid)) && !stat[[1L]] %in% c("X", "Z")

# The variables of a process's environment, as others see them.
environ_of <- function(pid) {
  bytes <- tryCatch(suppressWarnings(readBin(sprintf("/proc/%d/environ", pid), raw(), 1e5)),
    error = function(cnd) raw())
  bytes[bytes == 0] <- as.raw(10)
  strsplit(rawToChar(bytes), "\n", fixed = TRUE, useBytes = TRUE)[[1L]]
}

# Everything that a host has started has its marker in the environment.
has_marker <- function(pid, life) life$marker %in% environ_of(pid)

all_pids <- function() as.integer(list.files("/proc", "^[0-9]+$"))

processes_of <- function(life) Filter(function(pid) is_alive(pid) && has_marker(pid, life), all_pids())

# The processes that belong to a host, by what they are. Supervisors outlive the zygote that they come from; a session
# has a tag (`taskq_sys::tag`), and so has what a task has started, which has no parent here unless its supervisor has
# adopted it.
processes_by_role <- function(life) {
  pids <- processes_of(life)
  parents <- vapply(pids, function(pid) as.integer(c(stat_of(pid), NA, NA)[[2L]]), 0L)
  tags <- lapply(pids, function(pid) grep("^TASKQ_SESSION=", environ_of(pid), value = TRUE, useBytes = TRUE))
  is_blank <- vapply(tags, function(tag) any(grepl("= *$", tag, useBytes = TRUE)), NA)
  is_tagged <- lengths(tags) > 0L & !is_blank
  zygotes <- pids[is_blank & parents == life$pid]
  supervisors <- setdiff(pids[is_blank & !parents %in% pids[is_blank & parents != life$pid]], zygotes)
  sessions <- pids[is_tagged & parents %in% supervisors]
  list(host = life$pid, zygote = zygotes, supervisor = supervisors, session = sessions)
}

send <- function(pid, signal, life) {
  # Once more, right before: the number may have passed on.
  if (is_alive(pid) && has_marker(pid, life)) tools::pskill(pid, signal)
}

# --- lives -----------------------------------------------------------------------------------------------------------

born <- 0L

begin_life <- function() {
  born <<- born + 1L
  life <- new.env()
  life$number <- born
  life$dir <- file.path(root, born)
  life$marker <- sprintf("TASKQ_CHAOS=%d.%d.%d", Sys.getpid(), seed, born)
  # What becomes of the host: it ends by itself in one of four ways, or is ended.
  life$fate <- sample(c("drain", "close", "kill", "quit", "KILL", "TERM", "SEGV", "STOP+KILL"), 1L,
    prob = c(5, 2, 2, 1, 2, 1, 1, 1))
  own_end <- life$fate %in% c("drain", "close", "kill", "quit")
  work_s <- stats::runif(1, 2, 6)
  life$dies_at <- if (own_end) Inf else as.numeric(Sys.time()) + stats::runif(1, 0.5, 6)
  life$overdue_at <- as.numeric(Sys.time()) + work_s + 100
  life$continue <- list()
  life$killed <- FALSE
  dir.create(file.path(life$dir, "tmp"), recursive = TRUE)
  script <- file.path(life$dir, "run.sh")
  writeLines(c(
    sprintf("echo $$ > %s/pid-; mv %s/pid- %s/pid", life$dir, life$dir, life$dir),
    sprintf("exec %s %s %s %d %f %s", file.path(R.home("bin"), "Rscript"), file.path(here, "host.R"), life$dir,
      sample.int(1e9, 1L), work_s, if (own_end) life$fate else "drain")
  ), script)
  system2("sh", script, wait = FALSE, stdout = file.path(life$dir, "log"), stderr = file.path(life$dir, "log"),
    env = c(life$marker, paste0("TMPDIR=", life$dir, "/tmp"), paste0("R_LIBS=", paste(.libPaths(), collapse = ":"))))
  while (!file.exists(file.path(life$dir, "pid"))) Sys.sleep(0.01)
  life$pid <- as.integer(readLines(file.path(life$dir, "pid")))
  life
}

signals <- c(INT = 2L, ABRT = 6L, KILL = 9L, USR1 = 10L, SEGV = 11L, TERM = 15L, CONT = 18L, STOP = 19L)

# Whom it hits, and how often how.
targets <- list(
  session = c(KILL = 4, SEGV = 1, TERM = 1, ABRT = 1, USR1 = 0.5, STOP = 2, INT = 1),
  supervisor = c(KILL = 2, SEGV = 0.5, TERM = 0.5, STOP = 1),
  zygote = c(KILL = 2, TERM = 0.5, STOP = 1),
  host = c(INT = 12, STOP = 1)
)

strike <- function(life) {
  role <- sample(names(targets), 1L, prob = c(session = 4, supervisor = 1, zygote = 0.3, host = 6))
  # Before it is ready, a host can be interrupted to death.
  if (!file.exists(file.path(life$dir, "journal"))) return()
  victims <- if (role == "host") life$pid else processes_by_role(life)[[role]]
  if (!length(victims)) return()
  victim <- victims[[sample.int(length(victims), 1L)]]
  signal <- sample(names(targets[[role]]), 1L, prob = targets[[role]])
  strikes <<- count(strikes, paste(role, signal))
  send(victim, signals[[signal]], life)
  if (signal == "STOP") {
    at <- as.numeric(Sys.time()) + stats::runif(1, 0.02, 0.4)
    life$continue[[length(life$continue) + 1L]] <- list(pid = victim, at = at)
  }
}

# What is due by now. TRUE when the host has ended.
tend <- function(life) {
  now <- as.numeric(Sys.time())
  due <- vapply(life$continue, function(item) item$at <= now, NA)
  for (item in life$continue[due]) send(item$pid, signals[["CONT"]], life)
  life$continue <- life$continue[!due]
  if (now >= life$dies_at && is_alive(life$pid)) {
    strikes <<- count(strikes, paste("host", life$fate))
    life$killed <- TRUE
    life$dies_at <- Inf
    for (signal in strsplit(life$fate, "+", fixed = TRUE)[[1L]]) send(life$pid, signals[[signal]], life)
  }
  if (now >= life$overdue_at && is_alive(life$pid)) {
    check(FALSE, life, "the host hangs")
    life$killed <- TRUE
    send(life$pid, signals[["KILL"]], life)
  }
  !is_alive(life$pid)
}

# --- judgement -------------------------------------------------------------------------------------------------------

slowest_end <- 0
num_pushed <- num_attempts <- num_halted <- 0L

read_words <- function(path, what) {
  lines <- if (file.exists(path)) readLines(path, warn = FALSE)
  # A host that is killed while it writes leaves half a line.
  words <- strsplit(grep(paste0("^", what, " "), lines, value = TRUE), " ", fixed = TRUE)
  if (length(words)) do.call(rbind, words) else matrix("", 0L, 5L)
}

judge <- function(life) {
  # No process outlives the host by more than two seconds; the machine is busy, so five times that.
  ended <- as.numeric(Sys.time())
  repeat {
    left <- processes_of(life)
    took <- as.numeric(Sys.time()) - ended
    if (!length(left) || took > 10) break
    Sys.sleep(0.02)
  }
  slowest_end <<- max(slowest_end, took)
  check(!length(left), life, "processes are left:", toString(left))
  for (pid in left) send(pid, signals[["KILL"]], life)

  files <- list.files(file.path(life$dir, "tmp"), "^taskq-", recursive = TRUE, include.dirs = TRUE, full.names = TRUE)
  left <- list.files(files, recursive = TRUE, include.dirs = TRUE, all.files = TRUE)
  # A supervisor that is killed while it boots, by the death of the host, cannot remove what R has made for it.
  if (life$killed) left <- grep("^Rtmp[^/]*$", left, invert = TRUE, value = TRUE)
  check(!length(left) && (life$killed || !length(files)), life,
    "files are left:", toString(left), "in", toString(files))

  path <- file.path(life$dir, "journal")
  lines <- if (file.exists(path)) readLines(path, warn = FALSE) else character()
  log <- readLines(file.path(life$dir, "log"), warn = FALSE)
  for (line in grep("^wrong ", lines, value = TRUE)) check(FALSE, life, line)
  if (!life$killed && life$fate != "quit" && !"over" %in% lines) {
    # An interrupt that hits R itself outside of all handlers ends a script; that is R's way.
    halted <- any(grepl("Execution halted", log)) && !any(grepl("^Error|panicked", log))
    num_halted <<- num_halted + halted
    check(halted, life, "the host ended early:", paste(utils::tail(log, 3), collapse = " | "))
  }
  check(!any(grepl("panicked|caught segfault", log)) || life$fate == "SEGV", life, "the host's log:",
    paste(utils::head(grep("panicked|caught segfault", log, value = TRUE), 3), collapse = " | "))

  intents <- read_words(path, "intent")
  pushed <- read_words(path, "pushed")[, 2L]
  refused <- read_words(path, "refused")[, 2L]
  outs <- read_words(path, "out")
  begins <- read_words(file.path(life$dir, "tokens"), "begin")
  ends <- read_words(file.path(life$dir, "tokens"), "end")
  num_pushed <<- num_pushed + length(pushed)
  num_attempts <<- num_attempts + nrow(begins)
  for (status in outs[, 3L]) outcomes <<- count(outcomes, status)

  check(!anyDuplicated(outs[, 2L]), life, "two outcomes of", toString(outs[duplicated(outs[, 2L]), 2L]))
  check(!length(setdiff(outs[, 2L], intents[, 2L])), life, "outcomes of what was never pushed")
  check(!length(intersect(outs[, 2L], refused)), life, "outcomes of what was refused")
  if ("over" %in% lines) {
    check(setequal(outs[, 2L], pushed), life, "no outcome of", toString(setdiff(pushed, outs[, 2L])))
  }
  twice <- duplicated(paste(begins[, 2L], begins[, 3L]))
  check(!any(twice), life, "an attempt was begun twice:", toString(begins[twice, 2L]))
  check(!length(intersect(begins[, 2L], refused)), life, "what was refused has begun")

  tries <- as.numeric(intents[, 3L])[match(outs[, 2L], intents[, 2L])]
  begun <- tabulate(match(begins[, 2L], intents[, 2L]), nrow(intents))
  over <- begun > as.numeric(intents[, 3L])
  check(!any(over), life, "begun more often than allowed:", toString(intents[over, 2L]))
  for (i in seq_len(nrow(outs))) {
    id <- outs[i, 2L]
    status <- outs[i, 3L]
    told <- as.numeric(outs[i, 4L])
    of_id <- sum(begins[, 2L] == id)
    check(outs[i, 5L] == "TRUE", life, "the value of", id, "is wrong")
    check(of_id <= told && told <= tries[[i]], life,
      sprintf("%s was begun %d times, says %d, allowed %g", id, of_id, told, tries[[i]]))
    if (status == "success") {
      check(any(ends[, 2L] == id & ends[, 3L] == outs[i, 4L]), life, "a success did not run to its end:", id)
    }
    # Only another try could not be started any more.
    if (status == "start") check(told < tries[[i]], life, id, "has begun as often as it may, and could not start")
    if (status == "skipped") check(told == 0, life, id, "is skipped and has begun")
  }
}

# --- the run ---------------------------------------------------------------------------------------------------------

until <- as.numeric(Sys.time()) + seconds
next_strike <- 0
lives <- list()
repeat {
  now <- as.numeric(Sys.time())
  over <- vapply(lives, tend, NA)
  for (life in lives[over]) {
    judge(life)
    if (!length(violations)) unlink(life$dir, recursive = TRUE)
  }
  lives <- lives[!over]
  if (now >= until && !length(lives)) break
  while (length(lives) < num_hosts && now < until) lives <- c(lives, list(begin_life()))
  if (now >= next_strike && length(lives)) {
    strike(lives[[sample.int(length(lives), 1L)]])
    next_strike <- now + stats::rexp(1, 8)
  }
  Sys.sleep(0.01)
}

object <- function(counts) {
  counts <- counts[order(as.character(names(counts)))]
  paste0("{", paste(sprintf('"%s": %d', names(counts), counts), collapse = ", "), "}")
}
cat(sprintf(paste0('{"seed": %d, "seconds": %g, "hosts": %d, "tasks": %d, "attempts": %d, "outcomes": %s, ',
  '"strikes": %s, "halted": %d, "slowest_end_s": %.2f, "checks": %d, "violations": %d}\n'),
  seed, seconds, born, num_pushed, num_attempts, object(outcomes), object(strikes), num_halted, slowest_end, checks,
  length(violations)))
if (nzchar(Sys.getenv("COUNTS"))) {
  writeLines(paste(checks - length(violations), length(violations), 0), Sys.getenv("COUNTS"))
}
if (length(violations)) message("Journals and logs: ", root) else unlink(root, recursive = TRUE)
quit("no", status = as.integer(length(violations) > 0L))
