#' A task queue
#'
#' @description
#' A queue of tasks and a pool of R sessions, its workers, that run them in parallel. Tasks move
#' on by themselves: each method tells how things are now.
#'
#' A duration is a number of milliseconds or a `difftime`; `0` does not wait, `Inf` waits for ever.
#' What waits can be interrupted with Ctrl-C, and nothing is lost then.
#'
#' @details
#' # What a task sees
#' A function sees its arguments, `globals`, `pkg::name`, and the variables that it uses of the frames in which it
#' was made, those of functions and of `local()`, with the values that they have at the push. So closures work as
#' with [lapply()]: function factories, `Vectorize()`, `ecdf()`, `purrr::safely()`. Of the rest of these frames
#' nothing travels. What lies beyond them is that of the worker: its global environment, or the package in which
#' the function was made. A function of a package and a crate (`carrier::crate()`) go as they are.
#'
#' What is used is found by a walk of the code. Not seen is a variable whose name stands in a string (`get("x")`),
#' a method of an S3 generic in a frame, and what is reached by an environment that the code asks for
#' (`parent.frame()`). A variable that has no value, because it is an argument that is missing or fails, is an
#' error where it is used.
#'
#' The call of the function is that of `do.call(fun, args)`, called from the global environment: `match.call()` and
#' `substitute()` find the values of the arguments, so that [update()] and [step()] work on a model that came back
#' from `q$push(lm, list(mpg ~ wt, data = d))`. A function of a package that is named in the call of `push()` is
#' called by that name, `stats::lm(...)`. Source references are left out.
#'
#' # A result
#' A list of class `taskq_result` with these fields, always all of them:
#'
#' * `result`: the value; `NULL` on failure
#' * `stdout`, `stderr`: what the process wrote while the task ran, a string each
#' * `error`: `NULL` on success, otherwise one of the error objects below
#' * `task_id`: the id, a string
#' * `status`: "success", "error", "crash", "timeout", "cancelled" or "skipped"
#' * `warnings`, `messages`: lists of condition objects
#' * `conditions`: a list of those of any other class that the task has signalled and not caught itself, in their order
#' * `tries`: how often the task was begun, an integer; 0 when it never was
#' * `worker`: the process id of the session that ran it last, an integer, or `NA`
#' * `times`: a POSIXct with the names `queued`, `started` and `finished`, `NA` for what did not happen
#' * `queued`: how long it waited, from its push or the end of the try before until it began, in seconds; `NA` when it
#'   never began, or not again. It counts what it waited for others, by `after`, and the delay of `backoff`
#' * `seconds`, `cpu`: how long it ran, and the processor time of its session meanwhile, in seconds
#' * `max_rss`: the most memory that its session has had so far, in bytes
#'
#' What exceeds a limit is counted in the attribute "dropped": a numeric vector with the names `bytes` (of the captured
#' output) and `conditions` (of which 1000 warnings, 1000 messages and 1000 others are kept, 10 MB in all), or one of
#' them.
#'
#' # Conditions
#' A task's warnings, messages and other conditions stand in its result. One that also has the class
#' `immediateCondition`, as those of the package progressr have, is signalled here, too, while the task runs: by
#' `pop()`, `poll()`, `wait()`, `collect()`, `map()`, and a `push()` that waits for room, whichever comes first, in the
#' order in which they came, those of each try, and before the result of the task. A warning is signalled by
#' [warning()], a message by [message()], anything else by [signalCondition()]. So `progressr::with_progress()` works
#' around these methods. A handler may jump out of them: no task and no condition is lost but the one that was
#' signalled. For a task with a promise an event loop does the same, where only the handlers of
#' [globalCallingHandlers()] are called. A task never waits for that: 10,000 conditions or 16 MB wait here, and
#' a warning tells how many more there were. In a queue without workers they reach the handlers by themselves. Those of
#' a process that a task has forked, by `parallel::mclapply()` for instance, are not signalled here.
#'
#' # The error of a task
#' All are `taskq_error`s with the field `task_id`. By `status`:
#'
#' * "error": `taskq_error_task`, an R error; `parent` is the original condition, `trace` a data frame
#'   of the calls
#' * "crash": `taskq_error_crash`; `signal` and `exit_code` are integers, one of them `NA`;
#'   `stderr_tail` is a string, `max_rss` a number of bytes, `oom` whether the machine was out of memory
#' * "timeout": `taskq_error_timeout`; `stderr_tail`
#' * "cancelled": `taskq_error_cancelled`
#' * "skipped": `taskq_error_skipped`; `after` is the id of the task that did not succeed
#' * "error", too, when no worker could be started for it: `taskq_error_start`
#'
#' # Errors
#' All methods throw `taskq_error_input` for an argument that cannot be (fields `arg`, `value`,
#' `remedy`), `taskq_error_forked` in a forked child of the session that made the queue, and
#' `taskq_error_closed` for a queue that was saved and restored. What sends objects, `push()` and `map()` for
#' instance, throws `taskq_error_system` when memory is short. What else a method throws stands with
#' it. All of them are `taskq_error`s, and a call that has thrown has changed nothing.
#' The field `message` says what happened, and `body`, where there is one, what to do about it, as
#' in conditions of rlang; `conditionMessage()` gives both. A duration below one millisecond that
#' is written out in the call is warned of once in a session, by a `taskq_warning_duration` (fields
#' `arg`, `value`): it was meant as seconds. An object that may be of no use in another process, an external pointer
#' for instance, is warned of once by a `taskq_warning_reference` (fields `arg`, the argument or variable, and `path`,
#' where it is in there); of a result, among the `warnings` of the task.
#'
#' A method that does not exist gives R's own error "attempt to apply non-function".
#'
#' @examples
#' \dontshow{
#' # While this one is open, the others start at once.
#' first <- task_q$new(1)
#' }
#' q <- task_q$new(2)
#' q$push(function(x) x + 1, list(x = 41))
#' q$push(function() stop("This failed, sorry"), id = "bad")
#' while (!q$is_idle()) print(q$pop(Inf))
#' q$close()
#' @seealso [share()] for large data, [task_q_extended_task()] and [task_q_monitor()] for Shiny,
#'   [plot()][plot.task_q] and [summary()][summary.task_q] of a queue, [task_progress()] and its like for
#'   use inside a task, and [taskq-state] for what a task finds in its session.
#' @export
task_q <- R6Class("task_q",
  cloneable = FALSE,
  public = list(

    #' @description
    #' Makes a queue. Returns at once: the sessions start in the background, and tasks may be
    #' pushed meanwhile. They end when the queue is closed or collected, or this session ends.
    #' @param num_workers Number of sessions, a whole number from 0 to 1000; default 4. With 0,
    #'   tasks run inline: in this session, inside `push()`. Two numbers, the least and the greatest,
    #'   make an elastic queue: it starts sessions while tasks wait, and retires those that have
    #'   nothing to do. At most 2 under `R CMD check`.
    #' @param ... Must be empty.
    #' @param name A string that names the queue in `print()` and in the titles of its processes,
    #'   or `NULL`.
    #' @param preload A function without arguments that is run once, before any worker exists; what
    #'   it loads, all workers share. Or `NULL`.
    #' @param init A function without arguments that is run in every worker before its first task,
    #'   also in one that replaces another. Or `NULL`.
    #' @param packages Names of packages that are attached in every worker, a character vector.
    #' @param globals A named list of objects that are put in the global environment of every worker. With
    #'   `"auto"`, or `"auto"` as an element without a name, each task is also sent what its function uses of the
    #'   global environment of this session, and what that uses, with the values that they have at the push, and the
    #'   packages that are attached here and used are attached for it; so for `preload` and `init`. Names in strings
    #'   are not seen. Objects that are given by name stay as given.
    #' @param env Environment variables of the workers, a named character vector. `TMPDIR` says where they have their
    #'   temporary files, a directory that exists: each worker has one of its own below it, which is its `TMPDIR`, and
    #'   which goes with the queue.
    #' @param libpath Library paths of the workers, a character vector; default those of this
    #'   session.
    #' @param wd Working directory of the workers; default that of this session.
    #' @param timeout,tries,isolate Defaults of these arguments of `push()`: `Inf`, 1 and `FALSE`.
    #' @param max_tasks Number of tasks after which a session is replaced by a new one, a whole number
    #'   or `Inf`, the default.
    #' @param max_memory Bytes of resident memory above which a session is replaced by a new one when
    #'   its task has ended; default `Inf`.
    #' @param idle_timeout A duration; default 60000. A session of an elastic queue, above the least
    #'   number, that had nothing to do for so long is retired.
    #' @param threads Number of threads that numerical libraries (OpenMP, OpenBLAS, MKL and others)
    #'   may use in each worker, a whole number. Default `NULL`: the number of cores divided by the
    #'   number of workers, at least 1, where the environment of this session does not say.
    #' @param seed A whole number for reproducible random numbers: the k-th task of the queue then
    #'   has its own stream of kind "L'Ecuyer-CMRG", the same for any number of workers and in each
    #'   try. Default `NULL`: every task has a stream of its own that cannot be foreseen. The random
    #'   numbers of this session are never touched.
    #' @param max_waiting How many tasks may wait, a whole number or `Inf`, the default. See `block` of `run()` and of
    #'   `push()`.
    #' @param fair Whether tasks of the same priority take turns between their tags; default `FALSE`.
    #'   With `TRUE` each tag begins one task before any other that waits begins a second one, so that
    #'   one who pushes many tasks does not hold up those who push few. Tasks without a tag, among them
    #'   the batches of `map()`, take turns with the others as if they had one tag. Within a tag the
    #'   older push comes first. A tag that comes anew takes its turn after those that are there; one
    #'   that was away, or whose tasks were cancelled, has neither more nor less than the others. A
    #'   turn is a task, whatever time it takes.
    #' @param nice How much more of the processors each session leaves to others than this session does, from its birth
    #'   on, with all that it starts: a whole number from 0 to 19 that is added to the niceness, as by the command
    #'   `nice`; default 0. Where Linux shares the processors out among terminal sessions ("autogroups"), each worker is
    #'   one, and steps back among these, too. An inline queue, which has no sessions, passes it over.
    #' @param r_args Further options of the R that the workers come from, a character vector without blanks, e.g.
    #'   `"--max-ppsize=100000"` or `"--no-environ"`; see [Startup] and `R --help`. An inline queue passes them over.
    #' @return A new `task_q`. A `preload`, `init` or start of a worker that fails makes the next
    #'   `push()`, `poll()` or `pop()` throw `taskq_error_start` (fields `phase`, `stderr`,
    #'   `exit_code`, `signal`). Warns with a `taskq_warning_server` inside `server` of a Shiny app: a queue
    #'   that is made outside is shared by all visitors, and outlives them. When sessions cannot be forked,
    #'   and are started one by one, one of the next calls warns of it once, with a
    #'   `taskq_warning_fork` that says why; the queue works as well, but slower. Throws `taskq_error_system` when
    #'   the system gives it no threads or files.
    #' @examples
    #' q <- task_q$new(
    #'   2,
    #'   globals = list(scale_by = 10),
    #'   init = function() options(digits = 4),
    #'   timeout = 60000,
    #'   name = "example"
    #' )
    #' q$push(function(x) x * scale_by, list(4.2))
    #' q$pop(Inf)$result
    #' q$close()
    initialize = function(num_workers = 4L, ..., name = NULL, preload = NULL, init = NULL,
                          packages = character(), globals = list(), env = character(),
                          libpath = .libPaths(), wd = getwd(), timeout = Inf, tries = 1L,
                          isolate = FALSE, max_tasks = Inf, max_memory = Inf, idle_timeout = 60000,
                          threads = NULL, seed = NULL, max_waiting = Inf, fair = FALSE,
                          nice = 0L, r_args = character()) {
      call <- tq_new_call()
      tq_check_dots(..., owner = task_q$public_methods$initialize, call = call)
      session <- tq_session_options(name, preload, init, packages, globals, env, libpath, wd, threads,
        seed, nice, r_args, call)
      limits <- tq_queue_limits(num_workers, timeout, tries, isolate, max_tasks, max_memory,
        idle_timeout, max_waiting, fair, call)
      tq_open(private, session, limits, call)
    },

    #' @description
    #' Queues `do.call(fun, args)`. Never waits for a worker.
    #' @param fun A function.
    #' @param args A list of its arguments, with or without names. Each is passed as a value.
    #' @param id A string that is not the id of another task in the queue, does not start with ".idle-"
    #'   and has at most 10000 bytes, or `NULL` for ".1", ".2" and so on.
    #' @param ... Must be empty: what follows is given by name.
    #' @param timeout A duration: how long the task may run in each try, from its start. Then it is
    #'   interrupted, half a second later its process is killed with all that it has started. Its
    #'   result has status "timeout". In an inline queue R code is ended, and nothing is killed.
    #'   Default `NULL`: that of the queue.
    #' @param tries How often the task may be begun, a whole number or `Inf`. Default `NULL`: that of
    #'   the queue, where 1 is the default: no task is run twice unless you say so.
    #' @param retry_on Which ends of a try lead to another one, some of "crash", "timeout" and
    #'   "error"; default "crash".
    #' @param backoff A duration: the pause before the second try. It doubles with each try, and a
    #'   random part of up to a half is taken off, so that tasks do not come back all at once.
    #' @param priority A whole number; default 0. Tasks of a higher priority are begun first, tasks of
    #'   the same priority in the order in which they were pushed, or in turns, see `fair` of `new()`.
    #'   Tasks that a busy worker was sent ahead of time, a millisecond of work, are not overtaken.
    #' @param after Ids of tasks in the queue that must succeed first, a character vector. When one of
    #'   them does not, this task is not run: its result has status "skipped". A name says which argument of `fun` the
    #'   value of that task is, besides those in `args`: `after = c(x = "load")`. The value goes from worker to worker
    #'   as it is, without being read here. The result of that task can be popped as any other, also before this task
    #'   begins; so long, and until this task is done, its value is kept.
    #' @param isolate Whether the task gets a fresh session of its own, which ends with it. Default
    #'   `NULL`: that of the queue.
    #' @param packages,globals As those of `new()`, for this task only, and besides those.
    #' @param tag A string by which tasks are found together, see `cancel()`, and in a `fair` queue take
    #'   turns with others; or `NULL`.
    #' @param seed A whole number, or a `.Random.seed` of kind "L'Ecuyer-CMRG" (see
    #'   [parallel::nextRNGStream()]), from which the random numbers of the task come; or `NULL`, see
    #'   `seed` of `new()`.
    #' @param block What happens when `max_waiting` tasks wait already: `TRUE`, the default, waits for
    #'   room; `FALSE` returns `NULL` at once.
    #' @param replace A string, a key: a task of the same key that has not ended is cancelled; or
    #'   `NULL`.
    #' @return The id, invisibly. Throws `taskq_error_duplicate` (field `id`), `taskq_error_unknown`
    #'   (fields `ids`) when `after` names a task that is not in the queue (one that was popped is not
    #'   there any more), `taskq_error_closed`, and `taskq_error_start` when the workers cannot start.
    #'   An error of this method means that nothing was queued.
    #' @examples
    #' q <- task_q$new(2)
    #' q$push(function(x, y) x + y, list(1, y = 2), id = "sum")
    #' q$push(function() Sys.sleep(60), timeout = 100, id = "slow")
    #' q$push(function() "after the sum", after = "sum", priority = 1)
    #' q$push(function(total) total / 2, after = c(total = "sum"))
    #' q$push(function() if (taskq::task_attempt() < 2) stop("busy") else "served",
    #'   tries = 3, retry_on = "error", backoff = 10)
    #' q$collect(progress = FALSE)[c("task_id", "status", "tries")]
    #'
    #' tryCatch(q$push("sum", list(1, 2)), taskq_error_input = function(e) e$arg)
    #' q$close()
    push = function(fun, args = list(), id = NULL, ..., timeout = NULL, tries = NULL,
                    retry_on = "crash", backoff = 0, priority = 0L, after = NULL, isolate = NULL,
                    packages = character(), globals = list(), tag = NULL, seed = NULL, block = TRUE,
                    replace = NULL) {
      # Nearly all calls have a function, and perhaps arguments. What is not plain about these, or wrong, is
      # not for the native call.
      if (!missing(fun) && (nargs() == 1L || nargs() == 2L && !missing(args))) {
        plain <- .External(C_tq_call, "rs_push_plain", private$plain, fun, args)
        if (!is.null(plain)) return(invisible(plain))
      }
      call <- sys.call()
      tq_check_names(call, task_q$public_methods$push, fun, args)
      if (nargs() == 3L - missing(fun) - missing(args) - missing(id)) {
        return(tq_push(private, fun, args, id, NULL, call))
      }
      tq_check_dots(..., owner = task_q$public_methods$push, call = call)
      options <- tq_task_options(timeout, tries, retry_on, backoff, priority, after, isolate, packages,
        globals, tag, seed, block, replace, call)
      tq_push(private, fun, args, id, options, call)
    },

    #' @description
    #' Queues many tasks of one function at once: `do.call(fun, args)` for each `args` in `args_list`.
    #' All of them are queued or none. Never waits for a worker.
    #'
    #' The options are those of `push()`, the same for all tasks, with three differences. With `seed`
    #' each task has a random stream of its own: the k-th is k - 1 times [parallel::nextRNGStream()]
    #' ahead of what `push()` would begin with. `replace` is a key for each task, different strings.
    #' With `max_waiting`, `block` waits for room for all of them, or returns `NULL` at once; more than
    #' may ever wait are refused with a `taskq_error_input`.
    #' @param args_list A list with one element a task, each a list of the arguments of `fun`.
    #' @param ids As many strings, the ids of the tasks, see `id` of `push()`; or `NULL`.
    #' @param fun,...,timeout,tries,retry_on,backoff,priority,after,isolate,packages,globals,tag As those
    #'   of `push()`.
    #' @param seed,block,replace As those of `push()`, with the differences above.
    #' @return The ids, a character vector in the order of `args_list`, invisibly. Throws as `push()`;
    #'   an error means that none of them was queued.
    #' @examples
    #' q <- task_q$new(2)
    #' ids <- q$push_many(function(text, n) strrep(text, n), list(list("a", 1), list("b", 2)))
    #' q$collect(ids, progress = FALSE)$result
    #' q$close()
    push_many = function(fun, args_list, ids = NULL, ..., timeout = NULL, tries = NULL,
                         retry_on = "crash", backoff = 0, priority = 0L, after = NULL, isolate = NULL,
                         packages = character(), globals = list(), tag = NULL, seed = NULL,
                         block = TRUE, replace = NULL) {
      call <- sys.call()
      tq_check_names(call, task_q$public_methods$push_many, fun, args_list)
      tq_check_dots(..., owner = task_q$public_methods$push_many, call = call)
      options <- tq_task_options(timeout, tries, retry_on, backoff, priority, after, isolate, packages,
        globals, tag, seed, block, NULL, call)
      tq_push_many(private, fun, args_list, ids, options, replace, call)
    },

    #' @description
    #' The results of `fun(x[[i]], ...)` for all elements of `x`, as [lapply()] gives them, computed by
    #' all workers. Waits until all are done; while the queue is paused nothing is begun.
    #'
    #' The function and `args` are sent once for all, the elements in batches. A batch is a task that
    #' `pop()` and its like do not see. It ends when a time is over that adapts to what is left, 0.1
    #' seconds at most, and an element that it did not come to is sent again; so elements may take
    #' any time, short or long, even or not. Each element is evaluated once. Only a crash, or a
    #' timeout, can be tried again, with `tries` of the queue: that evaluates all elements of the
    #' batch anew. `timeout` of the queue is for each element: a batch has as much longer as its
    #' elements are given. Elements of the same batch run in one task: what one leaves behind in its
    #' session, the next may find; after the batch the session is put back.
    #'
    #' Tasks that wait already come first (in a `fair` queue, those without a tag). In a queue with a
    #' `seed`, a map counts as one task, and the k-th element has a random stream of its own, the k-th
    #' substream (see [parallel::nextRNGSubStream()]) of the stream of that task: the same for any number
    #' of workers.
    #'
    #' What elements write to stdout and stderr and the conditions that they signal are passed on when
    #' `map()` ends, also with an error, in the order of the batches: first what was written, then
    #' conditions of other classes, messages and warnings. 1000 of each are kept of a batch; a warning
    #' says when some are lost.
    #' @param x A vector or list, or something that [as.list()] makes a list of, as for `lapply()`.
    #' @param fun A function. It is called with an element as its first argument.
    #' @param args A list of more arguments, the same for all elements.
    #' @param ... Must be empty: what follows is given by name.
    #' @param names Names of the results, as many strings as there are elements. Default `NULL`: those
    #'   of `x`, if it has any.
    #' @param on_error With "stop", the default, the first error ends the others and is thrown. With
    #'   "keep" the error object is the result of its element, and the others go on.
    #' @param progress Whether to show a progress bar, by cli where that is installed; default
    #'   `interactive()`.
    #' @param chunk A whole number: so many elements are in each batch, whatever time they take. Default
    #'   `NULL`: as many as fit into its time.
    #' @return A list of the results in the order of `x`. `NULL` is a result as any other.
    #'
    #'   Throws the error of the first element that fails (first in time), a `taskq_error_task` with
    #'   the fields of such an error of a result, and `index` and `name` of the element. One that crashes
    #'   its worker gives a `taskq_error_crash`, one that is out of time a `taskq_error_timeout`. With
    #'   a worker that dies, the results of the elements before it in its batch are lost: with "keep"
    #'   they have the same error, unless `chunk = 1`. Throws also `taskq_error_closed`,
    #'   `taskq_error_cancelled` when the queue is closed meanwhile, and `taskq_error_start`. After an error
    #'   or Ctrl-C what is under way is cancelled, as by `cancel()`.
    #' @examples
    #' q <- task_q$new(2)
    #' q$map(1:3, function(x, power) x^power, list(power = 2))
    #' results <- q$map(c(a = 1, b = -1), function(x) if (x < 0) stop("negative") else sqrt(x),
    #'   on_error = "keep")
    #' results$b
    #' q$close()
    map = function(x, fun, args = list(), ..., names = NULL, on_error = c("stop", "keep"),
                   progress = interactive(), chunk = NULL) {
      call <- sys.call()
      tq_check_names(call, task_q$public_methods$map, fun, x)
      tq_check_dots(..., owner = task_q$public_methods$map, call = call, fun = fun)
      tq_map(private, x, fun, args, names, on_error, progress, chunk, call)
    },

    #' @description
    #' Which tasks are done. Waits until there is one, the queue is empty, or the time is over. With `new = TRUE`, which
    #' have become done since the last such call: each is told once, to whichever call comes first. Waits until there is
    #' such a task, none can come, or the time is over.
    #' @param timeout A duration; default 0.
    #' @param new Whether tasks are left out that a call with `new = TRUE` has told of; default `FALSE`.
    #' @return The ids of all tasks that are done, oldest push first, a character vector, possibly
    #'   of length 0. Nothing is removed. Throws `taskq_error_start` once when the workers cannot
    #'   start.
    #' @examples
    #' q <- task_q$new(1)
    #' for (id in c("one", "two")) q$push(function() NULL, id = id)
    #' q$poll()
    #' q$wait(progress = FALSE)
    #' q$poll()
    #'
    #' while (length(ids <- q$poll(Inf, new = TRUE))) print(ids)
    #' q$close()
    poll = function(timeout = 0, new = FALSE) tq_poll(private, timeout, new, call = sys.call()),

    #' @description
    #' The result of the oldest task that is done, or of a certain one. The task leaves the queue for good. Waits
    #' until there is one, the queue is empty, or the time is over; with `id`, for that task only.
    #' @param timeout A duration; default 0.
    #' @param id The id of a task in the queue, a string, or `NULL`, the default, for the oldest that is done.
    #' @return A `taskq_result`, see above; `NULL` when the time is over or the queue is empty.
    #'   Throws `taskq_error_start` once when the workers cannot start; with `id`, also `taskq_error_unknown` (field
    #'   `ids`), for one that was popped already, too, and `taskq_error_promised` (field `id`).
    #' @examples
    #' q <- task_q$new(1)
    #' q$push(function() { cat("hello\n"); 6 * 7 })
    #' result <- q$pop(10000)
    #' result$status
    #' result$result
    #' result$stdout
    #' is.null(q$pop())
    #'
    #' for (id in c("a", "b")) q$push(toupper, list(id), id = id)
    #' q$pop(Inf, id = "b")$result
    #' q$close()
    # What has succeeded is popped by the native call alone, and nothing is evaluated after it: a Ctrl-C
    # must not find the result between queue and user.
    pop = function(timeout = 0, id = NULL) {
      .External(C_tq_call, "rs_pop", private$handle, timeout, id, function() {
        tq_pop(private, timeout, id, call = sys.call(-1L))
      })
    },

    #' @description
    #' The number of tasks that wait for a worker.
    #' @return A whole number. Does not wait.
    #' @examples
    #' q <- task_q$new(1)
    #' q$pause()
    #' q$push(function() 1)
    #' q$get_num_waiting()
    #' q$close(grace = 0)
    get_num_waiting = function() tq_count(private, "waiting", call = sys.call()),

    #' @description
    #' The number of tasks that a worker runs.
    #' @return A whole number. Does not wait.
    #' @examples
    #' q <- task_q$new(1)
    #' q$push(function() Sys.sleep(60))
    #' while (q$get_num_running() == 0) Sys.sleep(0.01)
    #' q$get_num_running()
    #' q$kill()
    get_num_running = function() tq_count(private, "running", call = sys.call()),

    #' @description
    #' The number of tasks that are done and were not popped.
    #' @return A whole number. Does not wait.
    #' @examples
    #' q <- task_q$new(1)
    #' q$push(function() 1)
    #' q$wait(progress = FALSE)
    #' q$get_num_done()
    #' q$close()
    get_num_done = function() tq_count(private, "done", call = sys.call()),

    #' @description
    #' The number of workers without work: those whose session is ready and runs no task.
    #' @return A whole number. One that is starting does not count. 0 for an inline queue, and for one that is closed.
    #'   Does not wait.
    #' @examples
    #' q <- task_q$new(2)
    #' q$push(function() Sys.sleep(60))
    #' while (q$get_num_free() == 0) Sys.sleep(0.01)
    #' q$get_num_free()
    #' q$kill()
    get_num_free = function() tq_num_free(private, call = sys.call()),

    #' @description
    #' Whether the queue has no task in any state.
    #' @return `TRUE` or `FALSE`. Does not wait.
    #' @examples
    #' q <- task_q$new(1)
    #' q$is_idle()
    #' q$push(function() 1)
    #' q$is_idle()
    #' q$close()
    is_idle = function() tq_is_idle(private, call = sys.call()),

    #' @description
    #' Whether the queue was closed, by `close()` or `kill()`, so that it takes no task any more.
    #' @return `TRUE`, from the call of these on, or `FALSE`. `TRUE` also for a queue that was saved and restored, and
    #'   `FALSE` for one whose workers cannot start. Does not wait.
    #' @examples
    #' q <- task_q$new(1)
    #' q$is_closed()
    #' q$close()
    #' q$is_closed()
    is_closed = function() tq_is_closed(private, call = sys.call()),

    #' @description
    #' All tasks, oldest push first, then one row for each worker. Does not wait.
    #'
    #' The row of a worker, ".idle-1" and so on, is "running" while its session starts, "ready"
    #' while it is free, and "waiting" while it runs a task. The rows that are "running" or "ready"
    #' are as many as there are workers.
    #' @param idle Whether to add the rows of the workers; default `TRUE`.
    #' @param payload Whether to fill the columns `fun`, `args` and `result`; default `TRUE`. It
    #'   takes time for many or large tasks.
    #' @return A data frame, of class `tbl_df` too, with the columns `id` (character), `idle`
    #'   (logical), `state` ("waiting", "running", "ready" or "done"), `fun`, `args`, `worker` (pid
    #'   or `NULL`), `result` (lists), `status` (character), `tag` (character), `priority`, `tries`
    #'   (integers), `progress` (double), `message` (character), `queued_at`, `started_at` and
    #'   `finished_at` (POSIXct). The function and arguments of a task that is done may be `NULL`.
    #'   Use `[[` or `$` to take a column: what `tasks[, "id"]` gives depends on whether tibble is loaded.
    #' @examples
    #' q <- task_q$new(2)
    #' q$push(function(x) x^2, list(3), id = "square", tag = "example")
    #' q$wait(progress = FALSE)
    #' q$list_tasks()[c("id", "idle", "state", "status")]
    #' q$list_tasks(idle = FALSE)$result[[1]]$result
    #' q$close()
    list_tasks = function(idle = TRUE, payload = TRUE) {
      tq_list_tasks(private, idle, payload, call = sys.call())
    },

    #' @description
    #' The sessions of the queue. Does not wait.
    #' @return A data frame with one row a worker and the columns `worker` (pid, integer), `state`
    #'   ("starting", "idle", "busy" or "leaving"), `task_id` (character), `tasks_done` (integer),
    #'   `started_at` (POSIXct), `rss` (bytes) and `cpu` (seconds, doubles). An inline queue, and one that is
    #'   closed, has no rows.
    #' @examples
    #' q <- task_q$new(2)
    #' q$push(function() 1)
    #' q$wait(progress = FALSE)
    #' q$list_workers()[c("state", "tasks_done")]
    #' q$close()
    list_workers = function() tq_list_workers(private, call = sys.call()),

    #' @description
    #' Waits until tasks are done, those with these ids or all.
    #' @param ids Ids of tasks in the queue, a character vector; or `NULL`, the default, for all.
    #' @param timeout A duration; default `Inf`.
    #' @param progress Whether to show a progress bar, by cli where that is installed; default
    #'   `interactive()`.
    #' @param ... Must be empty.
    #' @return `TRUE`, invisibly, when all of them are done, `FALSE` when the time is over. Nothing is
    #'   removed. Throws `taskq_error_unknown` (field `ids`), and `taskq_error_start` once when the
    #'   workers cannot start.
    #' @examples
    #' q <- task_q$new(1)
    #' q$push(function() Sys.sleep(60), id = "long")
    #' print(q$wait("long", timeout = 50, progress = FALSE))
    #' q$kill()
    wait = function(ids = NULL, timeout = Inf, progress = interactive(), ...) {
      call <- sys.call()
      tq_check_dots(..., owner = task_q$public_methods$wait, call = call)
      tq_wait(private, ids, timeout, progress, call)
    },

    #' @description
    #' Waits as `wait()` does, then pops the tasks that are done, all at once.
    #' @param ids,timeout,progress,... As those of `wait()`.
    #' @return A data frame, of class `tbl_df` too, with one row a task, in the order of `ids` or of
    #'   the pushes, and the fields of a result as columns: `result`, `error`, `warnings`, `messages`,
    #'   `conditions` and `times` are lists. Use `[[` or `$` to take a column, see `list_tasks()`. When the time is
    #'   over, those that are not done are left out, and stay in the queue. Throws as `wait()`, and
    #'   `taskq_error_promised` (field `id`) when one of the `ids` has a promise.
    #' @examples
    #' q <- task_q$new(2)
    #' for (i in 1:3) q$push(function(i) i^2, list(i))
    #' results <- q$collect(progress = FALSE)
    #' unlist(results$result)
    #' results$status
    #' q$close()
    collect = function(ids = NULL, timeout = Inf, progress = interactive(), ...) {
      call <- sys.call()
      tq_check_dots(..., owner = task_q$public_methods$collect, call = call)
      tq_collect(private, ids, timeout, progress, call)
    },

    #' @description
    #' Ends tasks. One that waits ends at once and never runs. One that runs is interrupted, and after
    #' `grace` its process is killed with all that it has started, and replaced. The result has the
    #' status "cancelled". Does not wait for the end.
    #' @param ids Ids of tasks in the queue, a character vector. Either this or `tag` is needed.
    #' @param tag A string: all tasks that were pushed with this tag. They are looked for one by one.
    #' @param grace A duration, how long a running task may take to end after the interrupt; default
    #'   500.
    #' @param ... Must be empty.
    #' @return A logical vector named by the ids: `TRUE` for a task that ends by this, `FALSE` for one
    #'   that was done. With `tag`, one element for each of its tasks that was not done. A task that
    #'   ends by itself at this very moment keeps its own result. Throws `taskq_error_unknown` (field
    #'   `ids`); nothing is cancelled then.
    #' @examples
    #' q <- task_q$new(1)
    #' q$push(function() Sys.sleep(60), id = "running", tag = "ann")
    #' q$push(function() 1, id = "waiting", tag = "ann")
    #' q$cancel(tag = "ann")
    #' q$collect(progress = FALSE)$status
    #' q$close()
    cancel = function(ids = NULL, tag = NULL, grace = 500, ...) {
      call <- sys.call()
      tq_check_dots(..., owner = task_q$public_methods$cancel, call = call)
      tq_cancel(private, ids, tag, grace, call)
    },

    #' @description
    #' What a task has written so far. Does not wait.
    #' @param id The id of a task in the queue, a string.
    #' @return A list with the strings `stdout` and `stderr`: while the task runs, what its process and
    #'   its child processes have written since its start; when it is done, all of it; empty strings
    #'   before, and in an inline queue until it is done. Throws `taskq_error_unknown` (field `ids`).
    #' @examples
    #' q <- task_q$new(1)
    #' q$push(function() { cat("reading\n"); Sys.sleep(60) }, id = "job")
    #' while (!nzchar(q$output("job")$stdout)) Sys.sleep(0.01)
    #' q$output("job")
    #' q$kill()
    output = function(id) tq_output(private, id, call = sys.call()),

    #' @description
    #' What a task has last told by [task_progress()]. Does not wait.
    #' @param id The id of a task in the queue, a string.
    #' @return A list with `fraction` (a number from 0 to 1), `message` (a string) and `at` (POSIXct);
    #'   each is `NA` as long as the task has not told. Throws `taskq_error_unknown` (field `ids`).
    #' @examples
    #' q <- task_q$new(1)
    #' q$push(function() { taskq::task_progress(0.25, "a quarter"); Sys.sleep(60) }, id = "job")
    #' while (is.na(q$progress("job")$fraction)) Sys.sleep(0.01)
    #' q$progress("job")[c("fraction", "message")]
    #' q$kill()
    progress = function(id) tq_progress(private, id, call = sys.call()),

    #' @description
    #' A promise for the value of a task, which leaves the queue for good when it is done: `pop()`,
    #' `poll()` and `collect()` pass it over. Does not wait. Needs the packages promises and later.
    #'
    #' The promise is settled by the event loop (the current loop of later, which a Shiny or plumber app
    #' runs), as soon as that comes to it after the end of the task; nothing is polled. While it is pending,
    #' `later::loop_empty()` is `FALSE`. It resolves to the `result` of a task that succeeded, and is rejected
    #' with the `error` of any other, also when the queue is closed, or collected, before the task has ended.
    #'
    #' Who reads the message of that error may be a visitor of an app. So `conditionMessage()` is the message of
    #' the error in the task, or one sentence without ids and advice when there is none: a task that crashed, ran
    #' out of time, was cancelled or skipped. Class and fields are those of the error in a result, and `print()`
    #' shows all that it would show there. The classes that `shiny::safeError()`, `shiny::req()` and
    #' `shiny::validate()` give to an error in a task are kept, and Shiny shows that of a cancelled task as a message,
    #' not as an error. In a Shiny app, what `print()` shows is also written to stderr, the log of the app.
    #' @param id The id of a task in the queue, a string. It may be done.
    #' @return A [promises::promise]. Throws `taskq_error_unknown` (field `ids`), and
    #'   `taskq_error_promised` (field `id`) for a task that has a promise already: keep the first, and use
    #'   it as often as you like; `taskq_error_package` (field `packages`) where one of them is missing.
    #' @examples
    #' if (requireNamespace("promises", quietly = TRUE) && requireNamespace("later", quietly = TRUE)) {
    #'   q <- task_q$new(1)
    #'   id <- q$push(function() 6 * 7)
    #'   promises::then(q$promise(id), function(value) cat("the value is", value, "\n"))
    #'   while (!later::loop_empty()) later::run_now(0.1) # a Shiny app does this
    #'   q$close()
    #' }
    promise = function(id) tq_promise(private, id, call = sys.call()),

    #' @description
    #' Queues `do.call(fun, args)` and gives a promise for its value: `push()` and `promise()` in one. Made
    #' for `shiny::ExtendedTask`, and for what else takes a promise.
    #' @param fun,args,id,...,timeout,tries,retry_on,backoff,priority,after,isolate,packages,globals,tag,seed
    #'   As those of `push()`.
    #' @param block What happens when `max_waiting` tasks wait already. The event loop is never held up. With `TRUE`,
    #'   the default, the promise waits for room: its task waits in the queue with the others, in the order of the
    #'   calls, and `push()` finds no room before it has begun. With `FALSE` the promise is rejected at once.
    #' @param replace As that of `push()`.
    #' @return A [promises::promise], see `promise()`. Throws as `push()`; with `block = FALSE`, when as many
    #'   tasks wait as may, it is rejected with a `taskq_error_full`.
    #' @examples
    #' if (requireNamespace("promises", quietly = TRUE) && requireNamespace("later", quietly = TRUE)) {
    #'   q <- task_q$new(1)
    #'   promises::then(q$run(sqrt, list(16)), print)
    #'   promises::catch(q$run(stop, list("no")), function(error) cat(class(error)[1], "\n"))
    #'   while (!later::loop_empty()) later::run_now(0.1)
    #'   q$close()
    #' }
    run = function(fun, args = list(), id = NULL, ..., timeout = NULL, tries = NULL,
                   retry_on = "crash", backoff = 0, priority = 0L, after = NULL, isolate = NULL,
                   packages = character(), globals = list(), tag = NULL, seed = NULL, block = TRUE,
                   replace = NULL) {
      call <- sys.call()
      tq_check_names(call, task_q$public_methods$run, fun, args)
      tq_check_dots(..., owner = task_q$public_methods$run, call = call)
      options <- tq_task_options(timeout, tries, retry_on, backoff, priority, after, isolate, packages,
        globals, tag, seed, block, replace, call, may_exceed = TRUE)
      tq_run(private, fun, args, id, options, call)
    },

    #' @description
    #' How many tasks are begun before a task that waits, and how long that will take, roughly. Does not
    #' wait.
    #'
    #' The time is what it takes until a worker is free for it, when tasks take as long as the last
    #' ones did on average. Tasks that are pushed later and come before it, because of their
    #' priority or in the turn of another tag (see `fair` of `new()`), are not foreseen. A task that is
    #' held, because others must succeed first or for the `backoff` before its next try, counts as if
    #' it could be begun from now on, but for no less time than what is left of its `backoff`. In a
    #' `fair` queue with more than 10000 tags only the position of the first task of each tag is exact.
    #' @param id The id of a task in the queue, a string.
    #' @return A list with `position` (a whole number: 1 is the next to be begun, 0 runs already, `NA` is
    #'   done) and `wait` (milliseconds: 0 when it runs or there is a worker for it, `Inf` while the
    #'   queue is paused or is to have no workers, `NA` when it is done or no task has run yet).
    #'   Throws `taskq_error_unknown` (field `ids`).
    #' @examples
    #' q <- task_q$new(1, fair = TRUE)
    #' q$pause()
    #' for (i in 1:3) q$push(function() Sys.sleep(0.1), tag = "ann")
    #' bob <- q$push(function() Sys.sleep(0.1), tag = "bob")
    #' q$position(bob)$position
    #' q$close()
    position = function(id) tq_position(private, id, call = sys.call()),

    #' @description
    #' Changes the number of workers. New sessions start at once; where there are too many, those with
    #' nothing to do go first, and busy ones when their task has ended.
    #' @param n As `num_workers` of `new()`. With 0, tasks wait until there are workers again. An inline
    #'   queue cannot be resized.
    #' @return The queue, invisibly. Does not wait. Throws `taskq_error_closed`, and
    #'   `taskq_error_start` when the workers cannot start.
    #' @examples
    #' q <- task_q$new(1)
    #' q$resize(2)
    #' nrow(q$list_workers())
    #' q$close()
    resize = function(n) tq_resize(self, private, n, call = sys.call()),

    #' @description
    #' Calls a function once in every worker: in those that are there, each as soon as it has ended its task, and in
    #' every later one after `init`, before its first task. What it leaves is what tasks find from then on, as after
    #' `init` (see [taskq-state]): objects in the global environment (by `<<-` or `assign()`), options, attached
    #' packages, open connections. An inline queue calls it once, in your session.
    #'
    #' The other workers run tasks meanwhile. Several calls are made up for by later workers in their order, so the
    #' functions and arguments are kept as long as the queue. What the function writes and signals is dropped, as with
    #' `init`; of an error, standard error is shown.
    #'
    #' When it fails in a worker that is there, or its worker dies in it, or you interrupt R while it waits, it is as if
    #' it had not been called: the workers that have run it are replaced when they have ended their tasks. When it fails
    #' in a later worker, that worker has failed to start, as if `init` had failed.
    #' @param fun A function, which takes along what one of `push()` does.
    #' @param args A list of its arguments, with or without names.
    #' @return A list of what the function returned in the workers that were there, those that were just starting among
    #'   them; without names. Empty when there are none. Waits until all of them have run it, without a limit: also for
    #'   one that runs a long task, and in a queue that is paused. Throws `taskq_error_start` (field `phase`:
    #'   `"everywhere"`) when it failed, and also when the workers cannot start; `taskq_error_closed`.
    #' @examples
    #' q <- task_q$new(2)
    #' lengths(q$everywhere(function(n) model <<- seq_len(n), list(10)))
    #' q$push(function() sum(model))
    #' q$pop(Inf)$result
    #' q$close()
    everywhere = function(fun, args = list()) tq_everywhere(private, fun, args, call = sys.call()),

    #' @description
    #' Stops handing out tasks. Those that run go on.
    #' @return The queue, invisibly. Does not wait. Throws `taskq_error_closed`, and
    #'   `taskq_error_start` when the workers cannot start.
    #' @examples
    #' q <- task_q$new(1)
    #' q$pause()
    #' q$push(function() 1)
    #' length(q$poll(100))
    #' q$close(grace = 0)
    pause = function() tq_pause(self, private, call = sys.call()),

    #' @description
    #' Hands out tasks again.
    #' @return The queue, invisibly. Does not wait. Throws `taskq_error_closed`, and
    #'   `taskq_error_start` when the workers cannot start.
    #' @examples
    #' q <- task_q$new(1)
    #' q$pause()
    #' q$push(function() 1)
    #' q$resume()
    #' q$pop(Inf)$result
    #' q$close()
    resume = function() tq_resume(self, private, call = sys.call()),

    #' @description
    #' Writes what ran, runs and waits to a file that <https://ui.perfetto.dev> shows, and other readers of Chrome's
    #' trace format (JSON): for each worker a track of the tasks that it ran, with their ids, tags, outcomes and waiting
    #' times, its sessions' starts and deaths, and how many tasks waited. As in [`plot()`][plot.task_q], the last 10 000
    #' are there, also of tasks that were popped; times are microseconds since the queue was made. Does not wait for
    #' tasks.
    #' @param file The path of the file, a string. Its directory must exist. A file that is there is replaced when the
    #'   new one is complete, which has its mode, owner and group then. Links are followed, but for those that another
    #'   user has put into a directory where everybody may make files, such as `/tmp`.
    #' @return The path, invisibly. Throws `taskq_error_system` (field `path`) when the file cannot be written.
    #' @examples
    #' q <- task_q$new(2)
    #' for (i in 1:4) q$push(function() Sys.sleep(0.01))
    #' q$wait(progress = FALSE)
    #' file <- q$trace(tempfile(fileext = ".json"))
    #' file.size(file) > 0
    #' unlink(file)
    #' q$close()
    trace = function(file) tq_write_trace(private, file, call = sys.call()),

    #' @description
    #' Closes the queue: it refuses new tasks, waits for those it has, then kills what is left.
    #' Leaves no process and no file. Tasks that did not finish end as "cancelled"; what is done
    #' can still be listed and popped.
    #' @param grace A duration, how long to wait for tasks; default 1000.
    #' @param ... Must be empty.
    #' @return `TRUE`, invisibly, when no process is left. Closing twice does nothing.
    #' @examples
    #' q <- task_q$new(1)
    #' q$push(function() "quick", id = "quick")
    #' q$push(function() Sys.sleep(60), id = "slow")
    #' q$wait("quick", progress = FALSE)
    #' print(q$close(grace = 10))
    #' q$pop()$result
    #' class(q$pop()$error)[1]
    #' tryCatch(q$push(function() 1), taskq_error_closed = conditionMessage)
    close = function(grace = 1000, ...) {
      call <- sys.call()
      tq_check_dots(..., owner = task_q$public_methods$close, call = call)
      tq_close(private, grace, call)
    },

    #' @description
    #' Closes the queue at once: running tasks are killed.
    #' @return As `close()`.
    #' @examples
    #' q <- task_q$new(1)
    #' q$push(function() Sys.sleep(60))
    #' q$kill()
    #' q$pop()$status
    kill = function() tq_kill(private, call = sys.call()),

    #' @description
    #' Prints the state of the queue in three lines. Does not wait.
    #' @param ... Not used.
    #' @return The queue, invisibly.
    #' @examples
    #' q <- task_q$new(2, name = "example")
    #' print(q)
    #' q$close()
    print = function(...) tq_print_queue(self, private)
  ),
  private = list(
    handle = NULL,   # the native queue; it stops when this is collected
    session = NULL,  # marks the R session that the handle belongs to
    name = NULL,
    promise_set = NULL,     # the promises that are pending, see promise.R
    plain = NULL,    # the same, where a task may need nothing but its function and arguments
    auto = NULL,     # with `globals = "auto"`: the names of the objects that are given besides
    inline = NULL    # what inline.R keeps of a queue without workers
  )
)

# The call to `task_q$new()` that is being evaluated; the methods of R6 stand between.
tq_new_call <- function() {
  for (call in rev(sys.calls())) {
    if (is.call(call) && is.call(call[[1L]]) && identical(call[[1L]][[1L]], quote(`$`)) &&
      identical(call[[1L]][[3L]], quote(new))) {
      return(call)
    }
  }
  NULL
}
