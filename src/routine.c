/* What the routines have in common. */

#include "rapi.h"

#include <string.h>

SEXP tq_call_own(const char *name, SEXP argument) {
  SEXP fun = PROTECT(Rf_lang3(Rf_install(":::"), Rf_install("taskq"), Rf_install(name)));
  SEXP call = PROTECT(argument == R_NilValue ? Rf_lang1(fun) : Rf_lang2(fun, argument));
  SEXP value = Rf_eval(call, R_BaseEnv);
  UNPROTECT(2);
  return value;
}

SEXP tq_element(SEXP list, const char *name) {
  SEXP names = Rf_getAttrib(list, R_NamesSymbol);
  for (R_xlen_t i = 0; i < Rf_xlength(names); i++)
    if (strcmp(CHAR(STRING_ELT(names, i)), name) == 0) return VECTOR_ELT(list, i);
  return R_NilValue;
}
