/* What Rust (src/rust/src/external, entries.rs, far/serve.rs) offers to C. None of it calls R or jumps; all of it is
 * called on the R thread.
 *
 * A payload is what was serialized, in memory or in a memory file. Bytes that are read out of one live as long. */

#ifndef TASKQ_H
#define TASKQ_H

#include <stddef.h>
#define R_NO_REMAP
#include <Rinternals.h>

struct tq_bytes {
  const char *bytes;
  size_t length;
};

/* Appends to a growing buffer; 0 when there is no memory. */
int tq_buffer_write(void *buffer, const void *bytes, size_t length);

/* The bell by which an event loop hears of what was promised to it. It is hung once, with a function of the package
 * later that may be called on any thread, and what the loop is to call then, with the loop's number as its data.
 * Ringing has the loop answer soon, once for all rings until it does. */
typedef void (*tq_exec_later)(void (*)(void *), void *, double, int);
void tq_bell_hang(tq_exec_later exec_later, void (*answer)(void *));
void tq_bell_ring(int loop);
void tq_bell_answer(int loop);

/* The bytes of a payload; 0 when there is no memory for them. */
int tq_payload_bytes(const void *payload, struct tq_bytes *bytes);

/* How many segments came with a payload; and one of them, which lives as long as the payload, or NULL. */
size_t tq_payload_segments(const void *payload);
const void *tq_payload_segment(const void *payload, size_t place);
/* How many parcels came with a payload; and a hold on one of them, or NULL. Its bytes, 0 when there is no memory for
 * them. They can be written when it has no other holder: 1 once that is so. Freeing NULL
 * does nothing. */
size_t tq_payload_parcels(const void *payload);
void *tq_payload_parcel(const void *payload, size_t place);
int tq_parcel_bytes(const void *parcel, struct tq_bytes *bytes);
int tq_parcel_own(void *parcel);
void tq_parcel_free(void *parcel);

/* A segment, memory that vectors are shared in, held by as many as want to. Freeing NULL does nothing. */
void *tq_segment_hold(const void *segment);
void tq_segment_free(void *segment);
void tq_segment_bytes(const void *segment, struct tq_bytes *bytes);
/* A part of a segment that can be written without anybody else noticing; NULL when there is none. */
void *tq_segment_private(const void *segment, size_t offset, size_t size, void **address);
/* Whether anything was written there, or below zero when that cannot be told. */
int tq_private_is_written(const void *mapping);
void tq_private_free(void *mapping);
/* The place of a segment among those that go with what is serialized, or below zero when it cannot go with it. */
int tq_buffer_attach(void *buffer, const void *segment);
/* How many segments this process has. */
size_t tq_segments(void);

/* What a call of R is given, when Rust makes it under the guard (guard.c). */
union tq_slot {
  SEXP object;
  size_t count;
  double number;
  const void *address;
  void *buffer;
  R_CFinalizer_t finalizer;
};
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
  SEXP kept_names, kept_class;  /* or NULL */
};
typedef SEXP tq_call_of_r(const union tq_slot *args);

/* How a call of Rust's ends: with a value for R; R has jumped, and has to go on; or with a fault of this package. */
enum tq_ending { TQ_ANSWERED, TQ_JUMPED, TQ_FAULT };
/* Calls the function of this name. */
enum tq_ending tq_call(const char *name, const SEXP *given, size_t count, SEXP *value);
/* What the last fault was; valid until the next. */
const char *tq_fault(void);
/* Once: what panics says nothing on its own. */
void tq_panics_begin(void);

/* Whether an element of the current task may begin: 0 when the host has taken back what is left. */
int tq_session_begin_element(void);

#endif
