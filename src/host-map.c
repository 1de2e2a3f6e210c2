/* The host's side of a map: its elements go out in batches, and its results come together.
 *
 * A map is an external pointer to what Rust keeps of it; what belongs to R hangs on it as a list: the elements, and the results
 * as far as they are there. Nothing else sees that list before the map is over, so it is filled in place. */

#include "elements.h"

#include <math.h>

enum { ELEMENTS, RESULTS, TOKEN, KEEP, PARTS };

static void *map_of(SEXP map) {
  void *address = TYPEOF(map) == EXTPTRSXP ? R_ExternalPtrAddr(map) : NULL;
  if (!address) Rf_error("the map is over");
  return address;
}

static SEXP part_of(SEXP map, int part) { return VECTOR_ELT(R_ExternalPtrProtected(map), part); }

static void end_map(SEXP map) {
  void *address = R_ExternalPtrAddr(map);
  R_ClearExternalPtr(map);
  tq_map_free(address);
}

struct begin {
  void *queue;
  SEXP args;
  void *buffer, *function;
};

static SEXP begin_body(void *data) {
  struct begin *begin = data;
  SEXP elements = tq_argument(begin->args, 2), work = tq_argument(begin->args, 3);
  int is_pure;
  begin->function = tq_serialize_function(work, &begin->buffer, &is_pure);
  SEXP parts = PROTECT(Rf_allocVector(VECSXP, PARTS));
  SET_VECTOR_ELT(parts, ELEMENTS, elements);
  SET_VECTOR_ELT(parts, RESULTS, Rf_allocVector(VECSXP, XLENGTH(elements)));
  SET_VECTOR_ELT(parts, TOKEN, tq_argument(begin->args, 4));
  SET_VECTOR_ELT(parts, KEEP, tq_argument(begin->args, 5));
  SEXP map = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, parts));
  R_RegisterCFinalizerEx(map, end_map, FALSE);
  void *address = NULL;
  void *refusal =
    tq_map_new(begin->queue, begin->function, (double) XLENGTH(elements), Rf_asReal(tq_argument(begin->args, 6)), &address);
  R_SetExternalPtrAddr(map, address);
  UNPROTECT(2);
  return refusal ? tq_answer(refusal) : map;
}

static void begin_cleanup(void *data) {
  tq_buffer_free(((struct begin *) data)->buffer);
  tq_function_free(((struct begin *) data)->function);
}

