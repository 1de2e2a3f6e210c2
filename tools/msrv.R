# Stops with advice when cargo or rustc is missing or older than DESCRIPTION
# asks for, and prints both versions otherwise. Sourced by config.R, so that
# the versions stand in the log before anything is compiled.

required <- local({
  requirements <- read.dcf("DESCRIPTION", "SystemRequirements")[[1]]
  pattern <- ".*rustc *>= *([0-9.]+).*"
  if (!grepl(pattern, requirements)) {
    stop("SystemRequirements in DESCRIPTION has no 'rustc >= <version>'.")
  }
  sub(pattern, "\\1", requirements)
})

advice <- paste0(
  "\n",
  "taskq is compiled with Rust ", required, " or newer. Install it from\n",
  "  https://www.rust-lang.org/tools/install\n",
  "or, where it is recent enough, from your distribution:\n",
  "  Debian, Ubuntu: apt-get install cargo\n",
  "  Fedora:         dnf install cargo\n",
  "  macOS:          brew install rust\n",
  "The commands are looked up on the PATH and in ~/.cargo/bin."
)

# "cargo 1.78.0 (...)", or an error when the command cannot be run.
tool_version <- function(command) {
  line <- tryCatch(
    suppressWarnings(
      system2(command, "--version", stdout = TRUE, stderr = FALSE)
    ),
    error = function(e) character()
  )
  if (length(line) != 1 || !is.null(attr(line, "status"))) {
    stop("The command '", command, "' was not found.", advice, call. = FALSE)
  }
  line
}

Sys.setenv(PATH = paste0(Sys.getenv("PATH"), ":", path.expand("~/.cargo/bin")))
cargo <- tool_version("cargo")
rustc <- tool_version("rustc")

installed <- sub("^rustc ([0-9]+[.][0-9]+[.]?[0-9]*).*", "\\1", rustc)
if (utils::compareVersion(installed, required) < 0) {
  stop("The installed rustc ", installed, " is too old.", advice, call. = FALSE)
}

message("Using ", cargo)
message("Using ", rustc)
