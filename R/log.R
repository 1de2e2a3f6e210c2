# The log, for who looks for a fault. Nothing is logged unless the option `taskq.log` or the environment variable
# `TASKQ_LOG` says so. Both are looked at whenever a queue is made, and count for the whole process. Where lines go and
# what they look like is decided in src/rust/src/log.rs.

tq_log_levels <- c("off", "error", "warn", "info", "debug")

tq_log_level <- function() sprintf("a level (%s)", tq_enumerate(sprintf("\"%s\"", tq_log_levels), "or"))

# `list(level, file)`. `file` is "" for standard error.
tq_log_option <- function(call) {
  option <- getOption("taskq.log")
  if (is.null(option)) return(tq_log_variable(call))
  if (!is.list(option)) option <- list(level = option)
  remedy <- paste0(tq_log_level(), " or `list(level = , file = )`")
  is_level <- tq_is_string(option$level) && option$level %in% tq_log_levels
  is_file <- is.null(option$file) || tq_is_string(option$file)
  if (!is_level || !is_file || length(setdiff(names(option), c("level", "file")))) {
    tq_input_error("options(taskq.log = )", getOption("taskq.log"), remedy, call)
  }
  list(level = option$level, file = tq_log_file(option$file %||% ""))
}

# "level" or "level:file".
tq_log_variable <- function(call) {
  value <- Sys.getenv("TASKQ_LOG")
  if (!nzchar(value)) return(list(level = "off", file = ""))
  level <- sub(":.*", "", value)
  if (!level %in% tq_log_levels) {
    tq_input_error("TASKQ_LOG", value, paste0(tq_log_level(), ", or a level, a colon and a file"), call)
  }
  list(level = level, file = tq_log_file(substr(value, nchar(level) + 2L, nchar(value))))
}

# Workers have working directories of their own.
tq_log_file <- function(file) {
  if (!nzchar(file)) return("")
  file <- path.expand(file)
  if (startsWith(file, "/")) file else file.path(getwd(), file)
}

# Switches the log on or off. Returns the variable for the processes of a queue: their standard error belongs to tasks,
# so they log to a file only.
tq_log <- function(call) {
  log <- tq_log_option(call)
  tq_checked(rs_log(log$level, charToRaw(enc2native(log$file))), call)
  if (log$level == "off" || !nzchar(log$file)) "" else paste0(log$level, ":", log$file)
}

# The same in a process of a queue, which must not fail by it.
tq_log_here <- function() {
  log <- tryCatch(tq_log_variable(NULL), error = function(cnd) NULL)
  if (!is.null(log) && nzchar(log$file)) rs_log(log$level, charToRaw(log$file))
}
