/* The border between R and Rust: the one way in from R, and the guard around every call of R that may jump.
 *
 * R reports errors, interrupts and want of memory by longjmp(), and must not jump over frames of Rust's. So Rust makes
 * such calls only through tq_guarded(), which makes them under R_UnwindProtect(). When R jumps, the jump ends there, and
 * Rust is told. It releases what it holds and returns as from any failure; then, when no frame of Rust's is left,
 * tq_r_call() has R go on with the jump.
 *
 * Owns: the token of a jump that is under way. Must not: know what the calls are for. */

#include "elements.h"
#include "rapi.h"
#include "shared.h"

#include <setjmp.h>
#include <string.h>

/* ---- the guard --------------------------------------------------------------------------------------------------- */

/* One is enough: between the end of a jump here and its going on, nothing is called under the guard. */
static SEXP token = NULL;

void tq_guard_begin(void) {
  token = R_MakeUnwindCont();
  R_PreserveObject(token);
}

struct guarded {
  tq_call_of_r *call;
  const union tq_slot *args;
  int keeps;
  SEXP value;
};

static SEXP guarded_body(void *data) {
  struct guarded *guarded = data;
  guarded->value = guarded->call(guarded->args);
  if (guarded->keeps && guarded->value) PROTECT(guarded->value);
  return R_NilValue;
}

static void end_jump(void *place, Rboolean has_jumped) {
  if (has_jumped) longjmp(*(jmp_buf *) place, 1);
}

int tq_guarded(tq_call_of_r *call, const union tq_slot *args, int keeps, SEXP *value) {
  struct guarded guarded = {call, args, keeps, NULL};
  jmp_buf place;
  if (setjmp(place)) return 0;
  R_UnwindProtect(guarded_body, &guarded, end_jump, &place, token);
  *value = guarded.value;
  return 1;
}

/* ---- the calls --------------------------------------------------------------------------------------------------- */

SEXP tq_c_vector(const union tq_slot *a) { return Rf_allocVector((SEXPTYPE) a[0].count, (R_xlen_t) a[1].count); }

static SEXP make_strings(const struct tq_text *texts, R_xlen_t length) {
  SEXP strings = PROTECT(Rf_allocVector(STRSXP, length));
  for (R_xlen_t i = 0; i < length; i++) {
    const struct tq_text *text = &texts[i];
    cetype_t encoding = (cetype_t) text->encoding;
    SEXP string = text->bytes ? Rf_mkCharLenCE(text->bytes, (int) text->length, encoding) : NA_STRING;
    SET_STRING_ELT(strings, i, string);
  }
  UNPROTECT(1);
  return strings;
}

static SEXP make_numbers(SEXPTYPE kind, const void *numbers, R_xlen_t length) {
  SEXP vector = Rf_allocVector(kind, length);
  if (length) memcpy((void *) DATAPTR_RO(vector), numbers, (size_t) length * tq_element_size(kind));
  return vector;
}

static SEXP make(const struct tq_tree *tree);

static SEXP make_list(const struct tq_tree *elements, R_xlen_t length) {
  SEXP list = PROTECT(Rf_allocVector(VECSXP, length));
  for (R_xlen_t i = 0; i < length; i++) SET_VECTOR_ELT(list, i, make(&elements[i]));
  UNPROTECT(1);
  return list;
}

static SEXP make(const struct tq_tree *tree) {
  if (tree->object) return tree->object;
  R_xlen_t length = (R_xlen_t) tree->length;
  const void *elements = tree->elements ? tree->elements : &tree->only;
  SEXP made;
  if (tree->kind == NILSXP)
    return R_NilValue;
  else if (tree->kind == STRSXP)
    made = make_strings(elements, length);
  else if (tree->kind == VECSXP)
    made = make_list(elements, length);
  else
    made = make_numbers((SEXPTYPE) tree->kind, elements, length);
  PROTECT(made);
  if (tree->names) Rf_setAttrib(made, R_NamesSymbol, make_strings(tree->names, length));
  if (tree->kept_names) Rf_setAttrib(made, R_NamesSymbol, tree->kept_names);
  if (tree->kept_class) Rf_setAttrib(made, R_ClassSymbol, tree->kept_class);
  UNPROTECT(1);
  return made;
}

SEXP tq_c_make(const union tq_slot *a) { return make(a[0].address); }

/* A pointer with a finalizer that is called at the end of R, too, and nothing to point to yet. */
SEXP tq_c_pointer(const union tq_slot *a) {
  SEXP pointer = PROTECT(R_MakeExternalPtr(NULL, Rf_install(a[0].address), R_NilValue));
  R_RegisterCFinalizerEx(pointer, a[1].finalizer, TRUE);
  UNPROTECT(1);
  return pointer;
}

