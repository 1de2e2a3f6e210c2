# The end of all files: nothing is held that was not held at the start.

if (file.exists("/proc/self/stat")) {
  left <- leaked_since(resources_at_start)
  if (length(left)) stop("the tests have left behind:\n", paste(left, collapse = "\n"))
}
