/* Functions made anew: in another environment, with what they capture; and without their source references, which hold
 * the text of the whole file in which a function stands. */

#include "rapi.h"

#include <Rversion.h>

#if R_VERSION >= R_Version(4, 5, 0)
#define FORMALS R_ClosureFormals
#define CLOENV R_ClosureEnv
#endif

/* ---- closures --------------------------------------------------------------------------------------------------- */

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

/* ---- source references ------------------------------------------------------------------------------------------ */

static SEXP source_symbol(void) { return Rf_install("srcref"); }

static int has_source(SEXP x) { return tq_has_attributes(x) && Rf_getAttrib(x, source_symbol()) != R_NilValue; }

/* A call of `function` in code has its source reference as its fourth element. */
static void drop_from_call(SEXP call) {
  Rf_setAttrib(call, source_symbol(), R_NilValue);
  Rf_setAttrib(call, Rf_install("srcfile"), R_NilValue);
  Rf_setAttrib(call, Rf_install("wholeSrcref"), R_NilValue);
  if (CAR(call) == Rf_install("function") && Rf_length(call) == 4) SETCDR(CDDR(call), R_NilValue);
}

/* A copy of code, or of formals. */
static SEXP clean_code(SEXP code) {
  if (TYPEOF(code) != LANGSXP && TYPEOF(code) != LISTSXP) return tq_without_sources(code);
  R_CheckStack();
  code = PROTECT(Rf_shallow_duplicate(code));
  if (TYPEOF(code) == LANGSXP) drop_from_call(code);
  for (SEXP rest = code; rest != R_NilValue; rest = CDR(rest)) SETCAR(rest, clean_code(CAR(rest)));
  UNPROTECT(1);
  return code;
}

int tq_has_source(SEXP fun) { return has_source(fun) || has_source(R_ClosureExpr(fun)); }

SEXP tq_clean_function(SEXP fun) {
  SEXP formals = PROTECT(clean_code(FORMALS(fun))), code = PROTECT(clean_code(R_ClosureExpr(fun)));
  SEXP clean = tq_make_closure(formals, code, R_BaseEnv);
  UNPROTECT(2);
  return clean;
}

SEXP tq_with_code_of(SEXP clean, SEXP fun, SEXP env) {
  SEXP closure = PROTECT(tq_make_closure(FORMALS(clean), R_ClosureExpr(clean), env));
  SHALLOW_DUPLICATE_ATTRIB(closure, fun);
  Rf_setAttrib(closure, source_symbol(), R_NilValue);
  UNPROTECT(1);
  return closure;
}

static SEXP without_source(SEXP fun) {
  if (!tq_has_source(fun)) return fun;
  SEXP clean = PROTECT(tq_clean_function(fun));
  fun = tq_with_code_of(clean, fun, CLOENV(fun));
  UNPROTECT(1);
  return fun;
}

SEXP tq_without_sources(SEXP x) {
  if (TYPEOF(x) == CLOSXP) return without_source(x);
  if (TYPEOF(x) != VECSXP) return x;
  R_CheckStack();
  SEXP copy = x;
  PROTECT_INDEX index;
  PROTECT_WITH_INDEX(copy, &index);
  for (R_xlen_t i = 0; i < XLENGTH(x); i++) {
    SEXP element = VECTOR_ELT(x, i);
    if (TYPEOF(element) != CLOSXP && TYPEOF(element) != VECSXP) continue;
    PROTECT(element);
    SEXP clean = PROTECT(tq_without_sources(element));
    if (clean != element) {
      if (copy == x) REPROTECT(copy = Rf_shallow_duplicate(x), index);
      SET_VECTOR_ELT(copy, i, clean);
    }
    UNPROTECT(2);
  }
  UNPROTECT(1);
  return copy;
}
