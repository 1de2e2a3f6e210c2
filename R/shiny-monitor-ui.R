# The page of the monitor: everything but the rows of its tables, which inst/monitor/monitor.js makes. Nothing that a
# task says is written here. The classes of Bootstrap are those that versions 3 and 5 share; the rest is in
# inst/monitor/monitor.css under `taskq-monitor`.

# `ns`: the namespace of the module.
tq_monitor_ui <- function(ns) {
  tags <- shiny::tags
  shiny::tagList(
    tq_monitor_dependency(),
    tags$section(
      id = ns("monitor"), class = "taskq-monitor", `data-ns` = ns(""), `aria-label` = "Task queue monitor",
      tq_monitor_ui_head(ns, tags),
      tags$div(class = "tqm-alert", role = "alert", `data-tq` = "alert", hidden = NA),
      tq_monitor_ui_tasks(ns, tags),
      tq_monitor_ui_output(tags),
      tq_monitor_ui_workers(tags),
      tq_monitor_ui_timeline(ns, tags),
      tags$div(class = "tqm-only-read", role = "status", `aria-live` = "polite", `data-tq` = "say")
    )
  )
}

tq_monitor_dependency <- function() {
  htmltools::htmlDependency(
    name = "taskq-monitor", version = utils::packageVersion("taskq"), package = "taskq", src = "monitor",
    script = "monitor.js", stylesheet = "monitor.css"
  )
}

tq_monitor_ui_head <- function(ns, tags) {
  # A number of tasks, by which the table is filtered. Outcomes that no task has are not shown.
  count <- function(field, word, hidden = NULL) {
    tags$li(hidden = hidden, tags$button(
      type = "button", class = paste0("tqm-count tqm-count-", field), `data-state` = field, `aria-pressed` = "false",
      tags$b(`data-tq` = field, "0"), word
    ))
  }
  tags$header(
    class = "tqm-head",
    tags$div(
      class = "tqm-title", role = "heading", `aria-level` = "2",
      tags$span(`data-tq` = "name", "Task queue"),
      tags$span(class = "tqm-queue", `data-tq` = "state", "connecting")
    ),
    tags$ul(
      class = "tqm-counts", `aria-label` = "Tasks and workers",
      count("waiting", "waiting"), count("running", "running"), count("success", "succeeded"),
      count("failed", "failed", NA), count("cancelled", "cancelled", NA), count("skipped", "skipped", NA),
      tags$li(
        class = "tqm-count-workers", tags$b(`data-tq` = "workers", "0"), "workers ",
        tags$span(class = "tqm-weak", `data-tq` = "activity")
      )
    ),
    tags$div(
      class = "tqm-controls", role = "group", `aria-label` = "Queue",
      shiny::actionButton(ns("pause"), "Pause", class = "btn-sm", hidden = NA),
      shiny::actionButton(ns("resume"), "Resume", class = "btn-sm", hidden = NA),
      tags$div(
        class = "tqm-resize", `data-tq` = "resize", hidden = NA,
        shiny::numericInput(ns("workers"), "Number of workers", value = NULL, min = 0, step = 1),
        shiny::actionButton(ns("resize"), "Set", class = "btn-sm", `aria-label` = "Set the number of workers")
      )
    )
  )
}

tq_monitor_ui_tasks <- function(ns, tags) {
  states <- c(
    "All" = "all", "Waiting" = "waiting", "Running" = "running", "Done" = "done", "Succeeded" = "success",
    "Failed" = "failed", "Cancelled" = "cancelled", "Skipped" = "skipped"
  )
  select <- function(id, label, choices) {
    shiny::selectInput(ns(id), label, choices, selectize = FALSE, width = "100%")
  }
  title <- ns("tasks-title")
  tags$section(
    class = "tqm-card", `aria-labelledby` = title,
    tags$div(class = "tqm-card-title", id = title, role = "heading", `aria-level` = "3", "Tasks"),
    tags$div(
      class = "tqm-filters", role = "search", `aria-label` = "Find tasks",
      tags$div(class = "tqm-find", shiny::textInput(
        ns("find"), "Find", placeholder = "id, tag, message", width = "100%"
      )),
      tags$div(select("state", "State", states)),
      tags$div(`data-tq` = "tag-filter", select("tag", "Tag", c("All" = "", "(none)" = "-"))),
      tags$div(select("size", "Rows", as.character(tq_limits$monitor_sizes)))
    ),
    tags$div(
      class = "tqm-table-box",
      tags$table(
        class = "tqm-table tqm-tasks", role = "grid", `aria-multiselectable` = "true",
        `aria-describedby` = ns("keys"), `data-tq` = "tasks",
        tags$caption(
          class = "tqm-only-read",
          "Tasks of the queue. Headers sort; the output of a row that is chosen is shown below the table."
        ),
        tags$thead(role = "rowgroup", tags$tr(
          role = "row",
          tags$th(scope = "col", role = "columnheader", `data-col` = "pick", `data-kind` = "pick",
            tags$span(class = "tqm-only-read", "Chosen")),
          Map(function(column, label) tq_monitor_ui_header(column, label, tags),
            names(tq_monitor_columns), tq_monitor_columns)
        )),
        tags$tbody(role = "rowgroup")
      ),
      tags$p(class = "tqm-empty", `data-tq` = "empty", "No tasks")
    ),
    tags$p(
      class = "tqm-only-read", id = ns("keys"),
      "Arrow keys move from task to task. Enter chooses a task, Space adds or removes one, Escape chooses none."
    ),
    tags$div(
      class = "tqm-foot",
      tags$div(
        class = "tqm-actions",
        shiny::actionButton(ns("cancel"), shiny::tagList("Cancel", tags$span(`data-tq` = "cancel-count")),
          class = "btn-sm tqm-cancel", hidden = NA, disabled = NA),
        # Many are cancelled by two clicks.
        tags$span(
          class = "tqm-sure", role = "group", `aria-label` = "Cancel all that are chosen?", `data-tq` = "sure",
          hidden = NA,
          tags$button(type = "button", class = "btn btn-default btn-sm tqm-cancel", `data-tq` = "sure-yes"),
          tags$button(type = "button", class = "btn btn-default btn-sm", `data-tq` = "sure-no", "Keep them")
        ),
        tags$span(class = "tqm-notice", role = "status", `data-tq` = "notice")
      ),
      tags$nav(
        class = "tqm-pager", `aria-label` = "Pages of tasks",
        tags$span(`data-tq` = "shown", ""),
        tags$button(type = "button", class = "btn btn-default btn-sm", `data-tq` = "previous", disabled = NA,
          "Previous"),
        tags$button(type = "button", class = "btn btn-default btn-sm", `data-tq` = "next", disabled = NA, "Next")
      )
    )
  )
}

