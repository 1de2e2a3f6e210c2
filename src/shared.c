/* Vectors over mapped memory: R's alternative representation (ALTREP) of vectors that lie in a segment, memory that
 * processes have in common (shared vectors), or in a parcel, in which they came (arrived vectors). Here is what such
 * a vector does for R, and how shared ones travel. src/rust/src/share.rs makes segments of objects, parcels.rs beside
 * it sends large vectors, and parcels.c has them arrive.
 *
 * | where | what |
 * | --- | --- |
 * | data1 | an external pointer to a struct vector, which lies in its tag (a raw vector); it protects that of segment or parcel |
 * | data2 | NULL, or what this process has of its own: elements of strings, or a place that may be written |
 *
 * A segment is never written into: it is mapped read-only, and its file is sealed. Who asks for a place to write
 * gets private pages of the same file, or a copy. A vector that differs from its segment by that is sent and saved as
 * any other vector.
 *
 * A parcel belongs to those who hold it: the payload with which it came, and the vectors that were read of that. Who
 * holds it alone writes into it where it lies, which are private pages; who does not gets a copy. For who sends or
 * saves it an arrived vector is plain data.
 *
 * Only tq_write() writes a shared vector as a handle: which of the segments that go along, and where in it. For
 * everybody else it is plain data. What comes from another process is looked at before it is used. */

#include "taskq.h"

#include <R_ext/Altrep.h>

#include <string.h>

enum { KINDS = 6 };
static const SEXPTYPE kind_types[KINDS] = {LGLSXP, INTSXP, REALSXP, CPLXSXP, RAWSXP, STRSXP};
static R_altrep_class_t kind_classes[KINDS];

/* A larger one is written in private pages, a smaller one in a copy. */
static const size_t private_from = 256 * 1024;

struct vector {
  const char *bytes;
  R_xlen_t length;
  size_t offset, size;
  int is_changed, is_whole; /* of strings: some were set, all were made */
  int has_arrived, is_mine; /* in a parcel; which has no other holder */
};

int tq_kind_of(SEXPTYPE type) {
  for (int kind = 0; kind < KINDS; kind++)
    if (kind_types[kind] == type) return kind;
  return -1;
}

static struct vector *about(SEXP x) { return R_ExternalPtrAddr(R_altrep_data1(x)); }

/* Or the parcel. */
static void *segment_of(SEXP x) { return R_ExternalPtrAddr(R_ExternalPtrProtected(R_altrep_data1(x))); }

int tq_is_mapped(SEXP x) {
  int kind = ALTREP(x) ? tq_kind_of(TYPEOF(x)) : -1;
  return kind >= 0 && R_altrep_inherits(x, kind_classes[kind]);
}

int tq_is_shared(SEXP x) { return tq_is_mapped(x) && !about(x)->has_arrived; }

/* ---- making one ---- */

static void free_segment(SEXP pointer) {
  tq_segment_free(R_ExternalPtrAddr(pointer));
  R_ClearExternalPtr(pointer);
}

/* It is made first: when there is no memory for it, the segment is not held. */
SEXP tq_segment_pointer(const void *segment) {
  SEXP pointer = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
  R_RegisterCFinalizerEx(pointer, free_segment, FALSE);
  R_SetExternalPtrAddr(pointer, tq_segment_hold(segment));
  UNPROTECT(1);
  return pointer;
}

/* `all`: what is in the segment or parcel that `holder` holds. */
static SEXP make_vector(SEXPTYPE type, SEXP holder, const char *all, size_t offset, R_xlen_t length, size_t size,
                        int has_arrived) {
  SEXP memory = PROTECT(Rf_allocVector(RAWSXP, sizeof(struct vector)));
  struct vector vector = {all + offset, length, offset, size, 0, 0, has_arrived, 0};
  memcpy(RAW(memory), &vector, sizeof vector);
  SEXP data = PROTECT(R_MakeExternalPtr(RAW(memory), memory, holder));
  SEXP x = R_new_altrep(kind_classes[tq_kind_of(type)], data, R_NilValue);
  UNPROTECT(2);
  return x;
}

SEXP tq_make_shared(SEXPTYPE type, SEXP segment, size_t offset, R_xlen_t length, size_t size) {
  struct tq_bytes all;
  tq_segment_bytes(R_ExternalPtrAddr(segment), &all);
  SEXP x = make_vector(type, segment, all.bytes, offset, length, size, 0);
  MARK_NOT_MUTABLE(x);
  return x;
}

