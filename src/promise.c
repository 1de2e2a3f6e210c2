/* How an event loop of the package later comes to what was promised to it. R/promise.R does the rest. */

#include "taskq.h"

#include <stdint.h>
#include <R_ext/GraphicsEngine.h> /* R_interrupts_pending */

/* settle(loop) of R/promise.R. */
static SEXP settle_function;

static void settle(void *data) {
  SEXP loop = PROTECT(Rf_ScalarInteger((int) (intptr_t) data));
  SEXP call = PROTECT(Rf_lang2(settle_function, loop));
  Rf_eval(call, R_BaseEnv);
  UNPROTECT(2);
}

/* Called by later, on the R thread, between frames of C++ that must not be jumped over. settle() lets no error out, so
 * what jumps is an interrupt, before or after its work: it is left for who runs the loop, and the work is looked at
 * again. */
static void answer(void *data) {
  int loop = (int) (intptr_t) data;
  tq_waker_answer(loop);
  if (R_ToplevelExec(settle, data)) return;
  tq_waker_wake(loop);
  R_interrupts_pending = 1;
}

/* later must be loaded; looking its function up is for the R thread alone. */
void tq_set_waker(SEXP settle_with) {
  if (!settle_function) {
    R_PreserveObject(settle_with);
    settle_function = settle_with;
  }
  tq_waker_set((tq_exec_later) R_GetCCallable("later", "execLaterNative2"), answer);
}
