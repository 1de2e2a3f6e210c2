/* One environment as it was: whether its bindings are different now, and putting them back.
 *
 * What was saved is kept alive here, and R copies an object that has two holders before it changes it, so the same pointer is the
 * same value. `.Random.seed` of the global environment is left out: R/worker-random.R looks after it. */

#include "frame.h"

#include <R.h>
#include <Rinternals.h>
#include <Rversion.h>

/* The value of an active binding is its function. */
enum { PLAIN = 0, ACTIVE = 1, LOCKED = 2 };

/* Before R 4.5 the value of a promise is the promise, unforced. */
SEXP tq_value_of(SEXP symbol, SEXP env) {
#if R_VERSION >= R_Version(4, 5, 0)
  return R_getVarEx(symbol, env, FALSE, NULL);
#else
  SEXP value = Rf_findVarInFrame(env, symbol);
  return value == R_UnboundValue ? NULL : value;
#endif
}

void tq_keep(SEXP *place, SEXP value) {
  if (*place != value) {
    R_PreserveObject(value);
    if (*place) R_ReleaseObject(*place);
    *place = value;
  }
}

static SEXP seed_symbol(void) {
  static SEXP seed = NULL;
  if (!seed) seed = Rf_install(".Random.seed");
  return seed;
}

static int kind_of(SEXP name, SEXP env) {
  int kind = R_BindingIsActive(name, env) ? ACTIVE : PLAIN;
  return R_BindingIsLocked(name, env) ? kind | LOCKED : kind;
}

static SEXP object_of(SEXP name, int kind, SEXP env) {
  return kind & ACTIVE ? R_ActiveBindingFunction(name, env) : tq_value_of(name, env);
}

static int is_left_out(SEXP name, SEXP env) { return env == R_GlobalEnv && name == seed_symbol(); }

static int size_of(SEXP env) {
  return Rf_length(env) - (env == R_GlobalEnv && R_existsVarInFrame(env, seed_symbol()) ? 1 : 0);
}

void tq_frame_save(struct tq_frame *frame, SEXP env) {
  SEXP names = PROTECT(R_lsInternal3(env, TRUE, FALSE));
  R_xlen_t length = XLENGTH(names), count = 0;
  for (R_xlen_t i = 0; i < length; i++) count += !is_left_out(Rf_installTrChar(STRING_ELT(names, i)), env);
  SEXP symbols = PROTECT(Rf_allocVector(VECSXP, count));
  SEXP values = PROTECT(Rf_allocVector(VECSXP, count));
  int *kinds = R_Calloc(count + 1, int);
  R_Free(frame->kinds);
  frame->kinds = kinds;
  for (R_xlen_t i = 0, to = 0; i < length; i++) {
    SEXP name = Rf_installTrChar(STRING_ELT(names, i));
    if (is_left_out(name, env)) continue;
    kinds[to] = kind_of(name, env);
    SEXP value = object_of(name, kinds[to], env);
    SET_VECTOR_ELT(symbols, to, name);
    SET_VECTOR_ELT(values, to, value ? value : R_NilValue);
    to++;
  }
  tq_keep(&frame->env, env);
  tq_keep(&frame->symbols, symbols);
  tq_keep(&frame->values, values);
  frame->is_locked = R_EnvironmentIsLocked(env);
  UNPROTECT(3);
}

static int binding_differs(const struct tq_frame *frame, R_xlen_t i) {
  SEXP name = VECTOR_ELT(frame->symbols, i);
  if (!R_existsVarInFrame(frame->env, name)) return 1;
  int kind = kind_of(name, frame->env);
  return kind != frame->kinds[i] || object_of(name, kind, frame->env) != VECTOR_ELT(frame->values, i);
}

int tq_frame_size_differs(const struct tq_frame *frame) { return size_of(frame->env) != XLENGTH(frame->symbols); }

int tq_frame_differs(const struct tq_frame *frame) {
  if (tq_frame_size_differs(frame) || R_EnvironmentIsLocked(frame->env) != frame->is_locked) return 1;
  for (R_xlen_t i = 0; i < XLENGTH(frame->symbols); i++)
    if (binding_differs(frame, i)) return 1;
  return 0;
}

static int is_saved(const struct tq_frame *frame, SEXP name) {
  for (R_xlen_t i = 0; i < XLENGTH(frame->symbols); i++)
    if (VECTOR_ELT(frame->symbols, i) == name) return 1;
  return 0;
}

int tq_frame_restore(const struct tq_frame *frame) {
  SEXP env = frame->env;
  if (R_EnvironmentIsLocked(env) != frame->is_locked) return 0;
  SEXP names = PROTECT(R_lsInternal3(env, TRUE, FALSE));
  for (R_xlen_t i = 0; i < XLENGTH(names); i++) {
    SEXP name = Rf_installTrChar(STRING_ELT(names, i));
    if (!is_left_out(name, env) && !is_saved(frame, name)) R_removeVarFromFrame(name, env);
  }
  for (R_xlen_t i = 0; i < XLENGTH(frame->symbols); i++) {
    if (!binding_differs(frame, i)) continue;
    SEXP name = VECTOR_ELT(frame->symbols, i), value = VECTOR_ELT(frame->values, i);
    if (R_existsVarInFrame(env, name)) {
      R_unLockBinding(name, env);
      if ((kind_of(name, env) | frame->kinds[i]) & ACTIVE) R_removeVarFromFrame(name, env);
    }
    if (frame->kinds[i] & ACTIVE)
      R_MakeActiveBinding(name, value, env);
    else
      Rf_defineVar(name, value, env);
    if (frame->kinds[i] & LOCKED) R_LockBinding(name, env);
  }
  UNPROTECT(1);
  return 1;
}

SEXP tq_frame_values(const struct tq_frame *frame) {
  R_xlen_t length = XLENGTH(frame->values), count = 0;
  SEXP values = PROTECT(Rf_allocVector(VECSXP, length));
  for (R_xlen_t i = 0; i < length; i++) {
    SEXP value = VECTOR_ELT(frame->values, i);
    if (!(frame->kinds[i] & ACTIVE) && TYPEOF(value) != PROMSXP) SET_VECTOR_ELT(values, count++, value);
  }
  values = Rf_lengthgets(values, count);
  UNPROTECT(1);
  return values;
}
