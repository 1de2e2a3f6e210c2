/* Large vectors travel in parcels, memory files of their own, beside what is serialized, and arrive as vectors over
 * these: they are copied once, by who sends them, and not at all by who gets them.
 *
 * Sending (src/rust/src/parcels.rs): a copy of the object is serialized in which markers stand for its large vectors. A
 * marker is an ALTREP object that only R's serializer ever sees; what this writes of it is the type of the
 * vector, and where in which parcel it lies. Attributes are those of the vector, and travel as always.
 *
 * Getting: R asks the class of a marker to read it, and gets a vector (shared.c) over the parcel. What comes from
 * another process is looked at before it is used.
 *
 * Only vectors that R would write out in any case go in parcels: not what R or a package has its own short form of. */

#include "taskq.h"

#include <R_ext/Altrep.h>

#include <string.h>

/* R does not count this memory when it decides to collect garbage. So we do: when there is twice as much as after the
 * last time, and at least so much. */
static const double tolerated = 256.0 * 1024 * 1024;

static R_altrep_class_t marker_class;

/* ---- sending ---- */

/* R makes a wrapper where it changes attributes of a large vector; it stands for the vector that is its first part.
 * The second are two numbers about that. */
static int is_wrapper(SEXP x) {
  SEXP inner = R_altrep_data1(x), about = R_altrep_data2(x);
  return TYPEOF(inner) == TYPEOF(x) && TYPEOF(about) == INTSXP && XLENGTH(about) == 2 && XLENGTH(inner) == XLENGTH(x);
}

int tq_is_plain_list(SEXP x) { return TYPEOF(x) == VECSXP && (!ALTREP(x) || is_wrapper(x)); }

const void *tq_elements_of(SEXP x) {
  while (ALTREP(x) && !tq_is_mapped(x)) {
    if (!is_wrapper(x)) return NULL;
    x = R_altrep_data1(x);
  }
  return tq_is_shared(x) && tq_is_intact(x) ? NULL : DATAPTR_OR_NULL(x);
}

SEXP tq_marker(const double *state) {
  SEXP numbers = PROTECT(Rf_allocVector(REALSXP, 4));
  memcpy(REAL(numbers), state, 4 * sizeof(double));
  SEXP marker = R_new_altrep(marker_class, numbers, R_NilValue);
  UNPROTECT(1);
  return marker;
}

/* ---- getting ---- */

static double held = 0, most = 0;

double tq_parcels_held(void) { return held; }

/* How many bytes count for a holder stands in its tag. */
static void free_parcel(SEXP holder) {
  if (R_ExternalPtrAddr(holder)) held -= REAL(R_ExternalPtrTag(holder))[0];
  tq_parcel_free(R_ExternalPtrAddr(holder));
  R_ClearExternalPtr(holder);
}

static void make_room(double bytes) {
  if (most < tolerated) most = tolerated;
  if (held + bytes <= most) return;
  R_gc();
  most = 2 * (held + bytes);
}

static SEXP read_marker(SEXP class, SEXP state) {
  (void) class;
  const void *payload = tq_payload_being_read();
  if (!payload) Rf_error("a large vector was saved without its data");
  if (TYPEOF(state) != REALSXP || XLENGTH(state) != 4) Rf_error("a large vector came without its place");
  struct tq_place place;
  const char *fault = tq_find_arrived(REAL(state), &place);
  if (fault) Rf_error("%s", fault);
  double size = (double) place.size;
  make_room(size);
  /* The pointer is made first: when there is no memory for it, the parcel is not held. */
  SEXP tag = PROTECT(Rf_ScalarReal(size));
  SEXP holder = PROTECT(R_MakeExternalPtr(NULL, tag, R_NilValue));
  R_RegisterCFinalizerEx(holder, free_parcel, FALSE);
  void *parcel = tq_payload_parcel(payload, place.number);
  if (!parcel) Rf_error("a large vector came without its parcel, or there is no memory for it");
  R_SetExternalPtrAddr(holder, parcel);
  held += size;
  struct tq_bytes all;
  if (!tq_parcel_bytes(parcel, &all)) Rf_error("out of memory while reading a large vector");
  if (!tq_place_is_in(&place, all.length)) Rf_error("a large vector is not where it was said to be");
  SEXP x = tq_make_arrived((SEXPTYPE) place.kind, holder, all.bytes, place.offset, (R_xlen_t) place.length);
  UNPROTECT(2);
  return x;
}

static SEXP marker_state(SEXP x) { return R_altrep_data1(x); }

static R_xlen_t marker_length(SEXP x) { return (R_xlen_t) REAL(R_altrep_data1(x))[3]; }

void tq_parcels_begin(DllInfo *dll) {
  marker_class = R_make_altraw_class("parcel", "taskq", dll);
  R_set_altrep_Length_method(marker_class, marker_length);
  R_set_altrep_Serialized_state_method(marker_class, marker_state);
  R_set_altrep_Unserialize_method(marker_class, read_marker);
}
