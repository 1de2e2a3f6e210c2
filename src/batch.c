/* Elements of a map, one after the other, as lapply() calls a function. What is done between some of them is decided in
 * src/rust/src/worker/batch.rs. */

#include "taskq.h"

/* The next place in R's numbers: R sees the same object in all calls, and must not change it. */
static void set_place(SEXP place, R_xlen_t i) {
  if (TYPEOF(place) == INTSXP)
    INTEGER(place)[0] = (int) (i + 1);
  else
    REAL(place)[0] = (double) (i + 1);
}

static int has_used_random_numbers(SEXP seed) {
  return !(R_existsVarInFrame(R_GlobalEnv, seed) && R_BindingIsActive(seed, R_GlobalEnv));
}

void tq_call_elements(struct tq_elements *elements) {
  SEXP i_symbol = Rf_install("i"), seed = Rf_install(".Random.seed");
  SEXP place = PROTECT(Rf_allocVector(XLENGTH(elements->values) <= INT_MAX ? INTSXP : REALSXP, 1));
  Rf_defineVar(i_symbol, place, elements->frame);
  MARK_NOT_MUTABLE(place);
  SEXP element = PROTECT(Rf_lang3(R_Bracket2Symbol, Rf_install("X"), i_symbol));
  SEXP call = PROTECT(Rf_lang3(Rf_install("FUN"), element, R_DotsSymbol));
  MARK_NOT_MUTABLE(call);
  SEXP renewal = PROTECT(elements->renew == R_NilValue ? R_NilValue : Rf_lang1(elements->renew));
  double *next = REAL(elements->state);
  for (R_xlen_t i = (R_xlen_t) *next; i < (R_xlen_t) elements->until; i++) {
    if (elements->are_counted && !tq_session_begin_element()) {
      elements->are_taken_back = 1;
      break;
    }
    if (renewal != R_NilValue && has_used_random_numbers(seed)) Rf_eval(renewal, R_BaseEnv);
    set_place(place, i);
    SET_VECTOR_ELT(elements->values, i, R_forceAndCall(call, 1, elements->frame));
    *next = (double) (i + 1);
  }
  UNPROTECT(4);
}
