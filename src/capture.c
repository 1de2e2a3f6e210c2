/* What a function takes along when it travels: the variables that it uses of the frames in which it was made.
 *
 * The function itself travels without them, as if it had been made at the end of its chain of environments: the global
 * environment, or the namespace of a package. So it is the same function at each push, is sent once, and is kept by
 * the sessions. What it captures stands beside its arguments, with the values that it has at that push.
 *
 * Which variables a function uses is found by a walk of its code (src/rust/src/code.rs), whose result is kept for the
 * functions that were seen last. The usual case is done here: variables whose values are data. Where a value is itself
 * code that was made in a frame, or an environment, R/capture.R does it. */

#include "rapi.h"

#include <Rversion.h>
#include <stdint.h>
#include <string.h>

#if R_VERSION >= R_Version(4, 5, 0)
#define FORMALS R_ClosureFormals
#define CLOENV R_ClosureEnv
#define ENCLOS R_ParentEnv
#endif

/* ---- what is known of functions -------------------------------------------------------------------------------- */

/* A function is known again by its formals and its code, as objects, which are held as long as they are known. The
 * symbols that it uses stand in a list, how it uses them in integers (bits, see taskq.h); `clean` is the same function
 * without source references, or NULL before it was needed. */
enum { KNOWN = 256, KNOWN_FORMALS = 0, KNOWN_CODE, KNOWN_SYMBOLS, KNOWN_KINDS, KNOWN_CLEAN, KNOWN_PARTS };
static SEXP known = NULL;

static SEXP formals_of(SEXP code) { return TYPEOF(code) == CLOSXP ? FORMALS(code) : R_NilValue; }

static SEXP code_of(SEXP code) { return TYPEOF(code) == CLOSXP ? R_ClosureExpr(code) : code; }

/* The symbol whose name is that of another one without its first characters, and with others behind it. */
static SEXP symbol_like(SEXP symbol, size_t without, const char *behind) {
  const char *name = CHAR(PRINTNAME(symbol)) + without;
  const void *top = vmaxget();
  char *text = R_alloc(strlen(name) + strlen(behind) + 1, 1);
  strcpy(text, name);
  strcat(text, behind);
  SEXP other = Rf_installTrChar(PROTECT(Rf_mkCharCE(text, Rf_getCharCE(PRINTNAME(symbol)))));
  UNPROTECT(1);
  vmaxset(top);
  return other;
}

/* The names that look at `...` without its name: `..1`, and three functions. */
static int is_about_dots(const char *name) {
  if (strncmp(name, "..", 2) != 0) return 0;
  if (strcmp(name, "...length") == 0 || strcmp(name, "...elt") == 0 || strcmp(name, "...names") == 0) return 1;
  return name[2] && name[2 + strspn(name + 2, "0123456789")] == '\0';
}

struct walked {
  SEXP formals, code;
  void *uses;
};

static SEXP walk_body(void *data) {
  struct walked *walked = data;
  size_t count = walked->uses ? tq_uses_count(walked->uses) : 0;
  SEXP both = PROTECT(Rf_allocVector(VECSXP, 2));
  SEXP symbols = Rf_allocVector(VECSXP, (R_xlen_t) count);
  SET_VECTOR_ELT(both, 0, symbols);
  SEXP kinds = Rf_allocVector(INTSXP, (R_xlen_t) count);
  SET_VECTOR_ELT(both, 1, kinds);
  for (size_t i = 0; i < count; i++) {
    SEXP symbol;
    int kind = tq_uses_at(walked->uses, i, &symbol);
    if (kind == TQ_USED_IN_PART) {
      symbol = symbol_like(symbol, 0, "<-");
      kind = TQ_USED_AS_FUNCTION;
    } else if (kind == TQ_USED_BEHIND_DOTS) {
      symbol = symbol_like(symbol, 2, "");
      kind = TQ_USED_AS_VALUE;
    } else if (kind & TQ_USED_AS_VALUE && is_about_dots(CHAR(PRINTNAME(symbol)))) {
      symbol = R_DotsSymbol;
    }
    SET_VECTOR_ELT(symbols, (R_xlen_t) i, symbol);
    INTEGER(kinds)[i] = kind;
  }
  UNPROTECT(1);
  return both;
}

static void walk_cleanup(void *data) { tq_uses_free(((struct walked *) data)->uses); }

