/* Looking at a task and taking it out. */

#include "rapi.h"

/* The names of what done_body() makes, in its order. */
static SEXP done_names = NULL;

void tq_result_begin(void) {
  static const char *const names[] = {"serial", "id",    "status", "outcome", "stdout",  "stderr",   "stderr_tail", "dropped", "signal",
                                      "exit_code", "cause", "after", "tries", "worker",  "queued", "started", "finished", "cpu", "max_rss"};
  int length = (int) (sizeof names / sizeof *names);
  done_names = Rf_allocVector(STRSXP, length);
  R_PreserveObject(done_names);
  for (int i = 0; i < length; i++) SET_STRING_ELT(done_names, i, Rf_mkChar(names[i]));
}

static SEXP done_body(void *data) {
  struct tq_done done;
  tq_done_read(data, &done);
  SEXP list = PROTECT(Rf_allocVector(VECSXP, XLENGTH(done_names)));
  Rf_setAttrib(list, R_NamesSymbol, done_names);
  int i = 0;
  SET_VECTOR_ELT(list, i++, Rf_ScalarReal(done.serial));
  SET_VECTOR_ELT(list, i++, tq_string(done.id));
  SET_VECTOR_ELT(list, i++, Rf_mkString(done.status));
  SET_VECTOR_ELT(list, i++,
                 tq_unserialize(done.outcome));
  SET_VECTOR_ELT(list, i++, tq_string(done.out));
  SET_VECTOR_ELT(list, i++, tq_string(done.err));
  SET_VECTOR_ELT(list, i++, tq_string(done.tail));
  SET_VECTOR_ELT(list, i++, Rf_ScalarReal(done.dropped));
  SET_VECTOR_ELT(list, i++, Rf_ScalarInteger(done.signal ? done.signal : NA_INTEGER));
  SET_VECTOR_ELT(list, i++, Rf_ScalarInteger(done.exit_code >= 0 ? done.exit_code : NA_INTEGER));
  SET_VECTOR_ELT(list, i++, Rf_mkString(done.cause));
  SET_VECTOR_ELT(list, i++, done.after.length ? tq_string(done.after) : R_NilValue);
  SET_VECTOR_ELT(list, i++, Rf_ScalarInteger(done.tries));
  SET_VECTOR_ELT(list, i++, Rf_ScalarInteger(done.pid ? done.pid : NA_INTEGER));
  SET_VECTOR_ELT(list, i++, Rf_ScalarReal(done.queued));
  SET_VECTOR_ELT(list, i++, Rf_ScalarReal(done.started < 0 ? NA_REAL : done.started));
  SET_VECTOR_ELT(list, i++, Rf_ScalarReal(done.finished));
  SET_VECTOR_ELT(list, i++, Rf_ScalarReal(done.cpu < 0 ? NA_REAL : done.cpu));
  SET_VECTOR_ELT(list, i++, Rf_ScalarReal(done.max_rss < 0 ? NA_REAL : done.max_rss));
  UNPROTECT(1);
  return list;
}

static SEXP describe_done(void *done) {
  return done ? R_ExecWithCleanup(done_body, done, tq_done_free, done) : R_NilValue;
}

/* (handle, ms): waits as wait_done() does; the oldest done task as a list, or NULL. It stays in the queue. */
SEXP tq_r_peek(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_of(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  int answer = tq_wait_in_slices(queue, Rf_asReal(tq_argument(args, 2)), tq_wait_for_done);
  return answer == TQ_FAILED ? tq_tell_failure(queue) : describe_done(tq_oldest_done(queue));
}

/* (handle, serial): that done task as a list, or NULL. */
SEXP tq_r_outcome(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_of(tq_argument(args, 1), &refusal);
  return queue ? describe_done(tq_done_task(queue, Rf_asReal(tq_argument(args, 2)))) : refusal;
}

static SEXP evaluate(SEXP function) {
  SEXP call = PROTECT(Rf_lang1(function));
  SEXP value = Rf_eval(call, R_BaseEnv);
  UNPROTECT(1);
  return value;
}

/* (handle, serial, value, again): removes the done task and gives `value` back. Nothing between the removal and the return can be
 * interrupted. When somebody else was faster (a finalizer that pops, for instance): what again() gives. */
SEXP tq_r_commit(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_of(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  if (tq_take(queue, Rf_asReal(tq_argument(args, 2)))) return tq_argument(args, 3);
  return evaluate(tq_argument(args, 4));
}

/* (handle, serials, value, again): the same for many done tasks, of which all are removed or none. */
SEXP tq_r_commit_all(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_of(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  SEXP tasks = tq_argument(args, 2);
  if (tq_take_all(queue, REAL(tasks), (size_t) XLENGTH(tasks))) return tq_argument(args, 3);
  return evaluate(tq_argument(args, 4));
}

static SEXP payload_body(void *data) {
  static const char *names[] = {"fun", "call", ""};
  struct tq_bytes fun, call;
  tq_payload_read(data, &fun, &call);
  SEXP list = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(list, 0, tq_unserialize(fun));
  SET_VECTOR_ELT(list, 1, tq_unserialize(call));
  UNPROTECT(1);
  return list;
}

/* (handle, serial): list(fun, call), or NULL when it is gone or was freed. */
SEXP tq_r_payload(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_of(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  void *held = tq_payload(queue, Rf_asReal(tq_argument(args, 2)));
  return held ? R_ExecWithCleanup(payload_body, held, tq_payload_free, held) : R_NilValue;
}