/* Some vectors are made when somebody looks at them. */
SEXP tq_c_make_real(const union tq_slot *a) {
  SEXP object = a[0].object;
  if (TYPEOF(object) == STRSXP)
    for (R_xlen_t i = 0; i < XLENGTH(object); i++) STRING_ELT(object, i);
  DATAPTR_RO(object);
  return R_NilValue;
}

/* The value of fun(), or of fun(argument). */
SEXP tq_c_call(const union tq_slot *a) {
  SEXP call = PROTECT(a[1].object ? Rf_lang2(a[0].object, a[1].object) : Rf_lang1(a[0].object));
  SEXP value = Rf_eval(call, R_BaseEnv);
  UNPROTECT(1);
  return value;
}

/* The same of a function of this package. */
SEXP tq_c_call_own(const union tq_slot *a) { return tq_call_own(a[0].address, a[1].object); }

SEXP tq_c_check_interrupt(const union tq_slot *a) {
  (void) a;
  R_CheckUserInterrupt();
  return R_NilValue;
}

SEXP tq_c_keep(const union tq_slot *a) {
  R_PreserveObject(a[0].object);
  return R_NilValue;
}

/* Writes where the text of a string is in UTF-8, until the routine ends. */
SEXP tq_c_translate(const union tq_slot *a) {
  *(const char **) a[1].address = Rf_translateCharUTF8(a[0].object);
  return R_NilValue;
}

/* ---- the same of what is C -------------------------------------------------------------------------------------- */

SEXP tq_c_write(const union tq_slot *a) {
  tq_write(a[0].buffer, a[1].object, a[2].object);
  return R_NilValue;
}

SEXP tq_c_read(const union tq_slot *a) { return tq_read(a[0].address); }

SEXP tq_c_pointer_to(const union tq_slot *a) {
  return R_MakeExternalPtr((void *) a[0].address, R_NilValue, R_NilValue);
}

SEXP tq_c_slice(const union tq_slot *a) { return tq_slice(a[0].object, (R_xlen_t) a[1].count, (R_xlen_t) a[2].count); }

SEXP tq_c_pack(const union tq_slot *a) { return tq_pack(a[0].object, (R_xlen_t) a[1].count); }

SEXP tq_c_unpack(const union tq_slot *a) {
  tq_unpack(a[0].object, a[1].object, (R_xlen_t) a[2].count);
  return R_NilValue;
}

SEXP tq_c_with_captured(const union tq_slot *a) { return tq_with_captured(a[0].object, a[1].object); }

SEXP tq_c_with_environment(const union tq_slot *a) { return tq_with_environment(a[0].object, a[1].object); }

SEXP tq_c_clean_function(const union tq_slot *a) { return tq_clean_function(a[0].object); }

SEXP tq_c_with_code_of(const union tq_slot *a) { return tq_with_code_of(a[0].object, a[1].object, a[2].object); }

SEXP tq_c_without_sources(const union tq_slot *a) { return tq_without_sources(a[0].object); }

SEXP tq_c_value_at_hand(const union tq_slot *a) { return tq_value_at_hand(a[0].object, a[1].object); }

/* The symbol whose name is that of another one without its first characters, and with others behind it. */
SEXP tq_c_symbol_like(const union tq_slot *a) {
  const char *name = CHAR(PRINTNAME(a[0].object)) + a[1].count, *behind = a[2].address;
  const void *top = vmaxget();
  char *text = R_alloc(strlen(name) + strlen(behind) + 1, 1);
  strcpy(text, name);
  strcat(text, behind);
  SEXP other = Rf_installTrChar(PROTECT(Rf_mkCharCE(text, Rf_getCharCE(PRINTNAME(a[0].object)))));
  UNPROTECT(1);
  vmaxset(top);
  return other;
}

/* The names of all variables of an environment, in no order, as a list of symbols. */
SEXP tq_c_symbols_in(const union tq_slot *a) {
  SEXP names = PROTECT(R_lsInternal3(a[0].object, TRUE, FALSE));
  SEXP symbols = PROTECT(Rf_allocVector(VECSXP, XLENGTH(names)));
  for (R_xlen_t i = 0; i < XLENGTH(names); i++) SET_VECTOR_ELT(symbols, i, Rf_installTrChar(STRING_ELT(names, i)));
  UNPROTECT(2);
  return symbols;
}

SEXP tq_c_set_variable(const union tq_slot *a) {
  Rf_defineVar(a[1].object, a[2].object, a[0].object);
  return R_NilValue;
}