SEXP tq_make_arrived(SEXPTYPE type, SEXP parcel, const char *all, size_t offset, R_xlen_t length) {
  return make_vector(type, parcel, all, offset, length, (size_t) length * tq_element_size((int) type), 1);
}

/* ---- what is one's own ---- */

static void free_private(SEXP pointer) {
  tq_private_free(R_ExternalPtrAddr(pointer));
  R_ClearExternalPtr(pointer);
}

static void *own_bytes(SEXP own) {
  return TYPEOF(own) == EXTPTRSXP ? R_ExternalPtrAddr(own) : (void *) DATAPTR_RO(own);
}

static const void *bytes_of(SEXP x) {
  SEXP own = R_altrep_data2(x);
  return own == R_NilValue ? about(x)->bytes : own_bytes(own);
}

static void *writable_bytes(SEXP x) {
  SEXP own = R_altrep_data2(x);
  if (own != R_NilValue) return own_bytes(own);
  struct vector *vector = about(x);
  if (vector->has_arrived) {
    if (!vector->is_mine) vector->is_mine = tq_parcel_own(segment_of(x));
    if (vector->is_mine) return (void *) vector->bytes;
  } else if (vector->size >= private_from) {
    SEXP holder = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
    SEXP pages = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, holder));
    R_RegisterCFinalizerEx(holder, free_private, FALSE);
    void *address = NULL;
    void *held = tq_segment_private(segment_of(x), vector->offset, vector->size, &address);
    R_SetExternalPtrAddr(holder, held);
    R_SetExternalPtrAddr(pages, address);
    if (held) own = pages;
    UNPROTECT(2);
  }
  if (own == R_NilValue) {
    own = Rf_allocVector(TYPEOF(x), vector->length);
    memcpy((void *) DATAPTR_RO(own), vector->bytes, vector->size);
  }
  R_set_altrep_data2(x, own);
  return own_bytes(own);
}

/* Much of R asks for a place to write and only reads. */
int tq_is_intact(SEXP x) {
  if (TYPEOF(x) == STRSXP) return !about(x)->is_changed;
  SEXP own = R_altrep_data2(x);
  if (own == R_NilValue) return 1;
  if (TYPEOF(own) == EXTPTRSXP && tq_private_is_written(R_ExternalPtrAddr(R_ExternalPtrProtected(own))) == 0) return 1;
  return memcmp(own_bytes(own), about(x)->bytes, about(x)->size) == 0;
}

/* ---- methods of all kinds ---- */

static R_xlen_t get_length(SEXP x) { return about(x)->length; }

static Rboolean inspect(SEXP x, int pre, int deep, int pvec, void (*subtree)(SEXP, int, int, int)) {
  (void) pre, (void) deep, (void) pvec, (void) subtree;
  int is_shared = tq_is_shared(x);
  const char *state = is_shared && !tq_is_intact(x) ? ", changed here" : "";
  Rprintf(" %s by taskq (len=%lld%s)\n", is_shared ? "shared" : "sent", (long long) about(x)->length, state);
  return TRUE;
}

static void *get_dataptr(SEXP x, Rboolean writable) { return writable ? writable_bytes(x) : (void *) bytes_of(x); }

static const void *get_dataptr_or_null(SEXP x) { return bytes_of(x); }

static SEXP duplicate(SEXP x, Rboolean deep) {
  (void) deep;
  SEXP copy = Rf_allocVector(TYPEOF(x), about(x)->length);
  memcpy((void *) DATAPTR_RO(copy), bytes_of(x), about(x)->size);
  return copy;
}

#define METHODS(name, type)                                                              \
  static type name##_elt(SEXP x, R_xlen_t i) { return ((const type *) bytes_of(x))[i]; } \
  static R_xlen_t name##_region(SEXP x, R_xlen_t from, R_xlen_t count, type *into) {     \
    R_xlen_t left = about(x)->length - from, size = count < left ? count : left;         \
    memcpy(into, (const type *) bytes_of(x) + from, (size_t) size * sizeof(type));       \
    return size;                                                                         \
  }
METHODS(integer, int)
METHODS(real, double)
METHODS(complex, Rcomplex)
METHODS(raw, Rbyte)

/* ---- strings ----
 *
 * They lie in a block: for each element, and for the end, where its text begins behind these numbers, and in the four
 * highest bits what it is, NA or its encoding; then the texts. */

enum { STRING_NA = 4 };

