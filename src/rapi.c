/* The R calls that can jump, and nothing else; those about the state that a task leaves behind are in state.c.
 *
 * R reports errors and interrupts by longjmp, and no Rust frame may be jumped over. So everything that serializes,
 * unserializes or looks for an interrupt is an .External routine in this file: its C frame is the outermost of ours, and Rust
 * is called only for what never calls R (taskq.h lists it). What must be released when R jumps is released by
 * R_ExecWithCleanup.
 *
 * Everything else that R calls is written in Rust (src/rust/src) and registered by extendr.
 */

#include "taskq.h"

#include <R.h>
#include <Rinternals.h>
#include <R_ext/Rdynload.h>
#include <math.h>
#include <string.h>

/* How long Rust waits before R gets to see a Ctrl-C. */
#define SLICE_MS 50.0

/* ---- arguments ------------------------------------------------------------------------------------------------------ */

static SEXP argument(SEXP args, int n) {
  while (n-- > 0) args = CDR(args);
  return CAR(args);
}

/* The queue behind a handle, or NULL after an answer for R was put into `refusal`. */
static void *queue_of(SEXP handle, SEXP *refusal) {
  void *queue = TYPEOF(handle) == EXTPTRSXP ? R_ExternalPtrAddr(handle) : NULL;
  *refusal = tq_refuse_handle(queue);
  if (*refusal != R_NilValue) return NULL;
  struct tq_bytes notice;
  if (tq_take_notice(queue, &notice)) Rf_warningcall(R_NilValue, "%.*s", (int) notice.length, notice.bytes);
  return queue;
}

/* ---- serialization -------------------------------------------------------------------------------------------------- */

static void out_bytes(R_outpstream_t stream, void *bytes, int length) {
  if (!tq_buffer_write(stream->data, bytes, (size_t) length))
    Rf_error("out of memory while serializing: the object is too large");
}

static void out_char(R_outpstream_t stream, int c) {
  unsigned char byte = (unsigned char) c;
  out_bytes(stream, &byte, 1);
}

/* R asks this for every environment, external pointer and weak reference that it writes; packages and the global environment
 * aside. It only notes that there is something that may change while the object stays the same. Where source is kept
 * is such an environment, too, but nobody changes it. */
static unsigned long references_written;

static SEXP note_reference(SEXP object, SEXP data) {
  (void) data;
  if (!Rf_inherits(object, "srcfile")) references_written++;
  return R_NilValue;
}

static void serialize_into(void *buffer, SEXP object) {
  struct R_outpstream_st stream;
  R_InitOutPStream(&stream, (R_pstream_data_t) buffer, R_pstream_binary_format, 3, out_char, out_bytes, note_reference, R_NilValue);
  R_Serialize(object, &stream);
}

struct source {
  const unsigned char *bytes;
  size_t left;
};

static void in_bytes(R_inpstream_t stream, void *into, int length) {
  struct source *source = (struct source *) stream->data;
  if ((size_t) length > source->left) Rf_error("a serialized object ends too early");
  memcpy(into, source->bytes, (size_t) length);
  source->bytes += length;
  source->left -= (size_t) length;
}

static int in_char(R_inpstream_t stream) {
  unsigned char byte;
  in_bytes(stream, &byte, 1);
  return byte;
}

/* Nothing stands for NULL. */
static SEXP unserialize_from(const unsigned char *bytes, size_t length) {
  if (length == 0) return R_NilValue;
  struct source source = {bytes, length};
  struct R_inpstream_st stream;
  R_InitInPStream(&stream, (R_pstream_data_t) &source, R_pstream_any_format, in_char, in_bytes, NULL, R_NilValue);
  return R_Unserialize(&stream);
}

/* ---- host: push ----------------------------------------------------------------------------------------------------- */

/* The function that was pushed last, and its bytes. The same object has the same bytes as long as it holds no reference, and it
 * stays the same object as long as we hold it: pushing one function many times serializes it once, and keeps it once. */
static SEXP last_fun = NULL;
static void *last_bytes = NULL;