/* The place in `known` of a function or formula. What stands there may be another one's after R code has run. */
static R_xlen_t place_of(SEXP fun) {
  SEXP formals = formals_of(fun), code = code_of(fun);
  if (!known) {
    known = Rf_allocVector(VECSXP, KNOWN * KNOWN_PARTS);
    R_PreserveObject(known);
  }
  R_xlen_t place = (R_xlen_t) (((uintptr_t) code >> 4) * 2654435761u % KNOWN) * KNOWN_PARTS;
  if (VECTOR_ELT(known, place + KNOWN_FORMALS) == formals && VECTOR_ELT(known, place + KNOWN_CODE) == code &&
      VECTOR_ELT(known, place + KNOWN_SYMBOLS) != R_NilValue)
    return place;
  struct walked walked = {formals, code, tq_uses_new(formals, code)};
  SEXP both = PROTECT(R_ExecWithCleanup(walk_body, &walked, walk_cleanup, &walked));
  SET_VECTOR_ELT(known, place + KNOWN_FORMALS, formals);
  SET_VECTOR_ELT(known, place + KNOWN_CODE, code);
  SET_VECTOR_ELT(known, place + KNOWN_SYMBOLS, VECTOR_ELT(both, 0));
  SET_VECTOR_ELT(known, place + KNOWN_KINDS, VECTOR_ELT(both, 1));
  SET_VECTOR_ELT(known, place + KNOWN_CLEAN, R_NilValue);
  UNPROTECT(1);
  return place;
}

/* ---- the function itself --------------------------------------------------------------------------------------- */

SEXP tq_make_closure(SEXP formals, SEXP code, SEXP env) {
#if R_VERSION >= R_Version(4, 5, 0)
  return R_mkClosure(formals, code, env);
#else
  SEXP closure = Rf_allocSExp(CLOSXP);
  SET_FORMALS(closure, formals);
  SET_BODY(closure, code);
  SET_CLOENV(closure, env);
  return closure;
#endif
}

SEXP tq_with_environment(SEXP fun, SEXP env) {
  SEXP closure = PROTECT(tq_make_closure(FORMALS(fun), R_ClosureExpr(fun), env));
  SHALLOW_DUPLICATE_ATTRIB(closure, fun);
  UNPROTECT(1);
  return closure;
}

/* tq_clean_function(), the same one each time. */
static SEXP clean_function(SEXP fun) {
  R_xlen_t place = place_of(fun);
  SEXP clean = VECTOR_ELT(known, place + KNOWN_CLEAN);
  if (clean != R_NilValue) return clean;
  clean = PROTECT(tq_clean_function(fun));
  place = place_of(fun);
  SET_VECTOR_ELT(known, place + KNOWN_CLEAN, clean);
  UNPROTECT(1);
  return clean;
}

/* `fun` in this environment and without source references: itself, where it is that already. */
static SEXP bare(SEXP fun, SEXP env) {
  if (!tq_has_source(fun)) return CLOENV(fun) == env ? fun : tq_with_environment(fun, env);
  SEXP clean = PROTECT(clean_function(fun));
  fun = tq_with_code_of(clean, fun, env);
  UNPROTECT(1);
  return fun;
}

/* ---- frames ---------------------------------------------------------------------------------------------------- */

static int is_attached(SEXP env) {
  if (!tq_has_attributes(env)) return 0;
  for (SEXP place = ENCLOS(R_GlobalEnv); place != R_EmptyEnv; place = ENCLOS(place))
    if (place == env) return 1;
  return 0;
}

/* What another process has, too. */
static int is_everywhere(SEXP env) {
  return env == R_GlobalEnv || env == R_BaseEnv || env == R_BaseNamespace || env == R_EmptyEnv || R_IsNamespaceEnv(env) ||
    R_IsPackageEnv(env);
}

static int is_frame(SEXP env) { return !is_everywhere(env) && !is_attached(env); }

/* Where a function is that was made above this environment, which is no frame: what is attached here may not be there. */
static SEXP end_at(SEXP env) { return R_IsPackageEnv(env) || is_attached(env) ? R_GlobalEnv : env; }

/* More frames than anybody nests are left to R. */
enum { MOST_FRAMES = 16, MOST_DEPTH = 8 };

