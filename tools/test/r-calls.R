# Called by style.sh: what Rust calls of R without the guard. R must not jump out of any of it: none makes an object,
# evaluates code, or looks at what it is given so closely that it has an error. What is new is judged, and listed here.
reads <- c(
  "ALTREP", "CAR", "CDR", "DATAPTR_OR_NULL", "DATAPTR_RO", "PRINTNAME", "R_ActiveBindingFunction", "R_BindingIsActive",
  "R_BindingIsLocked", "R_CHAR", "R_ClosureExpr", "R_EnvironmentIsLocked", "R_existsVarInFrame", "R_ExternalPtrAddr",
  "R_ExternalPtrProtected", "R_IsPackageEnv", "Rf_getAttrib", "Rf_getCharCE", "Rf_isObject", "Rf_isS4", "Rf_NumDevices",
  "Rf_xlength", "STRING_ELT", "TAG", "TYPEOF", "VECTOR_ELT"
)
# These write into what is there, or let go of it.
writes <- c(
  "MARK_NOT_MUTABLE", "R_ClearExternalPtr", "R_ReleaseObject", "R_SetExternalPtrAddr", "R_SetExternalPtrProtected",
  "Rf_unprotect", "SET_REAL_ELT", "SET_STRING_ELT", "SET_VECTOR_ELT", "SETCAR", "SETCDR"
)
# Of names that R itself has already.
symbols <- "Rf_install"

files <- list.files("src/rust/src", "[.]rs$", recursive = TRUE, full.names = TRUE)
texts <- vapply(files, function(file) paste(readLines(file), collapse = "\n"), "")
found <- function(pattern) unlist(regmatches(texts, gregexpr(pattern, texts, perl = TRUE)), use.names = FALSE)
words <- function(text) unlist(regmatches(text, gregexpr("\\w+", text)))
imported <- words(sub("use extendr_ffi::", "", found("use extendr_ffi::(?!SEXPTYPE::)[^;]*;")))
declared <- found("(?<=\\bfn )(R_|Rf_|[A-Z])\\w+(?=\\([^;{]*;|\\([^;{]*\\) -> [^;{]*;)")
constants <- "^R_(BaseEnv|BaseNamespace|EmptyEnv|GlobalEnv|MissingArg|NaString|NilValue|\\w+Symbol)$"
is_constant <- grepl(constants, imported) | imported %in% c("SEXP", "SEXPTYPE", "cetype_t", "Rboolean")
called <- unique(c(imported[!is_constant], declared))

problems <- c(
  sprintf("%s is called without the guard, and not listed in tools/test/r-calls.R",
    setdiff(called, c(reads, writes, symbols))),
  sprintf("%s is listed in tools/test/r-calls.R, and not called", setdiff(c(reads, writes, symbols), called)),
  # R protects on a stack: where a scope is within another, only the inner one may be used, so it takes the name.
  sprintf("a scope within another is not named `scope`: %s", found("\\.within\\(\\|(?!scope\\|).*")),
  sprintf("a scope within another is not named `scope`: %s", found("\\.(inner|within_on)\\([^|]*\\|(?!scope,).*"))
)
writeLines(problems)
cat(sprintf("%d functions of R are called without the guard, %d faults\n", length(called), length(problems)))
quit("no", status = as.integer(length(problems) > 0))
