/* Small plain values to bytes and back, without R's serializer.
 *
 * The bytes are the very ones that R_Serialize() writes in this R, and every R reads them; but R makes a table of a thousand
 * entries for every object that it writes, which takes longer than most tasks. Plain are NULL and short logical, integer, double
 * and character vectors and lists of such, to a small depth, without attributes but names. Whatever else comes is left to R.
 *
 * The format is that of "R Internals", 1.8: each item begins with a word of its type and flags. */

#include "rapi.h"

#include <Rversion.h>
#include <string.h>

enum {
  MOST_BYTES = 1024,
  MOST_DEPTH = 4,
  HAS_ATTRIBUTES = 1 << 9,
  HAS_TAG = 1 << 10,
  NIL = 254,
  REFERENCE = 255,
  FIRST_REFERENCE = 1 << 8 | REFERENCE,
  UTF8 = 1 << 15,
  ASCII = 1 << 18
};

/* ---- writing ---- */

struct out {
  char bytes[MOST_BYTES];
  size_t length;
  int names_seen;
};

static int put(struct out *out, const void *bytes, size_t length) {
  if (length > sizeof out->bytes - out->length) return 0;
  memcpy(out->bytes + out->length, bytes, length);
  out->length += length;
  return 1;
}

static void put_bytes(R_outpstream_t stream, void *bytes, int length) { put((struct out *) stream->data, bytes, (size_t) length); }

static void put_char(R_outpstream_t stream, int c) {
  char byte = (char) c;
  put((struct out *) stream->data, &byte, 1);
}

/* What all bytes begin with: format, versions, the encoding of this session. Of no length until it is known. */
static struct out header;

void tq_plain_begin(void) {
  struct R_outpstream_st stream;
  R_InitOutPStream(&stream, (R_pstream_data_t) &header, R_pstream_binary_format, 3, put_char, put_bytes, NULL, R_NilValue);
  R_Serialize(R_NilValue, &stream);
  /* All but the NULL. */
  header.length -= sizeof(int);
}

/* Behind the format and three numbers of versions stands the name of the encoding. */
int tq_is_of_this_encoding(const char *bytes, size_t length) {
  const size_t before = 2 + 3 * sizeof(int);
  if (header.length <= before || length < header.length) return 1;
  return memcmp(bytes + before, header.bytes + before, header.length - before) == 0;
}

static int put_int(struct out *out, int value) { return put(out, &value, sizeof value); }

static int is_ascii(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++)
    if ((unsigned char) text[i] > 127) return 0;
  return 1;
}

static int put_string(struct out *out, SEXP string) {
  if (string == NA_STRING) return put_int(out, CHARSXP) && put_int(out, -1);
  const char *text = CHAR(string);
  size_t length = (size_t) LENGTH(string);
  if (length > MOST_BYTES) return 0;
  int flags = CHARSXP;
  if (is_ascii(text, length)) {
    flags |= ASCII;
  } else if (Rf_getCharCE(string) == CE_UTF8) {
    flags |= UTF8;
  } else {
    return 0;
  }
  return put_int(out, flags) && put_int(out, (int) length) && put(out, text, length);
}

static int put_strings(struct out *out, SEXP strings) {
  for (R_xlen_t i = 0; i < XLENGTH(strings); i++)
    if (!put_string(out, STRING_ELT(strings, i))) return 0;
  return 1;
}

/* A pairlist of one. A symbol is written once, and referred to after that. */
static int put_names(struct out *out, SEXP names) {
  if (!put_int(out, LISTSXP | HAS_TAG)) return 0;
  if (out->names_seen) {
    if (!put_int(out, FIRST_REFERENCE)) return 0;
  } else if (!put_int(out, SYMSXP) || !put_string(out, PRINTNAME(R_NamesSymbol))) {
    return 0;
  }
  out->names_seen = 1;
  return put_int(out, STRSXP) && put_int(out, LENGTH(names)) && put_strings(out, names) && put_int(out, NIL);
}

