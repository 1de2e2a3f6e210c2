/* A list of scalars takes ten times as long to write and read as the vector of the same numbers, and scalars are what
 * most maps give. A scalar with attributes is not plain: it stays as it is. */

#include "elements.h"

SEXP tq_slice(SEXP x, R_xlen_t first, R_xlen_t count) {
  SEXP slice = PROTECT(Rf_allocVector(TYPEOF(x), count));
  switch (TYPEOF(x)) {
  case LGLSXP:
    LOGICAL_GET_REGION(x, first, count, LOGICAL(slice));
    break;
  case INTSXP:
    INTEGER_GET_REGION(x, first, count, INTEGER(slice));
    break;
  case REALSXP:
    REAL_GET_REGION(x, first, count, REAL(slice));
    break;
  case CPLXSXP:
    COMPLEX_GET_REGION(x, first, count, COMPLEX(slice));
    break;
  case RAWSXP:
    RAW_GET_REGION(x, first, count, RAW(slice));
    break;
  case STRSXP:
    for (R_xlen_t i = 0; i < count; i++) SET_STRING_ELT(slice, i, STRING_ELT(x, first + i));
    break;
  default:
    for (R_xlen_t i = 0; i < count; i++) SET_VECTOR_ELT(slice, i, VECTOR_ELT(x, first + i));
  }
  UNPROTECT(1);
  return slice;
}

static int is_plain(SEXP x, SEXPTYPE type) {
  return TYPEOF(x) == type && XLENGTH(x) == 1 && !tq_has_attributes(x);
}

SEXP tq_pack(SEXP list, R_xlen_t count) {
  SEXPTYPE type = count > 0 ? TYPEOF(VECTOR_ELT(list, 0)) : NILSXP;
  int packs = type == LGLSXP || type == INTSXP || type == REALSXP || type == STRSXP;
  for (R_xlen_t i = 0; packs && i < count; i++) packs = is_plain(VECTOR_ELT(list, i), type);
  if (!packs) return count == XLENGTH(list) ? list : tq_slice(list, 0, count);
  SEXP packed = PROTECT(Rf_allocVector(type, count));
  for (R_xlen_t i = 0; i < count; i++) {
    SEXP value = VECTOR_ELT(list, i);
    switch (type) {
    case LGLSXP:
      LOGICAL(packed)[i] = LOGICAL_ELT(value, 0);
      break;
    case INTSXP:
      INTEGER(packed)[i] = INTEGER_ELT(value, 0);
      break;
    case REALSXP:
      REAL(packed)[i] = REAL_ELT(value, 0);
      break;
    default:
      SET_STRING_ELT(packed, i, STRING_ELT(value, 0));
    }
  }
  UNPROTECT(1);
  return packed;
}

void tq_unpack(SEXP packed, SEXP list, R_xlen_t first) {
  R_xlen_t count = XLENGTH(packed);
  for (R_xlen_t i = 0; i < count; i++) {
    SEXP value;
    switch (TYPEOF(packed)) {
    case LGLSXP:
      value = Rf_ScalarLogical(LOGICAL(packed)[i]);
      break;
    case INTSXP:
      value = Rf_ScalarInteger(INTEGER(packed)[i]);
      break;
    case REALSXP:
      value = Rf_ScalarReal(REAL(packed)[i]);
      break;
    case STRSXP:
      value = Rf_ScalarString(STRING_ELT(packed, i));
      break;
    default:
      value = VECTOR_ELT(packed, i);
    }
    SET_VECTOR_ELT(list, first + i, value);
  }
}
