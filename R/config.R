# Every limit, environment variable and option that the R side knows, with their units. No other file in R/ writes a
# limit down: the defaults of arguments stand where users read them, and the measures of a picture or a line where it
# is made.

tq_limits <- list(
  max_workers = 1000L,          # sessions of one queue
  max_nodes = 120L,             # of one cluster: connections that R has
  check_workers = 2L,           # sessions of one queue under R CMD check
  max_nice = 19L,               # what the kernel knows of niceness
  max_id_bytes = 10000L,        # of the id of a task, which travels in front of it
  max_conditions = 1000L,       # warnings, messages, and others, kept of one task; the rest is counted
  max_condition_bytes = 10 * 2^20,  # size of them all; the rest is counted, too
  max_trace = 100L,             # calls kept of one trace, half from each end
  max_call_chars = 200L,        # characters of one call in a trace
  max_call_depth = 50L,         # calls within calls in it
  max_call_width = 100L,        # parts of one of these
  max_call_parts = 1000L,       # parts of all of these
  max_message_chars = 4000L,    # characters of an error's message that is shown with another one
  max_constant = 10L,           # length of a vector that may stand in a call that is sent
  max_field_bytes = 10 * 2^20,  # size of one field of an error object that is sent
  max_parents = 10L,            # length of a chain of parent errors
  state_rounds = 4L,            # how often a session tries to go back to its state before it ends
  stderr_tail_lines = 20L,      # lines of stderr in a crash
  watch_steps = 1000L,          # objects that are looked through for what `init` has opened
  watch_depth = 6L,             # lists and environments within each other in this
  reference_objects = 10000L,   # objects that are looked through for what is of no use in another process
  shown_ids = 5L,               # ids that a message names; the rest is counted
  word_chars = 60L,             # characters of an id or value in a message
  min_width = 20L,              # columns that printing fills, however narrow the terminal
  value_lines = 40L,            # lines of a large value that printing a result shows
  line_values = 20L,            # values that fit into one of them
  small_value_bytes = 20000,    # size of a value that is printed whole
  table_rows = 20L,             # rows of a table that is printed without tibble
  cell_chars = 24L,             # width of a cell of a table that is printed without tibble
  redraw_ms = 100,              # how often a progress bar is drawn
  settle_ms = 10,               # how long settling promises may hold up what else an event loop has to do
  loop_timer_s = 3600,          # how far away the timer is that stands for pending promises in an event loop
  follow_ms = 10,               # the least time between two looks at a task that is followed in Shiny
  monitor_refresh_ms = 100L,    # the shortest time between two looks of a monitor
  monitor_sizes = c(25L, 50L, 100L), # rows of a page of a monitor to choose from, the first by default
  monitor_workers = 100L,       # workers that a monitor lists
  monitor_tags = 100L,          # tags that a monitor offers to choose from
  monitor_find_chars = 200L,    # characters of a text that is looked for in a monitor
  monitor_text_chars = 200L,    # characters of a message or tag in a monitor
  monitor_chosen = 10000L,      # tasks that can be chosen in a monitor at once
  monitor_reasons = 10000L,     # reasons why tasks failed that a monitor remembers
  monitor_output_bytes = 65536, # of each stream that one look of a monitor sends
  monitor_say_s = 3,            # the shortest time between two sentences for a screen reader
  monitor_timeline_s = 2,       # the shortest time between two drawings of the timeline
  kill_wait_ms = 10000          # how long close() and kill() wait for killed processes to go
)

# | environment variable    | unit    | read by | meaning                                      |
# | ----------------------- | ------- | ------- | -------------------------------------------- |
# | `_R_CHECK_LIMIT_CORES_` | logical | host    | set and not "false": at most `check_workers` |
# | `TASKQ_LIB`             | path    | worker  | the library from which taskq is loaded       |
# | `R_LIBS`                | paths   | worker  | the host's library paths, for the start of R |
# | `TASKQ_LOG`             | level   | both    | the log: `level` or `level:file`, see log.R  |
#
# Beside these a worker gets those of `tq_thread_variables`, below, and of `tq_quiet_variables` (worker-threads.R).
#
# | option      | unit           | read by | meaning                                                       |
# | ----------- | -------------- | ------- | ------------------------------------------------------------- |
# | `warn`      | integer        | worker  | as in R: below 0 drops warnings, 2 and more makes them errors |
# | `taskq.log` | level, or list | host    | the log, see log.R                                            |

tq_limit_cores <- function() {
  limit <- Sys.getenv("_R_CHECK_LIMIT_CORES_", "")
  nzchar(limit) && !identical(tolower(limit), "false")
}

# What the queue tells a new process: where taskq and the other packages are.
tq_session_env <- function(libpath) {
  library_of_taskq <- dirname(getNamespaceInfo("taskq", "path"))
  c(
    R_LIBS = paste(unique(c(libpath, library_of_taskq)), collapse = .Platform$path.sep),
    TASKQ_LIB = library_of_taskq
  )
}

# The files that R reads when it starts, as ?Startup has it, and what it loads then of taskq. A zygote that has read
# them as they are now can serve another queue.
tq_startup_files <- function(wd, env) {
  value <- function(name) if (name %in% names(env)) env[[name]] else Sys.getenv(name)
  named <- vapply(c("R_ENVIRON", "R_ENVIRON_USER", "R_PROFILE", "R_PROFILE_USER"), value, "")
  named <- path.expand(named[nzchar(named)])
  relative <- !startsWith(named, "/")
  named[relative] <- file.path(wd, named[relative])
  c(
    named,
    file.path(R.home("etc"), c("Renviron", "Renviron.site", "Rprofile.site", "ldpaths")),
    file.path(R.home("library"), "base", "R", "Rprofile"),
    file.path(wd, c(".Renviron", ".Rprofile")),
    path.expand(file.path("~", c(".Renviron", ".Rprofile"))),
    file.path(getNamespaceInfo("taskq", "path"), c("R/taskq.rdb", "libs/taskq.so"))
  )
}

# What the process list shows of the processes of a queue. A zygote belongs to none; its supervisors, which are forks of
# it, find room for theirs.
tq_title <- function(name) if (is.null(name)) "taskq" else paste0("taskq:", name)
tq_zygote_title <- formatC("taskq", width = -80)

# How many threads the numerical libraries of a worker use, unless the user has said so already:
# as many workers as there are do not share the cores out by themselves.
tq_thread_variables <- c(
  "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
  "VECLIB_MAXIMUM_THREADS", "RCPP_PARALLEL_NUM_THREADS"
)

tq_thread_env <- function(threads, max_workers) {
  names <- tq_thread_variables
  if (is.null(threads)) {
    threads <- max(1L, rs_num_cores() %/% max(1L, max_workers))
    names <- names[is.na(Sys.getenv(names, NA))]
  }
  env <- rep(as.character(threads), length(names))
  names(env) <- names
  env
}

# The command that starts R with one of the two entry points of worker-main.R. It has no spaces
# and no character that R's front end, a shell script, would expand.
# What follows --args is for the process list.
tq_session_command <- function(entry, title, r_args) {
  c(file.path(R.home("bin"), "R"), "--no-echo", "--no-save", "--no-restore", r_args, "-e", tq_entry_code(entry),
    "--args", title)
}

tq_entry_code <- function(entry) {
  sprintf("loadNamespace(\"taskq\",lib.loc=Sys.getenv(\"TASKQ_LIB\"))$%s()", entry)
}