/* Preserving allocates, so it comes before anything that must not be left halfway. */
static void remember_function(SEXP fun, void *shared) {
  R_PreserveObject(fun);
  SEXP old_fun = last_fun;
  void *old_bytes = last_bytes;
  last_fun = fun;
  last_bytes = tq_shared_hold(shared);
  if (old_fun) R_ReleaseObject(old_fun);
  tq_shared_free(old_bytes);
}

struct push {
  void *queue;
  SEXP id, fun, call, options;
  void *fun_bytes, *fun_shared, *call_bytes;
};

/* Serializing may collect garbage, and a finalizer may push, too: what is used here is held here, and a reference that the inner
 * push has written only means that this function is not remembered. */
static SEXP push_body(void *data) {
  struct push *push = data;
  if (push->fun == last_fun) {
    push->fun_shared = tq_shared_hold(last_bytes);
  } else {
    unsigned long before = references_written;
    push->fun_bytes = tq_buffer_new();
    serialize_into(push->fun_bytes, push->fun);
    push->fun_shared = tq_share(push->fun_bytes);
    push->fun_bytes = NULL;
    if (references_written == before) remember_function(push->fun, push->fun_shared);
  }
  push->call_bytes = tq_buffer_new();
  if (push->call != R_NilValue) serialize_into(push->call_bytes, push->call);
  const char *id = push->id == R_NilValue ? NULL : Rf_translateCharUTF8(STRING_ELT(push->id, 0));
  void *call = push->call_bytes;
  push->call_bytes = NULL;
  return tq_push(push->queue, id, push->fun_shared, call, push->options);
}

static void push_cleanup(void *data) {
  struct push *push = data;
  tq_buffer_free(push->fun_bytes);
  tq_shared_free(push->fun_shared);
  tq_buffer_free(push->call_bytes);
}

/* (handle, id or NULL, fun, call or NULL, options or NULL): the id, or a failure. Nothing is queued when an object cannot be
 * serialized. */
static SEXP push(SEXP args) {
  SEXP refusal;
  void *queue = queue_of(argument(args, 1), &refusal);
  if (!queue) return refusal;
  struct push data = {queue, argument(args, 2), argument(args, 3), argument(args, 4), argument(args, 5), NULL, NULL, NULL};
  return R_ExecWithCleanup(push_body, &data, push_cleanup, &data);
}

/* ---- host: wait ----------------------------------------------------------------------------------------------------- */

/* Waits in slices; nothing of Rust is on the stack when R may jump. */
static int wait_in_slices(void *what, double ms, int (*wait)(void *, double)) {
  double deadline = tq_now_ms() + ms;
  for (;;) {
    double left = R_FINITE(ms) ? deadline - tq_now_ms() : SLICE_MS;
    int answer = wait(what, fmax(0, fmin(left, SLICE_MS)));
    if (answer != TQ_TIMED_OUT || left <= 0) return answer;
    R_CheckUserInterrupt();
  }
}

/* (handle, ms): TRUE when there is a done task; FALSE when none can come or the time is over; a failure when the pool has
 * failed and nobody was told yet. */
static SEXP wait_done(SEXP args) {
  SEXP refusal;
  void *queue = queue_of(argument(args, 1), &refusal);
  if (!queue) return refusal;
  int answer = wait_in_slices(queue, Rf_asReal(argument(args, 2)), tq_wait_for_done);
  return answer == TQ_FAILED ? tq_tell_failure(queue) : Rf_ScalarLogical(answer == TQ_DONE);
}

/* (handle, ms): TRUE when the queue takes one more task, or refuses for another reason; FALSE when the time is over; a failure as
 * above. */
static SEXP wait_room(SEXP args) {
  SEXP refusal;
  void *queue = queue_of(argument(args, 1), &refusal);
  if (!queue) return refusal;
  int answer = wait_in_slices(queue, Rf_asReal(argument(args, 2)), tq_wait_for_room);
  return answer == TQ_FAILED ? tq_tell_failure(queue) : Rf_ScalarLogical(answer == TQ_DONE);
}

struct wait_all {
  void *queue, *awaited;
  double ms;
};

static int wait_for_awaited(void *wait, double ms) {
  return tq_wait_for_all(((struct wait_all *) wait)->queue, ((struct wait_all *) wait)->awaited, ms);
}