SEXP tq_c_make_active(const union tq_slot *a) {
  R_MakeActiveBinding(a[1].object, a[2].object, a[0].object);
  return R_NilValue;
}

SEXP tq_c_remove_variable(const union tq_slot *a) {
  R_removeVarFromFrame(a[1].object, a[0].object);
  return R_NilValue;
}

SEXP tq_c_lock_variable(const union tq_slot *a) {
  R_LockBinding(a[1].object, a[0].object);
  return R_NilValue;
}

SEXP tq_c_unlock_variable(const union tq_slot *a) {
  R_unLockBinding(a[1].object, a[0].object);
  return R_NilValue;
}

SEXP tq_c_evaluate_call(const union tq_slot *a) { return Rf_eval(a[0].object, R_BaseEnv); }

/* The same; NULL for an error. */
SEXP tq_c_try_call(const union tq_slot *a) {
  int has_failed = 0;
  SEXP value = R_tryEvalSilent(a[0].object, R_BaseEnv, &has_failed);
  return has_failed ? NULL : value;
}

SEXP tq_c_marker(const union tq_slot *a) { return tq_marker(a[0].address); }

SEXP tq_c_segment_pointer(const union tq_slot *a) { return tq_segment_pointer(a[0].address); }

/* A vector over a segment that is to stand for another one. */
SEXP tq_c_shared_vector(const union tq_slot *a) {
  return tq_make_shared(TYPEOF(a[0].object), a[1].object, a[2].count, XLENGTH(a[0].object), a[3].count);
}

SEXP tq_c_shallow_copy(const union tq_slot *a) { return Rf_shallow_duplicate(a[0].object); }

SEXP tq_c_copy_attributes(const union tq_slot *a) {
  SHALLOW_DUPLICATE_ATTRIB(a[0].object, a[1].object);
  return R_NilValue;
}

SEXP tq_c_set_attribute(const union tq_slot *a) { return Rf_setAttrib(a[0].object, a[1].object, a[2].object); }

/* Row names that are only counted come as a sequence. */
SEXP tq_c_attribute(const union tq_slot *a) { return Rf_getAttrib(a[0].object, a[1].object); }

SEXP tq_c_check_stack(const union tq_slot *a) {
  (void) a;
  R_CheckStack();
  return R_NilValue;
}

/* Copies elements of a vector of integers or doubles from one on, as many as there are, or as may be. */
SEXP tq_c_region(const union tq_slot *a) {
  R_xlen_t from = (R_xlen_t) a[1].count, most = (R_xlen_t) a[2].count;
  if (TYPEOF(a[0].object) == INTSXP)
    INTEGER_GET_REGION(a[0].object, from, most, a[3].buffer);
  else
    REAL_GET_REGION(a[0].object, from, most, a[3].buffer);
  return R_NilValue;
}

SEXP tq_c_call_elements(const union tq_slot *a) {
  tq_call_elements(a[0].buffer);
  return R_NilValue;
}

SEXP tq_c_evaluate_own(const union tq_slot *a) { return tq_evaluate_own(a[0].object, a[1].object); }

SEXP tq_c_hang_bell(const union tq_slot *a) {
  tq_hang_bell(a[0].object);
  return R_NilValue;
}

SEXP tq_c_protect(const union tq_slot *a) { return a[0].object; }

SEXP tq_c_collect_garbage(const union tq_slot *a) {
  (void) a;
  R_gc();
  return R_NilValue;
}

SEXP tq_c_set_phase(const union tq_slot *a) {
  tq_set_phase(a[0].object, (enum tq_phase) a[1].count);
  return R_NilValue;
}

SEXP tq_c_evaluate(const union tq_slot *a) { return tq_evaluate(a[0].object, a[1].object, a[2].object, 1); }

/* ---- the way in -------------------------------------------------------------------------------------------------- */

enum { MOST_ARGUMENTS = 8 };

/* What R gets for how a call of Rust's has ended. No frame of Rust's is on the stack. */
static SEXP settle(enum tq_ending ending, SEXP value) {
  switch (ending) {
  case TQ_ANSWERED:
    return value;
  case TQ_JUMPED:
    R_ContinueUnwind(token);
  default:
    Rf_error("%s", tq_fault());
  }
}

SEXP tq_r_call(SEXP args) {
  SEXP given[MOST_ARGUMENTS], value = R_NilValue;
  size_t count = 0;
  for (SEXP rest = CDDR(args); rest != R_NilValue; rest = CDR(rest)) {
    if (count == MOST_ARGUMENTS) Rf_error("too many arguments");
    given[count++] = CAR(rest);
  }
  enum tq_ending ending = tq_call(CHAR(STRING_ELT(CADR(args), 0)), given, count, &value);
  return settle(ending, value);
}
