# Runs a Shiny app: Rscript app.R <folder, or name of an example of the package> <port>
args <- commandArgs(TRUE)
folder <- args[[1]]
if (!dir.exists(folder)) folder <- system.file("examples", folder, package = "taskq", mustWork = TRUE)
shiny::runApp(folder, port = as.integer(args[[2]]), launch.browser = FALSE)
