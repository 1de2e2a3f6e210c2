# The monitor on the pages that apps have: ?page=bootstrap3, bootstrap5 or dark. Tasks go on as files appear in GATES.
library(shiny)
library(taskq)

gates <- Sys.getenv("GATES")
q <- task_q$new(2, name = "demo")
onStop(function() q$kill())

evil <- "<script>window.evil = 1</script>"
speaks <- function(gate, evil) {
  taskq::task_progress(0.5, evil)
  cat("<img src=x onerror='window.evil = 2'>\n")
  while (!file.exists(gate)) Sys.sleep(0.02)
}
counts <- function(gate) {
  step <- 0
  while (!file.exists(gate)) {
    step <- step + 1
    taskq::task_progress(min(step / 2000, 1), paste("step", step))
    cat("line", step, "\n")
    Sys.sleep(0.05)
  }
  message("the end")
}
q$push(function() stop("the numbers <b>do not</b> add up"), id = "bad")
q$push(speaks, list(file.path(gates, "evil"), evil), id = evil, tag = evil)
q$push(counts, list(file.path(gates, "long")), id = "long", tag = "alpha")
for (i in 1:60) q$push(function() 1, id = sprintf("job-%02d", i), tag = c("alpha", "beta")[i %% 2 + 1])

pages <- list(
  bootstrap3 = function(...) fluidPage(...),
  bootstrap5 = function(...) bslib::page_fluid(..., theme = bslib::bs_theme(version = 5)),
  dark = function(...) fluidPage(tags$style("body { background: #222; color: #eee }"), ...)
)
ui <- function(request) {
  page <- pages[[parseQueryString(request$QUERY_STRING)$page %||% "bootstrap5"]]
  page(
    tags$head(tags$link(rel = "icon", href = "data:,")),
    title = "Monitor", lang = "en",
    tabsetPanel(
      tabPanel("All", task_q_monitor_ui("all")),
      tabPanel("Beta", task_q_monitor_ui("beta")),
      tabPanel("Other", textOutput("clock"), uiOutput("late"), actionButton("show", "Show another"))
    ),
    tags$p("Chosen:", textOutput("selected", inline = TRUE)),
    actionButton("pop", "Pop one"), actionButton("close", "Close the queue")
  )
}
server <- function(input, output, session) {
  session$onSessionEnded(function() later::later(function() message("a visitor has left"), 1))
  all <- task_q_monitor_server("all", q, refresh = 100)
  task_q_monitor_server("beta", q, tag = "beta", refresh = 100)
  task_q_monitor_server("late", q, controls = FALSE, refresh = 100)
  output$selected <- renderText(all$selected() %||% "none")
  output$late <- renderUI(if (input$show > 0) task_q_monitor_ui("late"))
  ticks <- 0
  output$clock <- renderText({
    invalidateLater(100)
    ticks <<- ticks + 1
    ticks
  })
  observeEvent(input$pop, q$pop())
  observeEvent(input$close, q$close(0))
}
`%||%` <- function(x, y) if (is.null(x)) y else x
shinyApp(ui, server)
