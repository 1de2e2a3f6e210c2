/* R objects to bytes and back, in R's own format: version 3, in the byte order of the machine. */

#include "rapi.h"

#include <string.h>

void tq_no_memory(void) {
  tq_call_own("tq_throw_no_memory", R_NilValue);
  Rf_error("out of memory while serializing: the object is too large");
}

static void out_bytes(R_outpstream_t stream, void *bytes, int length) {
  if (!tq_buffer_write(stream->data, bytes, (size_t) length)) tq_no_memory();
}

static void out_char(R_outpstream_t stream, int c) {
  unsigned char byte = (unsigned char) c;
  out_bytes(stream, &byte, 1);
}

/* R asks this for every environment, external pointer and weak reference that it writes; packages and the global environment
 * aside. It only notes that there is something that may change while the object stays the same. Where source is kept
 * is such an environment, too, but nobody changes it. */
static unsigned long references_written;

/* What may be of no use in another process is looked at by R/references.R: how often it was met, and what is being sent, as
 * list(function of the task or NULL, object), until that was looked at; NULL where nothing is looked at. */
static unsigned long doubts;
static SEXP being_sent = NULL;

/* Packages make pointers to R's own NULL, too. */
static int is_empty_pointer(SEXP object) {
  void *address = R_ExternalPtrAddr(object);
  return address == NULL || address == (void *) R_NilValue;
}

static int is_doubtful(SEXP object) {
  if (TYPEOF(object) == EXTPTRSXP) return !is_empty_pointer(object);
  return TYPEOF(object) == ENVSXP && Rf_isObject(object) && Rf_inherits(object, "R6");
}

static SEXP note_reference(SEXP object, SEXP data) {
  (void) data;
  if (!Rf_inherits(object, "srcfile")) references_written++;
  if (!is_doubtful(object)) return R_NilValue;
  doubts++;
  SEXP sent = being_sent;
  being_sent = NULL;
  if (sent) tq_call_own("tq_refuse_references", sent);
  return R_NilValue;
}

/* (external pointer): whether it refers to nothing. */
SEXP tq_r_is_empty_pointer(SEXP args) { return Rf_ScalarLogical(is_empty_pointer(tq_argument(args, 1))); }

static void write_object(void *buffer, SEXP object) {
  struct R_outpstream_st stream;
  R_InitOutPStream(&stream, (R_pstream_data_t) buffer, R_pstream_binary_format, 3, out_char, out_bytes, note_reference, R_NilValue);
  R_Serialize(object, &stream);
}

static void write_whole(void *buffer, SEXP object) {
  PROTECT(object = tq_without_sources(object));
  PROTECT(object = tq_with_parcels(buffer, object));
  if (tq_segments())
    tq_with_handles_written(buffer, object, write_object);
  else
    write_object(buffer, object);
  UNPROTECT(2);
}

/* A finalizer that serializes, too, finds what it needs, and leaves what it has found. After a jump the next one begins anew. */
void tq_serialize(void *buffer, SEXP object) {
  if (tq_write_plain(buffer, object)) return;
  SEXP outer = being_sent;
  being_sent = NULL;
  write_whole(buffer, object);
  being_sent = outer;
}

void tq_serialize_sent(void *buffer, SEXP object, SEXP fun) {
  if (tq_write_plain(buffer, object)) return;
  SEXP outer = being_sent, sent = PROTECT(Rf_allocVector(VECSXP, 2));
  SET_VECTOR_ELT(sent, 0, fun);
  SET_VECTOR_ELT(sent, 1, object);
  being_sent = sent;
  write_whole(buffer, object);
  being_sent = outer;
  UNPROTECT(1);
}

void tq_serialize_outcome(void **buffer, SEXP outcome) {
  unsigned long before = doubts;
  tq_serialize(*buffer, outcome);
  if (doubts == before) return;
  SEXP warned = PROTECT(tq_call_own("tq_warn_of_references", outcome));
  if (warned != outcome) {
    tq_buffer_free(*buffer);
    *buffer = NULL;
    *buffer = tq_buffer_new(TQ_SEGMENTS, 0);
    tq_serialize(*buffer, warned);
  }
  UNPROTECT(1);
}

void *tq_serialize_function(SEXP fun, void **buffer, int *is_pure) {
  unsigned long before = references_written;
  *buffer = tq_buffer_new(TQ_SEGMENTS_OF_FUNCTION, 1);
  tq_serialize_sent(*buffer, fun, R_NilValue);
  *is_pure = references_written == before;
  void *function = tq_function(*buffer, *is_pure);
  *buffer = NULL;
  if (!function) tq_no_memory();
  return function;
}

