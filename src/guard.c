/* The border between R and Rust: the one way in from R, and the guard around every call of R that may jump.
 *
 * R reports errors, interrupts and want of memory by longjmp(), and must not jump over frames of Rust's. So Rust makes
 * such calls only through tq_guarded(), which makes them under R_UnwindProtect(). When R jumps, the jump ends there,
 * and Rust is told. It releases what it holds and returns as from any failure; then, when no frame of Rust's is left,
 * tq_r_call() has R go on with the jump.
 *
 * Owns: the token of a jump that is under way. Must not: know what the calls are for. */

#include "taskq.h"

#include <setjmp.h>
#include <string.h>

/* ---- the guard --------------------------------------------------------------------------------------------------- */

/* One is enough: between the end of a jump here and its going on, no call is made. */
static SEXP token = NULL;
static int is_jumping = 0;

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

/* Makes a call of R under the guard: whether it has come to its end. `keeps`: its value is protected. */
int tq_guarded(tq_call_of_r *call, const union tq_slot *args, int keeps, SEXP *value) {
  struct guarded guarded = {call, args, keeps, NULL};
  jmp_buf place;
  if (is_jumping) return 0;
  if (setjmp(place)) {
    is_jumping = 1;
    return 0;
  }
  R_UnwindProtect(guarded_body, &guarded, end_jump, &place, token);
  *value = guarded.value;
  return 1;
}

/* ---- the calls --------------------------------------------------------------------------------------------------- */

/* Calls a function of this package. */
SEXP tq_call_own(const char *name, SEXP argument) {
  SEXP fun = PROTECT(Rf_lang3(Rf_install(":::"), Rf_install("taskq"), Rf_install(name)));
  SEXP call = PROTECT(argument == R_NilValue ? Rf_lang1(fun) : Rf_lang2(fun, argument));
  SEXP value = Rf_eval(call, R_BaseEnv);
  UNPROTECT(2);
  return value;
}

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
  if (length) memcpy((void *) DATAPTR_RO(vector), numbers, (size_t) length * tq_element_size((int) kind));
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

/* One that R has not written out stays so. */
static void copy_region(SEXP x, R_xlen_t from, R_xlen_t count, void *into) {
  switch (TYPEOF(x)) {
  case LGLSXP: LOGICAL_GET_REGION(x, from, count, into); break;
  case INTSXP: INTEGER_GET_REGION(x, from, count, into); break;
  case REALSXP: REAL_GET_REGION(x, from, count, into); break;
  case CPLXSXP: COMPLEX_GET_REGION(x, from, count, into); break;
  case RAWSXP: RAW_GET_REGION(x, from, count, into); break;
  default: Rf_error("this is no vector of numbers");
  }
}

/* What a call is given are its slots: O(i) is the object in one of them, N(i) the number. */
#define O(i) slots[i].object
#define N(i) slots[i].count
#define CALL(name) SEXP tq_c_##name(const union tq_slot *slots)
#define GIVES(name, expression) \
  CALL(name) { return (void) slots, expression; }
#define DOES(name, call) \
  CALL(name) { return (void) slots, call, R_NilValue; }

GIVES(make, make(slots[0].address))
GIVES(empty_list, Rf_allocVector(VECSXP, (R_xlen_t) N(0)))
GIVES(pointer_to, R_MakeExternalPtr((void *) slots[0].address, R_NilValue, R_NilValue))
GIVES(protect, O(0))
DOES(retain, R_PreserveObject(O(0)))
GIVES(call_own, tq_call_own(slots[0].address, O(1)))
GIVES(evaluate, Rf_eval(O(0), O(1)))
GIVES(evaluate_noted, (Rf_defineVar(O(3), O(4), O(2)), Rf_eval(O(0), O(1))))
GIVES(evaluate_call, Rf_eval(O(0), R_BaseEnv))
DOES(check_interrupt, R_CheckUserInterrupt())
DOES(check_stack, R_CheckStack())
DOES(collect_garbage, R_gc())
GIVES(shallow_copy, Rf_shallow_duplicate(O(0)))
DOES(copy_attributes, SHALLOW_DUPLICATE_ATTRIB(O(0), O(1)))
DOES(set_attribute, Rf_setAttrib(O(0), O(1), O(2)))
/* Row names that are only counted come as a sequence. */
GIVES(attribute, Rf_getAttrib(O(0), O(1)))
GIVES(new_vector, Rf_allocVector((SEXPTYPE) N(0), (R_xlen_t) N(1)))
GIVES(to_list, Rf_coerceVector(O(0), VECSXP))
DOES(region, copy_region(O(0), (R_xlen_t) N(1), (R_xlen_t) N(2), slots[3].buffer))
GIVES(value_at_hand, tq_value_at_hand(O(0), O(1)))
DOES(set_variable, Rf_defineVar(O(1), O(2), O(0)))
DOES(make_active, R_MakeActiveBinding(O(1), O(2), O(0)))
DOES(remove_variable, R_removeVarFromFrame(O(1), O(0)))
DOES(lock_variable, R_LockBinding(O(1), O(0)))
DOES(unlock_variable, R_unLockBinding(O(1), O(0)))
GIVES(make_closure, tq_make_closure(O(0), O(1), O(2)))
GIVES(new_environment, R_NewEnv(O(0), 0, 0))
DOES(write, tq_write(slots[0].buffer, O(1), O(2)))
GIVES(read, tq_read(slots[0].address))
GIVES(marker, tq_marker(slots[0].address))
GIVES(segment_pointer, tq_segment_pointer(slots[0].address))
/* A vector over a segment that is to stand for another one. */
GIVES(shared_vector, tq_make_shared(TYPEOF(O(0)), O(1), N(2), XLENGTH(O(0)), N(3)))
DOES(call_elements, tq_call_elements(slots[0].buffer))
DOES(set_waker, tq_set_waker(O(0)))
/* Where the text of a string is in UTF-8, until the routine ends. */
DOES(translate, *(const char **) slots[1].address = Rf_translateCharUTF8(O(0)))

