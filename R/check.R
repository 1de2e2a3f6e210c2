# Checks of what users pass. Each returns the value in the form that the code behind it uses, or
# throws a `taskq_error_input` that names the argument. Nothing has changed when a check fails.

# A duration in milliseconds, or a difftime, as a number of milliseconds.
tq_check_duration <- function(x, arg, call, hint = NULL) {
  if (is.numeric(x) && length(x) == 1L && !is.na(x) && x >= 0 && !inherits(x, "difftime")) {
    if (x > 0 && x < 1) tq_warn_of_seconds(x, arg, call)
    return(as.double(x))
  }
  if (inherits(x, "difftime") && length(x) == 1L) {
    milliseconds <- as.double(x, units = "secs") * 1000
    if (!is.na(milliseconds) && milliseconds >= 0) return(milliseconds)
  }
  tq_input_error(arg, x, "a number of milliseconds from 0 to Inf, or a difftime", call, hint)
}

# A duration below a millisecond is a mistake where it is written down (0.5, meant as seconds); a computed one may be
# as short.
# Told once.
tq_warn_of_seconds <- function(x, arg, call) {
  is_written <- vapply(as.list(call), function(part) identical(part, x), NA)
  label <- paste(arg, x)
  if (!any(is_written) || label %in% tq_session$warned) return(invisible())
  tq_session$warned <- c(tq_session$warned, label)
  message <- sprintf("`%s` is a number of milliseconds, and %s is less than one", arg, format(x))
  hint <- sprintf("for %s seconds write %s, or `as.difftime(%s, units = \"secs\")`", format(x), format(x * 1000),
    format(x))
  tq_warn("duration", message, call, arg = arg, value = x, body = c(i = hint))
}

# How often to look at something, `least` milliseconds apart or more.
tq_check_refresh <- function(x, least, call) {
  refresh_ms <- tq_check_duration(x, "refresh", call)
  if (refresh_ms >= least && is.finite(refresh_ms)) return(refresh_ms)
  tq_input_error("refresh", x, sprintf("a duration of %d milliseconds or more", least), call)
}

# One number, or the least and the greatest; always returned as two.
tq_check_num_workers <- function(x, arg, call) {
  limit <- tq_limits$max_workers
  valid <- is.numeric(x) && length(x) %in% 1:2 && !anyNA(x) && all(x == trunc(x)) && all(x >= 0) &&
    all(x <= limit) && !is.unsorted(x)
  if (!valid) {
    remedy <- sprintf("a whole number from 0 to %d, or two of them", limit)
    hint <- if (is.numeric(x) && length(x) == 2L) "the first is the least number of workers, the second the greatest"
    tq_input_error(arg, x, remedy, call, hint)
  }
  if (tq_limit_cores()) x <- pmin(x, tq_limits$check_workers)
  as.integer(c(x[1L], x[length(x)]))
}

# The workers of a queue that an adapter of another package makes: one whole number from 1.
tq_check_own_workers <- function(x, arg, call) {
  valid <- is.numeric(x) && length(x) == 1L && !is.na(x) && x >= 1
  if (!valid) tq_input_error(arg, x, "a whole number from 1 on", call)
  tq_check_num_workers(x, arg, call)[[1L]]
}

# Refuses what is no option of a queue among what an adapter of another package hands on in its `...`.
tq_check_own_options <- function(options, call, except = character()) {
  given <- names(options) %||% rep("", length(options))
  valid <- setdiff(names(formals(task_q$public_methods$initialize)), c("num_workers", "...", except))
  if (!all(given %in% valid)) tq_refuse_arguments(given, valid, call)
}

# A count of at least 1, or Inf.
tq_check_count <- function(x, arg, call) {
  if (is.numeric(x) && length(x) == 1L && !is.na(x) && x >= 1 && x == trunc(x)) return(as.double(x))
  tq_input_error(arg, x, "a whole number from 1 to Inf", call)
}

tq_check_bytes <- function(x, arg, call) {
  if (is.numeric(x) && length(x) == 1L && !is.na(x) && x >= 1) return(as.double(x))
  tq_input_error(arg, x, "a number of bytes from 1 to Inf", call)
}

