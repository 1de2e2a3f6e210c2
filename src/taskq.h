/* What the files of C have in common, and what Rust offers to them (src/rust/src/external, entries.rs,
 * worker/serve.rs), where each function is described.
 *
 * R reports errors, interrupts and want of memory by longjmp, and no Rust frame may be jumped over. So Rust calls what
 * may jump only under the guard (guard.c). Functions of Rust's call nothing of R, and do not jump. */

#ifndef TASKQ_H
#define TASKQ_H

#include <stddef.h>
#include <stdint.h>
#define R_NO_REMAP
#include <R.h>
#include <R_ext/Rdynload.h>
#include <Rinternals.h>

/* ---- structures that cross --------------------------------------------------------------------------------------- */

/* Bytes that are read out of something live as long as it. */
struct tq_bytes {
  const char *bytes;
  size_t length;
};

/* What a call of R is given, when Rust makes it under the guard. */
union tq_slot {
  SEXP object;
  size_t count;
  double number;
  const void *address;
  void *buffer;
  R_CFinalizer_t finalizer;
};
typedef SEXP tq_call_of_r(const union tq_slot *args);

/* Without bytes it is NA; `encoding` is one of cetype_t. */
struct tq_text {
  const char *bytes;
  size_t length;
  int encoding;
};

/* An object that is to be made: one that is there, or a vector with these elements: numbers, struct tq_text
 * or struct tq_tree. Where `elements` is NULL and there is one, it stands in the tree itself. */
struct tq_tree {
  SEXP object; /* or NULL */
  int kind;
  size_t length;
  const void *elements;
  union {
    double real;
    int integer;
    struct tq_text text;
  } only;
  const struct tq_text *names; /* as many as there are elements; or NULL */
  SEXP kept_names, kept_class; /* or NULL */
};

/* Elements of a map that are to be called, as FUN(X[[i]], ...) in a frame, and the list for their results. The first
 * number of `state` is the place of the next element, from 0 on, and is counted up. `renew`: NULL of R, or called
 * before an element when the one before has used random numbers. Where they are counted each has to begin first, and
 * the host may have taken back what is left. */
struct tq_elements {
  SEXP frame, values, state, renew;
  size_t until;
  int are_counted, are_taken_back;
};

/* Where a vector lies that has come from another process: the number of its segment or parcel, and the place there. */
struct tq_place {
  int kind;
  size_t number, offset, length, size;
};

/* How a call of Rust's ends: with a value for R; R has jumped, and has to go on; or with a fault of this package. */
enum tq_ending { TQ_ANSWERED, TQ_JUMPED, TQ_FAULT };

/* ---- Rust -------------------------------------------------------------------------------------------------------- */

enum tq_ending tq_call(const char *name, const SEXP *given, size_t count, SEXP *value);
const char *tq_fault(void);
void tq_panics_begin(void);
int tq_session_begin_element(void);

typedef void (*tq_exec_later)(void (*)(void *), void *, double, int);
void tq_waker_set(tq_exec_later exec_later, void (*answer)(void *));
void tq_waker_wake(int loop);
void tq_waker_answer(int loop);

int tq_buffer_write(void *buffer, const void *bytes, size_t length);
int tq_buffer_attach(void *buffer, const void *segment);
int tq_payload_bytes(const void *payload, struct tq_bytes *bytes);
size_t tq_payload_segments(const void *payload);
const void *tq_payload_segment(const void *payload, size_t place);
size_t tq_payload_parcels(const void *payload);
void *tq_payload_parcel(const void *payload, size_t place);

const char *tq_find_shared(const void *payload, int kind, const double *state, struct tq_place *place);
const char *tq_find_arrived(const double *state, struct tq_place *place);
int tq_place_is_in(const struct tq_place *place, size_t length);
size_t tq_element_size(int kind);
int tq_string_in(const char *block, size_t size, size_t length, size_t place, struct tq_text *text);

/* Parcels and segments are held by whoever frees them. */
int tq_parcel_bytes(const void *parcel, struct tq_bytes *bytes);
int tq_parcel_own(void *parcel);
void tq_parcel_free(void *parcel);
void *tq_segment_hold(const void *segment);
void tq_segment_free(void *segment);
void tq_segment_bytes(const void *segment, struct tq_bytes *bytes);
void *tq_segment_private(const void *segment, size_t offset, size_t size, void **address);
int tq_private_is_written(const void *mapping);
void tq_private_free(void *mapping);
size_t tq_segments(void);

/* ---- C ----------------------------------------------------------------------------------------------------------- */

/* guard.c. C_tq_call (name, ...) is the only routine that R calls: the function of this name in Rust answers. */
void tq_guard_begin(void);
SEXP tq_r_call(SEXP args);
int tq_guarded(tq_call_of_r *call, const union tq_slot *args, int keeps, SEXP *value);
SEXP tq_call_own(const char *name, SEXP argument);

/* versions.c */
SEXP tq_make_closure(SEXP formals, SEXP code, SEXP env);
SEXP tq_enclosure(SEXP fun);
SEXP tq_formals(SEXP fun);
SEXP tq_parent(SEXP env);
SEXP tq_value_of(SEXP symbol, SEXP env);
int tq_base_function_was_used(SEXP symbol);
SEXP tq_value_at_hand(SEXP frame, SEXP symbol);
int tq_has_attributes(SEXP x);
SEXP tq_names(SEXP x);
int tq_is_namespace(SEXP env);
SEXP tq_only_names(SEXP list);
int tq_is_same_function(SEXP fun, SEXP other);

/* batch.c, promise.c */
void tq_call_elements(struct tq_elements *elements);
void tq_set_waker(SEXP settle_with);

/* serialize.c */
void tq_write(void *buffer, SEXP object, SEXP fun);
SEXP tq_read(const void *payload);
unsigned long tq_references_written(void);
unsigned long tq_doubts(void);
int tq_is_empty_pointer(SEXP object);

/* shared.c: vectors over mapped memory, shared ones, and those that have arrived in parcels. */
void tq_shared_begin(DllInfo *dll);
void tq_with_handles_written(void *buffer, SEXP object, SEXP sent, void (*write)(void *, SEXP, SEXP));
SEXP tq_with_handles_read(const void *payload, SEXP (*read)(const void *));
const void *tq_payload_being_read(void);
int tq_kind_of(SEXPTYPE type); /* of those that can lie there; below zero for the others */
int tq_is_mapped(SEXP x);
int tq_is_shared(SEXP x);
int tq_is_intact(SEXP x); /* it is what its segment holds */
SEXP tq_segment_pointer(const void *segment);
SEXP tq_make_shared(SEXPTYPE type, SEXP segment, size_t offset, R_xlen_t length, size_t size);
SEXP tq_make_arrived(SEXPTYPE type, SEXP parcel, const char *all, size_t offset, R_xlen_t length);
uint64_t tq_string_flags(SEXP string);

/* parcels.c */
void tq_parcels_begin(DllInfo *dll);
int tq_is_plain_list(SEXP x);
const void *tq_elements_of(SEXP x);
SEXP tq_marker(const double *state);
double tq_parcels_held(void);

#endif
