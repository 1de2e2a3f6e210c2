# An API whose slow endpoint does not block the others: it returns a promise, and the work runs on a queue.
#
#   Rscript -e 'plumber::pr_run(plumber::pr(system.file("examples/plumber/plumber.R", package = "taskq")), port = 8000)'
#   curl 'http://127.0.0.1:8000/estimate?n=10000000' & curl http://127.0.0.1:8000/ping
#
# The queue is made once, when the API starts; its sessions end with it.

queue <- taskq::task_q$new(2, name = "api", max_waiting = 100)

estimate_pi <- function(n) {
  inside <- stats::runif(n)^2 + stats::runif(n)^2 < 1
  4 * mean(inside)
}

#* An estimate of pi from so many random points. Takes its time, in a session of the queue.
#* @param n:int How many points
#* @get /estimate
#* @serializer unboxedJSON
function(res, n = 1e6) {
  # What comes from outside may be anything: given twice it has two values, and not every text is a number.
  n <- if (length(n) == 1L) suppressWarnings(tryCatch(as.numeric(n), error = function(cnd) NA_real_)) else NA_real_
  if (is.na(n) || n < 1 || n > 1e8) {
    res$status <- 400
    return(list(error = "n must be a number from 1 to 1e8"))
  }
  # With `block = FALSE` a queue that is full rejects at once instead of holding up the API.
  estimate <- queue$run(estimate_pi, list(n), timeout = 60000, block = FALSE)
  promises::then(estimate, function(value) list(n = n, estimate = value), function(error) {
    res$status <- if (inherits(error, "taskq_error_full")) 503 else 500
    list(error = conditionMessage(error))
  })
}

#* Answers while estimates are under way.
#* @get /ping
#* @serializer unboxedJSON
function() list(waiting = queue$get_num_waiting(), running = queue$get_num_running())

#* @plumber
function(pr) {
  # A query with a NUL in it is more than plumber can read: its sender's fault, not the server's.
  plumber::pr_set_error(pr, function(req, res, err) {
    is_theirs <- grepl("%00", req$QUERY_STRING, fixed = TRUE)
    res$status <- if (is_theirs) 400 else 500
    res$serializer <- plumber::serializer_unboxed_json()
    list(error = if (is_theirs) "the query holds a NUL" else "an error of the server")
  })
}
