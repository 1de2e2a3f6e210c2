/* What Rust (src/rust/src/external) offers to the C side (rapi.h). None of it jumps; all of it is called on the R thread.
 *
 * A `queue` is the address in a live handle of this process; `done` and `task` are owned by the caller until they are freed; bytes
 * and payloads that are read out of them, or of the session's current task, live as long as these. A payload is what was
 * serialized, in memory or in a memory file.
 */

#ifndef TASKQ_H
#define TASKQ_H

#include <stddef.h>
#define R_NO_REMAP
#include <Rinternals.h>

enum { TQ_DONE = 0, TQ_EMPTY = 1, TQ_FAILED = 2, TQ_TIMED_OUT = 3, TQ_AGAIN = 4 };
enum { TQ_SUCCESS = 0, TQ_ERROR = 1, TQ_INTERRUPTED = 2 };

struct tq_bytes {
  const char *bytes;
  size_t length;
};

/* A done task. Numbers below zero, signal 0 and pid 0 mean "not known"; an outcome that is NULL is none. */
struct tq_done {
  double serial;
  struct tq_bytes id;
  const char *status;
  int succeeded;
  const void *outcome;
  struct tq_bytes out, err, tail;
  double dropped;
  int signal, exit_code;
  const char *cause;
  struct tq_bytes after;
  int tries, pid;
  double queued, started, finished, cpu, max_rss;
};

/* A task that R runs itself. `ms`: how long it may run, below zero for ever; without a task: when one will come, below zero
 * never. */
struct tq_inline {
  double serial, ms;
  int tries;
  struct tq_bytes id;
};

/* So many files of vectors may go with what is serialized: those of a task's function and of its call share a frame. */
enum { TQ_SEGMENTS = 200, TQ_SEGMENTS_OF_FUNCTION = 50 };

/* A growing buffer, for a function or for anything else; writing answers 0 when there is no memory. Freeing NULL does nothing. */
void *tq_buffer_new(size_t segments, int is_function);
int tq_buffer_write(void *buffer, const void *bytes, size_t length);
void tq_buffer_free(void *buffer);

/* Vectors of so many bytes go along in parcels, memory files of their own, instead of being written into the buffer.
 * One is begun, and its bytes are written; 0 when there is no memory: it is gone then. Ended, it has a place among
 * the buffer's parcels, and `offset` says where it begins there; below zero as above. */
size_t tq_buffer_parcels_from(const void *buffer);
int tq_parcel_begin(void *buffer);
int tq_parcel_write(void *buffer, const void *bytes, size_t length);
int tq_parcel_end(void *buffer, double *offset);

/* The bell by which an event loop hears of what was promised to it. It is hung once, with a function of the package later
 * that may be called on any thread, and what the loop is to call then, with the loop's number as its data. Ringing has
 * the loop answer soon, once for all rings until it does. */
typedef void (*tq_exec_later)(void (*)(void *), void *, double, int);
void tq_bell_hang(tq_exec_later exec_later, void (*answer)(void *));
void tq_bell_ring(int loop);
void tq_bell_answer(int loop);

/* Makes a function that can be pushed of a buffer, which is gone then; NULL when there is no memory. `is_pure`: running it changes
 * nothing in it. Freeing NULL does nothing, and leaves other holders theirs. */
void *tq_function(void *buffer, int is_pure);
void *tq_function_hold(const void *function);
void tq_function_free(void *function);

/* What the code of a function, or of a formula, which has no formals, uses of the frames around it; NULL after a fault.
 * A use is a symbol and how it is used: bits, of which the last two stand alone: `f` means `f<-`, and `..x` means `x`. */
enum { TQ_USED_AS_VALUE = 1, TQ_USED_AS_FUNCTION = 2, TQ_USED_IN_PART = 4, TQ_USED_BEHIND_DOTS = 8 };
void *tq_uses_new(SEXP formals, SEXP code);
size_t tq_uses_count(const void *uses);
int tq_uses_at(const void *uses, size_t place, SEXP *symbol);
void tq_uses_free(void *uses);

/* The bytes of a payload; 0 when there is no memory for them. */
int tq_payload_bytes(const void *payload, struct tq_bytes *bytes);
/* What R will make of them: an object, if memory lasts; perhaps an error; or nothing, and R must not read them. */
enum tq_soundness { TQ_BROKEN = 0, TQ_UNSURE = 1, TQ_SOUND = 2 };
int tq_payload_look(const void *payload);

