/* What the versions of R call differently. None of it jumps, but what makes something. */

#include "taskq.h"

#include <Rversion.h>

#if R_VERSION >= R_Version(4, 5, 0)
#define FORMALS R_ClosureFormals
#define CLOENV R_ClosureEnv
#endif

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

SEXP tq_enclosure(SEXP fun) { return CLOENV(fun); }

SEXP tq_formals(SEXP fun) { return FORMALS(fun); }

SEXP tq_parent(SEXP env) {
#if R_VERSION >= R_Version(4, 5, 0)
  return R_ParentEnv(env);
#else
  return ENCLOS(env);
#endif
}

/* The value of a variable that is not active, or NULL. That of a promise is the promise; since R 4.6 it is what it was
 * forced to, and NULL before. */
SEXP tq_value_of(SEXP symbol, SEXP env) {
#if R_VERSION >= R_Version(4, 6, 0)
  R_BindingType_t type = R_GetBindingType(symbol, env);
  return type == R_BindingTypeValue || type == R_BindingTypeForced ? R_getVarEx(symbol, env, FALSE, NULL) : NULL;
#else
  SEXP value = Rf_findVarInFrame(env, symbol);
  return value == R_UnboundValue ? NULL : value;
#endif
}

/* It is a promise before. In an R that does not tell, it was. */
int tq_base_function_was_used(SEXP symbol) {
#if R_VERSION >= R_Version(4, 5, 0)
  (void) symbol;
  return 1;
#else
  SEXP fun = Rf_findVarInFrame(R_BaseEnv, symbol);
  return TYPEOF(fun) != PROMSXP || PRVALUE(fun) != R_UnboundValue;
#endif
}

/* NULL where it was not evaluated yet, or this R does not tell of promises. */
SEXP tq_value_at_hand(SEXP frame, SEXP symbol) {
  SEXP value = tq_value_of(symbol, frame);
#if R_VERSION < R_Version(4, 5, 0)
  if (value && TYPEOF(value) == PROMSXP && PRVALUE(value) != R_UnboundValue) return PRVALUE(value);
#endif
  return value && TYPEOF(value) != PROMSXP && value != R_MissingArg ? value : NULL;
}

int tq_has_attributes(SEXP x) {
#if R_VERSION >= R_Version(4, 5, 0)
  return ANY_ATTRIB(x);
#else
  return ATTRIB(x) != R_NilValue;
#endif
}

/* Asking calls that are no vectors, and arrays, for their names makes them, or is an error. */
SEXP tq_names(SEXP x) { return Rf_isVector(x) && !Rf_isArray(x) ? Rf_getAttrib(x, R_NamesSymbol) : R_NilValue; }

/* R asks a variable, for which a function may stand. */
int tq_is_namespace(SEXP env) {
  SEXP symbol = Rf_install(".__NAMESPACE__.");
  if (env == R_BaseNamespace) return 1;
  return R_existsVarInFrame(env, symbol) && !R_BindingIsActive(symbol, env) && R_IsNamespaceEnv(env);
}

SEXP tq_only_names(SEXP list) {
#if R_VERSION >= R_Version(4, 6, 0)
  int is_one = R_getAttribCount(list) == 1;
#elif R_VERSION >= R_Version(4, 5, 0)
  int is_one = 0;
#else
  int is_one = CDR(ATTRIB(list)) == R_NilValue;
#endif
  SEXP names = is_one ? Rf_getAttrib(list, R_NamesSymbol) : R_NilValue;
  return TYPEOF(names) == STRSXP && !tq_has_attributes(names) ? names : R_NilValue;
}

#if R_VERSION >= R_Version(4, 5, 0)
/* This R does not let us look at all of them: where there are any, they count as different. */
static int has_same_attributes(SEXP x, SEXP y) { return !tq_has_attributes(x) && !tq_has_attributes(y); }
#else
static int has_same_attributes(SEXP x, SEXP y) {
  SEXP mine = ATTRIB(x), theirs = ATTRIB(y);
  for (; mine != R_NilValue && theirs != R_NilValue; mine = CDR(mine), theirs = CDR(theirs))
    if (TAG(mine) != TAG(theirs) || CAR(mine) != CAR(theirs)) return 0;
  return mine == theirs;
}
#endif

/* In all that is sent of them. One that is made anew in every turn of a loop shares its parts. */
int tq_is_same_function(SEXP fun, SEXP other) {
  if (fun == other) return 1;
  if (TYPEOF(fun) != CLOSXP || TYPEOF(other) != CLOSXP || Rf_isS4(fun) != Rf_isS4(other)) return 0;
#if R_VERSION >= R_Version(4, 5, 0)
  if (R_ClosureBody(fun) != R_ClosureBody(other)) return 0;
#else
  if (BODY(fun) != BODY(other)) return 0;
#endif
  return FORMALS(fun) == FORMALS(other) && CLOENV(fun) == CLOENV(other) && has_same_attributes(fun, other);
}