/* The names of a list that has no other attribute. */
static int only_names(SEXP list, SEXP *names) {
#if R_VERSION >= R_Version(4, 6, 0)
  int is_one = R_getAttribCount(list) == 1;
#elif R_VERSION >= R_Version(4, 5, 0)
  int is_one = 0;
#else
  int is_one = CDR(ATTRIB(list)) == R_NilValue;
#endif
  *names = is_one ? Rf_getAttrib(list, R_NamesSymbol) : R_NilValue;
  return TYPEOF(*names) == STRSXP && !tq_has_attributes(*names);
}

static int put_item(struct out *out, SEXP x, int depth) {
  if (x == R_NilValue) return put_int(out, NIL);
  int type = TYPEOF(x);
  if (type != LGLSXP && type != INTSXP && type != REALSXP && type != STRSXP && type != VECSXP) return 0;
  if (ALTREP(x) || Rf_isObject(x) || Rf_isS4(x) || XLENGTH(x) > MOST_BYTES) return 0;
  SEXP names = R_NilValue;
  if (tq_has_attributes(x) && !(type == VECSXP && only_names(x, &names))) return 0;
  size_t length = (size_t) XLENGTH(x);
  if (!put_int(out, type | (names == R_NilValue ? 0 : HAS_ATTRIBUTES)) || !put_int(out, (int) length)) return 0;
  switch (type) {
  case LGLSXP:
    return put(out, LOGICAL(x), length * sizeof(int));
  case INTSXP:
    return put(out, INTEGER(x), length * sizeof(int));
  case REALSXP:
    return put(out, REAL(x), length * sizeof(double));
  case STRSXP:
    return put_strings(out, x);
  default:
    if (depth == MOST_DEPTH) return 0;
    for (size_t i = 0; i < length; i++)
      if (!put_item(out, VECTOR_ELT(x, (R_xlen_t) i), depth + 1)) return 0;
    return names == R_NilValue || put_names(out, names);
  }
}

static int compose(struct out *out, SEXP x) {
  out->length = 0;
  out->names_seen = 0;
  return header.length && put(out, header.bytes, header.length) && put_item(out, x, 0);
}

int tq_write_plain(void *buffer, SEXP x) {
  struct out out;
  if (!compose(&out, x)) return 0;
  if (!tq_buffer_write(buffer, out.bytes, out.length)) tq_no_memory();
  return 1;
}

/* ---- reading ---- */

struct in {
  const char *bytes;
  size_t left;
  int names_seen;
};

static int get(struct in *in, void *into, size_t length) {
  if (length > in->left) return 0;
  memcpy(into, in->bytes, length);
  in->bytes += length;
  in->left -= length;
  return 1;
}

static int get_int(struct in *in, int *value) { return get(in, value, sizeof *value); }

/* NULL: not plain. */
static SEXP get_string(struct in *in) {
  int flags, length;
  if (!get_int(in, &flags) || !get_int(in, &length)) return NULL;
  if (flags == CHARSXP && length == -1) return NA_STRING;
  if ((flags != (CHARSXP | ASCII) && flags != (CHARSXP | UTF8)) || length < 0 || (size_t) length > in->left) return NULL;
  /* R does not have these, and says so by a jump. */
  if (memchr(in->bytes, 0, (size_t) length)) return NULL;
  SEXP string = Rf_mkCharLenCE(in->bytes, length, flags & UTF8 ? CE_UTF8 : CE_NATIVE);
  in->bytes += length;
  in->left -= (size_t) length;
  return string;
}

static int get_strings(struct in *in, SEXP strings) {
  for (R_xlen_t i = 0; i < XLENGTH(strings); i++) {
    SEXP string = get_string(in);
    if (!string) return 0;
    SET_STRING_ELT(strings, i, string);
  }
  return 1;
}

/* Every element takes at least this much, so a false length does not lead to a large vector. */
static int is_possible(const struct in *in, int length, size_t size) {
  return length >= 0 && (size_t) length <= in->left / size;
}