/* Values that travel as they are: data, and functions that were not made in a frame. */
static int is_data(SEXP value, int depth) {
  switch (TYPEOF(value)) {
  case CLOSXP:
    return Rf_isS4(value) || !is_frame(CLOENV(value));
  case ENVSXP:
    return is_everywhere(value);
  case LANGSXP:
    return !tq_has_attributes(value);
  case PROMSXP:
  case DOTSXP:
    return 0;
  case VECSXP:
    if (depth == 0) return 0;
    for (R_xlen_t i = 0; i < XLENGTH(value); i++)
      if (!is_data(VECTOR_ELT(value, i), depth - 1)) return 0;
    return 1;
  default:
    return 1;
  }
}

struct capture {
  SEXP fun, symbols, kinds;
  SEXP frames[MOST_FRAMES];
  int count, is_deep;
  /* A list: the values that were found, their names, and the variable that has no value, as list(frame, name, what stands for
   * it). */
  SEXP values;
  R_xlen_t length;
};

/* NULL: it needs a closer look. */
static SEXP value_in(struct capture *capture, SEXP symbol, SEXP frame) {
  if (symbol == R_DotsSymbol || R_BindingIsActive(symbol, frame)) return NULL;
#if R_VERSION < R_Version(4, 5, 0)
  SEXP value = Rf_findVarInFrame(frame, symbol);
  if (TYPEOF(value) == PROMSXP && PRVALUE(value) != R_UnboundValue) return PRVALUE(value);
  if (TYPEOF(value) != PROMSXP && value != R_MissingArg) return value;
#endif
  SEXP request = PROTECT(Rf_allocVector(VECSXP, 3));
  SET_VECTOR_ELT(request, 0, frame);
  SET_VECTOR_ELT(request, 1, Rf_ScalarString(PRINTNAME(symbol)));
  SEXP forced = tq_call_own("tq_forced_in_frame", request);
  SET_VECTOR_ELT(request, 2, forced);
  UNPROTECT(1);
  if (!Rf_inherits(forced, "tq_captured")) return forced;
  SET_VECTOR_ELT(capture->values, 2, request);
  return NULL;
}

static int is_function(SEXP value) {
  return TYPEOF(value) == CLOSXP || TYPEOF(value) == BUILTINSXP || TYPEOF(value) == SPECIALSXP;
}

static void take(struct capture *capture, SEXP symbol, SEXP value) {
  PROTECT(value);
  if (capture->length == 0) {
    R_xlen_t most = XLENGTH(capture->symbols);
    SET_VECTOR_ELT(capture->values, 0, Rf_allocVector(VECSXP, most));
    SET_VECTOR_ELT(capture->values, 1, Rf_allocVector(STRSXP, most));
  }
  SET_VECTOR_ELT(VECTOR_ELT(capture->values, 0), capture->length, value);
  SET_STRING_ELT(VECTOR_ELT(capture->values, 1), capture->length, PRINTNAME(symbol));
  capture->length++;
  UNPROTECT(1);
}

/* One variable of the function; 0 when R has to look at it. */
static int take_used(struct capture *capture, SEXP symbol, int kind) {
  int taken = -1;
  for (int i = 0; i < capture->count && kind; i++) {
    if (!R_existsVarInFrame(capture->frames[i], symbol)) continue;
    SEXP value = value_in(capture, symbol, capture->frames[i]);
    if (!value) return 0;
    PROTECT(value);
    int is_sought = kind & TQ_USED_AS_VALUE || is_function(value);
    kind &= ~TQ_USED_AS_VALUE;
    if (is_function(value)) kind = 0;
    int is_simple = !is_sought || (taken < 0 && is_data(value, MOST_DEPTH));
    if (is_sought && is_simple) {
      take(capture, symbol, value);
      taken = i;
    }
    UNPROTECT(1);
    if (!is_simple) return 0;
  }
  return 1;
}

static void take_all(struct capture *capture) {
  for (R_xlen_t i = 0; i < XLENGTH(capture->symbols); i++) {
    if (take_used(capture, VECTOR_ELT(capture->symbols, i), INTEGER(capture->kinds)[i])) continue;
    capture->is_deep = 1;
    return;
  }
}

static SEXP captured_list(const struct capture *capture) {
  SEXP list = PROTECT(Rf_allocVector(VECSXP, capture->length)), names = PROTECT(Rf_allocVector(STRSXP, capture->length));
  for (R_xlen_t i = 0; i < capture->length; i++) {
    SET_VECTOR_ELT(list, i, VECTOR_ELT(VECTOR_ELT(capture->values, 0), i));
    SET_STRING_ELT(names, i, STRING_ELT(VECTOR_ELT(capture->values, 1), i));
  }
  Rf_setAttrib(list, R_NamesSymbol, names);
  list = tq_without_sources(list);
  UNPROTECT(2);
  return list;
}

