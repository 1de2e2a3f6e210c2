test_that("the command of a session has nothing that a shell would expand", {
  command <- tq_session_command("nursery_main")
  expect_true(file.exists(command[1L]))
  expect_false(any(grepl("[[:space:]*?~]", command[-1L])))
  expect_match(command[length(command)], "nursery_main()", fixed = TRUE)
})

test_that("the limits are positive numbers", {
  expect_true(all(vapply(tq_limits, function(x) is.numeric(x) && x > 0, NA)))
})
