# What this process holds of the system, and that a test gives all of it back. local_queue() and local_host() look at
# their ends; teardown-leaks.R looks when all files are through.

# Number and name of a thread; of one that has just ended the number.
thread_text <- function(thread) {
  comm <- file.path("/proc/self/task", thread, "comm")
  name <- tryCatch(suppressWarnings(readLines(comm)), error = function(cnd) NULL)
  paste(c(thread, name), collapse = " ")
}

# Each kind is a character vector. What is ours by its name is compared in shared places only.
host_resources <- function() {
  fds <- list.files("/proc/self/fd", full.names = TRUE)
  links <- Sys.readlink(fds)
  # What is shared is open as long as a variable of the test is there; test-share.R looks after it.
  is_shared <- startsWith(as.character(links), "/memfd:taskq-share")
  list(
    # The descriptor of the listing itself is gone by now.
    descriptors = paste(basename(fds), links)[!is.na(links) & nzchar(links) & !is_shared],
    threads = list.files("/proc/self/task"),
    children = as.character(descendants()),
    shared_memory = list.files("/dev/shm", "^taskq"),
    files = list.files(tempdir(), "^taskq-", all.files = TRUE, include.dirs = TRUE)
  )
}

# What is there now and was not `before`, as text. What waits for a collection or is just ending gets its time.
leaked_since <- function(before, deadline_s = 5) {
  left <- character()
  collected <- FALSE
  wait_until({
    left <- new_resources(before, host_resources())
    if (length(left) && !collected) {
      gc()
      collected <- TRUE
    }
    !length(left)
  }, deadline_s)
  left
}

new_resources <- function(before, after) {
  new <- Map(setdiff, after, before[names(after)])
  new$threads <- vapply(new$threads, thread_text, "")
  as.character(unlist(Map(function(kind, found) sprintf("%s: %s", kind, found), names(new), new)))
}

expect_nothing_leaked <- function(before, deadline_s = 5) {
  expect_identical(leaked_since(before, deadline_s), character(), label = "what the test has left behind")
}

# Queues and hosts of one test overlap, and those of an enclosing call stay: what the first found is compared when the
# last has ended.
fixtures <- new.env()
fixtures$open <- 0L

fixture_begins <- function() {
  if (fixtures$open == 0L) fixtures$before <- host_resources()
  fixtures$open <- fixtures$open + 1L
}

fixture_ends <- function() {
  fixtures$open <- fixtures$open - 1L
  if (fixtures$open == 0L) expect_nothing_leaked(fixtures$before)
}

# Bytes of memory that this process has for itself or shares, after a collection: without what it has read of files,
# programs among them, which the kernel takes back and reads again as it likes.
own_bytes <- function() {
  gc()
  lines <- grep("^Rss(Anon|Shmem)", readLines("/proc/self/status"), value = TRUE)
  sum(as.numeric(gsub("[^0-9]", "", lines))) * 1024
}

# Bytes of memory that this process has resident, after a collection.
resident_bytes <- function() {
  gc()
  as.numeric(strsplit(readLines("/proc/self/statm"), " ")[[1L]][[2L]]) * 4096
}

# The most memory that this process has had since the last call of reset_peak().
reset_peak <- function() writeLines("5", "/proc/self/clear_refs")
peak_bytes <- function() {
  line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) * 1024
}

# How many memory files of a kind this process has open, as code for another process.
memory_files <- function(name) {
  sum(grepl(paste0("memfd:", name), Sys.readlink(list.files("/proc/self/fd", full.names = TRUE)), fixed = TRUE))
}
