/* What list_tasks() shows of tasks: their functions, arguments and results, as they were when the table was made. */

#include "rapi.h"

/* The places in the list that R keeps; the first three are as long as there are tasks. */
enum { FUNS, ARGS, DONE, AT };

struct objects {
  const void *snapshot;
  SEXP lists;
  /* The task whose function was read last, which keeps that alive, and what was read. */
  void *known;
  const void *known_payload;
  SEXP last;
  void *task, *done;
};

static void read_sent(struct objects *objects, R_xlen_t i) {
  const void *fun_payload, *call_payload;
  tq_task_read(objects->task, &fun_payload, &call_payload);
  if (fun_payload != objects->known_payload) {
    objects->known_payload = NULL;
    SET_VECTOR_ELT(objects->last, 0, tq_unserialize(fun_payload));
    /* Held from here on, so that no other function has its address. */
    tq_task_free(objects->known);
    objects->known = objects->task;
    objects->known_payload = fun_payload;
    objects->task = NULL;
  }
  SET_VECTOR_ELT(VECTOR_ELT(objects->lists, FUNS), i, VECTOR_ELT(objects->last, 0));
  SEXP call = PROTECT(tq_unserialize(call_payload));
  SEXP args = tq_element(call, "args");
  SET_VECTOR_ELT(VECTOR_ELT(objects->lists, ARGS), i, args == R_NilValue ? Rf_allocVector(VECSXP, 0) : args);
  UNPROTECT(1);
}

static SEXP objects_body(void *data) {
  struct objects *objects = data;
  double *at = REAL(VECTOR_ELT(objects->lists, AT));
  objects->last = PROTECT(Rf_allocVector(VECSXP, 1));
  size_t count = tq_objects_count(objects->snapshot);
  while (at[0] < (double) count) {
    size_t i = (size_t) at[0]++;
    objects->task = tq_objects_sent(objects->snapshot, i);
    if (objects->task) {
      read_sent(objects, (R_xlen_t) i);
      tq_task_free(objects->task);
      objects->task = NULL;
    }
    objects->done = tq_objects_done(objects->snapshot, i);
    if (objects->done) {
      SET_VECTOR_ELT(VECTOR_ELT(objects->lists, DONE), (R_xlen_t) i, tq_describe_done(objects->done));
      tq_done_free(objects->done);
      objects->done = NULL;
    }
    if (i % 1000 == 999) R_CheckUserInterrupt();
  }
  UNPROTECT(1);
  return R_NilValue;
}

static void objects_cleanup(void *data) {
  struct objects *objects = data;
  tq_task_free(objects->known);
  tq_task_free(objects->task);
  tq_done_free(objects->done);
}

/* (snapshot, lists): fills list(fun, args, done, at), from the place in `at` on. Where something cannot be read it jumps, and
 * `at` is behind that: calling it again goes on there. What was freed stays NULL. */
SEXP tq_r_objects(SEXP args) {
  const void *snapshot = R_ExternalPtrAddr(tq_argument(args, 1));
  if (!snapshot) Rf_error("the snapshot is gone");
  struct objects objects = {snapshot, tq_argument(args, 2), NULL, NULL, NULL, NULL, NULL};
  return R_ExecWithCleanup(objects_body, &objects, objects_cleanup, &objects);
}

/* (snapshot): lets go of it, which would else wait for R to collect garbage. */
SEXP tq_r_objects_free(SEXP args) {
  tq_snapshot_finalize(tq_argument(args, 1));
  return R_NilValue;
}
