/* Handing in a task. */

#include "rapi.h"

#include <Rversion.h>

/* The function that was pushed last, and its bytes. The same object has the same bytes as long as it holds no reference, and it
 * stays the same object as long as we hold it: pushing one function many times serializes it once, and keeps it once. */
static SEXP last_fun = NULL;
static void *last_function = NULL;

#if R_VERSION >= R_Version(4, 5, 0)
#define BODY R_ClosureBody
#define FORMALS R_ClosureFormals
#define CLOENV R_ClosureEnv

/* This R does not let us look at all of them: where there are any, they count as different. */
static int has_same_attributes(SEXP x, SEXP y) { return !tq_has_attributes(x) && !tq_has_attributes(y); }
#else
static int has_same_attributes(SEXP x, SEXP y) {
  SEXP mine = ATTRIB(x), theirs = ATTRIB(y);
  for (; mine != R_NilValue && theirs != R_NilValue; mine = CDR(mine), theirs = CDR(theirs))
    if (TAG(mine) != TAG(theirs) || CAR(mine) != CAR(theirs)) return 0;
  return mine == theirs;
}
#endif

/* Whether two functions are the same in all that is sent of them. One that is made anew in every turn of a loop shares its parts. */
static int is_same(SEXP fun, SEXP other) {
  if (fun == other) return 1;
  if (!other || TYPEOF(fun) != CLOSXP || TYPEOF(other) != CLOSXP || Rf_isS4(fun) != Rf_isS4(other)) return 0;
  if (BODY(fun) != BODY(other) || FORMALS(fun) != FORMALS(other) || CLOENV(fun) != CLOENV(other)) return 0;
  return has_same_attributes(fun, other);
}

/* Preserving allocates, so it comes before anything that must not be left halfway. */
static void remember_function(SEXP fun, void *function) {
  R_PreserveObject(fun);
  SEXP old_fun = last_fun;
  void *old_function = last_function;
  last_fun = fun;
  last_function = tq_function_hold(function);
  if (old_fun) R_ReleaseObject(old_fun);
  tq_function_free(old_function);
}

static SEXP utf8(SEXP text) { return Rf_mkCharCE(Rf_translateCharUTF8(text), CE_UTF8); }

struct push {
  void *queue;
  SEXP id, fun, call, options;
  void *fun_bytes, *function, *call_bytes;
};

/* Serializing may collect garbage, and a finalizer may push, too: what is used here is held here, and a reference that the inner
 * push has written only means that this function is not remembered. */
static SEXP push_body(void *data) {
  struct push *push = data;
  if (is_same(push->fun, last_fun)) {
    push->function = tq_function_hold(last_function);
  } else {
    int is_pure;
    push->function = tq_serialize_function(push->fun, &push->fun_bytes, &is_pure);
    /* What is shared is freed when its last holder lets go of it; this must not be one. */
    if (is_pure && !tq_function_has_files(push->function)) remember_function(push->fun, push->function);
  }
  push->call_bytes = tq_buffer_new(TQ_SEGMENTS, 0);
  if (push->call != R_NilValue) tq_serialize_sent(push->call_bytes, push->call, push->fun);
  /* Before the task is queued: there may be no memory for it. */
  int is_reserved = push->id == R_NilValue;
  SEXP id = PROTECT(Rf_ScalarString(is_reserved ? tq_char(tq_reserve_id(push->queue)) : utf8(STRING_ELT(push->id, 0))));
  void *call = push->call_bytes;
  push->call_bytes = NULL;
  void *failure = tq_push(push->queue, CHAR(STRING_ELT(id, 0)), is_reserved, push->function, call, push->options);
  UNPROTECT(1);
  return failure ? tq_answer(failure) : id;
}

static void push_cleanup(void *data) {
  struct push *push = data;
  tq_buffer_free(push->fun_bytes);
  tq_function_free(push->function);
  tq_buffer_free(push->call_bytes);
}

/* (handle, id or NULL, fun, call or NULL, options or NULL): the id, or a failure. Nothing is queued when an object cannot be
 * serialized. */
SEXP tq_r_push(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_asked(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  struct push data = {queue, tq_argument(args, 2), tq_argument(args, 3), tq_argument(args, 4), tq_argument(args, 5), NULL, NULL, NULL};
  return R_ExecWithCleanup(push_body, &data, push_cleanup, &data);
}

/* Arguments that need no check of R's: a list without a class. */
static int is_plain_list(SEXP args) { return TYPEOF(args) == VECSXP && !Rf_isObject(args); }

/* A function of which nothing has to be known but what it captures; of one of a package, its name. */
static int is_plain_function(SEXP fun) {
  if (TYPEOF(fun) == CLOSXP) return CLOENV(fun) == R_GlobalEnv || !R_IsNamespaceEnv(CLOENV(fun));
  return TYPEOF(fun) == BUILTINSXP || TYPEOF(fun) == SPECIALSXP;
}

/* What the task has beside its function, of these two; or NULL. */
static SEXP plain_call(SEXP args, SEXP captured) {
  R_xlen_t length = (XLENGTH(args) > 0) + (captured != R_NilValue), i = 0;
  if (length == 0) return R_NilValue;
  SEXP call = PROTECT(Rf_allocVector(VECSXP, length)), names = PROTECT(Rf_allocVector(STRSXP, length));
  if (XLENGTH(args) > 0) {
    SET_STRING_ELT(names, i, Rf_mkChar("args"));
    SET_VECTOR_ELT(call, i++, args);
  }
  if (captured != R_NilValue) {
    SET_STRING_ELT(names, i, Rf_mkChar("captured"));
    SET_VECTOR_ELT(call, i, captured);
  }
  Rf_setAttrib(call, R_NamesSymbol, names);
  UNPROTECT(2);
  return call;
}

/* (handle, fun, args): the id of the task; or NULL, when anything about the call needs a closer look, and nothing was queued. */
SEXP tq_r_push_plain(SEXP args) {
  SEXP fun = tq_argument(args, 2), task_args = tq_argument(args, 3), refusal;
  if (!is_plain_function(fun) || !is_plain_list(task_args)) return R_NilValue;
  void *queue = tq_queue_asked(tq_argument(args, 1), &refusal);
  if (!queue || tq_is_inline(queue)) return R_NilValue;
  SEXP captured;
  PROTECT(fun = tq_portable(fun, &captured));
  PROTECT(captured);
  SEXP call = PROTECT(plain_call(task_args, captured));
  struct push data = {queue, R_NilValue, fun, call, R_NilValue, NULL, NULL, NULL};
  SEXP id = R_ExecWithCleanup(push_body, &data, push_cleanup, &data);
  UNPROTECT(3);
  return TYPEOF(id) == STRSXP ? id : R_NilValue;
}
