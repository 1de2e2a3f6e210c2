/* share(): an object's vectors are copied into a segment, and a copy of the object is made that has shared vectors in
 * their places. What these are to R is in shared.c.
 *
 * All that depends on the object is decided here: what can be shared at all, what is worth it, and which attributes
 * are. What cannot be shared for want of memory stays as it is. */

#include "shared.h"
#include "walk.h"

#include <limits.h>
#include <stdlib.h>

/* A smaller vector stays as it is: it costs less than a handle does. */
static const size_t worth_bytes = 1024;

/* Where in the object one is, from the inside outwards. */
struct step {
  const struct step *outer;
  R_xlen_t index;
};

/* Two walks over the object: the first writes what is worth it into a segment and notes where, the second makes the copy, reading
 * these notes in the same order. */
struct sharing {
  SEXP x;
  void *writer, *segment, *starts;
  double *places;
  size_t count, room, next;
  SEXP pointer;
};

static int is_worth(SEXP x) {
  if (tq_kind_of(TYPEOF(x)) < 0 || (size_t) XLENGTH(x) * tq_element_size(TYPEOF(x)) < worth_bytes) return 0;
  return !tq_is_shared(x) || !tq_is_intact(x);
}

static SEXP refusal(SEXP x, const struct step *way) {
  R_xlen_t depth = 0;
  for (const struct step *step = way; step; step = step->outer) depth++;
  SEXP answer = PROTECT(Rf_allocVector(VECSXP, 2));
  SEXP where = Rf_allocVector(REALSXP, depth);
  SET_VECTOR_ELT(answer, 0, where);
  for (const struct step *step = way; step; step = step->outer) REAL(where)[--depth] = (double) step->index + 1;
  SET_VECTOR_ELT(answer, 1, x);
  UNPROTECT(1);
  return answer;
}

/* What keeps an object from being shared, or NULL. */
static SEXP find_obstacle(SEXP x, const struct step *way) {
  R_CheckStack();
  if (x == R_NilValue) return NULL;
  if (Rf_isS4(x) || (TYPEOF(x) != VECSXP && tq_kind_of(TYPEOF(x)) < 0)) return refusal(x, way);
  if (TYPEOF(x) != VECSXP) return NULL;
  for (R_xlen_t i = 0; i < XLENGTH(x); i++) {
    struct step step = {way, i};
    SEXP obstacle = find_obstacle(VECTOR_ELT(x, i), &step);
    if (obstacle) return obstacle;
  }
  return NULL;
}

/* Writing has failed once it answers below zero; the rest goes nowhere then. */
static double put(struct sharing *sharing, const void *bytes, size_t length, size_t align) {
  double at = sharing->writer ? tq_segment_write(sharing->writer, bytes, length, align) : -1;
  if (at < 0) {
    tq_segment_abandon(sharing->writer);
    sharing->writer = NULL;
  }
  return at;
}

static double put_strings(struct sharing *sharing, SEXP x, size_t *size) {
  R_xlen_t length = XLENGTH(x);
  size_t table = sizeof(uint64_t) * ((size_t) length + 1);
  uint64_t *starts = sharing->starts = malloc(table), at = 0;
  if (!starts) Rf_error("out of memory while sharing a character vector");
  for (R_xlen_t i = 0; i < length; i++) {
    SEXP string = STRING_ELT(x, i);
    starts[i] = at | tq_string_flags(string) << 60;
    if (string != NA_STRING) at += (uint64_t) XLENGTH(string);
  }
  starts[length] = at;
  double place = put(sharing, starts, table, TQ_ALIGN);
  free(starts);
  sharing->starts = NULL;
  for (R_xlen_t i = 0; i < length && sharing->writer; i++) {
    SEXP string = STRING_ELT(x, i);
    if (string != NA_STRING) put(sharing, CHAR(string), (size_t) XLENGTH(string), 1);
  }
  *size = table + at;
  return place;
}

