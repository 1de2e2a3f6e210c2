# C code that writes in place, as packages do that do not keep to R's rules: what it writes into must be nobody else's.
# list(number, string: these make the second element 42; library: where it is, for other processes).
local_poke <- function(frame = parent.frame()) {
  skip_on_cran()
  dir <- tempfile("poke-")
  dir.create(dir)
  writeLines(c(
    "#include <Rinternals.h>",
    "SEXP poke(SEXP x) { REAL(x)[1] = 42; return R_NilValue; }",
    "SEXP poke_string(SEXP x) { SET_STRING_ELT(x, 1, Rf_mkChar(\"42\")); return R_NilValue; }"
  ), file.path(dir, "poke.c"))
  library <- file.path(dir, paste0("poke", .Platform$dynlib.ext))
  made <- suppressWarnings(system2(file.path(R.home("bin"), "R"),
    c("CMD", "SHLIB", "-o", library, file.path(dir, "poke.c")), stdout = FALSE, stderr = FALSE))
  skip_if_not(identical(made, 0L), "no compiler")
  dll <- dyn.load(library)
  finish <- function() {
    dyn.unload(library)
    unlink(dir, recursive = TRUE)
  }
  do.call(on.exit, list(as.call(list(finish)), add = TRUE), envir = frame)
  list(number = function(x) .Call(dll$poke, x), string = function(x) .Call(dll$poke_string, x), library = library)
}
