/* The R calls that can jump, and nothing else.
 *
 * R reports errors, interrupts and want of memory by longjmp, and no Rust frame may be jumped over. So every routine that R
 * calls is in C: its frame is the outermost of ours, and Rust is called only for what makes nothing of R's (taskq.h lists
 * it): what Rust has to say is plain data, of which border.c makes an object. What must be released when R jumps is
 * released by R_ExecWithCleanup.
 *
 * What neither serializes, unserializes nor waits is a function in Rust that R calls by its name, through tq_r_ask().
 */

#ifndef TASKQ_RAPI_H
#define TASKQ_RAPI_H

#include "taskq.h"

#include <R.h>
#include <R_ext/Rdynload.h>

/* ---- border.c ---- */

/* The object that a value of Rust's tells of; NULL stands for R's NULL. The value is gone then, also when R jumps. */
SEXP tq_answer(void *value);

/* ---- routine.c ---- */

/* The n-th argument of a call of .External, whose first is the routine itself. */
SEXP tq_argument(SEXP args, int n);
/* The queue behind a handle, or NULL after an answer for R was put into `refusal`. */
void *tq_queue_of(SEXP handle, SEXP *refusal);
/* The same for a call by which nothing has changed yet, as the first thing it does: if the queue has something to tell the user, this
 * warns, and a handler, or options(warn = 2), may jump. */
void *tq_queue_asked(SEXP handle, SEXP *refusal);
/* Calls a function of this package. */
SEXP tq_call_own(const char *name, SEXP argument);
SEXP tq_char(struct tq_bytes text);
SEXP tq_string(struct tq_bytes text);
/* The element of this name, or NULL of R. */
SEXP tq_element(SEXP list, const char *name);
int tq_has_attributes(SEXP x);

/* ---- serialize.c ---- */

/* Appends an object to a buffer. */
void tq_serialize(void *buffer, SEXP object);
/* The same for what a task is sent beside its function `fun` (or R's NULL): an object that cannot work in another
 * process is an error, or a warning. */
void tq_serialize_sent(void *buffer, SEXP object, SEXP fun);
/* The same for the outcome of a task, with a warning if its value holds such an object. The buffer may be another one then. */
void tq_serialize_outcome(void **buffer, SEXP outcome);
/* An empty payload, or none, stands for NULL. */
SEXP tq_unserialize(const void *payload);
/* The same of a payload that comes from a session, which is not believed: NULL when it is not sure that it can be read, and nothing
 * was tried. */
SEXP tq_unserialize_if_sound(const void *payload);
/* The same with care: NULL when it cannot be read, and then the error is in `problem`, a list of one, unless it was not even tried.
 * Want of memory jumps, and so does want of stack where R was deep in calls before: the next time may be better. */
SEXP tq_unserialize_with_care(const void *payload, SEXP problem);
/* A function that can be pushed, which belongs to the caller. `is_pure`: it refers to nothing that may change while it stays the same.
 * Should R jump, the caller frees what is in `buffer` then. */
void *tq_serialize_function(SEXP fun, void **buffer, int *is_pure);
/* The error of everybody for whose bytes there is no memory. */
void NORET tq_no_memory(void);

/* ---- plain.c ---- */

/* Appends an object to a buffer, as R would; 0 when it is not plain, and nothing was written. */
int tq_write_plain(void *buffer, SEXP x);
/* The object that has these bytes; NULL when it is not plain. */
SEXP tq_read_plain(const char *bytes, size_t length);
/* Whether these bytes of an object were written where strings are encoded as they are here. */
int tq_is_of_this_encoding(const char *bytes, size_t length);
/* Learns how this R begins its bytes; once. Nothing is plain before. */
void tq_plain_begin(void);

/* ---- shared.c ---- */

/* Calls `write` such that it writes shared vectors as handles, and `read` such that it reads them. */
void tq_with_handles_written(void *buffer, SEXP object, void (*write)(void *, SEXP));
SEXP tq_with_handles_read(const void *payload, SEXP (*read)(const void *));
/* The payload that `read` is called for now, or NULL. */
const void *tq_payload_being_read(void);
/* Makes the classes of vectors over mapped memory; once. */
void tq_shared_begin(DllInfo *dll);

/* ---- parcels.c ---- */

/* The object to serialize into a buffer instead of `object`: the same, with its large vectors in parcels that go
 * along, and the places of these instead; or `object` itself. */
SEXP tq_with_parcels(void *buffer, SEXP object);
/* How many bytes this process has of vectors that came in parcels. */
double tq_parcels_held(void);
/* Makes what it needs; once. */
void tq_parcels_begin(DllInfo *dll);

/* ---- capture.c ---- */

/* The function that travels for `fun`, and what it captures of the frames in which it was made: a list with names, an
 * environment, or NULL. */