uint64_t tq_string_flags(SEXP string) {
  if (string == NA_STRING) return STRING_NA;
  cetype_t encoding = Rf_getCharCE(string);
  return encoding == CE_UTF8 || encoding == CE_LATIN1 || encoding == CE_BYTES ? (uint64_t) encoding : CE_NATIVE;
}

static SEXP read_string(const struct vector *vector, R_xlen_t i) {
  struct tq_text text;
  if (!tq_string_in(vector->bytes, vector->size, (size_t) vector->length, (size_t) i, &text))
    Rf_error("a shared character vector is damaged");
  return text.bytes ? Rf_mkCharLenCE(text.bytes, (int) text.length, (cetype_t) text.encoding) : NA_STRING;
}

/* Elements are kept once they were made, so that the vector protects them as any vector does. An empty one may be one
 * that was not made yet. */
static SEXP string_elt(SEXP x, R_xlen_t i) {
  struct vector *vector = about(x);
  SEXP made = R_altrep_data2(x);
  if (made == R_NilValue) {
    made = Rf_allocVector(STRSXP, vector->length);
    R_set_altrep_data2(x, made);
  }
  SEXP string = STRING_ELT(made, i);
  if (string == R_BlankString && !vector->is_whole) {
    string = read_string(vector, i);
    SET_STRING_ELT(made, i, string);
  }
  return string;
}

static SEXP all_strings(SEXP x) {
  struct vector *vector = about(x);
  if (!vector->is_whole) {
    for (R_xlen_t i = 0; i < vector->length; i++) string_elt(x, i);
    vector->is_whole = 1;
  }
  return R_altrep_data2(x);
}

static void string_set_elt(SEXP x, R_xlen_t i, SEXP value) {
  PROTECT(value);
  SEXP made = all_strings(x);
  about(x)->is_changed = 1;
  SET_STRING_ELT(made, i, value);
  UNPROTECT(1);
}

/* Whoever writes strings does it by string_set_elt(): R's collector has to know. Those who sort ask for a place to
 * write, too. */
static void *string_dataptr(SEXP x, Rboolean writable) {
  (void) writable;
  return (void *) DATAPTR_RO(all_strings(x));
}

static const void *string_dataptr_or_null(SEXP x) { return about(x)->is_whole ? DATAPTR_RO(R_altrep_data2(x)) : NULL; }

static SEXP string_duplicate(SEXP x, Rboolean deep) {
  (void) deep;
  R_xlen_t length = about(x)->length;
  SEXP copy = PROTECT(Rf_allocVector(STRSXP, length));
  for (R_xlen_t i = 0; i < length; i++) SET_STRING_ELT(copy, i, string_elt(x, i));
  UNPROTECT(1);
  return copy;
}

/* ---- on the way ---- */

/* What tq_write() writes now, and the depth of R's calls around it: a finalizer that saves a vector meanwhile is
 * deeper. */
static struct writing {
  void *buffer;
  SEXP object, sent;
  int depth;
  struct writing *outer;
  void (*write)(void *, SEXP, SEXP);
} *writing = NULL;

/* What tq_read() reads now, and a pointer for each of its segments that was needed. */
static struct reading {
  const void *payload;
  SEXP pointers;
  struct reading *outer;
  SEXP (*read)(const void *);
} *reading = NULL;

static SEXP depth_function = NULL;

static int call_depth(void) {
  SEXP call = PROTECT(Rf_lang1(depth_function));
  int depth = Rf_asInteger(Rf_eval(call, R_BaseEnv));
  UNPROTECT(1);
  return depth;
}

static SEXP serialized_state(SEXP x) {
  if (!writing || !tq_is_shared(x) || !tq_is_intact(x) || call_depth() != writing->depth) return NULL;
  int place = tq_buffer_attach(writing->buffer, segment_of(x));
  if (place < 0) return NULL;
  SEXP state = Rf_allocVector(REALSXP, 4);
  REAL(state)[0] = place;
  REAL(state)[1] = (double) about(x)->offset;
  REAL(state)[2] = (double) about(x)->length;
  REAL(state)[3] = (double) about(x)->size;
  return state;
}

