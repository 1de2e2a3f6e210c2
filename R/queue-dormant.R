# A queue that is made while the R process starts that sessions of another queue come from: by a profile, or by a
# package when it is loaded. That R process would read the same profile, and so on without end. So such a queue sleeps:
# it has no process and no thread, nothing can be pushed to it as long as that start lasts, and it wakes up when a task
# uses it.

# Whether this R process is to become a zygote, a supervisor or a session, and has not yet come to the functions of its
# user, `preload` and `init`. Only what R was started with tells: variables are inherited by what a profile starts.
tq_is_starting <- function() {
  codes <- c(tq_entry_code("supervisor_main"), tq_entry_code("session_main"))
  is.null(tq_session$is_up) && any(commandArgs() %in% codes)
}

# Profiles and packages are through.
tq_is_up <- function() tq_session$is_up <- TRUE

# Until it wakes up, an inline queue stands in for it.
tq_open_dormant <- function(private, session, limits, call) {
  none <- replace(limits, c("min_workers", "max_workers"), 0)
  tq_open_now(private, session, none, call)
  inline <- private$inline
  inline$wake <- function(call) {
    if (tq_is_starting()) tq_throw(tq_starting_error(call))
    inline$wake <- NULL
    private$inline <- NULL
    tq_open_now(private, session, limits, call)
  }
  inline$end <- function(call) {
    inline$wake <- NULL
    # The one that stood in may belong to the process that this was forked from.
    tq_open_now(private, session, none, call)
    rs_queue_kill(private$handle)
  }
}

tq_is_dormant <- function(private) !is.null(private$inline) && !is.null(private$inline$wake)

# What needs to know more than that there is nothing has it wake up.
tq_wake <- function(private, call) {
  if (tq_is_dormant(private) && !tq_is_starting()) private$inline$wake(call)
}
