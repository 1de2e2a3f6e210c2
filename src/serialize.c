/* R's serializer at work: what it calls back. The rest is in src/rust/src/serialize.rs. */

#include "taskq.h"

#include <string.h>

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void out_bytes(R_outpstream_t stream, void *bytes, int length) {
  if (!tq_buffer_write(stream->data, bytes, (size_t) length)) tq_call_own("tq_throw_no_memory", R_NilValue);
}

static void out_char(R_outpstream_t stream, int c) {
  unsigned char byte = (unsigned char) c;
  out_bytes(stream, &byte, 1);
}

/* R asks this for every environment, external pointer and weak reference that it writes; packages and the global
 * environment aside. It only notes that there is something that may change while the object stays the same. Where
 * source is kept is such an environment, too, but it does not change. */
static unsigned long references_written;

/* How often what may be of no use in another process was met. */
static unsigned long doubts;

unsigned long tq_references_written(void) { return references_written; }

unsigned long tq_doubts(void) { return doubts; }

/* Packages make pointers to R's own NULL, too. */
int tq_is_empty_pointer(SEXP object) {
  void *address = R_ExternalPtrAddr(object);
  return address == NULL || address == (void *) R_NilValue;
}

static int is_doubtful(SEXP object) {
  if (TYPEOF(object) == EXTPTRSXP) return !tq_is_empty_pointer(object);
  return TYPEOF(object) == ENVSXP && Rf_isObject(object) && Rf_inherits(object, "R6");
}

/* `sent`: a list of what R/references.R is to look at, once: list(function of the task or NULL, object). Or NULL. */
static SEXP note_reference(SEXP object, SEXP sent) {
  if (!Rf_inherits(object, "srcfile")) references_written++;
  if (!is_doubtful(object)) return R_NilValue;
  doubts++;
  SEXP both = PROTECT(sent == R_NilValue ? sent : VECTOR_ELT(sent, 0));
  if (both != R_NilValue) {
    SET_VECTOR_ELT(sent, 0, R_NilValue);
    tq_call_own("tq_refuse_references", both);
  }
  UNPROTECT(1);
  return R_NilValue;
}

static void write_object(void *buffer, SEXP object, SEXP sent) {
  struct R_outpstream_st stream;
  R_pstream_data_t data = (R_pstream_data_t) buffer;
  R_InitOutPStream(&stream, data, R_pstream_binary_format, 3, out_char, out_bytes, note_reference, sent);
  R_Serialize(object, &stream);
}

/* Appends an object to a buffer. With what a task is sent beside its function `fun`, or R's NULL; NULL stands for an
 * object that is not sent: else one that cannot work in another process is an error, or a warning. */
void tq_write(void *buffer, SEXP object, SEXP fun) {
  SEXP sent = R_NilValue;
  if (fun) {
    SEXP both = PROTECT(Rf_allocVector(VECSXP, 2));
    SET_VECTOR_ELT(both, 0, fun);
    SET_VECTOR_ELT(both, 1, object);
    sent = Rf_allocVector(VECSXP, 1);
    SET_VECTOR_ELT(sent, 0, both);
    UNPROTECT(1);
  }
  PROTECT(sent);
  if (tq_segments())
    tq_with_handles_written(buffer, object, sent, write_object);
  else
    write_object(buffer, object, sent);
  UNPROTECT(1);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

struct source {
  const unsigned char *bytes;
  size_t left;
};

/* R goes down a level of the C stack for each level of an object, and for each element of a pairlist, and does not look
 * whether there is room. It reads at least a word on each. */
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

static SEXP read_object(const void *payload) {
  struct tq_bytes from;
  if (!tq_payload_bytes(payload, &from)) Rf_error("out of memory while reading a serialized object");
  struct source source = {(const unsigned char *) from.bytes, from.length};
  struct R_inpstream_st stream;
  R_InitInPStream(&stream, (R_pstream_data_t) &source, R_pstream_binary_format, in_char, in_bytes, NULL, R_NilValue);
  return R_Unserialize(&stream);
}

SEXP tq_read(const void *payload) {
  int refers = tq_payload_segments(payload) || tq_payload_parcels(payload);
  return refers ? tq_with_handles_read(payload, read_object) : read_object(payload);
}
