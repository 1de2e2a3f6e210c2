# What a function captures, where it is more than data (src/rust/src/capture.rs): other functions that were made in a
# frame, which capture something themselves, formulas, environments, `...`, active bindings, and variables that have no
# value.
#
# Two passes. The first finds which variables of which frames are used, by the function and by the code among their
# values. The second makes a frame anew for each, with these variables only, so that functions which share a frame here
# share one there. A frame that is itself the value of a variable (`self <- environment()`) is kept whole, and so are
# those around it: whatever is in it can be reached.
#
# Not found is what is reached by its name in a string (`get("x")`), by S3 dispatch to a method in a frame, or through
# an environment that a function asks for (`parent.frame()`, `environment(sys.function())`).

# Called natively. `request`: list(fun, failed); `failed`: a frame, a name, and what stands for the value; or NULL.
tq_capture_deeply <- function(request) {
  fun <- request[[1L]]
  frames <- tq_used_frames(fun, request[[2L]])
  env <- tq_renew_frames(frames)(environment(fun))
  if (tq_is_frame(env)) env
}

# ---- the first pass ----

# A list with one element a frame that is used: list(env, values, whole).
tq_used_frames <- function(fun, failed) {
  frames <- list()
  place_of <- function(env) {
    place <- tq_find_frame(frames, env)
    if (place > 0L) return(place)
    frames[[length(frames) + 1L]] <<- list(env = env, values = list(), whole = FALSE)
    length(frames)
  }
  keep_whole <- function(env) {
    for (frame in tq_frames_from(env)) {
      place <- place_of(frame)
      frames[[place]]$whole <<- TRUE
    }
  }
  todo <- list(fun)
  # Whether it is a function, which is what `kind` asks for if it is 2; else it is not taken.
  take <- function(name, kind, env) {
    place <- place_of(env)
    is_new <- !name %in% names(frames[[place]]$values)
    value <- if (is_new) tq_value_in_frame(name, env, failed) else frames[[place]]$values[[name]]
    is_function <- is.function(value) || inherits(value, "tq_captured")
    if (is_new && (is_function || kind != 2L)) {
      frames[[place]]$values[name] <<- list(value)
      inside <- tq_code_in(value)
      for (env in inside$environments) keep_whole(env)
      todo <<- c(todo, inside$code)
    }
    is_function
  }
  while (length(todo)) {
    code <- todo[[1L]]
    todo <- todo[-1L]
    uses <- rs_uses(code)
    chain <- tq_frames_from(environment(code))
    for (i in seq_along(uses[[1L]])) tq_take_used(uses[[1L]][[i]], uses[[2L]][[i]], chain, take)
  }
  frames
}

tq_find_frame <- function(frames, env) {
  for (i in seq_along(frames)) if (identical(frames[[i]]$env, env)) return(i)
  0L
}

tq_frames_from <- function(env) {
  chain <- list()
  while (!is.null(env) && tq_is_frame(env)) {
    chain <- c(chain, env)
    env <- parent.env(env)
  }
  chain
}

# R takes the value of the first variable of a name; what is called as a function (bit 2) is the first that is one.
tq_take_used <- function(name, kind, chain, take) {
  for (env in chain) {
    if (!exists(name, envir = env, inherits = FALSE)) next
    if (take(name, kind, env) || kind == 1L) return()
    kind <- 2L
  }
}

# The value of a variable, or what stands for one that is none, of class "tq_captured": an error, where it is missing
# or its promise fails, that is to be thrown when it is used; an active binding; `...`.
tq_value_in_frame <- function(name, env, failed) {
  if (identical(name, "...")) {
    values <- lapply(seq_len(eval(quote(...length()), env)), function(i) {
      tryCatch(eval(call("...elt", i), env), error = function(cnd) tq_stand_in("error", tq_slim_condition(cnd)))
    })
    names(values) <- eval(quote(...names()), env)
    return(tq_stand_in("dots", values))
  }
  if (bindingIsActive(as.name(name), env)) return(tq_stand_in("active", activeBindingFunction(as.name(name), env)))
  if (identical(failed[[1L]], env) && identical(failed[[2L]], name)) return(failed[[3L]])
  tq_forced_in_frame(list(env, name))
}