static SEXP wait_all_body(void *data) {
  struct wait_all *wait = data;
  int answer = wait_in_slices(wait, wait->ms, wait_for_awaited);
  return answer == TQ_FAILED ? tq_tell_failure(wait->queue) : Rf_ScalarLogical(answer == TQ_DONE);
}

static void wait_all_cleanup(void *data) {
  tq_awaited_free(((struct wait_all *) data)->awaited);
}

/* (handle, serial numbers or NULL for all, ms): TRUE when all of them are done; FALSE when the time is over; a failure as above. */
static SEXP wait_all(SEXP args) {
  SEXP refusal;
  void *queue = queue_of(argument(args, 1), &refusal);
  if (!queue) return refusal;
  SEXP tasks = argument(args, 2);
  void *awaited = tasks == R_NilValue ? tq_awaited_new(NULL, 0) : tq_awaited_new(REAL(tasks), (size_t) XLENGTH(tasks));
  struct wait_all wait = {queue, awaited, Rf_asReal(argument(args, 3))};
  return R_ExecWithCleanup(wait_all_body, &wait, wait_all_cleanup, &wait);
}

/* (handle, ms): TRUE when no process of the queue is left. */
static SEXP wait_closed(SEXP args) {
  SEXP refusal;
  void *queue = queue_of(argument(args, 1), &refusal);
  if (!queue) return refusal;
  return Rf_ScalarLogical(wait_in_slices(queue, Rf_asReal(argument(args, 2)), tq_wait_for_end) == TQ_DONE);
}

/* ---- host: results -------------------------------------------------------------------------------------------------- */

static SEXP string_of(const char *bytes, size_t length) {
  return Rf_ScalarString(Rf_mkCharLenCE(bytes, (int) length, CE_UTF8));
}

/* The names of what done_body() makes, in its order; made once. */
static SEXP done_names = NULL;

