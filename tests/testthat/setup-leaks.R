# See teardown-leaks.R. What keeps something of the system for as long as it is loaded is loaded before.
for (package in c("callr", "cli", "later", "parallel")) requireNamespace(package, quietly = TRUE)
# later has a thread of its own from its first use on.
if (isNamespaceLoaded("later")) {
  later::later(function() NULL, 0.001)
  while (!later::loop_empty()) later::run_now(0.05)
}
# pango has one from the first text on that is drawn.
if (capabilities("cairo")) {
  local({
    file <- tempfile(fileext = ".png")
    grDevices::png(file, type = "cairo")
    graphics::plot.new()
    graphics::text(0.5, 0.5, "text")
    grDevices::dev.off()
    unlink(file)
  })
}
resources_at_start <- if (file.exists("/proc/self/stat")) host_resources()
