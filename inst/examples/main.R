# Bootstrap confidence intervals for regressions on R's own data sets, a few hundred tasks on a queue, with one task
# that fails and one that kills its session. At the end every result is compared with the same computation done
# sequentially.
#
#   Rscript -e 'source(system.file("examples/main.R", package = "taskq"))'

library(taskq)

# ---- the work --------------------------------------------------------------------------------------------------------

models <- list(
  mtcars = mpg ~ wt + hp,
  iris = Sepal.Length ~ Petal.Length + Petal.Width,
  faithful = eruptions ~ waiting,
  airquality = Ozone ~ Temp + Wind,
  swiss = Fertility ~ Education + Agriculture,
  ChickWeight = weight ~ Time
)
blocks_per_model <- 40
resamples <- 60

# One block of resamples: the coefficients, a row each. Needs nothing but its arguments and base R.
bootstrap_block <- function(data, formula, seed, resamples) {
  set.seed(seed, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
  frame <- stats::model.frame(formula, data)
  x <- stats::model.matrix(formula, frame)
  y <- stats::model.response(frame)
  t(replicate(resamples, {
    rows <- sample(nrow(x), replace = TRUE)
    stats::lm.fit(x[rows, , drop = FALSE], y[rows])$coefficients
  }))
}

jobs <- expand.grid(model = names(models), block = seq_len(blocks_per_model), stringsAsFactors = FALSE)
jobs$id <- sprintf("%s-%02d", jobs$model, jobs$block)
jobs$seed <- seq_len(nrow(jobs))
arguments_of <- function(job) {
  list(data = get(job$model, "package:datasets"), formula = models[[job$model]], seed = job$seed, resamples = resamples)
}

# ---- on the queue ----------------------------------------------------------------------------------------------------

workers <- 2L
q <- task_q$new(workers, name = "bootstrap")
began <- Sys.time()
for (i in seq_len(nrow(jobs))) {
  q$push(bootstrap_block, arguments_of(jobs[i, ]), id = jobs$id[i])
  if (i == 60) q$push(function(data) stats::lm(mpg ~ horses, data), list(mtcars), id = "fails")
  if (i == 120) q$push(function() tools::pskill(Sys.getpid(), tools::SIGKILL), id = "crashes")
}
cat(sprintf("pushed %d tasks in %.0f ms, before the sessions are up\n\n", nrow(jobs) + 2L,
            1000 * as.numeric(Sys.time() - began, units = "secs")))

results <- list()
shown <- 0
while (!q$is_idle()) {
  result <- q$pop(Inf)
  results[[result$task_id]] <- result
  share <- length(results) / (nrow(jobs) + 2)
  if (share >= shown + 0.1) {
    shown <- floor(share * 10) / 10
    cat(sprintf("%3.0f %%  %3d waiting, %d running, %3d popped\n",
      100 * share, q$get_num_waiting(), q$get_num_running(), length(results)))
    if (shown == 0.5) {
      cat("\nIn the middle, list_tasks():\n")
      tasks <- q$list_tasks()
      print(as.data.frame(tasks[tasks$state != "waiting" | tasks$idle, c("id", "idle", "state", "tries")]))
      cat("\n")
    }
  }
}
took <- as.numeric(Sys.time() - began, units = "secs")
invisible(q$close())

# ---- what came of it -------------------------------------------------------------------------------------------------

cat("\nThe task that failed:\n")
print(results$fails$error)
cat("\nThe task that killed its session:\n")
print(results$crashes$error)

done <- results[jobs$id]
intervals <- do.call(rbind, lapply(names(models), function(model) {
  draws <- do.call(rbind, lapply(done[jobs$id[jobs$model == model]], `[[`, "result"))
  limits <- apply(draws, 2, stats::quantile, c(0.025, 0.5, 0.975))
  data.frame(model = model, term = colnames(draws), lower = limits[1, ], median = limits[2, ], upper = limits[3, ],
             resamples = nrow(draws), row.names = NULL)
}))
cat("\n95 % intervals:\n")
print(intervals, digits = 3)

cat("\nNow the same sequentially, to compare ...\n")
began <- Sys.time()
expected <- lapply(seq_len(nrow(jobs)), function(i) do.call(bootstrap_block, arguments_of(jobs[i, ])))
sequential <- as.numeric(Sys.time() - began, units = "secs")

checks <- c(
  "every task has exactly one result" = length(results) == nrow(jobs) + 2L && !anyDuplicated(names(results)),
  "all results equal the sequential ones" = identical(lapply(unname(done), `[[`, "result"), expected),
  "the failing task failed, with the reason" =
    results$fails$status == "error" && grepl("horses", conditionMessage(results$fails$error)),
  "the crashing task crashed, by signal 9" =
    results$crashes$status == "crash" && identical(as.integer(results$crashes$error$signal), 9L)
)
for (check in names(checks)) cat(sprintf("%-45s %s\n", check, if (checks[[check]]) "ok" else "NOT OK"))
cat(sprintf("\n%d tasks on %d workers: %.2f s, start of the sessions included; sequentially %.2f s\n",
  length(results), workers, took, sequential))
if (!all(checks)) quit(status = 1)
