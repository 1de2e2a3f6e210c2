/* Handing in many tasks at once. */

#include "rapi.h"

struct many {
  void *queue;
  SEXP ids, fun, calls, options, keys;
  void *fun_bytes, *function, *call_bytes, *tasks;
};

static const char *text_at(SEXP strings, R_xlen_t i) {
  return strings == R_NilValue ? NULL : Rf_translateCharUTF8(STRING_ELT(strings, i));
}

/* Serializing may collect garbage, and a finalizer may push, too: nothing of ours is in the queue before all are. */
static SEXP many_body(void *data) {
  struct many *many = data;
  int is_pure;
  many->function = tq_serialize_function(many->fun, &many->fun_bytes, &is_pure);
  R_xlen_t count = XLENGTH(many->calls);
  many->tasks = tq_many_new(many->queue, many->function, many->options, (size_t) count);
  for (R_xlen_t i = 0; i < count; i++) {
    const void *top = vmaxget();
    SEXP call = VECTOR_ELT(many->calls, i);
    many->call_bytes = tq_buffer_new(TQ_SEGMENTS, 0);
    if (call != R_NilValue) tq_serialize_sent(many->call_bytes, call, many->fun);
    const char *id = text_at(many->ids, i), *key = text_at(many->keys, i);
    void *bytes = many->call_bytes;
    many->call_bytes = NULL;
    if (!tq_many_add(many->tasks, id, key, bytes)) tq_no_memory();
    vmaxset(top);
  }
  /* Before anything is queued: there may be no memory for it. */
  tq_many_name(many->queue, many->tasks);
  SEXP ids = PROTECT(Rf_allocVector(STRSXP, count));
  for (R_xlen_t i = 0; i < count; i++) SET_STRING_ELT(ids, i, tq_char(tq_many_id(many->tasks, (size_t) i)));
  void *failure = tq_many_push(many->queue, many->tasks);
  UNPROTECT(1);
  return failure ? tq_answer(failure) : ids;
}

static void many_cleanup(void *data) {
  struct many *many = data;
  tq_buffer_free(many->fun_bytes);
  tq_function_free(many->function);
  tq_buffer_free(many->call_bytes);
  tq_many_free(many->tasks);
}

/* (handle, ids or NULL, fun, list of calls, options or NULL, keys or NULL): the ids, or a failure. A call is NULL where there is
 * nothing to say. Nothing is queued when an object cannot be serialized. */
SEXP tq_r_push_many(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_asked(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  struct many data = {queue, tq_argument(args, 2), tq_argument(args, 3), tq_argument(args, 4), tq_argument(args, 5),
                      tq_argument(args, 6), NULL, NULL, NULL, NULL};
  return R_ExecWithCleanup(many_body, &data, many_cleanup, &data);
}