static void make_done_names(void) {
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
  SET_VECTOR_ELT(list, i++, string_of(done.id.bytes, done.id.length));
  SET_VECTOR_ELT(list, i++, Rf_mkString(done.status));
  SET_VECTOR_ELT(list, i++,
                 unserialize_from((const unsigned char *) done.outcome.bytes, done.outcome.length));
  SET_VECTOR_ELT(list, i++, string_of(done.out.bytes, done.out.length));
  SET_VECTOR_ELT(list, i++, string_of(done.err.bytes, done.err.length));
  SET_VECTOR_ELT(list, i++, string_of(done.tail.bytes, done.tail.length));
  SET_VECTOR_ELT(list, i++, Rf_ScalarReal(done.dropped));
  SET_VECTOR_ELT(list, i++, Rf_ScalarInteger(done.signal ? done.signal : NA_INTEGER));
  SET_VECTOR_ELT(list, i++, Rf_ScalarInteger(done.exit_code >= 0 ? done.exit_code : NA_INTEGER));
  SET_VECTOR_ELT(list, i++, Rf_mkString(done.cause));
  SET_VECTOR_ELT(list, i++, done.after.length ? string_of(done.after.bytes, done.after.length) : R_NilValue);
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
static SEXP peek(SEXP args) {
  SEXP refusal;
  void *queue = queue_of(argument(args, 1), &refusal);
  if (!queue) return refusal;
  int answer = wait_in_slices(queue, Rf_asReal(argument(args, 2)), tq_wait_for_done);
  return answer == TQ_FAILED ? tq_tell_failure(queue) : describe_done(tq_oldest_done(queue));
}

/* (handle, serial): that done task as a list, or NULL. */
static SEXP outcome(SEXP args) {
  SEXP refusal;
  void *queue = queue_of(argument(args, 1), &refusal);
  return queue ? describe_done(tq_done_task(queue, Rf_asReal(argument(args, 2)))) : refusal;
}

static SEXP evaluate(SEXP function) {
  SEXP call = PROTECT(Rf_lang1(function));
  SEXP value = Rf_eval(call, R_BaseEnv);
  UNPROTECT(1);
  return value;
}

/* (handle, serial, value, again): removes the done task and gives `value` back. Nothing between the removal and the return can be
 * interrupted. When somebody else was faster (a finalizer that pops, for instance): what again() gives. */
static SEXP commit(SEXP args) {
  SEXP refusal;
  void *queue = queue_of(argument(args, 1), &refusal);
  if (!queue) return refusal;
  if (tq_take(queue, Rf_asReal(argument(args, 2)))) return argument(args, 3);
  return evaluate(argument(args, 4));
}

/* (handle, serials, value, again): the same for many done tasks, of which all are removed or none. */
static SEXP commit_all(SEXP args) {
  SEXP refusal;
  void *queue = queue_of(argument(args, 1), &refusal);
  if (!queue) return refusal;
  SEXP tasks = argument(args, 2);
  if (tq_take_all(queue, REAL(tasks), (size_t) XLENGTH(tasks))) return argument(args, 3);
  return evaluate(argument(args, 4));
}

/* ---- both: a task's function and call ------------------------------------------------------------------------------- */

static SEXP payload_body(void *data) {
  static const char *names[] = {"fun", "call", ""};
  struct tq_bytes fun, call;
  tq_payload_read(data, &fun, &call);
  SEXP list = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(list, 0, unserialize_from((const unsigned char *) fun.bytes, fun.length));
  SET_VECTOR_ELT(list, 1, unserialize_from((const unsigned char *) call.bytes, call.length));
  UNPROTECT(1);
  return list;
}

/* (handle, serial): list(fun, call), or NULL when it is gone or was freed. */
static SEXP payload(SEXP args) {
  SEXP refusal;
  void *queue = queue_of(argument(args, 1), &refusal);
  if (!queue) return refusal;
  void *held = tq_payload(queue, Rf_asReal(argument(args, 2)));
  return held ? R_ExecWithCleanup(payload_body, held, tq_payload_free, held) : R_NilValue;
}

/* ---- session -------------------------------------------------------------------------------------------------------- */

/* Waits for a task: TRUE, or NULL when the session is to leave. */
static SEXP receive(SEXP args) {
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
static SEXP task_fun(SEXP args) {
  (void) args;
  struct tq_bytes fun, call;
  if (!tq_session_task(&fun, &call)) Rf_error("no task is running");
  return unserialize_from((const unsigned char *) fun.bytes, fun.length);
}

/* The rest of the current task's call. */
static SEXP task_call(SEXP args) {
  (void) args;
  struct tq_bytes fun, call;
  if (!tq_session_task(&fun, &call)) Rf_error("no task is running");
  return unserialize_from((const unsigned char *) call.bytes, call.length);
}

struct reply {
  int verdict;
  SEXP outcome;
  void *buffer;
};

static SEXP reply_body(void *data) {
  struct reply *reply = data;
  serialize_into(reply->buffer, reply->outcome);
  if (!tq_session_reply(reply->verdict, reply->buffer)) Rf_error("%s", tq_session_problem());
  return R_NilValue;
}

static void reply_cleanup(void *data) {
  tq_buffer_free(((struct reply *) data)->buffer);
}

/* (verdict, outcome): ends the current task. Nothing is sent when the outcome cannot be serialized. */
static SEXP reply(SEXP args) {
  const char *verdict = CHAR(Rf_asChar(argument(args, 1)));
  int code = strcmp(verdict, "success") == 0 ? TQ_SUCCESS : strcmp(verdict, "error") == 0 ? TQ_ERROR : TQ_INTERRUPTED;
  struct reply data = {code, argument(args, 2), tq_buffer_new()};
  return R_ExecWithCleanup(reply_body, &data, reply_cleanup, &data);
}

/* Interrupts may hit from now on. */
static SEXP arm(SEXP args) {
  (void) args;
  tq_session_arm();
  return R_NilValue;
}

/* Interrupts may not hit any more; one that is pending is forgotten. */
static SEXP disarm(SEXP args) {
  (void) args;
  tq_session_disarm();
  return R_NilValue;
}

/* Called by Rust, on whichever thread: these only touch R's flag. */
extern int R_interrupts_pending;

void tq_raise_interrupt(void) { R_interrupts_pending = 1; }

void tq_clear_interrupt(void) { R_interrupts_pending = 0; }

/* ---- inline --------------------------------------------------------------------------------------------------------- */

struct inline_task {
  void *task;
  struct tq_inline about;
};

static SEXP inline_body(void *data) {
  static const char *names[] = {"serial", "id", "tries", "timeout", ""};
  struct inline_task *next = data;
  SEXP list = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(list, 0, Rf_ScalarReal(next->about.serial));
  SET_VECTOR_ELT(list, 1, string_of(next->about.id.bytes, next->about.id.length));
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
static SEXP inline_next(SEXP args) {
  SEXP refusal;
  void *queue = queue_of(argument(args, 1), &refusal);
  if (!queue) return refusal;
  struct inline_task next;
  next.task = tq_inline_next(queue, &next.about);
  if (next.task) return R_ExecWithCleanup(inline_body, &next, inline_cleanup, &next);
  return next.about.ms < 0 ? R_NilValue : Rf_ScalarReal(next.about.ms);
}

struct inline_done {
  void *queue;
  SEXP args;
  void *buffer;
};

static SEXP inline_done_body(void *data) {
  struct inline_done *done = data;
  const char *verdict = CHAR(Rf_asChar(argument(done->args, 3)));
  int code = strcmp(verdict, "success") == 0 ? TQ_SUCCESS : TQ_ERROR;
  serialize_into(done->buffer, argument(done->args, 4));
  const char *out = Rf_translateCharUTF8(Rf_asChar(argument(done->args, 5)));
  const char *err = Rf_translateCharUTF8(Rf_asChar(argument(done->args, 6)));
  tq_inline_done(done->queue, Rf_asReal(argument(done->args, 2)), code, done->buffer, out, err,
                 Rf_asReal(argument(done->args, 7)), Rf_asReal(argument(done->args, 8)));
  return R_NilValue;
}

static void inline_done_cleanup(void *data) {
  tq_buffer_free(((struct inline_done *) data)->buffer);
}

/* (handle, serial, verdict, outcome, stdout, stderr, cpu seconds, seconds): what came of it. */
static SEXP inline_done(SEXP args) {
  SEXP refusal;
  void *queue = queue_of(argument(args, 1), &refusal);
  if (!queue) return refusal;
  struct inline_done data = {queue, args, tq_buffer_new()};
  return R_ExecWithCleanup(inline_done_body, &data, inline_done_cleanup, &data);
}

/* ---- registration --------------------------------------------------------------------------------------------------- */

static const R_ExternalMethodDef external[] = {
  {"C_tq_push", (DL_FUNC) &push, 5},
  {"C_tq_wait", (DL_FUNC) &wait_done, 2},
  {"C_tq_wait_all", (DL_FUNC) &wait_all, 3},
  {"C_tq_wait_room", (DL_FUNC) &wait_room, 2},
  {"C_tq_wait_closed", (DL_FUNC) &wait_closed, 2},
  {"C_tq_peek", (DL_FUNC) &peek, 2},
  {"C_tq_outcome", (DL_FUNC) &outcome, 2},
  {"C_tq_commit", (DL_FUNC) &commit, 4},
  {"C_tq_commit_all", (DL_FUNC) &commit_all, 4},
  {"C_tq_payload", (DL_FUNC) &payload, 2},
  {"C_tq_receive", (DL_FUNC) &receive, 0},
  {"C_tq_task_fun", (DL_FUNC) &task_fun, 0},
  {"C_tq_task_call", (DL_FUNC) &task_call, 0},
  {"C_tq_reply", (DL_FUNC) &reply, 2},
  {"C_tq_arm", (DL_FUNC) &arm, 0},
  {"C_tq_disarm", (DL_FUNC) &disarm, 0},
  {"C_tq_inline_next", (DL_FUNC) &inline_next, 1},
  {"C_tq_inline_done", (DL_FUNC) &inline_done, 8},
  {"C_tq_state_begin", (DL_FUNC) &tq_state_begin, 4},
  {"C_tq_state_save", (DL_FUNC) &tq_state_save, 1},
  {"C_tq_state_changed", (DL_FUNC) &tq_state_changed, 0},
  {"C_tq_state_restore", (DL_FUNC) &tq_state_restore, 1},
  {NULL, NULL, 0}};

/* Adds these to what extendr has registered: R keeps a table for each kind of routine. */
void taskq_register_external(DllInfo *dll) {
  make_done_names();
  R_registerRoutines(dll, NULL, NULL, NULL, external);
}