/* (handle, elements, work, token, keep, elements in each batch or 0): a map, or a failure. */
SEXP tq_r_map_begin(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_asked(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  struct begin data = {queue, args, NULL, NULL};
  return R_ExecWithCleanup(begin_body, &data, begin_cleanup, &data);
}

struct feed {
  SEXP map;
  void *buffer;
};

/* What R/worker-map.R reads. Elements that are plain scalars travel as the vector that they make, which has the same elements. */
static SEXP describe_batch(SEXP map, const struct tq_batch_info *batch) {
  static const char *outer[] = {"batch", ""};
  static const char *inner[] = {"x", "first", "budget", "whole", "token", "keep", ""};
  SEXP call = PROTECT(Rf_mkNamed(VECSXP, outer));
  SEXP list = Rf_mkNamed(VECSXP, inner);
  SET_VECTOR_ELT(call, 0, list);
  SEXP slice = PROTECT(tq_slice(part_of(map, ELEMENTS), (R_xlen_t) batch->first, (R_xlen_t) batch->count));
  SET_VECTOR_ELT(list, 0, TYPEOF(slice) == VECSXP ? tq_pack(slice, XLENGTH(slice)) : slice);
  SET_VECTOR_ELT(list, 1, Rf_ScalarReal(batch->first));
  SET_VECTOR_ELT(list, 2, Rf_ScalarReal(batch->budget_ms));
  SET_VECTOR_ELT(list, 3, Rf_ScalarReal(tq_map_number(map_of(map))));
  SET_VECTOR_ELT(list, 4, part_of(map, TOKEN));
  SET_VECTOR_ELT(list, 5, part_of(map, KEEP));
  UNPROTECT(2);
  return call;
}

static SEXP feed_body(void *data) {
  struct feed *feed = data;
  struct tq_batch_info batch;
  while (tq_map_next(map_of(feed->map), &batch)) {
    SEXP call = PROTECT(describe_batch(feed->map, &batch));
    feed->buffer = tq_buffer_new(TQ_SEGMENTS, 0);
    tq_serialize_sent(feed->buffer, call, R_NilValue);
    UNPROTECT(1);
    void *bytes = feed->buffer;
    feed->buffer = NULL;
    void *refusal = tq_map_push(map_of(feed->map), bytes);
    if (refusal) return tq_answer(refusal);
  }
  return R_NilValue;
}

static void feed_cleanup(void *data) {
  tq_buffer_free(((struct feed *) data)->buffer);
}

/* (map): pushes as many batches as the workers need now. NULL, or a failure. */
SEXP tq_r_map_feed(SEXP args) {
  struct feed data = {tq_argument(args, 1), NULL};
  return R_ExecWithCleanup(feed_body, &data, feed_cleanup, &data);
}

struct wait_map {
  void *map;
  double serial;
};

static int wait_for_batch(void *wait, double ms) {
  return tq_map_wait(((struct wait_map *) wait)->map, &((struct wait_map *) wait)->serial, ms);
}

/* (handle, map, ms): the number of a batch that is done; FALSE when the time is over, or there is something to push; NULL when
 * nothing is under way; a failure when the pool has failed and nobody was told yet. */
SEXP tq_r_map_wait(SEXP args) {
  SEXP refusal;
  void *queue = tq_queue_asked(tq_argument(args, 1), &refusal);
  if (!queue) return refusal;
  struct wait_map wait = {map_of(tq_argument(args, 2)), 0};
  switch (tq_wait_in_slices(&wait, Rf_asReal(tq_argument(args, 3)), wait_for_batch)) {
  case TQ_DONE:
    return Rf_ScalarReal(wait.serial);
  case TQ_EMPTY:
    return R_NilValue;
  case TQ_FAILED:
    return tq_answer(tq_tell_failure(queue));
  default:
    return Rf_ScalarLogical(FALSE);
  }
}

/* (map, serial): first and number of the elements of a batch, counted from 0, and how many had begun if its session died. */
SEXP tq_r_map_batch(SEXP args) {
  struct tq_batch_info batch;
  void *map = map_of(tq_argument(args, 1));
  double serial = Rf_asReal(tq_argument(args, 2));
  if (!tq_map_batch(map, serial, &batch)) Rf_error("there is no such batch");
  SEXP range = Rf_allocVector(REALSXP, 3);
  REAL(range)[0] = batch.first;
  REAL(range)[1] = batch.count;
  REAL(range)[2] = tq_map_begun(map, serial);
  return range;
}

/* (map, first, values): results of elements, packed or not, from this one on, counted from 0. */
SEXP tq_r_map_put(SEXP args) {
  SEXP results = part_of(tq_argument(args, 1), RESULTS), values = tq_argument(args, 3);
  double first = Rf_asReal(tq_argument(args, 2));
  if (!(first >= 0 && first + (double) XLENGTH(values) <= (double) XLENGTH(results))) Rf_error("there are no such elements");
  tq_unpack(values, results, (R_xlen_t) first);
  return R_NilValue;
}

/* (map, serial, settled, milliseconds of all, of the last one): takes a batch that is done, the first so many of whose elements have
 * their results. The others are sent again. Times are below zero where they are not known. */
SEXP tq_r_map_settle(SEXP args) {
  tq_map_settle(map_of(tq_argument(args, 1)), Rf_asReal(tq_argument(args, 2)), Rf_asReal(tq_argument(args, 3)),
                Rf_asReal(tq_argument(args, 4)), Rf_asReal(tq_argument(args, 5)));
  return R_NilValue;
}

/* (map): its results. */
SEXP tq_r_map_results(SEXP args) { return part_of(tq_argument(args, 1), RESULTS); }

/* (map): ends it; what is under way is cancelled. */
SEXP tq_r_map_end(SEXP args) {
  end_map(tq_argument(args, 1));
  return R_NilValue;
}
