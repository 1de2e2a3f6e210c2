/* A queue without workers: its tasks are run by R itself. */

#include "rapi.h"

#include <R_ext/GraphicsEngine.h> /* R_interrupts_suspended */

#include <string.h>

struct inline_task {
  void *task;
  struct tq_inline about;
};

static SEXP inline_body(void *data) {
  static const char *names[] = {"serial", "id", "tries", "timeout", ""};
  struct inline_task *next = data;
  SEXP list = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(list, 0, Rf_ScalarReal(next->about.serial));
  SET_VECTOR_ELT(list, 1, tq_string(next->about.id));
  SET_VECTOR_ELT(list, 2, Rf_ScalarInteger(next->about.tries));
  SET_VECTOR_ELT(list, 3, Rf_ScalarReal(next->about.ms < 0 ? R_PosInf : next->about.ms));
  UNPROTECT(1);
  return list;
}

static void inline_cleanup(void *data) {
  tq_inline_free(((struct inline_task *) data)->task);
}

/* (handle): the next task that the caller is to run itself as a list; or how many milliseconds later there will be one, because it
 * waits for its next try; or NULL. */
SEXP tq_r_inline_next(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_of(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  struct inline_task next;
  next.task = tq_inline_next(queue, &next.about);
  if (next.task) return R_ExecWithCleanup(inline_body, &next, inline_cleanup, &next);
  return next.about.ms < 0 ? R_NilValue : Rf_ScalarReal(next.about.ms);
}

static SEXP payload_body(void *data) {
  static const char *names[] = {"fun", "call", ""};
  const void *fun, *call;
  tq_task_read(data, &fun, &call);
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
  void *held = tq_task(queue, Rf_asReal(tq_argument(args, 2)));
  return held ? R_ExecWithCleanup(payload_body, held, tq_task_free, held) : R_NilValue;
}

struct inline_done {
  void *queue;
  SEXP args;
  void *buffer;
  Rboolean suspended;
};

static SEXP inline_done_body(void *data) {
  struct inline_done *done = data;
  const char *verdict = CHAR(Rf_asChar(tq_argument(done->args, 3)));
  int code = strcmp(verdict, "success") == 0 ? TQ_SUCCESS : TQ_ERROR;
  tq_serialize_outcome(&done->buffer, tq_argument(done->args, 4));
  const char *out = Rf_translateCharUTF8(Rf_asChar(tq_argument(done->args, 5)));
  const char *err = Rf_translateCharUTF8(Rf_asChar(tq_argument(done->args, 6)));
  tq_inline_done(done->queue, Rf_asReal(tq_argument(done->args, 2)), code, done->buffer, out, err,
                 Rf_asReal(tq_argument(done->args, 7)), Rf_asReal(tq_argument(done->args, 8)));
  return R_NilValue;
}

static void inline_done_cleanup(void *data) {
  R_interrupts_suspended = ((struct inline_done *) data)->suspended;
  tq_buffer_free(((struct inline_done *) data)->buffer);
}

/* (handle, serial, verdict, outcome, stdout, stderr, cpu seconds, seconds): what came of it. */
SEXP tq_r_inline_done(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_of(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  struct inline_done data = {queue, args, tq_buffer_new(TQ_SEGMENTS, 0), R_interrupts_suspended};
  /* What came of a task must not be lost. */
  R_interrupts_suspended = TRUE;
  return R_ExecWithCleanup(inline_done_body, &data, inline_done_cleanup, &data);
}