tq_check_threads <- function(x, call) {
  if (is.null(x)) return(NULL)
  if (is.numeric(x) && length(x) == 1L && !is.na(x) && x >= 1 && x == trunc(x) && is.finite(x)) {
    return(as.integer(x))
  }
  tq_input_error("threads", x, "a whole number of 1 or more, or NULL", call)
}

tq_check_nice <- function(x, call) {
  limit <- tq_limits$max_nice
  valid <- is.numeric(x) && length(x) == 1L && !is.na(x) && x == trunc(x) && x >= 0 && x <= limit
  if (valid) return(as.integer(x))
  tq_input_error("nice", x, sprintf("a whole number from 0 to %d", limit), call)
}

tq_check_id <- function(x, call) {
  if (is.null(x)) return(NULL)
  if (!tq_is_string(x)) {
    hint <- if (is.numeric(x) && length(x) == 1L) sprintf("write `\"%s\"`", format(x, digits = 15))
    tq_input_error("id", x, "one non-empty string, or NULL", call, hint)
  }
  if (startsWith(x, ".idle-")) {
    tq_input_error("id", x, "a string that does not start with \".idle-\"", call)
  }
  if (nchar(x, "bytes") > tq_limits$max_id_bytes) {
    tq_input_error("id", x, sprintf("a string of at most %d bytes", tq_limits$max_id_bytes), call)
  }
  tq_check_text(x, "id", call)
}

# Names travel in UTF-8. What is no text, in whatever encoding it is said to be, names nothing.
tq_check_text <- function(x, arg, call) {
  is_text <- validEnc(x) & Encoding(x) != "bytes"
  if (all(is_text)) return(enc2utf8(x))
  hint <- "if you know its encoding, convert it with `iconv()`, or set `Encoding()`"
  tq_input_error(arg, x[!is_text][1L], "valid text", call, hint)
}

tq_check_args <- function(x, call) {
  if (!is.list(x) && !is.pairlist(x)) {
    hint <- "`list(x)` makes `x` the only argument, `as.list(x)` each of its elements an argument"
    tq_input_error("args", x, "a list of the arguments, e.g. `list(1, x = 2)`", call, if (!is.function(x)) hint)
  }
  if (is.object(x) || is.pairlist(x)) as.list(x) else x
}

tq_check_function <- function(x, arg, call, null = FALSE) {
  if (is.function(x) || (null && is.null(x))) return(x)
  tq_input_error(arg, x, if (null) "a function, or NULL" else "a function", call, tq_function_hint(x))
}

# What is most often given where a function belongs.
tq_function_hint <- function(x) {
  if (tq_is_string(x)) {
    is_name <- identical(make.names(x), x) || grepl("^[[:alpha:]][[:alnum:].]*::[[:alnum:]._]+$", x)
    return(if (is_name) sprintf("write the function itself, without quotes: `%s`", x) else "write `function() ...`")
  }
  if (inherits(x, "formula")) return("write `function(x) ...`")
  if (is.language(x)) return("write `function() ...` around it")
  if (!is.null(x)) "give a function that is called later, `function() ...`, not the value of a call"
}

tq_check_name <- function(x, call) {
  if (is.null(x)) return(NULL)
  if (tq_is_string(x)) return(tq_check_text(x, "name", call))
  tq_input_error("name", x, "one non-empty string, or NULL", call)
}

tq_check_packages <- function(x, call) {
  if (is.character(x) && !anyNA(x) && all(nzchar(x))) return(as.character(x))
  tq_input_error("packages", x, "a character vector of package names", call)
}

# list(values, auto): the objects, and whether what functions use is to be sent, too.
tq_check_globals <- function(x, call) {
  values <- if (identical(x, "auto")) list("auto") else x
  is_auto <- FALSE
  if (is.list(values)) {
    unnamed <- which(!nzchar(names(values) %||% character(length(values))))
    is_auto <- length(unnamed) == 1L && identical(values[[unnamed]], "auto")
    if (is_auto) values <- values[-unnamed]
    if (tq_has_names(values)) return(list(values = as.list(values), auto = is_auto))
  }
  remedy <- "\"auto\", or a list in which each object has a name of its own, e.g. `list(f = f)`"
  tq_input_error("globals", x, remedy, call)
}

