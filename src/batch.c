/* A batch of a map, evaluated as lapply() does, but only until its time is over. R/worker-map.R prepares it. */

#include "elements.h"

#include <math.h>
#include <string.h>

/* Where a batch stands, of which the R code reads the first three when an element has failed: its place in the batch, when the batch
 * began, how long the last element took; and whether the host may take back what has not begun. */
enum { PLACE, STARTED, LAST, COUNTED };

/* How long nobody looks at the clock, where elements are short, and for how many elements at most. */
#define UNSEEN_MS 0.005
#define UNSEEN 16
/* So many bytes of results are enough for one batch. */
#define ENOUGH_BYTES (16.0 * 1024 * 1024)

/* About: what is at least there, two levels deep. */
static double bytes_of(SEXP value, int depth) {
  double length = (double) Rf_xlength(value);
  switch (TYPEOF(value)) {
  case LGLSXP:
  case INTSXP:
    return 4 * length;
  case REALSXP:
  case STRSXP:
    return 8 * length;
  case CPLXSXP:
    return 16 * length;
  case RAWSXP:
    return length;
  case VECSXP: {
    double sum = 8 * length;
    if (depth > 0 && length <= 1000)
      for (R_xlen_t i = 0; i < XLENGTH(value); i++) sum += bytes_of(VECTOR_ELT(value, i), depth - 1);
    return sum;
  }
  default:
    return 0;
  }
}

/* (frame, values, state, milliseconds, renew): evaluates FUN(X[[i]], ...) in `frame` from the place in `state` on, puts the results
 * into `values`, and counts the place up. Ends when all are done that are not taken back, or when no element may be begun any more.
 * Before an element renew(), if it is a function, is called when the one before has used random numbers. */
SEXP tq_r_batch_run(SEXP args) {
  SEXP frame = tq_argument(args, 1), values = tq_argument(args, 2), state = tq_argument(args, 3);
  double budget = Rf_asReal(tq_argument(args, 4));
  SEXP renew = tq_argument(args, 5);
  double *at = REAL(state);
  R_xlen_t length = XLENGTH(values);
  SEXP i_symbol = Rf_install("i"), seed = Rf_install(".Random.seed");
  SEXP place = PROTECT(Rf_allocVector(length <= INT_MAX ? INTSXP : REALSXP, 1));
  Rf_defineVar(i_symbol, place, frame);
  MARK_NOT_MUTABLE(place);
  SEXP element = PROTECT(Rf_lang3(R_Bracket2Symbol, Rf_install("X"), i_symbol));
  SEXP call = PROTECT(Rf_lang3(Rf_install("FUN"), element, R_DotsSymbol));
  MARK_NOT_MUTABLE(call);
  SEXP renewal = PROTECT(renew == R_NilValue ? R_NilValue : Rf_lang1(renew));
  double seen = tq_now_ms(), bytes = 0;
  int unseen = 0, most = 1;
  if (at[STARTED] == 0) {
    at[STARTED] = seen;
    at[COUNTED] = tq_session_open_elements((double) length);
  }
  for (R_xlen_t i = (R_xlen_t) at[PLACE]; i < length; i++) {
    if (at[COUNTED] != 0 && !tq_session_begin_element()) break;
    if (renewal != R_NilValue && !(R_existsVarInFrame(R_GlobalEnv, seed) && R_BindingIsActive(seed, R_GlobalEnv)))
      Rf_eval(renewal, R_BaseEnv);
    if (TYPEOF(place) == INTSXP)
      INTEGER(place)[0] = (int) (i + 1);
    else
      REAL(place)[0] = (double) (i + 1);
    SEXP value = R_forceAndCall(call, 1, frame);
    SET_VECTOR_ELT(values, i, value);
    at[PLACE] = (double) (i + 1);
    bytes += bytes_of(value, 2);
    if (++unseen < most && bytes < ENOUGH_BYTES) continue;
    R_CheckUserInterrupt();
    double now = tq_now_ms();
    at[LAST] = now - seen;
    most = (int) fmax(1, fmin(UNSEEN, UNSEEN_MS / fmax(at[LAST] / unseen, 1e-6)));
    seen = now;
    unseen = 0;
    if (isfinite(budget) && (now - at[STARTED] >= budget || bytes >= ENOUGH_BYTES)) break;
  }
  UNPROTECT(4);
  return R_NilValue;
}

/* (): the time, in milliseconds. */
SEXP tq_r_batch_clock(SEXP args) {
  (void) args;
  return Rf_ScalarReal(tq_now_ms());
}

/* (values, count): the first so many of a list, in the form in which they travel. */
SEXP tq_r_batch_pack(SEXP args) { return tq_pack(tq_argument(args, 1), (R_xlen_t) Rf_asReal(tq_argument(args, 2))); }
