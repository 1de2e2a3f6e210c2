# Every type of output, each of which waits for a task of its own, and a clock that waits for none. How the tasks end
# stands in the address (?end=crash) and can be chosen on the page.
library(shiny)
library(taskq)

options(shiny.sanitize.errors = nzchar(Sys.getenv("TASKQ_SANITIZE")))
has_dt <- requireNamespace("DT", quietly = TRUE)
q <- task_q$new(2, name = "failures")
closed <- task_q$new(1)
closed$close()
q$push(function() stop("what others wait for"), id = "failed")
onStop(function() q$kill())

# As `queue$run()` is called in the output that shows the value.
run <- function(end, session) {
  switch(end,
    success = q$run(function() "all is well"),
    error = q$run(function() stop("no data today")),
    crash = q$run(function() quit(status = 7)),
    timeout = q$run(function() Sys.sleep(600), timeout = 200),
    cancel = cancelled(),
    skip = q$run(function() 1, after = "failed"),
    closed = closed$run(function() 1),
    validate = q$run(function() shiny::validate(shiny::need(FALSE, "choose a month"))),
    quiet = q$run(function() shiny::req(FALSE)),
    safe = q$run(function() stop(shiny::safeError("this may be read")))
  )
}
# Shiny hears no click of a visitor who waits for an output that is a promise.
cancelled <- function() {
  tag <- tempfile("cancel-")
  later::later(function() q$cancel(tag = tag), 0.2)
  q$run(function() Sys.sleep(600), tag = tag)
}
is_shown <- function(value) stopifnot(identical(value, "all is well"))

ui <- fluidPage(
  tags$head(
    tags$link(rel = "icon", href = "data:,"),
    tags$style(".block { display: inline-block; width: 370px; vertical-align: top; margin: 4px }")
  ),
  textOutput("clock"), textOutput("other"),
  actionButton("fail", "end as the address says"), actionButton("work", "end well"),
  downloadLink("download", "download"),
  lapply(
    list(
      text = textOutput("text"), print = verbatimTextOutput("print"), table = tableOutput("table"),
      plot = plotOutput("plot", height = "100px"), ui = uiOutput("ui"), image = imageOutput("image", height = "100px"),
      widget = if (has_dt) DT::dataTableOutput("widget") else div(), reactive = textOutput("reactive"),
      extended = textOutput("extended"), outside = textOutput("outside")
    ),
    function(output) div(class = "block", output)
  )
)

server <- function(input, output, session) {
  asked <- function() c(parseQueryString(session$clientData$url_search)$end, "success")[[1]]
  end <- reactiveVal(isolate(asked()))
  observeEvent(input$fail, end(asked()))
  observeEvent(input$work, end("success"))
  value <- function(use) {
    promises::then(run(end(), session), function(value) {
      is_shown(value)
      use(value)
    })
  }

  output$clock <- renderText({
    invalidateLater(200)
    format(Sys.time(), "%H:%M:%OS1")
  })
  output$other <- renderText("another output")

  output$text <- renderText(value(identity))
  output$print <- renderPrint(value(print))
  output$table <- renderTable(value(function(value) data.frame(value = value)))
  output$plot <- renderPlot(value(function(value) {
    par(mar = c(0, 0, 2, 0))
    plot(1, main = value)
  }))
  output$ui <- renderUI(value(function(value) div(value)))
  output$image <- renderImage(deleteFile = TRUE, value(function(value) {
    file <- tempfile(fileext = ".svg")
    writeLines("<svg xmlns='http://www.w3.org/2000/svg' width='90' height='90'><circle r='90'/></svg>", file)
    list(src = file, contentType = "image/svg+xml", alt = value)
  }))
  if (has_dt) output$widget <- DT::renderDataTable(server = FALSE, value(function(value) data.frame(value = value)))
  # By a reactive.
  promised <- reactive(run(end(), session))
  output$reactive <- renderText(promised())
  # By an extended task.
  extended <- task_q_extended_task(q, function(end) {
    switch(end,
      success = "all is well", crash = quit(status = 7), timeout = Sys.sleep(600), cancel = Sys.sleep(600),
      validate = shiny::validate(shiny::need(FALSE, "choose a month")), quiet = shiny::req(FALSE),
      safe = stop(shiny::safeError("this may be read")), stop("no data today")
    )
  }, timeout = if (identical(isolate(asked()), "timeout")) 200 else Inf)
  observe({
    extended$invoke(end())
    if (end() == "cancel") later::later(extended$cancel, 0.2)
  })
  output$extended <- renderText(extended$result())
  # By a promise that was not made in an output.
  outside <- reactiveVal()
  observe({
    end <- end()
    token <- list(token = session$token)
    later::later(function() outside(tryCatch(run(end, token), error = promises::promise_reject)))
  })
  output$outside <- renderText(outside())

  output$download <- downloadHandler("value.txt", function(file) value(function(value) writeLines(value, file)))
}

shinyApp(ui, server)
