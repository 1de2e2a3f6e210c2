# See teardown-leaks.R. What keeps something of the system for as long as it is loaded is loaded before.
for (package in c("callr", "cli", "later", "parallel")) requireNamespace(package, quietly = TRUE)
resources_at_start <- if (file.exists("/proc/self/stat")) host_resources()
