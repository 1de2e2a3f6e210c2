/* What the routines have in common. */

#include "rapi.h"

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
