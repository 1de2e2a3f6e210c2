test_that("the command of a session has nothing that a shell would expand", {
  command <- tq_session_command("supervisor_main", tq_title("a name"), character())
  expect_true(file.exists(command[1L]))
  # What follows --args is passed on as it is.
  expanded <- command[seq_len(match("--args", command))][-1L]
  expect_false(any(grepl("[[:space:]*?~]", expanded)))
  expect_match(expanded[length(expanded) - 1L], "supervisor_main()", fixed = TRUE)
  expect_identical(command[length(command)], "taskq:a name")
  expect_identical(tq_title(NULL), "taskq")
  expect_match(tq_zygote_title, "^taskq {75}$")
})

test_that("the limits are positive numbers", {
  expect_true(all(vapply(tq_limits, function(x) is.numeric(x) && all(x > 0), NA)))
})
