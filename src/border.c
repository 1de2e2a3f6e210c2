/* Between R and Rust: the one place where what Rust answers becomes an object of R's, and the routine by which R calls
 * functions of Rust's by their names (src/rust/src/entries.rs).
 *
 * R jumps when it has no memory, and no Rust frame may be jumped over. So Rust returns plain data, a value
 * (src/rust/src/value.rs), before anything of it is made here; and when R jumps meanwhile, the value is freed.
 */

#include "rapi.h"

#include <string.h>

enum { TQ_MOST_ARGUMENTS = 8 };

static SEXP make(const void *value);

static SEXP make_strings(const void *value, size_t length) {
  SEXP strings = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t) length));
  for (size_t i = 0; i < length; i++) {
    struct tq_bytes text;
    int is_there = tq_value_text(value, i, &text);
    SET_STRING_ELT(strings, (R_xlen_t) i, is_there ? Rf_mkCharLenCE(text.bytes, (int) text.length, CE_UTF8) : NA_STRING);
  }
  UNPROTECT(1);
  return strings;
}

static SEXP make_list(const void *value, size_t length) {
  SEXP list = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t) length));
  for (size_t i = 0; i < length; i++) SET_VECTOR_ELT(list, (R_xlen_t) i, make(tq_value_element(value, i)));
  UNPROTECT(1);
  return list;
}

/* The pointer is whole before it owns anything: from then on its finalizer frees it. */
static SEXP make_pointer(const void *value, const char *tag) {
  SEXP pointer = PROTECT(R_MakeExternalPtr(NULL, Rf_install(tag), R_NilValue));
  R_RegisterCFinalizerEx(pointer, tq_value_finalizer(value), TRUE);
  R_SetExternalPtrAddr(pointer, tq_value_give(value));
  UNPROTECT(1);
  return pointer;
}

static SEXP fill(SEXP vector, const struct tq_value *seen, size_t size) {
  if (seen->length) memcpy((void *) DATAPTR_RO(vector), seen->data, seen->length * size);
  return vector;
}

static SEXP make_content(const void *value, const struct tq_value *seen) {
  R_xlen_t length = (R_xlen_t) seen->length;
  struct tq_bytes text;
  switch (seen->kind) {
  case TQ_LOGICALS:
    return fill(Rf_allocVector(LGLSXP, length), seen, sizeof(int));
  case TQ_INTEGERS:
    return fill(Rf_allocVector(INTSXP, length), seen, sizeof(int));
  case TQ_DOUBLES:
    return fill(Rf_allocVector(REALSXP, length), seen, sizeof(double));
  case TQ_RAW:
    return fill(Rf_allocVector(RAWSXP, length), seen, 1);
  case TQ_STRINGS:
    return make_strings(value, seen->length);
  case TQ_LIST:
    return make_list(value, seen->length);
  case TQ_POINTER:
    return make_pointer(value, seen->data);
  case TQ_FAULT:
    tq_value_text(value, 0, &text);
    Rf_error("%.*s", (int) text.length, text.bytes);
  default:
    return R_NilValue;
  }
}

static SEXP make(const void *value) {
  struct tq_value seen;
  tq_value_see(value, &seen);
  SEXP object = PROTECT(make_content(value, &seen));
  if (seen.has_names) {
    SEXP names = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t) seen.length));
    for (size_t i = 0; i < seen.length; i++) {
      struct tq_bytes name = tq_value_name(value, i);
      SET_STRING_ELT(names, (R_xlen_t) i, Rf_mkCharLenCE(name.bytes, (int) name.length, CE_UTF8));
    }
    Rf_setAttrib(object, R_NamesSymbol, names);
    UNPROTECT(1);
  }
  if (seen.class) {
    SEXP class = PROTECT(Rf_mkString(seen.class));
    Rf_setAttrib(object, R_ClassSymbol, class);
    UNPROTECT(1);
  }
  UNPROTECT(1);
  return object;
}

static SEXP answer_body(void *value) { return make(value); }

SEXP tq_answer(void *value) { return value ? R_ExecWithCleanup(answer_body, value, tq_value_free, value) : R_NilValue; }

/* Some vectors are made when somebody looks at them: here, where R may jump, and not while Rust reads them. */
static void make_real(SEXP object) {
  switch (TYPEOF(object)) {
  case LGLSXP:
  case INTSXP:
  case REALSXP:
  case RAWSXP:
  case STRSXP:
    DATAPTR_RO(object);
    break;
  case VECSXP:
    for (R_xlen_t i = 0; i < XLENGTH(object); i++) make_real(VECTOR_ELT(object, i));
    break;
  default:
    break;
  }
}

/* (name, ...): what the function of this name answers to these arguments. */
SEXP tq_r_ask(SEXP args) {
  SEXP given[TQ_MOST_ARGUMENTS];
  size_t count = 0;
  for (SEXP rest = CDDR(args); rest != R_NilValue; rest = CDR(rest)) {
    if (count == TQ_MOST_ARGUMENTS) Rf_error("too many arguments");
    make_real(CAR(rest));
    given[count++] = CAR(rest);
  }
  return tq_answer(tq_ask(CHAR(STRING_ELT(tq_argument(args, 1), 0)), given, count));
}