/* One that R has not written out stays so: it is read in pieces. */
static double put_numbers(struct sharing *sharing, SEXP x, size_t *size) {
  enum { PIECE = 4096 };
  size_t element = tq_element_size(TYPEOF(x));
  R_xlen_t length = XLENGTH(x);
  *size = (size_t) length * element;
  int is_compact = ALTREP(x) && !DATAPTR_OR_NULL(x) && (TYPEOF(x) == INTSXP || TYPEOF(x) == REALSXP);
  if (!is_compact) return put(sharing, DATAPTR_RO(x), *size, TQ_ALIGN);
  double place = -1, piece[PIECE];
  for (R_xlen_t i = 0; i < length && (i == 0 || sharing->writer); i += PIECE) {
    R_xlen_t count = TYPEOF(x) == INTSXP ? INTEGER_GET_REGION(x, i, PIECE, (int *) piece) : REAL_GET_REGION(x, i, PIECE, piece);
    double at = put(sharing, piece, (size_t) count * element, i ? 1 : TQ_ALIGN);
    if (i == 0) place = at;
  }
  return place;
}

static void write_vector(struct sharing *sharing, SEXP x) {
  if (sharing->count == sharing->room) {
    size_t room = sharing->room ? 2 * sharing->room : 64;
    double *places = realloc(sharing->places, 2 * room * sizeof(double));
    if (!places) Rf_error("out of memory while sharing an object");
    sharing->places = places;
    sharing->room = room;
  }
  if (sharing->count == 0) sharing->writer = tq_segment_begin();
  size_t size = 0;
  double place = TYPEOF(x) == STRSXP ? put_strings(sharing, x, &size) : put_numbers(sharing, x, &size);
  sharing->places[2 * sharing->count] = place;
  sharing->places[2 * sharing->count + 1] = (double) size;
  sharing->count++;
}

static void write_object(struct sharing *sharing, SEXP x) {
  if (TYPEOF(x) == VECSXP) {
    for (R_xlen_t i = 0; i < XLENGTH(x); i++) write_object(sharing, VECTOR_ELT(x, i));
  } else if (is_worth(x)) {
    write_vector(sharing, x);
  } else {
    return;
  }
  for (int i = 0; i < TQ_LARGE_ATTRIBUTES; i++) {
    SEXP attribute = PROTECT(tq_large_attribute(x, i));
    write_object(sharing, attribute);
    UNPROTECT(1);
  }
}

static SEXP shared_vector(SEXP x, void *data) {
  struct sharing *sharing = data;
  if (!is_worth(x)) return x;
  double *place = sharing->places + 2 * sharing->next++;
  return tq_make_shared(TYPEOF(x), sharing->pointer, (size_t) place[0], XLENGTH(x), (size_t) place[1]);
}

static SEXP share_body(void *data) {
  struct sharing *sharing = data;
  SEXP obstacle = find_obstacle(sharing->x, NULL);
  if (obstacle) return obstacle;
  SEXP answer = PROTECT(Rf_allocVector(VECSXP, 1));
  SET_VECTOR_ELT(answer, 0, sharing->x);
  write_object(sharing, sharing->x);
  if (sharing->writer) {
    sharing->segment = tq_segment_end(sharing->writer);
    sharing->writer = NULL;
  }
  /* Without one, the object is as good as it is. */
  if (sharing->segment) {
    sharing->pointer = PROTECT(tq_segment_pointer(sharing->segment));
    SET_VECTOR_ELT(answer, 0, tq_with_vectors(sharing->x, INT_MAX, shared_vector, sharing));
    UNPROTECT(1);
  }
  UNPROTECT(1);
  return answer;
}

static void share_cleanup(void *data) {
  struct sharing *sharing = data;
  tq_segment_abandon(sharing->writer);
  tq_segment_free(sharing->segment);
  free(sharing->starts);
  free(sharing->places);
}

/* (object): a list of the same with its large vectors shared; or of where it cannot be shared (an index for each level), and what
 * is there. */
SEXP tq_r_share(SEXP args) {
  struct sharing sharing = {tq_argument(args, 1), NULL, NULL, NULL, NULL, 0, 0, 0, R_NilValue};
  return R_ExecWithCleanup(share_body, &sharing, share_cleanup, &sharing);
}
