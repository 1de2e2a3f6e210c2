/* A session: receive a task, guard it, reply. */

#include "rapi.h"

#include <R_ext/GraphicsEngine.h> /* R_interrupts_pending */

#include <string.h>

struct reply {
  int verdict;
  SEXP outcome;
  void *buffer;
};

static SEXP reply_body(void *data) {
  struct reply *reply = data;
  tq_serialize_outcome(&reply->buffer, reply->outcome);
  if (!tq_session_reply(reply->verdict, reply->buffer)) Rf_error("%s", tq_session_problem());
  return R_NilValue;
}

static void reply_cleanup(void *data) {
  tq_buffer_free(((struct reply *) data)->buffer);
}

/* Ends the current task. Nothing is sent when the outcome cannot be serialized. */
static void send_reply(int verdict, SEXP outcome) {
  struct reply data = {verdict, outcome, tq_buffer_new(TQ_SEGMENTS, 0)};
  R_ExecWithCleanup(reply_body, &data, reply_cleanup, &data);
}

/* (verdict, outcome): ends the current task. */
SEXP tq_r_reply(SEXP args) {
  const char *verdict = CHAR(Rf_asChar(tq_argument(args, 1)));
  int code = strcmp(verdict, "success") == 0 ? TQ_SUCCESS : strcmp(verdict, "error") == 0 ? TQ_ERROR : TQ_INTERRUPTED;
  send_reply(code, tq_argument(args, 2));
  return R_NilValue;
}

/* What the last task has used of vectors over mapped memory is kept by garbage. When nothing comes for so long, R
 * collects it. */
static const double leisure_ms = 300;

/* Waits for a task; 0 when the session is to leave. */
static int receive(void) {
  if ((tq_segments() || tq_parcels_held() > 0) && !tq_session_wait(leisure_ms)) R_gc();
  switch (tq_session_receive()) {
  case TQ_DONE:
    return 1;
  case TQ_EMPTY:
    return 0;
  default:
    Rf_error("%s", tq_session_problem());
  }
}

/* Functions that were read, by their places, for the next tasks that have them. R compiles a function that is called again. */
static SEXP functions = NULL;
static double function_ids[TQ_PLACES];

static SEXP function_of(const struct tq_fun *fun) {
  if (fun->place < 0) return tq_unserialize(fun->payload);
  if (!functions) {
    functions = Rf_allocVector(VECSXP, TQ_PLACES);
    R_PreserveObject(functions);
  }
  if (function_ids[fun->place] != fun->id) {
    SET_VECTOR_ELT(functions, fun->place, tq_unserialize(fun->payload));
    function_ids[fun->place] = fun->id;
  }
  return VECTOR_ELT(functions, fun->place);
}

/* Runs the current task and tells the host. Nothing holds its result then. */
static void run(SEXP evaluator) {
  struct tq_fun task_fun;
  const void *call_payload;
  tq_set_phase(evaluator, TQ_PHASE_RECEIVE);
  if (!tq_session_task(&task_fun, &call_payload)) Rf_error("no task is running");
  SEXP call = PROTECT(tq_unserialize(call_payload));
  SEXP batch = tq_element(call, "batch");
  if (batch == R_NilValue) tq_batch_forget();
  SEXP fun = PROTECT(batch == R_NilValue ? function_of(&task_fun) : tq_batch_work(batch, task_fun.payload));
  tq_session_spent();
  SEXP outcome = PROTECT(tq_evaluate(evaluator, fun, call, 1));
  send_reply(TQ_SUCCESS, outcome);
  UNPROTECT(3);
  tq_set_phase(evaluator, TQ_PHASE_IDLE);
}

/* (evaluator, go_home, make_tempdir): runs one task after another until the session is to leave. What a task has changed of the
 * session is handed to go_home(); make_tempdir() is called before a task where R's temporary directory is gone. A task that fails
 * jumps out of this; interrupts must be suspended, and are on only while a task runs. */
SEXP tq_r_serve(SEXP args) {
  SEXP evaluator = tq_argument(args, 1), go_home = tq_argument(args, 2), make_tempdir = tq_argument(args, 3);
  while (receive()) {
    if (!tq_session_has_temp_dir()) {
      Rf_eval(PROTECT(Rf_lang1(make_tempdir)), R_GlobalEnv);
      UNPROTECT(1);
    }
    run(evaluator);
    SEXP changed = tq_state_changed(R_NilValue);
    if (changed == R_NilValue) continue;
    SEXP call = PROTECT(Rf_lang2(go_home, PROTECT(changed)));
    Rf_eval(call, R_GlobalEnv);
    UNPROTECT(2);
  }
  return R_NilValue;
}

/* Interrupts may not hit any more; one that is pending is forgotten. */
SEXP tq_r_disarm(SEXP args) {
  (void) args;
  tq_session_disarm();
  return R_NilValue;
}

/* Called by Rust, on whichever thread: these only touch R's flag. */
void tq_raise_interrupt(void) { R_interrupts_pending = 1; }

void tq_clear_interrupt(void) { R_interrupts_pending = 0; }
