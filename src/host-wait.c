/* Waiting, in slices in which R gets to see a Ctrl-C. */

#include "rapi.h"

#include <math.h>

/* How long Rust waits before it does. */
#define SLICE_MS 50.0

int tq_wait_in_slices(void *what, double ms, int (*wait)(void *, double)) {
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
SEXP tq_r_wait_done(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_asked(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  int answer = tq_wait_in_slices(queue, Rf_asReal(tq_argument(args, 2)), tq_wait_for_done);
  return answer == TQ_FAILED ? tq_answer(tq_tell_failure(queue)) : Rf_ScalarLogical(answer == TQ_DONE);
}

struct wait_room {
  void *queue;
  double count;
};

static int wait_for_room(void *wait, double ms) {
  return tq_wait_for_room(((struct wait_room *) wait)->queue, ((struct wait_room *) wait)->count, ms);
}

/* (handle, count, ms): TRUE when the queue takes so many tasks more, or refuses for another reason; FALSE when the time is over; a
 * failure as above. */
SEXP tq_r_wait_room(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_asked(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  struct wait_room wait = {queue, Rf_asReal(tq_argument(args, 2))};
  int answer = tq_wait_in_slices(&wait, Rf_asReal(tq_argument(args, 3)), wait_for_room);
  return answer == TQ_FAILED ? tq_answer(tq_tell_failure(queue)) : Rf_ScalarLogical(answer == TQ_DONE);
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
  int answer = tq_wait_in_slices(wait, wait->ms, wait_for_awaited);
  return answer == TQ_FAILED ? tq_answer(tq_tell_failure(wait->queue)) : Rf_ScalarLogical(answer == TQ_DONE);
}

static void wait_all_cleanup(void *data) {
  tq_awaited_free(((struct wait_all *) data)->awaited);
}

/* (handle, serial numbers or NULL for all, ms): TRUE when all of them are done; FALSE when the time is over; a failure as above. */
SEXP tq_r_wait_all(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_asked(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  SEXP tasks = tq_argument(args, 2);
  void *awaited = tasks == R_NilValue ? tq_awaited_new(NULL, 0) : tq_awaited_new(REAL(tasks), (size_t) XLENGTH(tasks));
  struct wait_all wait = {queue, awaited, Rf_asReal(tq_argument(args, 3))};
  return R_ExecWithCleanup(wait_all_body, &wait, wait_all_cleanup, &wait);
}

/* (handle, ms): TRUE when no process of the queue is left. */
SEXP tq_r_wait_closed(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_of(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  return Rf_ScalarLogical(tq_wait_in_slices(queue, Rf_asReal(tq_argument(args, 2)), tq_wait_for_end) == TQ_DONE);
}
