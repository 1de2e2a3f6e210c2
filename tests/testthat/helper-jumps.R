# Has a call of R fail that Rust makes under the guard: as if R had no memory for it.

# Compiles a library, which has to be loaded before R itself: list(library, sh: code of bash for in_host()).
local_jumps <- function(frame = parent.frame()) {
  skip_on_os(c("mac", "windows"))
  # What R defines is found when it is there: the library is loaded into programs that are not R, too.
  library <- local_library(frame, "jumps", c(
    "#define _GNU_SOURCE",
    "#include <dlfcn.h>",
    "#include <malloc.h>",
    "#include <stddef.h>",
    "#include <string.h>",
    "typedef void *fun_t(void *);",
    "typedef void clean_t(void *, int);",
    "static int left = 0;",
    "static void *fail(void *data) {",
    "  void (*error)(const char *, ...) = (void (*)(const char *, ...)) dlsym(RTLD_DEFAULT, \"Rf_error\");",
    "  error(\"no memory for this\");",
    "  return NULL;",
    "}",
    "typedef void *protect_t(fun_t *, void *, clean_t *, void *, void *);",
    "void *R_UnwindProtect(fun_t *fun, void *data, clean_t *clean, void *clean_data, void *token) {",
    "  static protect_t *next = NULL;",
    "  Dl_info of;",
    "  if (!next) next = (protect_t *) dlsym(RTLD_NEXT, \"R_UnwindProtect\");",
    "  if (left && dladdr((void *) fun, &of) && strstr(of.dli_fname, \"/taskq.so\") && --left == 0) fun = fail;",
    "  return next(fun, data, clean, clean_data, token);",
    "}",
    "void jumps_set(int *number) { left = *number; }",
    "void jumps_left(int *number) { *number = left; }",
    "void jumps_bytes(double *bytes) {",
    "  struct mallinfo2 info = mallinfo2();",
    "  *bytes = (double) info.uordblks + (double) info.hblkhd;",
    "}"
  ))$library
  list(library = library, sh = sprintf("export LD_PRELOAD='%s'", library))
}

# What `call()` gives when the call number `n` of those that it has made under the guard fails: list(value, has_failed).
# To be called in a host that the library was loaded into.
jumping <- function(n, call) {
  .C("jumps_set", as.integer(n))
  value <- tryCatch(call(), error = identity)
  left <- .C("jumps_left", 0L)[[1L]]
  .C("jumps_set", 0L)
  list(value = value, has_failed = left == 0L)
}

# Bytes that malloc() has given out in this process, and the cells that R uses, after a collection.
used_now <- function() {
  gc()
  cells <- gc()[, 1L]
  c(malloc = .C("jumps_bytes", 0)[[1L]], cells = cells[[1L]], vectors = cells[[2L]])
}