/* R gives the class that the object was written as. */
static SEXP read_handle(SEXP class, SEXP state) {
  int kind = 0;
  while (R_SEXP(kind_classes[kind]) != class) kind++;
  if (!reading) Rf_error("a shared vector was saved without its data");
  if (TYPEOF(state) != REALSXP || XLENGTH(state) != 4) Rf_error("a shared vector came without its place");
  struct tq_place place;
  const char *fault = tq_find_shared(reading->payload, (int) kind_types[kind], REAL(state), &place);
  if (fault) Rf_error("%s", fault);
  SEXP pointer = VECTOR_ELT(reading->pointers, (R_xlen_t) place.number);
  if (pointer == R_NilValue) {
    pointer = tq_segment_pointer(tq_payload_segment(reading->payload, place.number));
    SET_VECTOR_ELT(reading->pointers, (R_xlen_t) place.number, pointer);
  }
  return tq_make_shared(kind_types[kind], pointer, place.offset, (R_xlen_t) place.length, place.size);
}

static SEXP write_body(void *data) {
  struct writing *now = data;
  now->depth = call_depth();
  writing = now;
  now->write(now->buffer, now->object, now->sent);
  return R_NilValue;
}

static void write_cleanup(void *data) { writing = ((struct writing *) data)->outer; }

void tq_with_handles_written(void *buffer, SEXP object, SEXP sent, void (*write)(void *, SEXP, SEXP)) {
  struct writing now = {buffer, object, sent, 0, writing, write};
  R_ExecWithCleanup(write_body, &now, write_cleanup, &now);
}

static SEXP read_body(void *data) {
  struct reading *now = data;
  now->pointers = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t) tq_payload_segments(now->payload)));
  reading = now;
  SEXP object = now->read(now->payload);
  UNPROTECT(1);
  return object;
}

static void read_cleanup(void *data) { reading = ((struct reading *) data)->outer; }

const void *tq_payload_being_read(void) { return reading ? reading->payload : NULL; }

SEXP tq_with_handles_read(const void *payload, SEXP (*read)(const void *)) {
  struct reading now = {payload, R_NilValue, reading, read};
  return R_ExecWithCleanup(read_body, &now, read_cleanup, &now);
}

/* ---- the classes ---- */

static void set_methods(int kind) {
  R_altrep_class_t class = kind_classes[kind];
  int is_string = kind_types[kind] == STRSXP;
  R_set_altrep_Length_method(class, get_length);
  R_set_altrep_Inspect_method(class, inspect);
  R_set_altrep_Serialized_state_method(class, serialized_state);
  R_set_altrep_Unserialize_method(class, read_handle);
  R_set_altrep_Duplicate_method(class, is_string ? string_duplicate : duplicate);
  R_set_altvec_Dataptr_method(class, is_string ? string_dataptr : get_dataptr);
  R_set_altvec_Dataptr_or_null_method(class, is_string ? string_dataptr_or_null : get_dataptr_or_null);
}

void tq_shared_begin(DllInfo *dll) {
  kind_classes[0] = R_make_altlogical_class("shared_logical", "taskq", dll);
  kind_classes[1] = R_make_altinteger_class("shared_integer", "taskq", dll);
  kind_classes[2] = R_make_altreal_class("shared_real", "taskq", dll);
  kind_classes[3] = R_make_altcomplex_class("shared_complex", "taskq", dll);
  kind_classes[4] = R_make_altraw_class("shared_raw", "taskq", dll);
  kind_classes[5] = R_make_altstring_class("shared_string", "taskq", dll);
  for (int kind = 0; kind < KINDS; kind++) set_methods(kind);
  R_set_altlogical_Elt_method(kind_classes[0], integer_elt);
  R_set_altlogical_Get_region_method(kind_classes[0], integer_region);
  R_set_altinteger_Elt_method(kind_classes[1], integer_elt);
  R_set_altinteger_Get_region_method(kind_classes[1], integer_region);
  R_set_altreal_Elt_method(kind_classes[2], real_elt);
  R_set_altreal_Get_region_method(kind_classes[2], real_region);
  R_set_altcomplex_Elt_method(kind_classes[3], complex_elt);
  R_set_altcomplex_Get_region_method(kind_classes[3], complex_region);
  R_set_altraw_Elt_method(kind_classes[4], raw_elt);
  R_set_altraw_Get_region_method(kind_classes[4], raw_region);
  R_set_altstring_Elt_method(kind_classes[5], string_elt);
  R_set_altstring_Set_elt_method(kind_classes[5], string_set_elt);

  SEXP body = PROTECT(Rf_lang1(Rf_install("sys.nframe")));
  SEXP definition = PROTECT(Rf_lang4(Rf_install("function"), R_NilValue, body, R_NilValue));
  depth_function = Rf_eval(definition, R_BaseEnv);
  R_PreserveObject(depth_function);
  UNPROTECT(2);
}
