/* A session: receive a task, guard it, reply. */

#include "rapi.h"

#include <string.h>

/* Waits for a task: TRUE, or NULL when the session is to leave. */
SEXP tq_r_receive(SEXP args) {
  (void) args;
  switch (tq_session_receive()) {
  case TQ_DONE:
    return Rf_ScalarLogical(TRUE);
  case TQ_EMPTY:
    return R_NilValue;
  default:
    Rf_error("%s", tq_session_problem());
  }
}

/* The current task's function. */
SEXP tq_r_task_fun(SEXP args) {
  (void) args;
  struct tq_bytes fun, call;
  if (!tq_session_task(&fun, &call)) Rf_error("no task is running");
  return tq_unserialize(fun);
}

/* The rest of the current task's call. */
SEXP tq_r_task_call(SEXP args) {
  (void) args;
  struct tq_bytes fun, call;
  if (!tq_session_task(&fun, &call)) Rf_error("no task is running");
  return tq_unserialize(call);
}

struct reply {
  int verdict;
  SEXP outcome;
  void *buffer;
};

static SEXP reply_body(void *data) {
  struct reply *reply = data;
  tq_serialize(reply->buffer, reply->outcome);
  if (!tq_session_reply(reply->verdict, reply->buffer)) Rf_error("%s", tq_session_problem());
  return R_NilValue;
}

static void reply_cleanup(void *data) {
  tq_buffer_free(((struct reply *) data)->buffer);
}

/* (verdict, outcome): ends the current task. Nothing is sent when the outcome cannot be serialized. */
SEXP tq_r_reply(SEXP args) {
  const char *verdict = CHAR(Rf_asChar(tq_argument(args, 1)));
  int code = strcmp(verdict, "success") == 0 ? TQ_SUCCESS : strcmp(verdict, "error") == 0 ? TQ_ERROR : TQ_INTERRUPTED;
  struct reply data = {code, tq_argument(args, 2), tq_buffer_new()};
  return R_ExecWithCleanup(reply_body, &data, reply_cleanup, &data);
}

/* Interrupts may hit from now on. */
SEXP tq_r_arm(SEXP args) {
  (void) args;
  tq_session_arm();
  return R_NilValue;
}

/* Interrupts may not hit any more; one that is pending is forgotten. */
SEXP tq_r_disarm(SEXP args) {
  (void) args;
  tq_session_disarm();
  return R_NilValue;
}

/* Called by Rust, on whichever thread: these only touch R's flag. */
extern int R_interrupts_pending;

void tq_raise_interrupt(void) { R_interrupts_pending = 1; }

void tq_clear_interrupt(void) { R_interrupts_pending = 0; }
