# What stands in the table: the rows, and the goals that they are held to. Nothing is measured here.

row <- function(title, unit = "seconds", limit = NULL) {
  list(title = title, unit = unit, limit = limit)
}

row_of_curve <- function(title, unit, x) list(title = title, unit = unit, x = x)

goal <- function(row, at, times, than, of = than) {
  list(row = row, at = at, times = times, than = than, of = of)
}

more_is_better <- function(unit) unit %in% c("tasks/s", "elements/s", "of ideal")

count_text <- function(n) format(n, big.mark = " ", scientific = FALSE)

# | unit                       | what it is                                    |
# | -------------------------- | --------------------------------------------- |
# | `seconds`, `bytes`         | less is better                                |
# | `tasks/s`, `elements/s`    | more is better                                |
# | `x ideal`                  | time over the time of ideal work, less is better |
# | `of ideal`                 | ideal time over the time, more is better      |
# | `wake-ups`                 | less is better                                |
#
# `limit` names the limit that the last table shows, where a row has more than one.
table_rows <- function(settings) {
  many <- count_text(settings$waiting)
  list(
    latency = row("push + pop of one empty task", limit = "Unix socket ping-pong"),
    throughput = row(
      paste(count_text(settings$tasks), "empty tasks pushed one by one, popped"), "tasks/s"
    ),
    map_trivial = row(
      paste("map over", count_text(settings$elements), "trivial elements"), "elements/s"
    ),
    map_1ms = row("map over 200 elements of 1 ms", "x ideal"),
    map_10ms = row("map over 200 elements of 10 ms", "x ideal"),
    map_spread = row("map over 0.1 ms and, at the end, 100 ms", "x ideal"),
    first_result = row("new queue to first result, in a fresh R process"),
    whole_process = row("Rscript: library, queue, one task, end"),
    second_queue = row("second queue beside the first, to first result"),
    sessions_100 = row("100 sessions ready, from nothing"),
    memory_100 = row("one of 100 idle sessions, memory", "bytes"),
    sessions_1000 = row("1 000 sessions ready, from nothing"),
    memory_1000 = row("one of 1 000 idle sessions, memory", "bytes"),
    crash = row("session killed in a task, to the next task's result"),
    isolate_one = row("isolate = TRUE, a session is ready"),
    isolate_row = row("isolate = TRUE, 50 in a row, each"),
    big_argument = row("task with an 80 MB argument"),
    big_result = row("task with an 80 MB result"),
    share_extra = row("80 MB shared: a task, less one with a scalar"),
    share_total = row("80 MB shared with 100 tasks, all in all"),
    push_100 = row("one push with 100 waiting"),
    push_many = row(paste("one push with", many, "waiting")),
    waiting_bytes = row(paste("memory of one of", many, "waiting tasks"), "bytes"),
    list_tasks = row(paste("list_tasks() of", count_text(settings$listed))),
    futures = row("one future: made, and asked for its value"),
    globals = row("globals = \"auto\": what it adds to a push"),
    idle = row("2 workers and host idle for 10 s", "wake-ups"),
    click = row("choice in a Shiny app while 8 jobs run, to its answer")
  )
}

# A row whose figures depend on `x`: a line of a picture, not of the table.
curve_rows <- list(
  at_workers_throughput = row_of_curve("empty tasks", "tasks/s", "workers"),
  at_workers_ideal = row_of_curve("tasks that sleep 10 ms", "of ideal", "workers"),
  at_tasks_push = row_of_curve("cost of one push", "seconds", "tasks in the queue"),
  at_tasks_run = row_of_curve("cost of running one", "seconds", "tasks in the queue"),
  at_tasks_pop = row_of_curve("cost of one pop", "seconds", "tasks in the queue"),
  at_tasks_bytes = row_of_curve("memory of one waiting task", "bytes", "tasks in the queue"),
  at_bytes = row_of_curve("push + pop with an argument", "seconds", "bytes of the argument")
)

# `than` is a number in the row's unit, who else in the same row, or a row and who in it. What must
# be reached is `times` that. `of` is its name in the table.
goals <- list(
  goal("latency", "at most", 2, "Unix socket ping-pong"),
  goal("latency", "at most", 0.35, "mirai"),
  goal("latency", "at most", 0.6, "parallel PSOCK"),
  goal("throughput", "at least", 1, 60000),
  goal("throughput", "at least", 6, "mirai"),
  goal("map_trivial", "at least", 0.8, "parLapply"),
  goal("map_trivial", "at least", 100, "mirai_map"),
  goal("map_1ms", "at most", 1, 1.05),
  goal("map_1ms", "at most", 1, "parLapply"),
  goal("map_1ms", "at most", 1, "parLapplyLB"),
  goal("map_10ms", "at most", 1, 1.05),
  goal("map_10ms", "at most", 1, "parLapply"),
  goal("map_10ms", "at most", 1, "parLapplyLB"),
  goal("map_spread", "at most", 1, 1.05),
  goal("map_spread", "at most", 1, "parLapply"),
  goal("map_spread", "at most", 1, "parLapplyLB"),
  goal("first_result", "at most", 1.3, "Rscript -e 1"),
  goal("second_queue", "at most", 1, 15e-3),
  goal("sessions_100", "at most", 1, 0.25),
  goal("memory_100", "at most", 1, 2e6),
  goal("sessions_1000", "at most", 1, 1.5),
  goal("memory_1000", "at most", 1, 2e6),
  goal("crash", "at most", 1, 10e-3),
  goal("isolate_one", "at most", 1, 5e-3),
  goal("isolate_one", "at most", 1, "mcparallel"),
  goal("isolate_row", "at most", 1, 5e-3),
  goal("isolate_row", "at most", 1, "mcparallel"),
  goal("big_argument", "at most", 1, 60e-3),
  goal("big_result", "at most", 1, 60e-3),
  goal("share_extra", "at most", 1, 0.2e-3),
  goal("push_many", "at most", 1.2, c("push_100", "taskq"), of = "with 100"),
  goal("waiting_bytes", "at most", 1, 1000),
  goal("list_tasks", "at most", 1, 0.5),
  goal("idle", "at most", 1, 0),
  goal("click", "at most", 1, 50e-3)
)