/* What R/capture.R makes of it: a list of values, or an environment; or NULL. */
static SEXP captured_deeply(struct capture *capture) {
  SEXP both = PROTECT(Rf_allocVector(VECSXP, 2));
  SET_VECTOR_ELT(both, 0, capture->fun);
  SET_VECTOR_ELT(both, 1, VECTOR_ELT(capture->values, 2));
  SEXP captured = tq_call_own("tq_capture_deeply", both);
  UNPROTECT(1);
  return captured;
}

SEXP tq_portable(SEXP fun, SEXP *captured) {
  *captured = R_NilValue;
  if (TYPEOF(fun) != CLOSXP) return fun;
  SEXP env = CLOENV(fun);
  if (env == R_GlobalEnv) return bare(fun, env);
  if (Rf_isS4(fun) || Rf_inherits(fun, "crate") || is_everywhere(env)) return fun;
  struct capture capture = {.fun = fun, .values = PROTECT(Rf_allocVector(VECSXP, 3))};
  R_xlen_t place = place_of(fun);
  capture.symbols = PROTECT(VECTOR_ELT(known, place + KNOWN_SYMBOLS));
  capture.kinds = PROTECT(VECTOR_ELT(known, place + KNOWN_KINDS));
  SEXP end = env;
  for (; is_frame(end); end = ENCLOS(end)) {
    if (capture.count == MOST_FRAMES)
      capture.is_deep = 1;
    else
      capture.frames[capture.count++] = end;
  }
  if (!capture.is_deep) take_all(&capture);
  if (capture.is_deep)
    *captured = captured_deeply(&capture);
  else if (capture.length > 0)
    *captured = captured_list(&capture);
  PROTECT(*captured);
  fun = bare(fun, end_at(end));
  UNPROTECT(4);
  return fun;
}

SEXP tq_with_captured(SEXP fun, SEXP captured) {
  if (captured == R_NilValue || TYPEOF(fun) != CLOSXP) return fun;
  if (TYPEOF(captured) == ENVSXP) return tq_with_environment(fun, captured);
  SEXP names = PROTECT(Rf_getAttrib(captured, R_NamesSymbol));
  SEXP env = PROTECT(R_NewEnv(CLOENV(fun), 0, 0));
  for (R_xlen_t i = 0; i < Rf_xlength(captured); i++)
    Rf_defineVar(Rf_installTrChar(STRING_ELT(names, i)), VECTOR_ELT(captured, i), env);
  fun = tq_with_environment(fun, env);
  UNPROTECT(2);
  return fun;
}

/* ---- for R/capture.R ------------------------------------------------------------------------------------------- */

/* (fun): list(fun, captured), as tq_portable() gives them. */
SEXP tq_r_portable(SEXP args) {
  SEXP captured, both = PROTECT(Rf_allocVector(VECSXP, 2));
  SET_VECTOR_ELT(both, 0, tq_portable(tq_argument(args, 1), &captured));
  SET_VECTOR_ELT(both, 1, captured);
  UNPROTECT(1);
  return both;
}

/* (fun, captured): the function with what it captures. */
SEXP tq_r_with_captured(SEXP args) { return tq_with_captured(tq_argument(args, 1), tq_argument(args, 2)); }

/* (value): whether it travels as it is. */
SEXP tq_r_is_data(SEXP args) { return Rf_ScalarLogical(is_data(tq_argument(args, 1), MOST_DEPTH)); }

/* (function or formula): list(names, kinds) of what its code uses. */
SEXP tq_r_uses(SEXP args) {
  R_xlen_t place = place_of(tq_argument(args, 1));
  SEXP symbols = PROTECT(VECTOR_ELT(known, place + KNOWN_SYMBOLS));
  SEXP both = PROTECT(Rf_allocVector(VECSXP, 2));
  SET_VECTOR_ELT(both, 1, VECTOR_ELT(known, place + KNOWN_KINDS));
  SEXP names = Rf_allocVector(STRSXP, XLENGTH(symbols));
  SET_VECTOR_ELT(both, 0, names);
  for (R_xlen_t i = 0; i < XLENGTH(symbols); i++) SET_STRING_ELT(names, i, PRINTNAME(VECTOR_ELT(symbols, i)));
  UNPROTECT(2);
  return both;
}
