# Background jobs that people see, follow and stop. A button starts a job that computes for some seconds and writes a
# CSV. It ends although the browser tab is closed, every visitor sees all jobs, and Cancel ends the process of a job.
#
#   Rscript -e 'shiny::runApp(system.file("examples/shiny-job", package = "taskq"), launch.browser = FALSE)'
#
# TASKQ_JOBS_DIR: where the files go, by default a folder that is gone when the app stops. TASKQ_JOBS_WORKERS: how many
# jobs run at a time, by default 2; more jobs wait for their turn.

library(shiny)

# ---- outside server(): one for all visitors, for as long as the app runs ---------------------------------------------

jobs_dir <- Sys.getenv("TASKQ_JOBS_DIR", file.path(tempdir(), "jobs"))
dir.create(jobs_dir, showWarnings = FALSE, recursive = TRUE)
addResourcePath("files", jobs_dir)

# The queue is also the list of the jobs: there is no second one that could differ. With `isolate`, each job has an R
# session of its own, which ends with it. With `nice`, the app comes first where processors are short.
q <- taskq::task_q$new(as.integer(Sys.getenv("TASKQ_JOBS_WORKERS", "2")), name = "jobs", isolate = TRUE, nice = 10,
  max_waiting = 100)
onStop(function() q$close()) # what still runs is ended, and no process is left

# The job. It runs in another R session and knows nothing of Shiny: all that it needs are its arguments.
simulate <- function(seconds, ending, path) {
  steps <- 10 * seconds
  rows <- vector("list", steps)
  for (step in seq_len(steps)) {
    if (step > steps / 2 && ending == "error") stop("the numbers <do not> add up")
    if (step > steps / 2 && ending == "crash") tools::pskill(Sys.getpid(), tools::SIGKILL)
    points <- hits <- 0
    until <- Sys.time() + 0.1
    while (Sys.time() < until) {
      points <- points + 1e4
      hits <- hits + sum(stats::runif(1e4)^2 + stats::runif(1e4)^2 < 1)
    }
    rows[[step]] <- data.frame(step, points, pi = 4 * hits / points)
    taskq::task_progress(step / steps, sprintf("step %d of %d in process %d", step, steps, Sys.getpid()))
    if (step %% 5 == 0) cat(sprintf("step %d: %.0f points, pi = %.5f\n", step, points, 4 * hits / points))
  }
  # Who finds the file finds all of it: a job that ends early leaves none.
  part <- paste0(path, ".part")
  utils::write.csv(do.call(rbind, rows), part, row.names = FALSE)
  file.rename(part, path)
}

started <- 0
start_job <- function(seconds, ending) {
  started <<- started + 1
  id <- sprintf("job-%s-%d", format(Sys.time(), "%Y%m%d-%H%M%S"), started)
  path <- file.path(jobs_dir, paste0(id, ".csv"))
  # The app never waits: with block = FALSE the answer is NULL when too many jobs wait already.
  !is.null(q$push(simulate, list(seconds, ending, path), id = id, block = FALSE))
}

# All jobs, as all visitors see them. It looks again while jobs are under way and somebody is there, and when told to.
changed <- reactiveVal(0)
look_again <- function() changed(changed() + 1)
jobs <- reactive({
  changed()
  tasks <- q$list_tasks(idle = FALSE, payload = FALSE)
  if (any(tasks$state != "done")) invalidateLater(500, session = NULL)
  state <- ifelse(tasks$state == "done", tasks$status, tasks$state) # "waiting", "running", "success", "error" ...
  percent <- ifelse(state == "success", 100, ifelse(is.na(tasks$progress), 0, round(100 * tasks$progress)))
  note <- ifelse(is.na(tasks$message), "", tasks$message)
  failed <- state %in% failures
  if (any(failed)) note[failed] <- vapply(q$list_tasks(idle = FALSE)$result[failed], reason, "")
  output <- vapply(tasks$id, function(id) last_lines(q$output(id)$stdout), "")
  Map(list, id = tasks$id, state = state, percent = percent, note = note, output = output)
})
failures <- c("error", "crash")
# An error of the job in its own words, a crash in those of the queue, where the job has the name that visitors know.
reason <- function(result) {
  if (result$status == "error") return(conditionMessage(result$error$parent))
  sub(sprintf("task '%s'", result$task_id), title_of(result$task_id), conditionMessage(result$error), fixed = TRUE)
}
title_of <- function(id) sub(".*-", "Job ", id)
last_lines <- function(text, n = 4) paste(utils::tail(strsplit(text, "\n")[[1]], n), collapse = "\n")

# ---- the page --------------------------------------------------------------------------------------------------------

card <- function(id) {
  title <- title_of(id)
  cancel <- sprintf("Shiny.setInputValue('cancel', '%s', { priority: 'event' })", id)
  div(id = id, class = "job", role = "group", `aria-label` = title,
    div(class = "head",
      strong(title), span(class = "state", role = "status"),
      tags$button(class = "btn btn-outline-danger btn-default btn-sm cancel", `aria-label` = paste("Cancel", title),
        onclick = cancel, "Cancel"),
      a(class = "file", href = sprintf("files/%s.csv", id), download = NA,
        `aria-label` = paste("Download the CSV of", title), "Download CSV")),
    div(class = "note"),
    div(class = "progress",
      div(class = "progress-bar", role = "progressbar", `aria-label` = paste("Progress of", title),
        `aria-valuemin` = 0, `aria-valuemax` = 100)),
    tags$pre(class = "output"))
}