static int get_names(struct in *in, SEXP list) {
  static const char symbol[] = "names";
  int flags, length;
  if (!get_int(in, &flags) || flags != (LISTSXP | HAS_TAG) || !get_int(in, &flags)) return 0;
  if (flags == SYMSXP && !in->names_seen) {
    SEXP name = get_string(in);
    if (!name || strcmp(CHAR(name), symbol) != 0) return 0;
    in->names_seen = 1;
  } else if (flags != FIRST_REFERENCE || !in->names_seen) {
    return 0;
  }
  if (!get_int(in, &flags) || flags != STRSXP || !get_int(in, &length) || length != XLENGTH(list)) return 0;
  SEXP names = PROTECT(Rf_allocVector(STRSXP, length));
  int is_read = get_strings(in, names) && get_int(in, &flags) && flags == NIL;
  if (is_read) Rf_setAttrib(list, R_NamesSymbol, names);
  UNPROTECT(1);
  return is_read;
}

static SEXP get_item(struct in *in, int depth);

static int get_items(struct in *in, SEXP list, int depth) {
  for (R_xlen_t i = 0; i < XLENGTH(list); i++) {
    SEXP item = get_item(in, depth);
    if (!item) return 0;
    SET_VECTOR_ELT(list, i, item);
  }
  return 1;
}

/* NULL: not plain. */
static SEXP get_item(struct in *in, int depth) {
  int flags, length;
  if (!get_int(in, &flags)) return NULL;
  if (flags == NIL) return R_NilValue;
  int has_names = flags == (VECSXP | HAS_ATTRIBUTES), type = has_names ? VECSXP : flags;
  if (type != LGLSXP && type != INTSXP && type != REALSXP && type != STRSXP && type != VECSXP) return NULL;
  size_t size = type == REALSXP ? sizeof(double) : sizeof(int);
  if (!get_int(in, &length) || !is_possible(in, length, size) || depth > MOST_DEPTH) return NULL;
  SEXP x = PROTECT(Rf_allocVector((SEXPTYPE) type, length));
  int is_read;
  switch (type) {
  case LGLSXP:
    is_read = get(in, LOGICAL(x), (size_t) length * size);
    break;
  case INTSXP:
    is_read = get(in, INTEGER(x), (size_t) length * size);
    break;
  case REALSXP:
    is_read = get(in, REAL(x), (size_t) length * size);
    break;
  case STRSXP:
    is_read = get_strings(in, x);
    break;
  default:
    is_read = get_items(in, x, depth + 1) && (!has_names || get_names(in, x));
  }
  UNPROTECT(1);
  return is_read ? x : NULL;
}

SEXP tq_read_plain(const char *bytes, size_t length) {
  if (!header.length || length > MOST_BYTES || length < header.length) return NULL;
  if (memcmp(bytes, header.bytes, header.length) != 0) return NULL;
  struct in in = {bytes + header.length, length - header.length, 0};
  SEXP x = get_item(&in, 0);
  return x && in.left == 0 ? x : NULL;
}

/* ---- for tests ---- */

/* (object): its bytes; or (bytes): its object in a list. NULL when it is not plain. */
SEXP tq_r_plain(SEXP args) {
  SEXP object = tq_argument(args, 1);
  struct out out;
  if (TYPEOF(object) != RAWSXP) {
    if (!compose(&out, object)) return R_NilValue;
    SEXP bytes = Rf_allocVector(RAWSXP, (R_xlen_t) out.length);
    memcpy(RAW(bytes), out.bytes, out.length);
    return bytes;
  }
  SEXP read = tq_read_plain((const char *) RAW(object), (size_t) XLENGTH(object));
  if (!read) return R_NilValue;
  PROTECT(read);
  SEXP list = Rf_allocVector(VECSXP, 1);
  SET_VECTOR_ELT(list, 0, read);
  UNPROTECT(1);
  return list;
}
