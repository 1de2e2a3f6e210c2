/* A copy of an object in which other vectors stand for some of its vectors. */

#ifndef TASKQ_WALK_H
#define TASKQ_WALK_H

#include "rapi.h"

/* Attributes that may be large, by number: the attribute, or NULL of R where there is none or it is small in any
 * case. */
enum { TQ_LARGE_ATTRIBUTES = 4 };
SEXP tq_large_attribute(SEXP x, int which);

/* `x` with what replace(vector, data) gives for its atomic vectors, which is the vector itself where that is to stay,
 * else one without attributes: `x` itself, what is in it if it is a list, so many levels deep, and in the large
 * attributes of these. Lists in which nothing is replaced are those of `x`, and everything else is. */
SEXP tq_with_vectors(SEXP x, int depth, SEXP (*replace)(SEXP vector, void *data), void *data);

/* Makes what it needs; once. */
void tq_walk_begin(void);

#endif
