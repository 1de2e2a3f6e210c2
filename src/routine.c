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
  *refusal = tq_refuse_handle(queue);
  if (*refusal != R_NilValue) return NULL;
  struct tq_bytes notice;
  if (tq_take_notice(queue, &notice)) Rf_warningcall(R_NilValue, "%.*s", (int) notice.length, notice.bytes);
  return queue;
}

SEXP tq_string(struct tq_bytes text) {
  return Rf_ScalarString(Rf_mkCharLenCE(text.bytes, (int) text.length, CE_UTF8));
}

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
