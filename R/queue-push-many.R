# push_many(): as push(), for many tasks of one function. All of them are queued, or none.

# `options`: of tq_task_options(), whose `replace` is absent: `replace` is a key for each task, or NULL.
tq_push_many <- function(private, fun, args_list, ids, options, replace, call) {
  if (missing(fun)) tq_missing_error("fun", "a function", call)
  portable <- tq_portable(tq_check_function(fun, "fun", call))
  if (missing(args_list)) tq_missing_error("args_list", tq_args_list_remedy, call)
  args_list <- tq_check_args_list(args_list, call)
  ids <- tq_check_ids(ids, length(args_list), call)
  keys <- tq_check_keys(replace, length(args_list), call)
  if (!is.null(options$for_host$given)) for (args in args_list) tq_check_given(options, args, call)
  handle <- tq_handle(private, call)
  if (!is.null(private$inline)) tq_inline_start(private$inline, call)

  beside <- tq_far(private, fun, options)
  beside$name <- tq_name_of_function(portable$fun, call)
  beside$captured <- portable$captured
  calls <- tq_many_calls(args_list, beside)
  repeat {
    pushed <- rs_push_many(handle, ids, portable$fun, calls, options$for_host, keys)
    if (!is.list(pushed)) break
    tq_refuse_many(handle, pushed, args_list, call)
    if (!options$block) return(invisible(NULL))
    tq_checked(rs_wait_room(handle, as.double(length(calls)), Inf), call)
  }
  if (!is.null(private$inline)) tq_inline_run(private$inline, handle, call)
  invisible(pushed)
}

# Returns only for a queue that is full.
tq_refuse_many <- function(handle, refusal, args_list, call) {
  if (identical(refusal$code, "full")) return(invisible())
  if (identical(refusal$code, "too-many")) {
    remedy <- sprintf("a list of at most %s", tq_number_of(refusal$limit, "element"))
    tq_input_error("args_list", args_list, remedy, call, "no more tasks may wait: see `max_waiting` of the queue")
  }
  tq_push_refused(handle, refusal, call)
}

# What each task has beside its function; NULL where that is nothing.
tq_many_calls <- function(args_list, for_worker) {
  calls <- if (length(for_worker)) {
    lapply(args_list, function(args) c(list(args = args), for_worker))
  } else {
    lapply(args_list, function(args) if (length(args)) list(args = args))
  }
  # The random numbers of one task are not those of another.
  if (!is.null(for_worker$seed)) for (i in seq_along(calls)) calls[[i]]$streams <- i - 1
  unname(calls)
}

tq_check_args_list <- function(x, call) {
  if (is.list(x) && !is.object(x)) {
    plain <- vapply(x, function(args) is.list(args) && !is.object(args), NA)
    if (all(plain)) return(x)
    lists <- vapply(x, function(args) is.list(args) || is.pairlist(args), NA)
    if (all(lists)) return(lapply(x, as.list))
  }
  hint <- if (is.vector(x) && !is.object(x)) "`lapply(x, list)` makes one task of each element of `x`"
  tq_input_error("args_list", x, tq_args_list_remedy, call, hint)
}

tq_args_list_remedy <- "a list of lists of arguments, e.g. `list(list(1), list(2))`"

tq_check_ids <- function(x, count, call) {
  if (is.null(x)) return(NULL)
  valid <- is.character(x) && length(x) == count && !anyNA(x) && all(nzchar(x)) && !any(startsWith(x, ".idle-")) &&
    all(nchar(x, "bytes") <= tq_limits$max_id_bytes)
  if (!valid) {
    hint <- if (any(startsWith(as.character(x), ".idle-"), na.rm = TRUE)) {
      "they must not start with \".idle-\""
    } else if (any(nchar(as.character(x), "bytes") > tq_limits$max_id_bytes, na.rm = TRUE)) {
      sprintf("none may have more than %d bytes", tq_limits$max_id_bytes)
    }
    remedy <- paste0(tq_number_of(count, "non-empty string"), ", one for each task, or NULL")
    tq_input_error("ids", x, remedy, call, hint)
  }
  tq_check_text(x, "ids", call)
}

tq_check_keys <- function(x, count, call) {
  if (is.null(x)) return(NULL)
  valid <- is.character(x) && length(x) == count && !anyNA(x) && all(nzchar(x)) && !anyDuplicated(x)
  if (!valid) {
    remedy <- paste0(tq_number_of(count, "different string"), ", one for each task, or NULL")
    tq_input_error("replace", x, remedy, call)
  }
  tq_check_text(x, "replace", call)
}
