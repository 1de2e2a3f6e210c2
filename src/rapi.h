/* What the files of C have in common.
 *
 * R reports errors, interrupts and want of memory by longjmp, and no Rust frame may be jumped over. So Rust calls these
 * functions only under the guard (guard.c). They may jump, unless it says otherwise, and own nothing but what R
 * protects; what has to be set back after a jump is set back by R_ExecWithCleanup (shared.c). */

#ifndef TASKQ_RAPI_H
#define TASKQ_RAPI_H

#include "taskq.h"

#include <R.h>
#include <R_ext/Rdynload.h>

/* ---- guard.c ---- */

/* Makes what it needs; once. */
void tq_guard_begin(void);
/* C_tq_call, the only routine that R calls. (name, ...): what the function of this name in Rust answers to these
 * arguments. */
SEXP tq_r_call(SEXP args);
/* Makes a call of R under the guard: whether it has come to its end. `keeps`: its value is protected. */
int tq_guarded(tq_call_of_r *call, const union tq_slot *args, int keeps, SEXP *value);

/* Calls a function of this package. */
SEXP tq_call_own(const char *name, SEXP argument);

/* ---- versions.c ---- */

SEXP tq_make_closure(SEXP formals, SEXP code, SEXP env);
/* The environment of a closure; its formals; and the environment around one. */
SEXP tq_enclosure(SEXP fun);
SEXP tq_formals(SEXP fun);
SEXP tq_parent(SEXP env);
/* The value of a variable that is not active, or NULL. That of a promise is the promise; since R 4.6 it is what it was
 * forced to, and NULL before. */
SEXP tq_value_of(SEXP symbol, SEXP env);
/* Whether a function of base was used: it is a promise before. In an R that does not tell, it was. */
int tq_base_function_was_used(SEXP symbol);
/* The value of a variable that is not active; NULL where it was not evaluated yet, or this R does not tell of promises.
 * */
SEXP tq_value_at_hand(SEXP frame, SEXP symbol);
int tq_has_attributes(SEXP x);
/* The names of a vector; NULL of R where it has none, of arrays, and of all else. */
SEXP tq_names(SEXP x);
int tq_is_namespace(SEXP env);
/* The names of a list that has no other attribute; else NULL of R. */
SEXP tq_only_names(SEXP list);
/* Whether two functions are the same in all that is sent of them. One that is made anew in every turn of a loop shares
 * its parts. */
int tq_is_same_function(SEXP fun, SEXP other);

/* ---- serialize.c ---- */

/* Appends an object to a buffer. With what a task is sent beside its function `fun`, or R's NULL; NULL stands for an
 * object that is not sent: else one that cannot work in another process is an error, or a warning. */
void tq_write(void *buffer, SEXP object, SEXP fun);
/* The object of a payload, which is not empty. */
SEXP tq_read(const void *payload);
/* How many references were written, and how many objects that may be of no use in another process. */
unsigned long tq_references_written(void);
unsigned long tq_doubts(void);
/* Whether an external pointer refers to nothing. */
int tq_is_empty_pointer(SEXP object);

/* ---- shared.c ---- */

/* Calls `write` such that it writes shared vectors as handles, and `read` such that it reads them. */
void tq_with_handles_written(void *buffer, SEXP object, SEXP sent, void (*write)(void *, SEXP, SEXP));
SEXP tq_with_handles_read(const void *payload, SEXP (*read)(const void *));
/* The payload that `read` is called for now, or NULL. */
const void *tq_payload_being_read(void);
/* Makes the classes of vectors over mapped memory; once. */
void tq_shared_begin(DllInfo *dll);

/* ---- parcels.c ---- */

/* Whether a list is one, or a wrapper of R's around one; and the elements of a vector that R would write one by one,
 * or NULL. */
int tq_is_plain_list(SEXP x);
const void *tq_elements_of(SEXP x);
/* What stands for a vector in a parcel: its type, the place of the parcel, where it begins there, its length. */
SEXP tq_marker(const double *state);
/* How many bytes this process has of vectors that came in parcels. */
double tq_parcels_held(void);
/* Makes what it needs; once. */
void tq_parcels_begin(DllInfo *dll);

/* ---- batch.c ---- */

/* Evaluates FUN(X[[i]], ...) in a frame, and puts the results into a list. The first number of `state` is the place of
 * the next element, from 0 on, and is counted up. `renew`: NULL of R, or called before an element when the one before
 * has used random numbers. Where they are counted each has to begin first, and the host may have taken back what is
 * left. */
struct tq_elements {
  SEXP frame, values, state, renew;
  size_t until;
  int are_counted, are_taken_back;
};
void tq_call_elements(struct tq_elements *elements);

/* ---- promise.c ---- */

/* Hangs the bell: settle(loop) of R/promise.R is what answers. later must be loaded; looking its function up is for the
 * R thread alone. */
void tq_hang_bell(SEXP settle_with);

#endif