struct source {
  const unsigned char *bytes;
  size_t left;
};

/* R goes down a level of the C stack for each level of an object, and for each element of a pairlist, and does not look whether there
 * is room. It reads at least a word on each. */
static void in_bytes(R_inpstream_t stream, void *into, int length) {
  struct source *source = (struct source *) stream->data;
  R_CheckStack();
  if ((size_t) length > source->left) Rf_error("a serialized object ends too early");
  memcpy(into, source->bytes, (size_t) length);
  source->bytes += length;
  source->left -= (size_t) length;
}

static int in_char(R_inpstream_t stream) {
  unsigned char byte;
  in_bytes(stream, &byte, 1);
  return byte;
}

/* NULL when the object is not plain. */
static SEXP read_plain(const void *payload) {
  struct tq_bytes from;
  if (!tq_payload_bytes(payload, &from)) Rf_error("out of memory while reading a serialized object");
  return from.length == 0 ? R_NilValue : tq_read_plain(from.bytes, from.length);
}

static SEXP read_with_r(const void *payload) {
  struct tq_bytes from;
  if (!tq_payload_bytes(payload, &from)) Rf_error("out of memory while reading a serialized object");
  struct source source = {(const unsigned char *) from.bytes, from.length};
  struct R_inpstream_st stream;
  R_InitInPStream(&stream, (R_pstream_data_t) &source, R_pstream_binary_format, in_char, in_bytes, NULL, R_NilValue);
  return R_Unserialize(&stream);
}

/* R warns of strings from a session in another locale, although it has converted them as far as they are valid. These
 * warnings do not help the user who reads a result, or the task that runs. */
static int is_read_quietly = 0;

static int is_of_this_encoding(const void *payload) {
  struct tq_bytes from;
  if (!tq_payload_bytes(payload, &from)) Rf_error("out of memory while reading a serialized object");
  return tq_is_of_this_encoding(from.bytes, from.length);
}

static SEXP read_quietly(const void *payload) {
  SEXP pointer = PROTECT(R_MakeExternalPtr((void *) payload, R_NilValue, R_NilValue));
  SEXP object = tq_call_own("tq_read_quietly", pointer);
  R_ClearExternalPtr(pointer);
  UNPROTECT(1);
  return object;
}

static SEXP read_any(const void *payload) {
  if (!is_read_quietly && !is_of_this_encoding(payload)) return read_quietly(payload);
  int refers = tq_payload_segments(payload) || tq_payload_parcels(payload);
  return refers ? tq_with_handles_read(payload, read_with_r) : read_with_r(payload);
}

static SEXP read_now(void *payload) {
  is_read_quietly = 1;
  return read_any(payload);
}

static void reading_is_over(void *data) {
  (void) data;
  is_read_quietly = 0;
}

/* (payload): for tq_read_quietly() only. */
SEXP tq_r_read(SEXP args) {
  void *payload = R_ExternalPtrAddr(tq_argument(args, 1));
  if (!payload) Rf_error("there is nothing to read");
  return R_ExecWithCleanup(read_now, payload, reading_is_over, NULL);
}

SEXP tq_unserialize(const void *payload) {
  SEXP plain = payload ? read_plain(payload) : R_NilValue;
  return plain ? plain : read_any(payload);
}

/* ---- what comes from a session ---- */

SEXP tq_unserialize_if_sound(const void *payload) {
  SEXP plain = payload ? read_plain(payload) : R_NilValue;
  if (plain) return plain;
  return tq_payload_look(payload) == TQ_SOUND ? read_any(payload) : NULL;
}

static SEXP read_body(void *payload) { return read_any(payload); }

static SEXP note_problem(SEXP cnd, void *problem) {
  tq_call_own("tq_check_problem", cnd);
  SET_VECTOR_ELT(problem, 0, cnd);
  return R_NilValue;
}

SEXP tq_unserialize_with_care(const void *payload, SEXP problem) {
  SEXP object = tq_unserialize_if_sound(payload);
  if (object || tq_payload_look(payload) == TQ_BROKEN) return object;
  object = R_tryCatchError(read_body, (void *) payload, note_problem, problem);
  return VECTOR_ELT(problem, 0) == R_NilValue ? object : NULL;
}