tq_check_env <- function(x, call) {
  valid <- is.character(x) && !anyNA(x) && tq_has_names(x) &&
    !any(grepl("=", names(x), fixed = TRUE))
  if (!valid) {
    tq_input_error("env", x, "a named character vector, e.g. `c(TZ = \"UTC\")`", call)
  }
  if ("TMPDIR" %in% names(x)) x[["TMPDIR"]] <- tq_check_tmpdir(x[["TMPDIR"]], call)
  x
}

# R itself passes over what cannot be written to. Who names a place wants it.
tq_check_tmpdir <- function(x, call) {
  if (dir.exists(x) && file.access(x, 2L) == 0L) return(normalizePath(x))
  tq_input_error("env", x, "one whose `TMPDIR` is a directory that exists and can be written to", call)
}

# What R's front end, a shell script, passes on as it is, and what leaves R as it has to be to serve.
tq_check_r_args <- function(x, call) {
  valid <- is.character(x) && !anyNA(x) && all(grepl("^--?[A-Za-z][A-Za-z0-9-]*(=[A-Za-z0-9_.,:/+@%-]+)?$", x))
  long <- "args|file|gui|debugger|debugger-args|interactive|version|help|arch|save|restore|verbose"
  taken <- sprintf("^(-e|-f|-g|-d|-h|--(%s)(=.*)?)$", long)
  if (valid && !any(grepl(taken, x))) return(as.character(x))
  tq_input_error("r_args", x, "options of R itself, each one string without blanks, e.g. \"--max-ppsize=100000\"", call)
}

tq_check_libpath <- function(x, call) {
  if (is.character(x) && !anyNA(x)) return(normalizePath(x, mustWork = FALSE))
  tq_input_error("libpath", x, "a character vector of directories", call)
}

tq_check_wd <- function(x, call) {
  if (tq_is_string(x) && dir.exists(x)) return(normalizePath(x))
  remedy <- "the path of a directory that exists"
  # The default is getwd().
  if (!is.null(x) || !is.null(getwd())) tq_input_error("wd", x, remedy, call)
  message <- "the working directory of this session, in which the workers were to start, does not exist any more"
  hint <- "go to one that exists by `setwd()`, or name one by `wd`"
  tq_throw(tq_condition("input", message, call, fields = list(arg = "wd", value = NULL, remedy = remedy),
    body = c(i = hint)))
}

tq_check_queue <- function(x, call) {
  if (inherits(x, "task_q")) return(x)
  tq_input_error("queue", x, "a queue, as `task_q$new()` makes it", call)
}

tq_check_label <- function(x, arg, call) {
  if (is.null(x)) return(NULL)
  if (tq_is_string(x)) return(tq_check_text(x, arg, call))
  tq_input_error(arg, x, "one non-empty string, or NULL", call)
}

# A number for set.seed(); `vector`: or a `.Random.seed` of kind "L'Ecuyer-CMRG".
tq_check_seed <- function(x, call, vector = FALSE) {
  if (is.null(x)) return(NULL)
  limit <- .Machine$integer.max
  if (is.numeric(x) && length(x) == 1L && !is.na(x) && x == trunc(x) && abs(x) <= limit) {
    return(as.integer(x))
  }
  is_stream <- vector && is.integer(x) && length(x) == 7L && !anyNA(x[1L]) && x[1L] %% 100L == 7L
  if (is_stream) return(as.vector(x))
  remedy <- "one whole number"
  if (vector) remedy <- paste0(remedy, ", a `.Random.seed` of kind \"L'Ecuyer-CMRG\"")
  tq_input_error("seed", x, paste0(remedy, ", or NULL"), call)
}

# One of some strings; all of them, as in a signature, stand for the first.
tq_check_choice <- function(x, choices, arg, call) {
  if (identical(x, choices)) return(choices[1L])
  if (tq_is_string(x) && x %in% choices) return(x)
  tq_input_error(arg, x, tq_enumerate(dQuote(choices, FALSE), "or"), call, tq_meant_hint(x, choices))
}

tq_check_flag <- function(x, arg, call) {
  if (is.logical(x) && length(x) == 1L && !is.na(x)) return(x)
  tq_input_error(arg, x, "TRUE or FALSE", call)
}

