/* Looking at a task and taking it out. */

#include "rapi.h"

#include <string.h>

/* What every result has: made once, shared by all. */
static SEXP result_names, result_class, times_names, times_class, success, empty_string;

static SEXP keep_strings(const char *const *strings, int length) {
  SEXP vector = Rf_allocVector(STRSXP, length);
  R_PreserveObject(vector);
  for (int i = 0; i < length; i++) SET_STRING_ELT(vector, i, Rf_mkChar(strings[i]));
  return vector;
}

#define KEEP_STRINGS(...) \
  keep_strings((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

void tq_result_begin(void) {
  result_names = KEEP_STRINGS("result", "stdout", "stderr", "error", "task_id", "status", "warnings", "messages", "tries", "worker",
                              "times", "seconds", "cpu", "max_rss");
  result_class = KEEP_STRINGS("taskq_result");
  times_names = KEEP_STRINGS("queued", "started", "finished");
  times_class = KEEP_STRINGS("POSIXct", "POSIXt");
  success = KEEP_STRINGS("success");
  empty_string = KEEP_STRINGS("");
}

static SEXP text(struct tq_bytes bytes) { return bytes.length ? tq_string(bytes) : empty_string; }

static SEXP conditions(SEXP outcome, const char *name) {
  SEXP list = tq_element(outcome, name);
  return list == R_NilValue ? Rf_allocVector(VECSXP, 0) : list;
}

static double known(double number) { return number < 0 ? NA_REAL : number; }

/* The shape of what pop() returns: the one place that names its fields, their types and order. The error of a task that has not
 * succeeded is filled in by R/task-result.R. */
static SEXP make_result(const struct tq_done *done, SEXP outcome) {
  SEXP result = PROTECT(Rf_allocVector(VECSXP, XLENGTH(result_names)));
  SEXP times = PROTECT(Rf_allocVector(REALSXP, 3));
  double started = known(done->started);
  REAL(times)[0] = done->queued;
  REAL(times)[1] = started;
  REAL(times)[2] = done->finished;
  Rf_setAttrib(times, R_NamesSymbol, times_names);
  Rf_setAttrib(times, R_ClassSymbol, times_class);
  int i = 0;
  SET_VECTOR_ELT(result, i++, tq_element(outcome, "value"));
  SET_VECTOR_ELT(result, i++, text(done->out));
  SET_VECTOR_ELT(result, i++, text(done->err));
  i++;
  SET_VECTOR_ELT(result, i++, tq_string(done->id));
  SET_VECTOR_ELT(result, i++, done->succeeded ? success : Rf_mkString(done->status));
  SET_VECTOR_ELT(result, i++, conditions(outcome, "warnings"));
  SET_VECTOR_ELT(result, i++, conditions(outcome, "messages"));
  SET_VECTOR_ELT(result, i++, Rf_ScalarInteger(done->tries));
  SET_VECTOR_ELT(result, i++, Rf_ScalarInteger(done->pid ? done->pid : NA_INTEGER));
  SET_VECTOR_ELT(result, i++, times);
  SET_VECTOR_ELT(result, i++, Rf_ScalarReal(done->finished - started));
  SET_VECTOR_ELT(result, i++, Rf_ScalarReal(known(done->cpu)));
  SET_VECTOR_ELT(result, i++, Rf_ScalarReal(known(done->max_rss)));
  Rf_setAttrib(result, R_NamesSymbol, result_names);
  Rf_setAttrib(result, R_ClassSymbol, result_class);
  UNPROTECT(2);
  return result;
}

/* A done task for R: its result but for the error, and what that is made of. */
static SEXP make_task(const struct tq_done *done, SEXP outcome) {
  static const char *names[] = {"serial", "id",        "result", "status", "outcome", "stderr_tail", "dropped",
                                "signal", "exit_code", "cause",  "after",  "worker",  ""};
  SEXP task = PROTECT(Rf_mkNamed(VECSXP, names));
  int i = 0;
  SET_VECTOR_ELT(task, i++, Rf_ScalarReal(done->serial));
  SET_VECTOR_ELT(task, i++, tq_string(done->id));
  SET_VECTOR_ELT(task, i++, make_result(done, outcome));
  SET_VECTOR_ELT(task, i++, Rf_mkString(done->status));
  SET_VECTOR_ELT(task, i++, outcome);
  SET_VECTOR_ELT(task, i++, tq_string(done->tail));
  SET_VECTOR_ELT(task, i++, Rf_ScalarReal(done->dropped));
  SET_VECTOR_ELT(task, i++, Rf_ScalarInteger(done->signal ? done->signal : NA_INTEGER));
  SET_VECTOR_ELT(task, i++, Rf_ScalarInteger(done->exit_code >= 0 ? done->exit_code : NA_INTEGER));
  SET_VECTOR_ELT(task, i++, Rf_mkString(done->cause));
  SET_VECTOR_ELT(task, i++, done->after.length ? tq_string(done->after) : R_NilValue);
  SET_VECTOR_ELT(task, i++, Rf_ScalarInteger(done->pid ? done->pid : NA_INTEGER));
  UNPROTECT(1);
  return task;
}

/* ---- outcomes: made by a session, and checked before they are used ---- */

static int is_list_or_nothing(SEXP x) { return x == R_NilValue || TYPEOF(x) == VECSXP; }

/* R/worker-eval.R has what stands in one. */
static int is_outcome(SEXP x, int succeeded) {
  if (x == R_NilValue) return !succeeded;
  SEXP names = Rf_getAttrib(x, R_NamesSymbol);
  if (TYPEOF(x) != VECSXP || TYPEOF(names) != STRSXP) return 0;
  if (succeeded && (XLENGTH(x) == 0 || strcmp(CHAR(STRING_ELT(names, 0)), "value") != 0)) return 0;
  SEXP error = tq_element(x, "error"), phase = tq_element(x, "phase"), dropped = tq_element(x, "dropped");
  if (!is_list_or_nothing(tq_element(x, "warnings")) || !is_list_or_nothing(tq_element(x, "messages"))) return 0;
  if (error != R_NilValue && (TYPEOF(error) != VECSXP || !Rf_inherits(error, "condition"))) return 0;
  if (phase != R_NilValue && (TYPEOF(phase) != STRSXP || XLENGTH(phase) != 1)) return 0;
  return dropped == R_NilValue || (TYPEOF(dropped) == INTSXP && XLENGTH(dropped) == 1);
}

SEXP tq_describe_done(void *data) {
  struct tq_done done;
  tq_done_read(data, &done);
  SEXP problem = PROTECT(Rf_allocVector(VECSXP, 1));
  SEXP outcome = tq_unserialize_with_care(done.outcome, problem);
  if (!outcome || !is_outcome(outcome, done.succeeded)) {
    /* A task that was cancelled or has crashed has no outcome. */
    int counts = done.succeeded || strcmp(done.status, "error") == 0;
    outcome = counts ? tq_call_own("tq_unreadable", VECTOR_ELT(problem, 0)) : R_NilValue;
    if (counts) done.status = "error";
    done.succeeded = 0;
  }
  PROTECT(outcome);
  SEXP task = make_task(&done, outcome);
  UNPROTECT(2);
  return task;
}

static SEXP describe_done(void *done) {
  return done ? R_ExecWithCleanup(tq_describe_done, done, tq_done_free, done) : R_NilValue;
}

/* ---- pop ---- */

static SEXP evaluate(SEXP function) {
  SEXP call = PROTECT(Rf_lang1(function));
  SEXP value = Rf_eval(call, R_BaseEnv);
  UNPROTECT(1);
  return value;
}

struct pop {
  void *queue, *done;
};

static SEXP pop_body(void *data) {
  struct pop *pop = data;
  struct tq_done done;
  tq_done_read(pop->done, &done);
  if (!done.succeeded || done.dropped > 0) return NULL;
  SEXP outcome = tq_unserialize_if_sound(done.outcome);
  if (!outcome || !is_outcome(outcome, 1)) return NULL;
  PROTECT(outcome);
  int is_whole = Rf_xlength(tq_element(outcome, "dropped")) == 0;
  SEXP result = PROTECT(is_whole ? make_result(&done, outcome) : R_NilValue);
  /* Nothing is allocated from here on. */
  int is_taken = is_whole && tq_take(pop->queue, done.serial);
  UNPROTECT(2);
  return is_taken ? result : NULL;
}

static void pop_cleanup(void *data) { tq_done_free(((struct pop *) data)->done); }

/* (handle, timeout, look): waits as wait_done() does; the result of the oldest done task, which is then out of the queue, or NULL. When
 * the task has not succeeded, or anything else needs a closer look, nothing has happened, and it is what look() gives.
 *
 * In two phases, as everything that takes tasks: the result is whole before the task leaves the queue, and nothing can jump or be
 * interrupted between that and the return. */
SEXP tq_r_pop(SEXP args) {
  SEXP timeout = tq_argument(args, 2), look = tq_argument(args, 3), refusal;
  /* A part of a millisecond is looked at more closely: seconds are meant, perhaps. */
  int is_plain = TYPEOF(timeout) == REALSXP && XLENGTH(timeout) == 1 && !tq_has_attributes(timeout) &&
    (REAL(timeout)[0] >= 1 || REAL(timeout)[0] == 0);
  void *queue = is_plain ? tq_queue_asked(tq_argument(args, 1), &refusal) : NULL;
  if (!queue || tq_wait_in_slices(queue, REAL(timeout)[0], tq_wait_for_done) == TQ_FAILED) return evaluate(look);
  struct pop pop = {queue, tq_oldest_done(queue)};
  if (!pop.done) return R_NilValue;
  SEXP result = R_ExecWithCleanup(pop_body, &pop, pop_cleanup, &pop);
  return result ? result : evaluate(look);
}

/* ---- in two steps, with R code in between ---- */

/* (handle, ms): waits as wait_done() does; the oldest done task as a list, or NULL. It stays in the queue. */
SEXP tq_r_peek(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_asked(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  int answer = tq_wait_in_slices(queue, Rf_asReal(tq_argument(args, 2)), tq_wait_for_done);
  return answer == TQ_FAILED ? tq_answer(tq_tell_failure(queue)) : describe_done(tq_oldest_done(queue));
}

/* (handle, serial): that done task as a list, or NULL. */
SEXP tq_r_outcome(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_of(tq_argument(args, 1), &refusal);
  return queue ? describe_done(tq_done_task(queue, Rf_asReal(tq_argument(args, 2)))) : refusal;
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
