# R processes with queues of their own, for tests that end the host or might.

# Runs `code` in a new R process. It is killed when the test ends, if it is still there.
local_host <- function(code, booted = TRUE, frame = parent.frame()) {
  skip_if_not_installed("callr")
  fixture_begins()
  dir <- tempfile("host-")
  dir.create(dir)
  host <- callr::r_bg(function(code, libpath) {
    .libPaths(libpath)
    eval(code, globalenv())
  }, list(code = code, libpath = .libPaths()), stdout = "|", stderr = "2>&1", cleanup = TRUE,
  env = c(callr::rcmd_safe_env(), TMPDIR = dir))
  finish <- function() {
    host$kill()
    # R itself leaves its temporary directory behind when it is killed; nothing of ours may be in it. Only a supervisor
    # that is killed before it has booted cannot clean up: then our empty directory stays in R's.
    ours <- function() list.files(dir, "^taskq-", recursive = TRUE, include.dirs = TRUE)
    if (booted) expect_true(wait_until(!length(ours())), label = "every file of the queue is gone")
    unlink(dir, recursive = TRUE)
    fixture_ends()
  }
  do.call(on.exit, list(as.call(list(finish)), add = TRUE), envir = frame)
  host
}

# The next line that such a host prints; NA when none comes in time.
next_line <- function(host, deadline_s = 20) {
  deadline <- Sys.time() + deadline_s
  repeat {
    line <- host$read_output_lines(1L)
    if (length(line)) return(line)
    if (Sys.time() > deadline) return(NA_character_)
    host$poll_io(100)
  }
}

# The value of `fun(...)` in a new R process that has a deadline; whatever it printed stands in the error if there is
# none. `sh` is code of bash that runs in the same process before R starts: limits, a changed environment, ...
in_host <- function(fun, ..., deadline_s = 60, sh = NULL, env = character()) {
  skip_on_cran()
  dir <- tempfile("host-")
  dir.create(dir)
  on.exit(unlink(dir, recursive = TRUE))
  paths <- file.path(dir, c("call.rds", "value.rds", "log"))
  environment(fun) <- globalenv()
  saveRDS(list(fun = fun, args = list(...), libpath = .libPaths()), paths[[1L]])
  code <- sprintf("x <- readRDS('%s'); .libPaths(x$libpath); value <- do.call(x$fun, x$args); saveRDS(value, '%s')",
    paths[[1L]], paths[[2L]])
  script <- file.path(dir, "run.sh")
  writeLines(c(sh, sprintf("exec %s --no-save --no-restore --no-echo -e %s",
    shQuote(file.path(R.home("bin"), "R")), shQuote(code))), script)
  status <- suppressWarnings(system2("timeout", c("-k", "1", deadline_s, "bash", shQuote(script)),
    stdout = paths[[3L]], stderr = paths[[3L]], stdin = "/dev/null", env = c(paste0("TMPDIR=", dir), env)))
  if (!file.exists(paths[[2L]])) {
    log <- utils::tail(readLines(paths[[3L]], warn = FALSE), 20)
    stop("the host ended with status ", status, " (124: deadline):\n", paste(log, collapse = "\n"))
  }
  readRDS(paths[[2L]])
}

# For in_host(): the environment of a host with this profile; `$taskq` in it loads the package.
with_profile <- function(code, frame = parent.frame()) {
  path <- local_path(frame)
  loads <- sprintf("library(taskq, lib.loc = \"%s\")", dirname(find.package("taskq")))
  writeLines(sub("$taskq", loads, code, fixed = TRUE), path)
  # As where R is started without --vanilla.
  c(paste0("R_PROFILE_USER=", path), "R_PROFILE=", "R_ENVIRON=", "R_ENVIRON_USER=")
}

# Code of bash for in_host(): the process goes on as a user without an entry or a home. A test that limits how many
# processes a user has needs a `uid` of its own.
as_nobody <- function(frame = parent.frame(), uid = 54321L) {
  skip_if_not(nzchar(Sys.which("setpriv")) && identical(system("id -u", intern = TRUE), "0"),
    "root and setpriv are needed")
  readable <- function(path) {
    system2("setpriv", c("--reuid", uid, "--clear-groups", "test", "-r", shQuote(path)), stderr = FALSE) == 0L
  }
  skip_if_not(readable(file.path(.libPaths()[[1L]], "taskq", "DESCRIPTION")), "the library is private")
  # What the host is started by is in a folder of ours.
  Sys.chmod(tempdir(), "0711")
  do.call(on.exit, list(quote(Sys.chmod(tempdir(), "0700")), add = TRUE), envir = frame)
  paste(sep = "\n",
    "chmod -R 777 \"$(dirname \"$0\")\"",
    sprintf("as=\"--reuid %d --regid %d --clear-groups\"", uid, uid),
    "if [ \"$(id -u)\" = 0 ]; then exec setpriv $as env -u HOME \"$BASH\" \"$0\"; fi"
  )
}
