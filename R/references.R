# Objects that are of no use in another process: what refers to something that only this process has, as a database
# connection or `input` of a Shiny session does. They are looked for only where the serializer has met an external
# pointer that is not empty, or an R6 object (src/serialize.c); most tasks have neither.

# | class                                    | called                  | what to do instead |
tq_of_no_use <- list(
  list(c("reactivevalues", "ReactiveValues"), "reactive values", "take the value before, as in `list(input$n)`"),
  list(c("reactiveVal", "ReactiveVal"), "a reactive value", "take the value before, as in `list(r())`"),
  list(c("reactiveExpr", "reactive", "Observable", "Observer"), "a reactive",
    "take the value before, as in `list(r())`"),
  list("shinyoutput", "`output` of Shiny", "let the task return a value, and assign to `output` in the app"),
  list(c("ShinySession", "MockShinySession", "session_proxy"), "a session of Shiny",
    "send what the task needs of it, as in `list(session$clientData$url_search)`"),
  list("Progress", "a Progress of Shiny",
    "call `taskq::task_progress()` in the task, and show `q$progress(id)` in the app: see vignette(\"shiny\")"),
  list(c("DBIConnection", "DBIResult", "Pool"), "a database connection",
    "open it in the task, or once in each worker by `init` of the queue"),
  list("connection", "a connection", "open it in the task, and send its path or address")
)

# What is whole again by itself in another process, or is told of there.
tq_refers_well <- c("task_q", "data.table", "xgb.Booster", "igraph", "terminal")

# Called natively, while `sent[[2]]`, what a task has beside its function, or the function, is written. `sent[[1]]`:
# the function of the task, or NULL.
tq_refuse_references <- function(sent) {
  names(sent) <- c("fun", "object")
  for (root in tq_roots_of(sent$object, sent$fun)) {
    found <- tq_references_in(root$value)
    if (!length(found)) next
    is_certain <- vapply(found, `[[`, NA, "is_certain")
    found <- found[[if (any(is_certain)) which(is_certain)[1L] else 1L]]
    text <- tq_reference_text(found, root$name, root$of)
    path <- paste0(root$name, found$path)
    if (found$is_certain) {
      fields <- list(arg = root$name, value = NULL, remedy = text$hint, path = path)
      tq_throw(tq_condition("input", text$message, body = c(i = text$hint), fields = fields))
    }
    # Told once: it may be well.
    label <- paste("reference", path, found$class)
    if (label %in% tq_session$warned) next
    tq_session$warned <- c(tq_session$warned, label)
    tq_warn("reference", text$message, NULL, arg = root$name, path = path, body = c(i = text$hint))
  }
}

# Called natively. An outcome with a warning, if its value holds such an object; or as it was.
tq_warn_of_references <- function(outcome) {
  found <- tq_references_in(outcome$value)
  if (!length(found)) return(outcome)
  text <- tq_reference_text(found[[1L]], "result", "the value")
  cnd <- structure(class = c("taskq_warning_reference", "taskq_warning", "warning", "condition"),
    list(message = text$message, call = NULL, body = c(i = "return what is read from it, or a copy in memory"),
      path = paste0("result", found[[1L]]$path)))
  outcome$warnings <- c(outcome$warnings, list(cnd))
  outcome
}

# What a user has given, by the names that they know: list(value, name, of).
tq_roots_of <- function(object, fun) {
  roots <- list()
  add <- function(value, name, of) roots[[length(roots) + 1L]] <<- list(value = value, name = name, of = of)
  if (is.function(object)) add(object, "fun", "the function")
  if (!is.list(object)) return(roots)
  for (part in intersect(c("args", "captured", "globals"), names(object))) {
    of <- c(args = "argument", captured = "variable", globals = "object")[[part]]
    values <- object[[part]]
    while (is.environment(values) && tq_is_frame(values)) {
      for (name in ls(values, all.names = TRUE)) add(tq_try(get(name, envir = values, inherits = FALSE)), name, of)
      values <- parent.env(values)
    }
    if (is.environment(values)) next
    names <- if (part == "args") tq_argument_names(values, object$fun %||% fun) else names(values)
    for (i in seq_along(values)) add(values[[i]], names[[i]], of)
  }
  if (is.function(object$fun)) add(object$fun, "fun", "the function")
  if (is.list(object$batch)) add(object$batch$x, "x", "an element of")
  roots
}