# `...` exists only to make users name what follows it. `owner` is the function that has it.
tq_check_dots <- function(..., owner, call, fun = NULL) {
  if (...length() == 0L) return(invisible())
  given <- names(substitute(list(...)))[-1L]
  tq_refuse_arguments(given, setdiff(names(formals(owner)), "..."), call,
    before = names(formals(owner))[match("...", names(formals(owner))) - 1L], fun = fun)
}

# R completes the names of arguments before `...`: with `i = 1`, which is meant for its function, a task would get an
# `id`. `fun`, `args`: what R has made of them; one is the function of the task.
tq_check_names <- function(call, owner, fun, args) {
  given <- names(call)
  if (is.null(given)) return(invisible())
  valid <- names(formals(owner))
  if (all(given %in% c("", valid))) return(invisible())
  fun <- Find(is.function, list(tq_try(fun), tq_try(args)))
  tq_refuse_arguments(given[-1L], setdiff(valid, "..."), call, fun = fun)
}

# `given`: their names, "" where there is none; `before`: the last argument that needs no name; `fun`: the function
# whose arguments may have been meant, or NULL.
tq_refuse_arguments <- function(given, valid, call, before = NULL, fun = NULL) {
  unknown <- given[nzchar(given) & !given %in% valid]
  all <- paste(if (length(valid) == 1L) "the only argument is" else "the arguments are", tq_enumerate(tq_tick(valid)))
  all <- paste(strwrap(all, 78L), collapse = "\n")
  if (length(unknown)) {
    message <- sprintf("there %s %s", if (length(unknown) == 1L) "is no argument" else "are no arguments",
      tq_enumerate(tq_tick(unknown), "or"))
    meant <- lapply(unknown, tq_meant, valid)
    meant <- if (all(lengths(meant))) tq_enumerate(tq_tick(unique(unlist(meant))))
    hint <- tq_own_arguments_hint(unknown, fun, valid) %||%
      if (is.null(meant)) all else sprintf("did you mean %s?", meant)
  } else {
    message <- if (is.null(before)) {
      "all arguments in `...` must have names of their own"
    } else {
      sprintf("all arguments after `%s` must be named", before)
    }
    hint <- all
  }
  arg <- if (length(unknown)) unknown[1L] else "..."
  tq_throw(tq_condition("input", message, call, fields = list(arg = arg, value = NULL, remedy = "valid names"),
    body = c(i = hint)))
}

# Where the arguments of the function of a task belong.
tq_own_arguments_hint <- function(unknown, fun, valid) {
  if (!is.function(fun) || !all(unknown %in% names(formals(args(fun))))) return(NULL)
  own <- paste(unknown, "= ...", collapse = ", ")
  if ("args" %in% valid) return(sprintf("the arguments of the function stand in `args`: `list(%s)`", own))
  sprintf("the arguments of the function stand in `args_list`: `list(list(%s))`", own)
}

# Of strings that are not among `choices`, what they are most like.
tq_meant_hint <- function(x, choices) {
  if (!is.character(x)) return(NULL)
  meant <- unlist(lapply(setdiff(x, c(choices, NA)), tq_meant, choices))
  if (length(meant)) sprintf("did you mean %s?", tq_enumerate(dQuote(unique(meant), FALSE)))
}

# Packages that are suggested, for what needs them.
tq_need <- function(packages, what, call) {
  absent <- packages[!vapply(packages, requireNamespace, NA, quietly = TRUE)]
  if (length(absent) == 0L) return(invisible())
  message <- sprintf("%s need%s %s %s, which %s not installed", what, if (endsWith(what, "s")) "" else "s",
    if (length(absent) == 1L) "package" else "packages", tq_enumerate(sQuote(absent, FALSE)),
    if (length(absent) == 1L) "is" else "are")
  tq_throw(tq_condition("package", message, call, packages = absent,
    body = c(i = sprintf("`install.packages(%s)`", paste(deparse(absent), collapse = "")))))
}

# The value, or NULL where there is none.
tq_try <- function(expr) tryCatch(expr, error = function(cnd) NULL)

tq_is_string <- function(x) is.character(x) && length(x) == 1L && !is.na(x) && nzchar(x)

tq_has_names <- function(x) {
  if (length(x) == 0L) return(TRUE)
  labels <- names(x)
  !is.null(labels) && !anyNA(labels) && all(nzchar(labels)) && !anyDuplicated(labels)
}
