# The functions of Rust that R calls, each called in a host of its own. `border_steps()` has one for each: how it is
# called, with what is made before, and what is put away after.

# In an R of its own, where `objects` are global, and so are the functions among them.
in_host_with <- function(objects, fun, ...) {
  as_global <- function(x) {
    if (is.function(x)) environment(x) <- globalenv() else if (is.list(x)) x <- lapply(x, as_global)
    x
  }
  in_host(function(objects, fun) {
    list2env(objects, globalenv())
    fun()
  }, as_global(objects), as_global(fun), deadline_s = 240, ...)
}

# What `call()` returns where R has only so many bytes left to allocate, or its error.
squeezed <- function(call, room) {
  cells <- gc()["Vcells", c("used", "gc trigger")]
  mem.maxVSize(cells[[2L]] * 8 / 2^20 + 1e-3)
  on.exit(mem.maxVSize(Inf))
  # Whatever comes after the call needs memory, too: the ballast is gone with this frame.
  call_with_ballast <- function() {
    ballast <- raw((cells[[2L]] - cells[[1L]]) * 8 - room)
    value <- call()
    ballast <- NULL
    value
  }
  tryCatch(call_with_ballast(), error = identity)
}

# For the host. Those that are not called have a string that says why.
border_steps <- function() {
  # `after` gets what the call gives, or NULL for an error. `ends`: of the error that the call itself is.
  step <- function(call, before = function() NULL, after = function(value) NULL, ends = "fine") {
    list(call = call, before = before, after = after, ends = ends)
  }
  own <- function(q) q$.__enclos_env__$private$handle
  # One with tasks that wait, and one that runs tasks here, at once.
  pool <- taskq::task_q$new(1)
  pool$pause()
  here <- taskq::task_q$new(0)
  for (i in 1:3) pool$push(function(x) x, list(i), id = paste0("task", i), tag = "tag")
  handle <- own(pool)
  inline <- own(here)
  fun <- function(x) x
  environment(fun) <- globalenv()
  text <- c("a", "\u00e9")
  all_pushed <- function() setdiff(rs_queue_tasks(handle)$tasks$serial, c(1, 2, 3))
  clear <- function(value) {
    rs_queue_cancel(handle, all_pushed(), 0)
    while (!is.null(pool$pop(0))) NULL
  }
  # Where there is no id, nothing was pushed.
  pushing <- function(call) {
    step(call, after = function(value) {
      stopifnot(length(all_pushed()) == length(value))
      clear()
    })
  }
  num_popped_here <- function() {
    count <- 0
    while (!is.null(here$pop(0))) count <- count + 1
    count
  }
  push_here <- function() {
    here$push(function() list(a = 1, b = "x"))
    rs_queue_done_serials(inline)
  }
  # `takes`: what it gives is out of the queue. Else it is there.
  on_done <- function(call, takes = FALSE) {
    step(call, push_here, function(value) stopifnot(num_popped_here() == if (takes && !is.null(value)) 0 else 1))
  }
  # A task that was handed out by a queue without workers, as it is in tq_inline_run().
  taken <- function() {
    here$pause()
    here$push(function(x) x, list(1))
    rs_queue_resume(inline)
    rs_inline_next(inline)$serial
  }
  # Unless it was taken by a call it is the next one.
  finish <- function(value) {
    if (is.null(value)) value <- rs_inline_next(inline)
    rs_inline_done(inline, value$serial, "success", list(value = 1), c("", ""), c(0, 0))
    stopifnot(num_popped_here() == 1)
  }
  work <- list(fun = fun, captured = NULL, args = list(), globals = NULL, packages = NULL)
  begin_map <- function() rs_map_begin(handle, as.list(1:10), work, "token", FALSE, 0)
  end_map <- function(value) {
    if (typeof(value) == "externalptr") rs_map_end(value)
    clear()
  }
  on_map <- function(call, ends = "fine") {
    map <- NULL
    step(function(made) call(map), function() map <<- begin_map(), function(value) end_map(map), ends)
  }
  lazy <- as.character(1:10)
  frame <- (function(...) environment())()
  list2env(list(X = as.list(1:3), FUN = fun), frame)
  evaluator <- tq_evaluator(globals = new.env())
  config <- NULL
  trace("rs_queue_open", tracer = quote(assign("config", config, globalenv())), where = asNamespace("taskq"),
    print = FALSE)
  taskq::task_q$new(0)
  untrace("rs_queue_open", where = asNamespace("taskq"))
  config <- get("config", globalenv())
  trace_path <- charToRaw(tempfile())
  captured <- local({
    y <- 1
    delayedAssign("z", y + 1)
    function() {
      y[1] <- z
      ..y
    }
  })
  watched <- list2env(list(a = 1, b = "b"))
  makeActiveBinding("active", function() 1, watched)
  state <- function(call) {
    step(call, function() {
      rs_state_begin(quote(c(1L, 2L)), quote(NULL), environment(.libPaths), tq_namespace_registry())
      rs_state_watch("watched", watched, 0L)
      rs_state_save(sum(tq_state_parts))
    })
  }
  role <- "it is what makes a process a part of a pool"
  list(
    rs_zygote_serve = role,
    rs_limit_threads = step(function(made) rs_limit_threads("OMP_NUM_THREADS", 1L)),
    rs_num_threads = step(function(made) rs_num_threads()),
    rs_supervisor_note_threads = step(function(made) rs_supervisor_note_threads("boot", "base", 1L)),
    rs_write_title = step(function(made) rs_write_title("title")),
    rs_supervisor_failed = step(function(made) rs_supervisor_failed("boot", "message")),
    rs_supervisor_make_temp_dir = step(function(made) rs_supervisor_make_temp_dir()),
    rs_supervisor_serve = step(function(made) rs_supervisor_serve("R")),
    rs_session_exec_open = role,
    rs_session_start = step(function(made) rs_session_start()),
    rs_session_step_back = step(function(made) rs_session_step_back(1L)),
    rs_remove_r_temp_dir = step(function(made) rs_remove_r_temp_dir(character())),
    rs_session_uses_temp_dir = step(function(made) rs_session_uses_temp_dir("dir")),
    rs_session_make_temp_dir = step(function(made) rs_session_make_temp_dir()),
    rs_session_ready = step(function(made) rs_session_ready()),
    rs_session_restore_output = step(function(made) rs_session_restore_output()),
    rs_session_failed = step(function(made) rs_session_failed("boot", "message")),
    rs_task_id = step(function(made) rs_task_id()),
    rs_task_attempt = step(function(made) rs_task_attempt()),
    rs_task_progress = step(function(made) rs_task_progress(0.5, "message")),
    rs_task_random = step(function(made) rs_task_random()),
    rs_inline_random = step(function(made) rs_inline_random("token", 1, 1)),
    rs_random_stream = step(function(made) rs_random_stream(1L, 1)),
    rs_random_ahead = step(function(made) rs_random_ahead(1:6, 1, 1)),
    rs_is_worker = step(function(made) rs_is_worker()),
    rs_evaluate = step(function(made) rs_evaluate(evaluator, fun, list(args = list(1)))),
    rs_serve = "a test of its own has its calls fail, in a session",
    rs_reply = step(function(made) rs_reply("success", list(value = quote(a + b))), ends = "no session"),
    rs_send_condition = step(function(made) rs_send_condition(list(value = quote(a + b))), ends = "no session"),
    rs_disarm = step(function(made) rs_disarm(), ends = "no session"),
    rs_broadcast = step(function(made) rs_broadcast(), ends = "no session"),
    rs_ran = step(function(made) rs_ran(list(value = quote(a + b))), ends = "no session"),
    rs_batch_run = step(function(made) rs_batch_run(frame, vector("list", 3), numeric(4), Inf, NULL)),
    rs_batch_clock = step(function(made) rs_batch_clock()),
    rs_batch_pack = step(function(made) rs_batch_pack(list(1, 2), 2)),
    rs_read = step(function(made) rs_read(methods::new("externalptr")), ends = "nothing to read"),
    rs_plain = step(function(made) rs_plain(rs_plain(list(a = 1, b = text[1L])))),
    rs_without_sources = step(function(made) {
      rs_without_sources(list(list(eval(parse(text = "function(x) function() x", keep.source = TRUE)))))
    }),
    rs_is_empty_pointer = step(function(made) rs_is_empty_pointer(methods::new("externalptr"))),
    rs_portable = step(function(made) rs_portable(captured)),
    rs_with_captured = step(function(made) rs_with_captured(fun, list(a = 1, b = 2))),
    rs_is_data = step(function(made) rs_is_data(list(1, fun))),
    rs_uses = step(function(made) rs_uses(captured)),
    rs_state_begin = state(function(made) {
      rs_state_begin(quote(1L), quote(NULL), environment(.libPaths), tq_namespace_registry())
    }),
    rs_state_watch = state(function(made) rs_state_watch("watched", watched, 0L)),
    rs_state_objects = state(function(made) rs_state_objects()),
    rs_state_opened = state(function(made) rs_state_opened(list(methods::new("externalptr")), quote(TRUE))),
    rs_state_process = state(function(made) rs_state_process(TRUE)),
    rs_state_save = state(function(made) rs_state_save(sum(tq_state_parts))),
    rs_state_changed = state(function(made) rs_state_changed()),
    rs_state_restore = state(function(made) {
      watched$b <- "changed"
      watched$c <- 1
      rs_state_restore(tq_state_parts[["registries"]])
    }),
    rs_share = step(function(made) rs_share(list(as.numeric(1:1000), as.character(1:1000), a = 1:1000))),
    rs_is_shared = step(function(made) rs_is_shared(1)),
    rs_num_segments = step(function(made) rs_num_segments()),
    rs_queue_open = step(function(made) rs_queue_open(config), after = function(value) {
      if (typeof(value) == "externalptr") rs_queue_kill(value)
    }),
    rs_queue_state = step(function(made) rs_queue_state(handle)),
    rs_queue_failure = step(function(made) rs_queue_failure(handle)),
    rs_queue_close = step(function(made) rs_queue_close(made, 0), function() own(taskq::task_q$new(0))),
    rs_queue_kill = step(function(made) rs_queue_kill(made), function() own(taskq::task_q$new(0))),
    rs_exit = "it ends all queues of the process, and makes nothing",
    rs_log = step(function(made) rs_log("off", charToRaw(""))),
    rs_num_cores = step(function(made) rs_num_cores()),
    rs_queue_no_fork = step(function(made) rs_queue_no_fork(handle)),
    rs_queue_notice_told = step(function(made) rs_queue_notice_told(inline)),
    rs_inline_next = step(function(made) rs_inline_next(inline), function() {
      here$pause()
      here$push(function(x) x, list(1))
      rs_queue_resume(inline)
    }, finish),
    rs_payload = step(function(made) rs_payload(handle, 1)),
    rs_inline_done = local({
      serial <- NULL
      step(
        function(made) rs_inline_done(inline, serial, "success", list(value = quote(a + b)), text, c(0, 0)),
        function() serial <<- taken(),
        function(value) {
          rs_inline_done(inline, serial, "error", list(error = simpleError("none")), c("", ""), c(0, 0))
          stopifnot(num_popped_here() == 1)
        }
      )
    }),
    rs_map_begin = step(function(made) begin_map(), after = end_map),
    rs_map_feed = on_map(function(map) rs_map_feed(map)),
    rs_map_wait = on_map(function(map) rs_map_wait(handle, map, 0)),
    rs_map_batch = on_map(function(map) {
      rs_map_feed(map)
      rs_map_batch(map, 1e6)
    }, "no such batch"),
    rs_map_put = on_map(function(map) rs_map_put(map, 0, c(1, 2))),
    rs_map_settle = on_map(function(map) rs_map_settle(map, 1e6, 0, -1, -1)),
    rs_map_results = on_map(function(map) rs_map_results(map)),
    rs_map_end = on_map(function(map) rs_map_end(map)),
    rs_objects = step(function(made) {
      rs_objects(made, list(vector("list", 3), vector("list", 3), vector("list", 3), numeric(1)))
    }, function() rs_queue_objects(handle)$objects),
    rs_objects_free = step(function(made) rs_objects_free(made), function() rs_queue_objects(handle)$objects),
    rs_set_waker = step(function(made) {
      loadNamespace("later")
      rs_set_waker(function(loop) NULL)
    }),
    rs_queue_holder = step(function(made) rs_queue_holder(handle)),
    rs_queue_promise = step(function(made) rs_queue_promise(handle, 1e6, 0L)),
    rs_queue_promised = step(function(made) rs_queue_promised(handle, c(1, 2))),
    rs_queue_kept = step(function(made) rs_queue_kept(handle, 0L)),
    rs_wake_loop = step(function(made) rs_wake_loop(99L)),
    rs_was_rung = step(function(made) rs_was_rung()),
    rs_push_plain = pushing(function(made) rs_push_plain(handle, captured, list(1))),
    rs_push = pushing(
      function(made) rs_push(handle, NULL, fun, list(args = list(quote(a + b), runif(1e5))), list(tag = "x"))
    ),
    rs_push_many = pushing(function(made) {
      rs_push_many(handle, as.character(11:13), fun, list(NULL, list(args = list(1)), NULL), NULL, text[c(1, 2, 1)])
    }),
    rs_result_types = step(function(made) rs_result_types()),
    rs_queue_cancel = step(function(made) rs_queue_cancel(handle, made, 0), function() {
      rs_push_many(handle, NULL, fun, list(NULL, NULL), NULL, NULL)
      all_pushed()
    }, clear),
    rs_queue_resize = step(function(made) rs_queue_resize(handle, 1L, 1L)),
    rs_queue_pause = step(function(made) rs_queue_pause(handle)),
    rs_queue_resume = step(function(made) rs_queue_resume(inline)),
    rs_everywhere = step(function(made) {
      rs_everywhere(handle, list(fun = fun, args = list(list(runif(100), quote(a + b)))))
    }),
    rs_queue_tasks = step(function(made) rs_queue_tasks(handle)),
    rs_queue_objects = step(function(made) rs_queue_objects(handle)),
    rs_queue_seats = step(function(made) rs_queue_seats(handle)),
    rs_queue_totals = step(function(made) rs_queue_totals(handle)),
    rs_pop = on_done(function(made) rs_pop(inline, 0, NULL, function() here$pop(0)), takes = TRUE),
    rs_peek = on_done(function(made) rs_peek(inline, 0, NULL)),
    rs_outcome = on_done(function(made) rs_outcome(inline, made)),
    rs_commit = on_done(function(made) rs_commit(inline, made, "value", function() "again"), takes = TRUE),
    rs_commit_all = on_done(function(made) rs_commit_all(inline, made, "value", function() "again"), takes = TRUE),
    rs_tell = on_done(function(made) rs_tell(inline)),
    # NULL, the answer, is the only thing that it makes of R's, and for that R needs no memory.
    rs_settled = step(function(made) rs_settled(inline, made), push_here, function(value) num_popped_here()),
    rs_queue_num_idle = step(function(made) rs_queue_num_idle(handle)),
    rs_queue_timeline = step(function(made) rs_queue_timeline(handle)),
    rs_queue_trace = step(function(made) rs_queue_trace(handle, "name", trace_path)),
    rs_wait = on_done(function(made) rs_wait(inline, 0, FALSE)),
    rs_wait_all = step(function(made) rs_wait_all(handle, c(1, 2), 1)),
    rs_wait_room = step(function(made) rs_wait_room(handle, 1, 0)),
    rs_relay = step(function(made) rs_relay(handle)),
    rs_has_conditions = step(function(made) rs_has_conditions(handle)),
    rs_wait_closed = step(function(made) rs_wait_closed(handle, 0)),
    rs_queue_done = on_done(function(made) rs_queue_done(inline)),
    rs_queue_counts = step(function(made) rs_queue_counts(handle)),
    rs_queue_find = step(function(made) rs_queue_find(handle, c("task1", "task2"))),
    rs_queue_tagged = step(function(made) rs_queue_tagged(handle, "tag")),
    rs_queue_done_serials = step(function(made) rs_queue_done_serials(handle)),
    rs_queue_num_done = step(function(made) rs_queue_num_done(handle, c(1, 2))),
    rs_queue_output = step(function(made) rs_queue_output(handle, 1)),
    rs_queue_output_since = step(function(made) rs_queue_output_since(handle, 1, 0, c(0, 0), 1000)),
    rs_queue_progress = step(function(made) rs_queue_progress(handle, 1)),
    rs_queue_position = step(function(made) rs_queue_position(handle, 1))
  )
}
