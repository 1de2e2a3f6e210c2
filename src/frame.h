/* One environment as it was: frame.c. */

#ifndef TASKQ_FRAME_H
#define TASKQ_FRAME_H

#include <Rinternals.h>

/* All zero before the first tq_frame_save(). The objects are preserved. */
struct tq_frame {
  SEXP env, symbols, values;
  int *kinds;
  int is_locked;
};

/* So is the environment now. */
void tq_frame_save(struct tq_frame *frame, SEXP env);
int tq_frame_differs(const struct tq_frame *frame);
/* Looks only at how many bindings there are. */
int tq_frame_size_differs(const struct tq_frame *frame);
/* 0 when the environment was locked, which cannot be undone. */
int tq_frame_restore(const struct tq_frame *frame);
/* The saved values, without those of active bindings and of promises. */
SEXP tq_frame_values(const struct tq_frame *frame);

/* The value of a variable that is not active, or NULL. */
SEXP tq_value_of(SEXP symbol, SEXP env);
/* Preserves a value in place of the one before. */
void tq_keep(SEXP *place, SEXP value);

#endif