# Fills in what has changed. Everything is put in as text, so that nothing a job writes can be markup.
script <- "Shiny.addCustomMessageHandler('jobs', (jobs) => jobs.forEach((job) => {
  const card = document.getElementById(job.id);
  for (const part of ['state', 'note', 'output']) {
    const element = card.querySelector('.' + part);
    if (element.textContent !== job[part]) element.textContent = job[part];
  }
  card.dataset.state = job.state;
  const bar = card.querySelector('.progress-bar');
  bar.style.width = job.percent + '%';
  bar.setAttribute('aria-valuenow', job.percent);
}))"

style <- "
  .container-fluid { max-width: 60rem; }
  .controls { display: flex; flex-wrap: wrap; align-items: end; gap: 1rem; margin: 1rem 0; }
  .controls .form-group { margin: 0; width: 13rem; }
  .controls input, .controls select { width: 100%; height: 2.5rem; appearance: auto; }
  .buttons { display: flex; gap: 1rem; }
  .job { border: 1px solid #d5dae0; border-radius: .5rem; padding: .8rem 1rem; margin: .8rem 0; }
  .job .head { display: flex; align-items: center; gap: .8rem; min-height: 2.2rem; white-space: nowrap; }
  .job .state { border-radius: 1rem; padding: 0 .7rem; background: #e9edf2; color: #23303d; margin-right: auto; }
  .job .note { color: #4b5864; overflow-wrap: anywhere; }
  .job .progress { height: .5rem; margin: .6rem 0 0; }
  .job .progress-bar { transition: none; }
  .job .output { margin: .6rem 0 0; padding: .5rem .7rem; font-size: .8rem; background: #f5f6f8;
    white-space: pre-wrap; }
  .job .output:empty, .job .note:empty { display: none; }
  .job:not([data-state=waiting], [data-state=running]) .cancel, .job:not([data-state=success]) .file { display: none; }
  [data-state=success] .progress-bar { background: #19743f; }
  [data-state=success] .state { background: #dcf1e4; color: #0d5229; }
  [data-state=error] .progress-bar, [data-state=crash] .progress-bar { background: #b3261e; }
  [data-state=error] .state, [data-state=crash] .state { background: #fbe3e1; color: #8c1d18; }
  [data-state=cancelled] .progress-bar { background: #77818c; }
  @media (max-width: 640px) {
    .controls .form-group, .buttons { width: 100%; }
    .buttons .btn { flex: 1; }
  }"

ui <- fluidPage(
  lang = "en", title = "Background jobs",
  theme = if (requireNamespace("bslib", quietly = TRUE)) bslib::bs_theme(version = 5),
  tags$head(tags$link(rel = "icon", href = "data:,"), tags$style(HTML(style)), tags$script(HTML(script))),
  h1("Background jobs", class = "h3"),
  p("A job goes on when this page is closed, and everybody sees all jobs."),
  div(class = "controls",
    numericInput("seconds", "Seconds to compute", 8, 1, 3600, 1),
    selectInput("ending", "Simulated trouble", selectize = FALSE,
      c("none" = "finish", "an error half-way" = "error", "a crash half-way" = "crash")),
    div(class = "buttons",
      actionButton("start", "Start job", class = "btn-primary"),
      actionButton("clear", "Clear finished"))),
  p(textOutput("plan", inline = TRUE)),
  p(role = "status", textOutput("summary", inline = TRUE)),
  div(id = "jobs"))

# ---- a visitor -------------------------------------------------------------------------------------------------------

server <- function(input, output, session) {
  # Whole seconds, or NULL for what cannot be.
  seconds <- reactive(if (isTRUE(input$seconds >= 1 && input$seconds <= 3600)) round(input$seconds))
  range <- "A job takes 1 to 3600 seconds."
  # One notification at a time: each takes the place of the last one.
  refuse <- function(why) showNotification(why, id = "refused", type = "error")

  output$plan <- renderText({
    if (is.null(seconds())) range
    else if (input$ending == "finish") sprintf("A table of %s rows will be written.", format(10 * seconds()))
    else sprintf("After %s seconds this will go wrong.", format(seconds() / 2))
  })

  observeEvent(input$start, {
    if (is.null(seconds())) refuse(range)
    else if (!start_job(seconds(), input$ending)) refuse("Too many jobs wait already.")
    look_again()
  })
  observeEvent(input$cancel, {
    # Another visitor may have cleared the job a moment ago.
    tryCatch(q$cancel(input$cancel), taskq_error_unknown = function(e) NULL)
    look_again()
  })
  observeEvent(input$clear, {
    tasks <- q$list_tasks(idle = FALSE, payload = FALSE)
    q$collect(tasks$id[tasks$state == "done"], progress = FALSE) # takes them from the queue
    look_again()
  })

  # Cards come and go one by one, newest first, and only those that have changed are told so.
  shown <- list()
  observe({
    now <- jobs()
    for (id in setdiff(names(shown), names(now))) removeUI(paste0("#", id), immediate = TRUE)
    for (id in setdiff(names(now), names(shown))) insertUI("#jobs", "afterBegin", card(id), immediate = TRUE)
    news <- Filter(function(job) !identical(job, shown[[job$id]]), now)
    if (length(news)) session$sendCustomMessage("jobs", unname(news))
    shown <<- now
  })
  output$summary <- renderText({
    states <- vapply(jobs(), `[[`, "", "state")
    count <- function(of) sum(states %in% of)
    counts <- c(running = count("running"), waiting = count("waiting"), succeeded = count("success"),
      failed = count(failures), cancelled = count("cancelled"))
    shown <- counts > 0 | names(counts) %in% c("running", "waiting")
    if (length(states)) paste(counts[shown], names(counts)[shown], collapse = ", ") else "No jobs yet."
  })
}

shinyApp(ui, server)
