/* A copy of an object in which other vectors stand for some of its vectors: see walk.h. Who walks decides which; here
 * is only how the lists and attributes around them stay what they are. */

#include "walk.h"

static SEXP large_attributes[TQ_LARGE_ATTRIBUTES];

void tq_walk_begin(void) {
  large_attributes[0] = R_NamesSymbol;
  large_attributes[1] = R_DimNamesSymbol;
  large_attributes[2] = R_LevelsSymbol;
  large_attributes[3] = R_RowNamesSymbol;
}

SEXP tq_large_attribute(SEXP x, int which) {
  if (!tq_has_attributes(x)) return R_NilValue;
  SEXP attribute = Rf_getAttrib(x, large_attributes[which]);
  /* Row names that are only counted come as a sequence. */
  return TYPEOF(attribute) == STRSXP || TYPEOF(attribute) == VECSXP ? attribute : R_NilValue;
}

static SEXP list_with(SEXP x, int depth, SEXP (*replace)(SEXP, void *), void *data) {
  R_xlen_t length = XLENGTH(x);
  SEXP copy = x;
  PROTECT_INDEX index;
  PROTECT_WITH_INDEX(copy, &index);
  for (R_xlen_t i = 0; i < length; i++) {
    SEXP element = PROTECT(tq_with_vectors(VECTOR_ELT(x, i), depth, replace, data));
    if (element != VECTOR_ELT(x, i)) {
      if (copy == x) {
        REPROTECT(copy = Rf_allocVector(VECSXP, length), index);
        for (R_xlen_t j = 0; j < length; j++) SET_VECTOR_ELT(copy, j, VECTOR_ELT(x, j));
      }
      SET_VECTOR_ELT(copy, i, element);
    }
    UNPROTECT(1);
  }
  UNPROTECT(1);
  return copy;
}

SEXP tq_with_vectors(SEXP x, int depth, SEXP (*replace)(SEXP, void *), void *data) {
  SEXP copy;
  switch (TYPEOF(x)) {
  case VECSXP:
    if (depth == 0) return x;
    copy = list_with(x, depth - 1, replace, data);
    break;
  case LGLSXP:
  case INTSXP:
  case REALSXP:
  case CPLXSXP:
  case RAWSXP:
  case STRSXP:
    copy = replace(x, data);
    if (copy == x) return x;
    break;
  default:
    return x;
  }
  PROTECT_INDEX index;
  PROTECT_WITH_INDEX(copy, &index);
  SEXP attributes[TQ_LARGE_ATTRIBUTES];
  int is_new = 0;
  for (int i = 0; i < TQ_LARGE_ATTRIBUTES; i++) {
    SEXP attribute = PROTECT(tq_large_attribute(x, i));
    attributes[i] = PROTECT(depth == 0 ? attribute : tq_with_vectors(attribute, depth - 1, replace, data));
    is_new |= attributes[i] != attribute;
    if (attributes[i] == attribute) attributes[i] = R_NilValue;
  }
  if (copy == x && is_new) REPROTECT(copy = Rf_shallow_duplicate(x), index);
  if (copy != x) {
    SHALLOW_DUPLICATE_ATTRIB(copy, x);
    for (int i = 0; i < TQ_LARGE_ATTRIBUTES; i++)
      if (attributes[i] != R_NilValue) Rf_setAttrib(copy, large_attributes[i], attributes[i]);
  }
  UNPROTECT(1 + 2 * TQ_LARGE_ATTRIBUTES);
  return copy;
}