# As R matches them, but for names that are cut short.
tq_argument_names <- function(args, fun) {
  names <- names(args) %||% character(length(args))
  formals <- if (is.function(fun)) names(formals(args(fun)))
  free <- setdiff(formals, names)
  if ("..." %in% free) free <- free[seq_len(match("...", free) - 1L)]
  positions <- which(!nzchar(names))
  known <- positions[seq_len(min(length(positions), length(free)))]
  names[known] <- free[seq_along(known)]
  names[!nzchar(names)] <- paste0("..", which(!nzchar(names)))
  names
}

tq_reference_text <- function(found, name, of) {
  subject <- if (name == "result") of else sprintf("%s `%s`", of, name)
  path <- paste0(name, found$path)
  where <- if (nzchar(found$path)) sprintf("holds %s at `%s`", found$what, path) else paste("is", found$what)
  class <- if (nzchar(found$class)) sprintf(" (%s)", found$class) else ""
  list(message = sprintf("%s %s%s, which is of no use in another process", subject, where, class), hint = found$hint)
}

# ---- looking ----

# A list with one element a find: list(path, what, class, hint, is_certain). An object is looked into until something
# is found in it. What is large, or refers to itself, is not looked through to its end.
tq_references_in <- function(x) {
  found <- list()
  seen <- list()
  left <- tq_limits$reference_objects
  look <- function(x, path, owner) {
    left <<- left - 1L
    if (left < 0L || is.null(x) || is.symbol(x) || inherits(x, tq_refers_well)) return()
    known <- tq_known_reference(x, owner)
    if (!is.null(known)) {
      found[[length(found) + 1L]] <<- c(list(path = path), known)
      return()
    }
    if (isS4(x) || is.object(x)) owner <- class(x)[1L]
    if (is.environment(x)) {
      if (!tq_is_frame(x) || any(vapply(seen, identical, NA, x))) return()
      seen <<- c(seen, x)
      look_into_environment(x, path, owner)
    } else if (is.function(x)) {
      if (is.primitive(x)) return()
      look(body(x), path, owner)
      look(environment(x), path, owner)
    } else if (is.recursive(x)) {
      elements <- as.list(unclass(x))
      names <- names(elements)
      for (i in seq_along(elements)) {
        if (left < 0L) return()
        if (!is.atomic(elements[[i]]) || is.object(elements[[i]])) {
          look(elements[[i]], paste0(path, tq_step_text(i, names[i])), owner)
        }
      }
    }
    held <- attributes(x)
    for (name in setdiff(names(held), c("names", "class", "dim", "dimnames", "row.names", "levels", "srcref"))) {
      look(held[[name]], paste0(path, if (isS4(x)) paste0("@", name)), owner)
    }
  }
  look_into_environment <- function(env, path, owner) {
    for (name in ls(env, all.names = TRUE, sorted = FALSE)) {
      if (left < 0L) return()
      if (bindingIsActive(as.name(name), env)) next
      look(tq_try(get(name, envir = env, inherits = FALSE)), paste0(path, "$", name), owner)
    }
  }
  look(x, "", NULL)
  found
}

tq_step_text <- function(i, name) {
  if (length(name) && !is.na(name) && nzchar(name)) paste0("$", name) else sprintf("[[%d]]", i)
}

# `owner`: the class of the object that holds it.
tq_known_reference <- function(x, owner = NULL) {
  describe <- function(what, hint, is_certain, of = class(x)[1L]) {
    list(what = what, class = of, hint = hint, is_certain = is_certain)
  }
  for (kind in tq_of_no_use) {
    if (is.object(x) && inherits(x, kind[[1L]])) return(describe(kind[[2L]], kind[[3L]], TRUE))
  }
  if (is.function(x)) {
    code <- body(x)
    pointer <- if (is.call(code) && length(code) > 1L && identical(code[[1L]], quote(.Call))) code[[2L]]
    if (typeof(pointer) == "externalptr") {
      return(describe("a compiled function", "compile it in `init` of the queue, or put it in a package", TRUE,
        class(pointer)[1L]))
    }
  }
  if (typeof(x) == "externalptr" && !rs_is_empty_pointer(x)) {
    return(describe("an external pointer", "make it in the task, or once in each worker by `init` of the queue", FALSE,
      owner %||% ""))
  }
  NULL
}
