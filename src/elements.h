/* Elements of a map on their way: slices of vectors, and values packed. */

#ifndef TASKQ_ELEMENTS_H
#define TASKQ_ELEMENTS_H

#include "rapi.h"

/* A plain vector of `count` elements of `x`, a vector without attributes that matter, from `first` on. */
SEXP tq_slice(SEXP x, R_xlen_t first, R_xlen_t count);

/* The first `count` elements of a list: an atomic vector, where all are plain scalars of one type, else a list. */
SEXP tq_pack(SEXP list, R_xlen_t count);

/* Puts what tq_pack() has made into a list. */
void tq_unpack(SEXP packed, SEXP list, R_xlen_t first);

#endif