/* How many segments came with a payload; and one of them, which lives as long as the payload, or NULL. */
size_t tq_payload_segments(const void *payload);
const void *tq_payload_segment(const void *payload, size_t place);
/* How many parcels came with a payload; and a hold on one of them, or NULL. Its bytes, 0 when there is no memory for
 * them. They can be written when nobody else holds it: 1 once they are, and nobody else learns of it. Freeing NULL
 * does nothing. */
size_t tq_payload_parcels(const void *payload);
void *tq_payload_parcel(const void *payload, size_t place);
int tq_parcel_bytes(const void *parcel, struct tq_bytes *bytes);
int tq_parcel_own(void *parcel);
void tq_parcel_free(void *parcel);
/* Whether a function holds files, its own or those that it refers to. */
int tq_function_has_files(const void *function);

/* A segment, memory that vectors are shared in: written, ended (NULL when there is no room), held by as many as want to. Writing
 * answers where the bytes are, at a multiple of `align` (at most 64), or below zero. Freeing NULL does nothing. */
void *tq_segment_begin(void);
double tq_segment_write(void *writer, const void *bytes, size_t length, size_t align);
void *tq_segment_end(void *writer);
void tq_segment_abandon(void *writer);
void *tq_segment_hold(const void *segment);
void tq_segment_free(void *segment);
void tq_segment_bytes(const void *segment, struct tq_bytes *bytes);
/* A part of a segment that can be written without anybody else noticing; NULL when there is none. */
void *tq_segment_private(const void *segment, size_t offset, size_t size, void **address);
/* Whether anything was written there, or below zero when nobody knows. */
int tq_private_is_written(const void *mapping);
void tq_private_free(void *mapping);
/* The place of a segment among those that go with what is serialized, or below zero when it cannot go with it. */
int tq_buffer_attach(void *buffer, const void *segment);
/* How many segments this process has. */
size_t tq_segments(void);

double tq_now_ms(void);

/* What Rust answers R: plain data, of which tq_answer() makes an object, and which it frees. Strings are UTF-8 without NUL;
 * where one is NA, asking for its text answers 0. A pointer has its tag in `data`, its finalizer, and something that
 * is R's once it is given. A fault has a text, of which an error is made. */
enum { TQ_NULL, TQ_LOGICALS, TQ_INTEGERS, TQ_DOUBLES, TQ_STRINGS, TQ_RAW, TQ_LIST, TQ_POINTER, TQ_FAULT };
struct tq_value {
  int kind;
  size_t length;
  const void *data;
  const char *class; /* or NULL */
  int has_names;
};
void tq_value_see(const void *value, struct tq_value *seen);
int tq_value_text(const void *value, size_t i, struct tq_bytes *text);
struct tq_bytes tq_value_name(const void *value, size_t i);
const void *tq_value_element(const void *value, size_t i);
R_CFinalizer_t tq_value_finalizer(const void *value);
void *tq_value_give(const void *value);
void tq_value_free(void *value);

/* What the function of this name answers: a value. Reading what is given allocates nothing. */
void *tq_ask(const char *name, const SEXP *given, size_t count);
/* Once: what panics says nothing on its own. */
void tq_panics_begin(void);

/* Below, a function that returns `void *` as a failure returns NULL where there is none, or the value that tells of it. */

/* Why the queue must not be used. */
void *tq_refuse_handle(void *queue);
/* Whether the user is to be warned now that sessions are not forked. */
int tq_take_notice(void *queue);
/* Whether R runs the tasks itself. */
int tq_is_inline(void *queue);
/* An id for a task without one, which is pushed next; valid until the next call. */
struct tq_bytes tq_reserve_id(void *queue);
/* Shares `fun` and takes the buffer `call`. Should it fail, an id that was reserved is free again. `options` is the list that
 * R/task-options.R makes, or NULL of R. */
void *tq_push(void *queue, const char *id, int is_reserved, void *fun, void *call, SEXP options);
/* Many tasks that have `fun`, which is shared, and `options` in common. Each has an id and a key of its own, or NULL, and takes the
 * buffer `call`; 0 when there is no memory. Naming gives an id to those without one; ids are valid until the push. All or none of
 * them are pushed. Freeing NULL does nothing. */