tq_monitor_ui_header <- function(column, label, tags) {
  kind <- switch(column,
    state = "state", progress = "progress", tries = , waited = , ran = , worker = , memory = "number", "text"
  )
  tags$th(
    scope = "col", role = "columnheader", `data-col` = column, `data-kind` = kind, `aria-sort` = "none",
    tags$button(type = "button", `data-sort` = column, label, tags$span(class = "tqm-arrow", `aria-hidden` = "true"))
  )
}

tq_monitor_ui_output <- function(tags) {
  stream <- function(name, label) {
    tags$div(
      class = "tqm-stream", `data-tq` = paste0(name, "-stream"), hidden = NA,
      tags$div(class = "tqm-stream-title", label),
      tags$pre(tabindex = "0", role = "group", `aria-label` = label, `data-tq` = name)
    )
  }
  button <- function(name, text, ...) {
    tags$button(type = "button", class = "btn btn-default btn-sm", `data-tq` = name, text, ...)
  }
  # While a task is chosen, it stays in sight at the lower edge of the window.
  tags$section(
    class = "tqm-card tqm-output", `aria-label` = "Output of the chosen task", `data-tq` = "output",
    tags$div(
      class = "tqm-output-head",
      tags$div(
        class = "tqm-card-title", role = "heading", `aria-level` = "3",
        "Output", tags$span(class = "tqm-of", `data-tq` = "output-of")
      ),
      tags$div(
        class = "tqm-output-buttons", `data-tq` = "output-buttons", hidden = NA,
        button("copy", "Copy"), button("enlarge", "Enlarge", `aria-pressed` = "false"), button("leave", "Close")
      )
    ),
    tags$p(class = "tqm-empty", `data-tq` = "output-none", "Choose a task to read what it writes."),
    tags$div(class = "tqm-error", `data-tq` = "output-error", hidden = NA),
    tags$div(
      class = "tqm-streams", `data-tq` = "streams", hidden = NA,
      stream("stdout", "Standard output"), stream("stderr", "Standard error"),
      tags$p(class = "tqm-empty", `data-tq` = "output-empty", "Nothing was written yet.")
    )
  )
}

tq_monitor_ui_workers <- function(tags) {
  header <- function(column, label, kind) {
    tags$th(scope = "col", `data-col` = column, `data-kind` = kind, label)
  }
  tags$section(
    class = "tqm-card tqm-workers-card", `aria-label` = "Workers",
    tags$div(class = "tqm-card-title", role = "heading", `aria-level` = "3", "Workers"),
    tags$div(
      class = "tqm-table-box", tabindex = "0", role = "group", `aria-label` = "Table of workers",
      tags$table(
        class = "tqm-table tqm-workers", `data-tq` = "workers-table",
        tags$caption(class = "tqm-only-read", "Workers of the queue, each an R session"),
        tags$thead(tags$tr(
          header("worker", "Process", "text"), header("state", "State", "state"), header("task", "Task", "text"),
          header("tasks", "Done", "number"), header("memory", "Memory", "number"), header("cpu", "CPU", "number")
        )),
        tags$tbody()
      ),
      tags$p(class = "tqm-empty", `data-tq` = "more", hidden = NA)
    )
  )
}

tq_monitor_ui_timeline <- function(ns, tags) {
  tags$details(
    class = "tqm-card tqm-timeline", `data-tq` = "timeline", hidden = NA,
    tags$summary(class = "tqm-card-title", "Timeline"),
    shiny::plotOutput(ns("timeline"), height = "320px")
  )
}

# A page that holds nothing but the monitor. `name`: that of the queue, or NULL.
tq_monitor_page <- function(name) {
  title <- if (is.null(name)) "Task queue" else paste("Task queue", name)
  content <- shiny::tagList(
    # Browsers ask for a picture.
    shiny::tags$head(shiny::tags$link(rel = "icon", href = "data:,")),
    shiny::tags$main(class = "taskq-monitor-page", task_q_monitor_ui("monitor"))
  )
  if (requireNamespace("bslib", quietly = TRUE)) {
    return(bslib::page_fluid(content, title = title, theme = bslib::bs_theme(version = 5), lang = "en"))
  }
  shiny::fluidPage(content, title = title, lang = "en")
}
