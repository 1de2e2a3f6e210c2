# Text that crosses, in each direction, in sessions and hosts of each kind of locale: it arrives whole, what is no text
# is shown by its bytes, and nothing warns.

# A locale in Latin-1 is made for the test, where the means are there: its name, or NULL.
local_latin1 <- function(frame = parent.frame()) {
  if (!nzchar(Sys.which("localedef"))) return(NULL)
  dir <- tempfile("locales-")
  dir.create(dir)
  do.call(on.exit, list(bquote(unlink(.(dir), recursive = TRUE)), add = TRUE), envir = frame)
  name <- "de_DE.ISO-8859-1"
  arguments <- c("-i", "de_DE", "-f", "ISO-8859-1", shQuote(file.path(dir, name)))
  suppressWarnings(system2("localedef", arguments, stdout = FALSE, stderr = FALSE))
  if (file.exists(file.path(dir, name))) c(LC_ALL = name, LOCPATH = dir)
}

# Runs in a host: the texts of each place where a task's text arrives, as bytes; and what warned.
cross <- function(session, texts) {
  q <- taskq::task_q$new(1, env = session)
  on.exit(q$kill())
  bytes <- function(x) if (is.character(x)) as.character(charToRaw(enc2utf8(x)))
  warned <- character()
  shown <- character()
  one <- function(x) {
    q$push(function(x) {
      cat(x)
      message(x)
      taskq::task_progress(0.5, x)
      list(x, taskq::task_id(), Encoding(x))
    }, list(x), id = x, tag = x)
    q$wait(x, timeout = 30000, progress = FALSE)
    listed <- q$list_tasks()
    told <- q$progress(x)$message
    result <- q$pop(30000)
    q$push(function(x) {
      warning(x)
      stop(x)
    }, list(x))
    failed <- q$pop(30000)
    q$push(function(x) {
      message(x)
      quit("no", status = 3)
    }, list(x))
    crashed <- q$pop(30000)
    mapped <- q$map(structure(list(x), names = x), function(x) x)
    shown <<- c(shown, utils::capture.output(print(result), print(failed), print(crashed), print(listed)))
    lapply(list(
      value = result$result[[1L]], id = result$task_id, listed = listed$id[1L], tag = listed$tag[1L],
      own_id = result$result[[2L]],
      progress = told, map = mapped[[1L]], name = names(mapped),
      message = sub("\n", "", conditionMessage(result$messages[[1L]])),
      stdout = result$stdout, stderr = sub("\n", "", result$stderr),
      crash = strsplit(crashed$error$stderr_tail, "\n")[[1L]][1L],
      error = sub("^task '[^']*' failed: ", "", failed$error$message), warning = conditionMessage(failed$warnings[[1L]])
    ), bytes)
  }
  crossed <- withCallingHandlers(lapply(texts, one), warning = function(w) {
    warned <<- c(warned, conditionMessage(w))
    invokeRestart("muffleWarning")
  })
  list(crossed = crossed, warned = warned, is_shown = all(validUTF8(enc2utf8(shown))) && !anyNA(shown))
}

test_that("text arrives whole in every locale that can hold it, and prints without a warning", {
  latin1 <- local_latin1()
  texts <- list(
    utf8 = "caf\u00e9",
    latin1 = {
      x <- "caf\xe9"
      Encoding(x) <- "latin1"
      x
    }
  )
  locales <- list(c(LC_ALL = "C.UTF-8"), c(LC_ALL = "C"), latin1)
  locales <- Filter(function(locale) {
    length(locale) && in_host(function() nzchar(Sys.getlocale("LC_CTYPE")), env = paste0(names(locale), "=", locale))
  }, locales)
  whole <- as.character(charToRaw("caf\u00e9"))
  for (host in locales) {
    of_host <- in_host(function(sessions, cross, texts) lapply(sessions, cross, texts), locales, global(cross), texts,
      env = paste0(names(host), "=", host))
    for (i in seq_along(locales)) {
      session <- locales[[i]]
      found <- of_host[[i]]
      label <- paste("host", host[["LC_ALL"]], "session", session[["LC_ALL"]])
      expect_identical(found$warned, character(), label = label)
      expect_true(found$is_shown, label = label)
      for (text in names(texts)) {
        for (place in names(found$crossed[[text]])) {
          # R itself writes letters in another way where its locale has none.
          is_written <- place %in% c("stdout", "stderr", "crash", "error", "warning", "message")
          if (is_written && identical(session[["LC_ALL"]], "C")) next
          expect_identical(found$crossed[[text]][[place]], whole, label = paste(label, text, place))
        }
      }
    }
  }
  if (is.null(latin1)) skip("Latin-1: localedef and its sources are needed (package locales)")
})

test_that("what is no text is shown by its bytes, without a warning", {
  broken <- "caf\xe9: no"
  marked <- broken
  Encoding(marked) <- "bytes"
  q <- local_queue(1)
  expect_no_warning({
    result <- run_task(q, function(x) {
      cat(x)
      message(x)
      taskq::task_progress(0.5, x)
      stop(x)
    }, list(broken))
  })
  expect_identical(result$stdout, "caf<e9>: no")
  expect_identical(result$stderr, "caf<e9>: no\n")
  expect_identical(conditionMessage(result$error), sprintf("task '%s' failed: caf<e9>: no", result$task_id))
  expect_no_warning(printed <- utils::capture.output(print(result), print(result$error)))
  expect_false(any(is.na(printed) | printed == "NA"))
  expect_true(any(grepl("Caused by", printed)) && sum(grepl("caf<e9>: no", printed, fixed = TRUE)) >= 2)
  # As it was, for those who know what it is.
  expect_identical(charToRaw(conditionMessage(result$error$parent)), charToRaw(broken))
  expect_identical(run_task(q, function(x) Encoding(x), list(marked))$result, "bytes")
  # Elsewhere R makes text of it.
  for (x in c(marked, if (l10n_info()[["UTF-8"]]) broken)) {
    for (arg in c("id", "tag", "replace", "after")) {
      call <- c(list(function() 1), structure(list(x), names = arg))
      expect_error(do.call(q$push, call), "must be valid text, not \"caf", class = "taskq_error_input")
    }
    expect_error(q$push_many(function() 1, list(list()), ids = x), class = "taskq_error_input")
    expect_error(q$wait(x), class = "taskq_error_input")
    expect_error(task_q$new(1, name = x), class = "taskq_error_input")
  }
  expect_true(all(q$list_tasks()$idle))
})

test_that("what starting a queue has to say arrives whole in Latin-1, too", {
  latin1 <- local_latin1()
  skip_if(is.null(latin1), "localedef and its sources are needed (package locales)")
  q <- local_queue(1, env = latin1, init = function() {
    cat("caf\u00e9\n")
    stop("na\u00efve")
  })
  q$push(function() 1)
  error <- expect_error(q$pop(20000), class = "taskq_error_start")
  expect_match(error$stderr, "caf\u00e9", fixed = TRUE)
  expect_match(conditionMessage(error), "na\u00efve", fixed = TRUE)
})