void *tq_many_new(void *queue, void *fun, SEXP options, size_t count);
int tq_many_add(void *many, const char *id, const char *key, void *call);
void tq_many_name(void *queue, void *many);
void *tq_many_push(void *queue, void *many);
struct tq_bytes tq_many_id(const void *many, size_t i);
void tq_many_free(void *many);
/* TQ_FAILED only until tq_tell_failure() has told R why. */
int tq_wait_for_done(void *queue, double ms);
void *tq_tell_failure(void *queue);
int tq_wait_for_end(void *queue, double ms);
int tq_wait_for_room(void *queue, double count, double ms);
/* Which tasks are waited for, by serial number; NULL for all. It remembers which of them are done. */
void *tq_awaited_new(const double *tasks, size_t count);
int tq_wait_for_all(void *queue, void *awaited, double ms);
void tq_awaited_free(void *awaited);
/* A task and what came of it. Freeing NULL does nothing, here and below. */
void *tq_oldest_done(void *queue);
void *tq_done_task(void *queue, double serial);
void tq_done_read(void *done, struct tq_done *into);
void tq_done_free(void *done);
int tq_take(void *queue, double serial);
int tq_take_all(void *queue, const double *serials, size_t count);
/* The tasks that a snapshot of a queue has, in the order of its table: what was pushed, and what came of it; NULL where there is
 * none. To be freed as what tq_task() and tq_done_task() give. */
size_t tq_objects_count(const void *objects);
void *tq_objects_sent(const void *objects, size_t i);
void *tq_objects_done(const void *objects, size_t i);
/* Takes them out of the pointer that holds them, and frees them. */
void tq_snapshot_finalize(SEXP pointer);
void *tq_task(void *queue, double serial);
void tq_task_read(const void *task, const void **fun, const void **call);
void tq_task_free(void *task);
/* NULL when there is none; then `ms` says when there will be one. */
void *tq_inline_next(void *queue, struct tq_inline *about);
void tq_inline_free(void *next);
void tq_inline_done(void *queue, double serial, int verdict, void *outcome, const char *out, const char *err, double cpu,
                    double seconds);

/* Whether the directory is there in which R has its temporary files. */
int tq_session_has_temp_dir(void);
/* Whether something comes within this time. */
int tq_session_wait(double ms);

/* A map: batches of its elements, each a task that only the map sees. `first` counts from 0; `budget_ms` is infinite for none. */
struct tq_batch_info {
  double first, count, budget_ms;
};

/* Shares `work`, what all batches have in common. A map in `into`, which belongs to the caller, or a failure. */
void *tq_map_new(void *queue, void *work, double length, double fixed, void **into);
/* The number of the task that the map counts as. */
double tq_map_number(const void *map);
/* Whether there is a batch to be pushed now. */
int tq_map_next(void *map, struct tq_batch_info *batch);
/* Pushes it and takes the buffer `call`. A failure, or not. */
void *tq_map_push(void *map, void *call);
/* TQ_DONE: this one is done. TQ_AGAIN: there is something to push. */
int tq_map_wait(void *map, double *serial, double ms);
int tq_map_batch(void *map, double serial, struct tq_batch_info *batch);
/* How many of its elements had begun, where its session died. */
double tq_map_begun(void *map, double serial);
/* Takes it out of the queue: so many of its elements, from the first, need not be sent again. Times below zero are not known. */
void tq_map_settle(void *map, double serial, double settled, double all_ms, double last_ms);
/* Cancels what is under way. Freeing NULL does nothing. */
void tq_map_free(void *map);

int tq_session_receive(void);
const char *tq_session_problem(void);
/* The current task's function, whose number no other has; `place`: where what was read of it may be kept for the next task that has
 * it, below TQ_PLACES, or below zero; and its call. 0: there is no task. */
struct tq_fun {
  const void *payload;
  double id;
  int place;
};
enum { TQ_PLACES = 64 };
int tq_session_task(struct tq_fun *fun, const void **call);
/* The current task's payloads are not needed any more. */
void tq_session_spent(void);
int tq_session_reply(int verdict, void *outcome);
/* The current task is a batch of so many elements; 0 when nobody counts them: outside a session, and inside an element. Where they
 * are counted, each has to begin first; 0 when the host has taken back what is left. */
int tq_session_open_elements(double count);
int tq_session_begin_element(void);
void tq_session_arm(void);
void tq_session_disarm(void);

/* The state of the process: what differs from the saved one as bits, and NULL or why these could not be put back. */
void tq_process_save(int bare);
unsigned tq_process_changes(void);
const char *tq_process_restore(unsigned changes);

#endif
