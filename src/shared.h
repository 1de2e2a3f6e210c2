/* Vectors over mapped memory: shared ones, and those that have arrived in parcels.
 *
 * Strings lie in a block: for each element, and for the end, where its text begins behind these numbers, and in the
 * four highest bits what it is (tq_string_flags()); then the texts. Everything else lies there as in R's vectors. */

#ifndef TASKQ_SHARED_H
#define TASKQ_SHARED_H

#include "rapi.h"

#include <stdint.h>

/* A vector begins at a multiple of this. */
enum { TQ_ALIGN = 64 };

/* A number for each type of vector that can lie there, below zero for the others; and how many bytes an element has. */
int tq_kind_of(SEXPTYPE type);
size_t tq_element_size(SEXPTYPE type);

/* Whether it is a vector over mapped memory; a shared one; and whether that still is what its segment holds. */
int tq_is_mapped(SEXP x);
int tq_is_shared(SEXP x);
int tq_is_intact(SEXP x);

/* A pointer of R's that holds a segment. */
SEXP tq_segment_pointer(const void *segment);
/* A vector at this offset in it; the caller has seen that its bytes are there. */
SEXP tq_make_shared(SEXPTYPE type, SEXP segment, size_t offset, R_xlen_t length, size_t size);

/* A vector that has arrived in a parcel, which `parcel` holds; `all` are its bytes. Not for strings. */
SEXP tq_make_arrived(SEXPTYPE type, SEXP parcel, const char *all, size_t offset, R_xlen_t length);

/* Whether it is a whole number up to this: handles and markers have theirs as doubles. */
int tq_is_number(double number, double limit);

/* What a string is: NA, or its encoding. */
uint64_t tq_string_flags(SEXP string);

#endif
