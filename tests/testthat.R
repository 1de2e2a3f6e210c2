library(testthat)
library(taskq)

test_check("taskq")
