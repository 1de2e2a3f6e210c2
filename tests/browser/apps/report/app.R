# Reports of several departments on a queue, some of which go wrong: what the picture of the monitor shows.
library(shiny)
library(taskq)

q <- task_q$new(3, name = "reports")
onStop(function() q$kill())

report <- function(steps, fails = FALSE) {
  for (step in seq_len(steps)) {
    Sys.sleep(0.2)
    cat(sprintf("table %d of %d is written\n", step, steps))
    taskq::task_progress(step / steps, sprintf("table %d of %d", step, steps))
    if (fails && step > steps / 2) stop("there are no figures for this month")
  }
}
push <- function(id, steps, ...) q$push(report, list(steps, ...), id = id, tag = sub("-.*", "", id))
push("east-1", 8)
push("east-2", 5, fails = TRUE)
q$push(function() {
  Sys.sleep(0.8)
  tools::pskill(Sys.getpid(), 9)
}, id = "south-1", tag = "south")
push("west-1", 6)
push("south-2", 4)
push("north", 60)
push("west-2", 70)
push("east-3", 90)
for (i in 3:9) push(paste0("south-", i), 5)

shinyApp(
  bslib::page_fluid(
    title = "Monitor", lang = "en", theme = bslib::bs_theme(version = 5),
    tags$head(tags$link(rel = "icon", href = "data:,")),
    task_q_monitor_ui("monitor")
  ),
  function(input, output, session) task_q_monitor_server("monitor", q)
)
