# Fills in src/Makevars.in. Environment variables that matter:
#
# NOT_CRAN            "true" in a developer's build: it uses the user's cargo
#                     home and keeps src/rust/target, so that the next build is
#                     quick. Otherwise the build uses two jobs, writes nothing
#                     outside the package and removes what it has compiled.
# TASKQ_CARGO_TARGET  directory for what cargo compiles, instead of
#                     src/rust/target. It is kept, and implies a developer's
#                     build. Meant to be shared by builds of one source tree.
# TASKQ_FEATURES      features of the crate in a developer's build, for cargo.
# DEBUG               non-empty in a developer's build: no optimisation.

source("tools/msrv.R")

is_set <- function(name) !tolower(Sys.getenv(name)) %in% c("", "false")

target_dir <- Sys.getenv("TASKQ_CARGO_TARGET")
developer <- is_set("NOT_CRAN") || nzchar(target_dir)
debug <- developer && is_set("DEBUG")
vendored <- file.exists("src/rust/vendor.tar.xz")

link_flags <- switch(
  Sys.info()[["sysname"]],
  # Nothing but R_init_taskq is exported; the code stays mapped when R unloads
  # the package, because a thread of ours may still be returning from it. What is
  # called is looked up once, when it is loaded, and not in every session.
  Linux = c(
    "-Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-z,nodelete -Wl,-z,now -Wl,--strip-debug",
    "-lutil -lrt -lpthread -ldl -lm"
  ),
  Darwin = "-Wl,-exported_symbol,_R_init_taskq -Wl,-dead_strip",
  "-lpthread -lm"
)

values <- c(
  CRAN_FLAGS = paste(
    c(
      if (!developer) "-j 2 --locked", if (vendored) "--offline",
      if (developer && is_set("TASKQ_FEATURES")) paste("--features", Sys.getenv("TASKQ_FEATURES"))
    ),
    collapse = " "
  ),
  CARGO_HOME = if (!developer || vendored) "CARGO_HOME=\"$$PWD/.cargo\"" else "",
  CLEAN_TARGET = if (!developer) "rust_clean" else "",
  LIBDIR = if (debug) "debug" else "release",
  LINK_FLAGS = paste(link_flags, collapse = " "),
  PROFILE = if (debug) "" else "--release",
  TARGET_DIR = if (nzchar(target_dir)) target_dir else "./rust/target"
)

makevars <- readLines("src/Makevars.in")
for (name in names(values)) {
  makevars <- gsub(paste0("@", name, "@"), values[[name]], makevars, fixed = TRUE)
}
writeLines(makevars, "src/Makevars")
message(
  "Wrote src/Makevars for a ", if (developer) "developer's" else "release", " build",
  if (vendored) " from vendored crates", "."
)
