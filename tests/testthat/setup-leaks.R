# See teardown-leaks.R. What keeps something of the system for as long as it is loaded is loaded before.
for (package in c("callr", "cli", "later", "parallel")) requireNamespace(package, quietly = TRUE)
# later has a thread of its own from its first use on.
if (isNamespaceLoaded("later")) {
  later::later(function() NULL, 0.001)
  while (!later::loop_empty()) later::run_now(0.05)
}
resources_at_start <- if (file.exists("/proc/self/stat")) host_resources()