SEXP tq_portable(SEXP fun, SEXP *captured);
/* The function with that; `captured` may be NULL. */
SEXP tq_with_captured(SEXP fun, SEXP captured);
/* The same function in another environment, not compiled: what is compiled depends on that. */
SEXP tq_with_environment(SEXP fun, SEXP env);
SEXP tq_make_closure(SEXP formals, SEXP code, SEXP env);

/* ---- sources.c ---- */

/* Whether a function has source references. */
int tq_has_source(SEXP fun);
/* The formals and the code of a function without them, as a function in the environment of base, without attributes. */
SEXP tq_clean_function(SEXP fun);
/* `fun` with the formals and the code of `clean`, in this environment. */
SEXP tq_with_code_of(SEXP clean, SEXP fun, SEXP env);
/* `x`, where functions have source references the same without these: `x` itself, or what is in it if it is a list, at any depth.
 * What is in environments and attributes stays as it is. */
SEXP tq_without_sources(SEXP x);

/* ---- host-wait.c ---- */

/* Calls `wait` again and again until it answers something else than TQ_TIMED_OUT or `ms` are over. R may jump in between; nothing of
 * Rust is on the stack then. */
int tq_wait_in_slices(void *what, double ms, int (*wait)(void *, double));

/* ---- evaluate.c ---- */

enum tq_phase { TQ_PHASE_IDLE = 0, TQ_PHASE_RECEIVE = 1, TQ_PHASE_RUN = 2, TQ_PHASE_REPLY = 3 };
void tq_set_phase(SEXP evaluator, enum tq_phase phase);
/* Calls a task's function and gives its outcome. `task_call`: what the task has of args, packages, globals and seed; `guarded`: in a
 * session, where it may be interrupted meanwhile. */
SEXP tq_evaluate(SEXP evaluator, SEXP fun, SEXP task_call, int guarded);
/* Makes what it needs; once. */
void tq_evaluate_begin(void);

/* ---- batch.c ---- */

/* The function of a map with its constant arguments, read once for all its batches: it may be large, and R compiles a function when it
 * has been called twice. */
SEXP tq_batch_work(SEXP batch, const void *payload);
/* Lets go of it: the next task is another one. */
void tq_batch_forget(void);

/* ---- the routines, each described where it is written ---- */

SEXP tq_r_ask(SEXP args);
SEXP tq_r_push_plain(SEXP args);
SEXP tq_r_push(SEXP args);
SEXP tq_r_push_many(SEXP args);
SEXP tq_r_wait_done(SEXP args);
SEXP tq_r_wait_room(SEXP args);
SEXP tq_r_wait_all(SEXP args);
SEXP tq_r_wait_closed(SEXP args);
SEXP tq_r_pop(SEXP args);
SEXP tq_r_peek(SEXP args);
SEXP tq_r_outcome(SEXP args);
SEXP tq_r_commit(SEXP args);
SEXP tq_r_commit_all(SEXP args);
SEXP tq_r_hang_bell(SEXP args);
SEXP tq_r_payload(SEXP args);
SEXP tq_r_objects(SEXP args);
SEXP tq_r_objects_free(SEXP args);
SEXP tq_r_map_begin(SEXP args);
SEXP tq_r_map_feed(SEXP args);
SEXP tq_r_map_wait(SEXP args);
SEXP tq_r_map_batch(SEXP args);
SEXP tq_r_map_put(SEXP args);
SEXP tq_r_map_settle(SEXP args);
SEXP tq_r_map_results(SEXP args);
SEXP tq_r_map_end(SEXP args);
SEXP tq_r_batch_run(SEXP args);
SEXP tq_r_batch_clock(SEXP args);
SEXP tq_r_batch_pack(SEXP args);
SEXP tq_r_evaluate(SEXP args);
SEXP tq_r_portable(SEXP args);
SEXP tq_r_with_captured(SEXP args);
SEXP tq_r_without_sources(SEXP args);
SEXP tq_r_uses(SEXP args);
SEXP tq_r_is_data(SEXP args);
SEXP tq_r_is_empty_pointer(SEXP args);
SEXP tq_r_plain(SEXP args);
SEXP tq_r_share(SEXP args);
SEXP tq_r_is_shared(SEXP args);
SEXP tq_r_segments(SEXP args);
SEXP tq_r_serve(SEXP args);
SEXP tq_r_read(SEXP args);
SEXP tq_r_reply(SEXP args);
SEXP tq_r_disarm(SEXP args);
SEXP tq_r_inline_next(SEXP args);
SEXP tq_r_inline_done(SEXP args);
SEXP tq_state_begin(SEXP args);
SEXP tq_state_watch(SEXP args);
SEXP tq_state_objects(SEXP args);
SEXP tq_state_opened(SEXP args);
SEXP tq_state_process(SEXP args);
SEXP tq_state_save(SEXP args);
SEXP tq_state_changed(SEXP args);
SEXP tq_state_restore(SEXP args);

/* A done task as a list: its result, and what its error is made of. */
SEXP tq_describe_done(void *done);
/* Makes what results are made with; once. */
void tq_result_begin(void);

#endif