# Called natively, too. `request`: list(frame, name).
tq_forced_in_frame <- function(request) {
  fails <- function(cnd) {
    # Calls of ours would say nothing.
    if (tq_head_text(conditionCall(cnd)) %in% c("get", "doTryCatch")) cnd["call"] <- list(NULL)
    tq_stand_in("error", tq_slim_condition(cnd))
  }
  withCallingHandlers(
    tryCatch(get(request[[2L]], envir = request[[1L]], inherits = FALSE), error = fails),
    # It has failed at an earlier push.
    warning = function(cnd) {
      if (identical(conditionMessage(cnd), gettext("restarting interrupted promise evaluation", domain = "R"))) {
        tryInvokeRestart("muffleWarning")
      }
    }
  )
}

tq_stand_in <- function(what, value) structure(list(what = what, value = value), class = "tq_captured")

# The code in a value that was made in a frame, and the environments in it. A formula in a list is a part of a model,
# say, which may look for anything in its environment.
tq_code_in <- function(value, depth = 8L) {
  found <- list(code = list(), environments = list())
  if (is.environment(value)) {
    # The methods of an R6 object were made in another one.
    found$environments <- c(value, get0(".__enclos_env__", value, "environment", inherits = FALSE))
  } else if (tq_is_code_of_frame(value)) {
    if (is.function(value) || depth == 8L) found$code <- list(value) else found$environments <- list(environment(value))
  } else if (is.list(value) && depth > 0L && !rs_is_data(value)) {
    for (element in unclass(value)) {
      inside <- tq_code_in(element, depth - 1L)
      found <- list(code = c(found$code, inside$code), environments = c(found$environments, inside$environments))
    }
  }
  found
}

tq_is_code_of_frame <- function(value) {
  is_code <- if (is.function(value)) !inherits(value, "crate") && !isS4(value) else is.call(value)
  is_code && is.environment(environment(value)) && tq_is_frame(environment(value))
}

# ---- the second pass ----

# A function that tells the environment in which what was made in `env` is to be.
tq_renew_frames <- function(frames) {
  made <- vector("list", length(frames))
  renew <- function(env) {
    if (!tq_is_frame(env)) return(tq_end_of_chain(env))
    place <- tq_find_frame(frames, env)
    if (place == 0L) return(renew(parent.env(env)))
    if (frames[[place]]$whole) return(env)
    if (is.null(made[[place]])) {
      made[[place]] <<- tq_new_frame(frames[[place]]$values[["..."]], renew(parent.env(env)))
    }
    made[[place]]
  }
  for (frame in frames) {
    if (!frame$whole) tq_fill_frame(renew(frame$env), frame$values, renew)
  }
  renew
}

tq_end_of_chain <- function(env) {
  is_here_only <- !isNamespace(env) && !identical(env, baseenv()) && !identical(env, emptyenv())
  if (is_here_only) globalenv() else env
}

# Only a call makes a frame with `...`. Its arguments are promises, which must not be of this frame.
tq_new_frame <- function(dots, parent) {
  if (is.null(dots)) return(new.env(hash = FALSE, parent = parent))
  frame_of <- function(...) environment()
  environment(frame_of) <- parent
  args <- lapply(dots$value, function(value) {
    if (inherits(value, "tq_captured")) return(tq_error_call(value))
    if (is.language(value)) call("quote", value) else value
  })
  do.call(frame_of, args, envir = baseenv())
}

# Source references are dropped here, where the serializer does not look: in environments.
tq_fill_frame <- function(env, values, renew) {
  for (name in setdiff(names(values), "...")) {
    value <- values[[name]]
    if (!inherits(value, "tq_captured")) {
      assign(name, rs_without_sources(tq_renew_value(value, renew)), envir = env)
    } else if (value$what == "active") {
      makeActiveBinding(name, rs_without_sources(tq_renew_value(value$value, renew)), env)
    } else {
      do.call(delayedAssign, list(name, tq_error_call(value), baseenv(), env))
    }
  }
}

tq_error_call <- function(value) call("stop", value$value)

tq_renew_value <- function(value, renew, depth = 8L) {
  if (tq_is_code_of_frame(value)) {
    environment(value) <- renew(environment(value))
  } else if (is.list(value) && depth > 0L && length(tq_code_in(value, depth)$code)) {
    attributes <- attributes(value)
    value <- lapply(unclass(value), tq_renew_value, renew, depth - 1L)
    attributes(value) <- attributes
  }
  value
}
