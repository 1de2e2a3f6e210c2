/* What the routines have in common. */

#include "rapi.h"

#include <Rversion.h>
#include <string.h>

SEXP tq_argument(SEXP args, int n) {
  while (n-- > 0) args = CDR(args);
  return CAR(args);
}

/* The queue behind a handle, or NULL after an answer for R was put into `refusal`. */
void *tq_queue_of(SEXP handle, SEXP *refusal) {
  void *queue = TYPEOF(handle) == EXTPTRSXP ? R_ExternalPtrAddr(handle) : NULL;
  void *failure = tq_refuse_handle(queue);
  *refusal = tq_answer(failure);
  return failure ? NULL : queue;
}

void *tq_queue_asked(SEXP handle, SEXP *refusal) {
  void *queue = tq_queue_of(handle, refusal);
  if (queue && tq_take_notice(queue)) tq_call_own("tq_notice", handle);
  return queue;
}

SEXP tq_call_own(const char *name, SEXP argument) {
  SEXP fun = PROTECT(Rf_lang3(Rf_install(":::"), Rf_install("taskq"), Rf_install(name)));
  SEXP call = PROTECT(argument == R_NilValue ? Rf_lang1(fun) : Rf_lang2(fun, argument));
  SEXP value = Rf_eval(call, R_BaseEnv);
  UNPROTECT(2);
  return value;
}

SEXP tq_char(struct tq_bytes text) { return Rf_mkCharLenCE(text.bytes, (int) text.length, CE_UTF8); }

SEXP tq_string(struct tq_bytes text) { return Rf_ScalarString(tq_char(text)); }

SEXP tq_element(SEXP list, const char *name) {
  SEXP names = Rf_getAttrib(list, R_NamesSymbol);
  for (R_xlen_t i = 0; i < Rf_xlength(names); i++)
    if (strcmp(CHAR(STRING_ELT(names, i)), name) == 0) return VECTOR_ELT(list, i);
  return R_NilValue;
}

int tq_has_attributes(SEXP x) {
#if R_VERSION >= R_Version(4, 5, 0)
  return ANY_ATTRIB(x);
#else
  return ATTRIB(x) != R_NilValue;
#endif
}
