# C code that writes in place, as packages do that do not keep to R's rules: what it writes into must have no other
# holder. list(number, string: these make the second element 42; library: where it is, for other processes).
local_poke <- function(frame = parent.frame()) {
  made <- local_library(frame, "poke", c(
    "#include <Rinternals.h>",
    "SEXP poke(SEXP x) { REAL(x)[1] = 42; return R_NilValue; }",
    "SEXP poke_string(SEXP x) { SET_STRING_ELT(x, 1, Rf_mkChar(\"42\")); return R_NilValue; }"
  ))
  dll <- made$dll
  list(number = function(x) .Call(dll$poke, x), string = function(x) .Call(dll$poke_string, x), library = made$library)
}

# Compiles C code and loads it until `frame` ends: list(dll, library: where it is, for other processes).
local_library <- function(frame, name, code) {
  skip_on_cran()
  dir <- tempfile(paste0(name, "-"))
  dir.create(dir)
  source <- file.path(dir, paste0(name, ".c"))
  writeLines(code, source)
  library <- file.path(dir, paste0(name, .Platform$dynlib.ext))
  made <- suppressWarnings(system2(file.path(R.home("bin"), "R"),
    c("CMD", "SHLIB", "-o", library, source), stdout = FALSE, stderr = FALSE))
  skip_if_not(identical(made, 0L), "no compiler")
  dll <- dyn.load(library)
  finish <- function() {
    dyn.unload(library)
    unlink(dir, recursive = TRUE)
  }
  do.call(on.exit, list(as.call(list(finish)), add = TRUE), envir = frame)
  list(dll = dll, library = library)
}