/* A pointer with a finalizer that is called at the end of R, too, and nothing to point to yet. */
CALL(pointer) {
  SEXP pointer = PROTECT(R_MakeExternalPtr(NULL, Rf_install(slots[0].address), R_NilValue));
  R_RegisterCFinalizerEx(pointer, slots[1].finalizer, TRUE);
  UNPROTECT(1);
  return pointer;
}

/* Some vectors are made when somebody looks at them. */
CALL(make_elements) {
  DATAPTR_RO(O(0));
  return R_NilValue;
}

/* The value of fun(), or of fun(argument). */
CALL(call) {
  SEXP call = PROTECT(O(1) ? Rf_lang2(O(0), O(1)) : Rf_lang1(O(0)));
  SEXP value = Rf_eval(call, R_BaseEnv);
  UNPROTECT(1);
  return value;
}

/* The value of a call; NULL for an error. */
CALL(try_call) {
  int has_failed = 0;
  SEXP value = R_tryEvalSilent(O(0), R_BaseEnv, &has_failed);
  return has_failed ? NULL : value;
}

/* The symbol whose name is that of another one without its first characters, and with others behind it. */
CALL(symbol_like) {
  const char *name = CHAR(PRINTNAME(O(0))) + N(1), *behind = slots[2].address;
  const void *top = vmaxget();
  char *text = R_alloc(strlen(name) + strlen(behind) + 1, 1);
  strcpy(text, name);
  strcat(text, behind);
  SEXP other = Rf_installTrChar(PROTECT(Rf_mkCharCE(text, Rf_getCharCE(PRINTNAME(O(0))))));
  UNPROTECT(1);
  vmaxset(top);
  return other;
}

/* The names of all variables of an environment, in no order, as a list of symbols. */
CALL(symbols_in) {
  SEXP names = PROTECT(R_lsInternal3(O(0), TRUE, FALSE));
  SEXP symbols = PROTECT(Rf_allocVector(VECSXP, XLENGTH(names)));
  for (R_xlen_t i = 0; i < XLENGTH(names); i++) SET_VECTOR_ELT(symbols, i, Rf_installTrChar(STRING_ELT(names, i)));
  UNPROTECT(2);
  return symbols;
}

CALL(make_call) {
  SEXP names = PROTECT(Rf_getAttrib(O(1), R_NamesSymbol)), call = PROTECT(Rf_lcons(O(0), R_NilValue)), last = call;
  for (R_xlen_t i = 0; i < Rf_xlength(O(1)); i++) {
    last = SETCDR(last, Rf_cons(VECTOR_ELT(O(1), i), R_NilValue));
    if (names != R_NilValue && CHAR(STRING_ELT(names, i))[0]) SET_TAG(last, Rf_installTrChar(STRING_ELT(names, i)));
  }
  UNPROTECT(2);
  return call;
}

/* Sets variables of an environment to the elements of a list, by their names. */
CALL(set_variables) {
  SEXP names = PROTECT(Rf_getAttrib(O(1), R_NamesSymbol));
  for (R_xlen_t i = 0; i < Rf_xlength(O(1)); i++)
    Rf_defineVar(Rf_installTrChar(STRING_ELT(names, i)), VECTOR_ELT(O(1), i), O(0));
  UNPROTECT(1);
  return R_NilValue;
}

CALL(slice) {
  R_xlen_t first = (R_xlen_t) N(1), count = (R_xlen_t) N(2);
  SEXP x = O(0), slice = PROTECT(Rf_allocVector(TYPEOF(x), count));
  if (TYPEOF(x) == STRSXP)
    for (R_xlen_t i = 0; i < count; i++) SET_STRING_ELT(slice, i, STRING_ELT(x, first + i));
  else if (TYPEOF(x) == VECSXP || TYPEOF(x) == EXPRSXP)
    for (R_xlen_t i = 0; i < count; i++) SET_VECTOR_ELT(slice, i, VECTOR_ELT(x, first + i));
  else
    copy_region(x, first, count, (void *) DATAPTR_RO(slice));
  UNPROTECT(1);
  return slice;
}

/* ---- the way in -------------------------------------------------------------------------------------------------- */

enum { MOST_ARGUMENTS = 8 };

/* What R gets for how a call of Rust's has ended. No frame of Rust's is on the stack. A jump goes on, whatever else
 * Rust may say. */
static SEXP settle(enum tq_ending ending, SEXP value) {
  if (is_jumping) {
    is_jumping = 0;
    R_ContinueUnwind(token);
  }
  if (ending == TQ_ANSWERED) return value;
  Rf_error("%s", tq_fault());
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
