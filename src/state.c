/* What a task can change of the R session, as it was before: to see what is different, and, where R code is not
 * needed for it, to put it back. What belongs to the process is Rust's (taskq.h: tq_process_*).
 *
 * After every task tq_state_changed() runs, so it only compares pointers: what was saved is kept alive here, and R
 * copies an object that has two holders before it changes it, so the same pointer is the same value. The other way
 * round an equal value may have another pointer; that is found out by R/worker-state.R, which is called only when
 * something differs.
 *
 * | part | compared |
 * | --- | --- |
 * | options | tags and values of the pairlist `.Options`, in their order |
 * | objects | number of objects in the global environment; value, lock and activity of each saved one; its own lock |
 * | search path | the parents of the global environment |
 * | probe | the integers that an R function returns |
 * | devices | their number |
 * | library paths | the vector that .libPaths() keeps |
 * | random numbers | whether `.Random.seed` is still the binding that makes a seed when it is first used |
 *
 * As everywhere (rapi.h), every routine is called by .External, and nothing of Rust is on the stack when R jumps. */

#include "rapi.h"

#include <R.h>
#include <Rinternals.h>
#include <Rversion.h>
#include <R_ext/GraphicsEngine.h>
#include <string.h>

/* The low ones are those of Changes in src/rust/crates/taskq-sys/src/snapshot.rs. All stand in R/worker-state.R,
 * too. */
enum {
  PROCESS = 31,
  OPTIONS = 32,
  OBJECTS = 64,
  SEARCH = 128,
  PROBE = 256,
  DEVICES = 512,
  LIBPATH = 1024,
  RANDOM = 2048
};

/* Each is preserved, or NULL before the first tq_state_save(). */
static struct {
  SEXP options; /* tag, value, tag, value ... */
  SEXP symbols, values; /* of the global environment; the value of an active binding is its function */
  int *kinds; /* of these: PLAIN, ACTIVE, plus LOCKED */
  int is_locked;
  SEXP parents;
  SEXP lift;
  SEXP probe, probed;
  int devices;
  SEXP library_env, library;
} home;

enum { PLAIN = 0, ACTIVE = 1, LOCKED = 2 };

/* ---- what R's versions call differently ------------------------------------------------------------------------ */

/* The value of a variable that is not active, or NULL. Before R 4.5 that of a promise is the promise, unforced. */
static SEXP value_of(SEXP symbol, SEXP env) {
#if R_VERSION >= R_Version(4, 5, 0)
  return R_getVarEx(symbol, env, FALSE, NULL);
#else
  SEXP value = Rf_findVarInFrame(env, symbol);
  return value == R_UnboundValue ? NULL : value;
#endif
}

static SEXP parent_of(SEXP env) {
#if R_VERSION >= R_Version(4, 5, 0)
  return R_ParentEnv(env);
#else
  return ENCLOS(env);
#endif
}

/* Symbols are never collected, and looking them up costs more than what is done with them. */
static struct {
  SEXP options, seed, library, set_time_limit, set_session_time_limit;
} symbol;

static void find_symbols(void) {
  symbol.options = Rf_install(".Options");
  symbol.seed = Rf_install(".Random.seed");
  symbol.library = Rf_install(".lib.loc");
  symbol.set_time_limit = Rf_install("setTimeLimit");
  symbol.set_session_time_limit = Rf_install("setSessionTimeLimit");
}

/* ---- parts ---------------------------------------------------------------------------------------------------- */

static void keep(SEXP *place, SEXP value) {
  if (*place != value) {
    R_PreserveObject(value);
    if (*place) R_ReleaseObject(*place);
    *place = value;
  }
}

static SEXP options_now(void) {
  SEXP options = value_of(symbol.options, R_BaseEnv);
  return options && TYPEOF(options) == LISTSXP ? options : R_NilValue;
}

static void save_options(void) {
  SEXP options = options_now();
  SEXP saved = PROTECT(Rf_allocVector(VECSXP, 2 * (R_xlen_t) Rf_length(options)));
  for (R_xlen_t i = 0; options != R_NilValue; options = CDR(options)) {
    SET_VECTOR_ELT(saved, i++, TAG(options));
    SET_VECTOR_ELT(saved, i++, CAR(options));
  }
  keep(&home.options, saved);
  UNPROTECT(1);
}

/* An R that keeps its options in another way has them compared by R code, every time. */
static int options_differ(void) {
  SEXP options = options_now();
  if (options == R_NilValue) return 1;
  R_xlen_t length = XLENGTH(home.options);
  for (R_xlen_t i = 0; i < length; i += 2, options = CDR(options)) {
    if (options == R_NilValue || CAR(options) != VECTOR_ELT(home.options, i + 1) ||
        TAG(options) != VECTOR_ELT(home.options, i))
      return 1;
  }
  return options != R_NilValue;
}

static int kind_of(SEXP name) {
  int kind = R_BindingIsActive(name, R_GlobalEnv) ? ACTIVE : PLAIN;
  return R_BindingIsLocked(name, R_GlobalEnv) ? kind | LOCKED : kind;
}

static SEXP object_of(SEXP name, int kind) {
  return kind & ACTIVE ? R_ActiveBindingFunction(name, R_GlobalEnv) : value_of(name, R_GlobalEnv);
}

static int object_count(void) {
  return Rf_length(R_GlobalEnv) - (R_existsVarInFrame(R_GlobalEnv, symbol.seed) ? 1 : 0);
}

static void save_objects(void) {
  SEXP names = PROTECT(R_lsInternal3(R_GlobalEnv, TRUE, FALSE));
  R_xlen_t length = XLENGTH(names), count = 0;
  for (R_xlen_t i = 0; i < length; i++) count += Rf_installTrChar(STRING_ELT(names, i)) != symbol.seed;
  SEXP symbols = PROTECT(Rf_allocVector(VECSXP, count));
  SEXP values = PROTECT(Rf_allocVector(VECSXP, count));
  int *kinds = R_Calloc(count + 1, int);
  R_Free(home.kinds);
  home.kinds = kinds;
  for (R_xlen_t i = 0, to = 0; i < length; i++) {
    SEXP name = Rf_installTrChar(STRING_ELT(names, i));
    if (name == symbol.seed) continue;
    kinds[to] = kind_of(name);
    SEXP value = object_of(name, kinds[to]);
    SET_VECTOR_ELT(symbols, to, name);
    SET_VECTOR_ELT(values, to, value ? value : R_NilValue);
    to++;
  }
  keep(&home.symbols, symbols);
  keep(&home.values, values);
  home.is_locked = R_EnvironmentIsLocked(R_GlobalEnv);
  UNPROTECT(3);
}

static int object_differs(R_xlen_t i) {
  SEXP name = VECTOR_ELT(home.symbols, i);
  if (!R_existsVarInFrame(R_GlobalEnv, name)) return 1;
  int kind = kind_of(name);
  return kind != home.kinds[i] || object_of(name, kind) != VECTOR_ELT(home.values, i);
}

static int objects_differ(void) {
  R_xlen_t length = XLENGTH(home.symbols);
  if (object_count() != length || R_EnvironmentIsLocked(R_GlobalEnv) != home.is_locked) return 1;
  for (R_xlen_t i = 0; i < length; i++)
    if (object_differs(i)) return 1;
  return 0;
}

static int is_saved(SEXP name) {
  for (R_xlen_t i = 0; i < XLENGTH(home.symbols); i++)
    if (VECTOR_ELT(home.symbols, i) == name) return 1;
  return 0;
}

/* A locked environment cannot be unlocked, and is told. */
static const char *restore_objects(void) {
  if (R_EnvironmentIsLocked(R_GlobalEnv) != home.is_locked) return "the global environment was locked";
  SEXP names = PROTECT(R_lsInternal3(R_GlobalEnv, TRUE, FALSE));
  for (R_xlen_t i = 0; i < XLENGTH(names); i++) {
    SEXP name = Rf_installTrChar(STRING_ELT(names, i));
    if (name != symbol.seed && !is_saved(name)) R_removeVarFromFrame(name, R_GlobalEnv);
  }
  for (R_xlen_t i = 0; i < XLENGTH(home.symbols); i++) {
    if (!object_differs(i)) continue;
    SEXP name = VECTOR_ELT(home.symbols, i), value = VECTOR_ELT(home.values, i);
    if (R_existsVarInFrame(R_GlobalEnv, name)) {
      R_unLockBinding(name, R_GlobalEnv);
      if ((kind_of(name) | home.kinds[i]) & ACTIVE) R_removeVarFromFrame(name, R_GlobalEnv);
    }
    if (home.kinds[i] & ACTIVE)
      R_MakeActiveBinding(name, value, R_GlobalEnv);
    else
      Rf_defineVar(name, value, R_GlobalEnv);
    if (home.kinds[i] & LOCKED) R_LockBinding(name, R_GlobalEnv);
  }
  UNPROTECT(1);
  return NULL;
}

static void save_search(void) {
  int length = 0;
  for (SEXP env = parent_of(R_GlobalEnv); env != R_BaseEnv && env != R_EmptyEnv; env = parent_of(env)) length++;
  SEXP parents = PROTECT(Rf_allocVector(VECSXP, length));
  SEXP env = R_GlobalEnv;
  for (int i = 0; i < length; i++) SET_VECTOR_ELT(parents, i, env = parent_of(env));
  keep(&home.parents, parents);
  UNPROTECT(1);
}

static int search_differs(void) {
  SEXP env = R_GlobalEnv;
  R_xlen_t length = XLENGTH(home.parents);
  for (R_xlen_t i = 0; i < length; i++) {
    env = parent_of(env);
    if (env != VECTOR_ELT(home.parents, i)) return 1;
  }
  return parent_of(env) != R_BaseEnv;
}

static SEXP probe(void) { return Rf_eval(home.probe, R_BaseEnv); }

static int probe_differs(void) {
  SEXP now = PROTECT(probe());
  R_xlen_t length = XLENGTH(home.probed);
  int differs = TYPEOF(now) != INTSXP || XLENGTH(now) != length ||
                memcmp(INTEGER(now), INTEGER(home.probed), (size_t) length * sizeof(int)) != 0;
  UNPROTECT(1);
  return differs;
}

/* Limits can only be lifted, not asked for, and lifting them takes longer than all the rest. R's own functions are
 * promises until they are first used; as long as those that set limits are, there are none. Where promises cannot
 * be looked at, limits are lifted every time. */
static int was_used(SEXP name) {
#if R_VERSION >= R_Version(4, 5, 0)
  (void) name;
  return 1;
#else
  SEXP fun = Rf_findVarInFrame(R_BaseEnv, name);
  return TYPEOF(fun) != PROMSXP || PRVALUE(fun) != R_UnboundValue;
#endif
}

static void lift_time_limits(void) {
  static int may_be_set = 0;
  if (!may_be_set) may_be_set = was_used(symbol.set_time_limit) || was_used(symbol.set_session_time_limit);
  if (may_be_set) Rf_eval(home.lift, R_BaseEnv);
}

static SEXP library_now(void) {
  SEXP library = value_of(symbol.library, home.library_env);
  return library ? library : R_NilValue;
}

static int random_differs(void) {
  return !R_existsVarInFrame(R_GlobalEnv, symbol.seed) || !R_BindingIsActive(symbol.seed, R_GlobalEnv);
}

/* ---- routines ------------------------------------------------------------------------------------------------- */

/* (probe, lift, environment of .libPaths()): how to look. The first two are calls, of which the second lifts the time limits. */
SEXP tq_state_begin(SEXP args) {
  find_symbols();
  keep(&home.probe, CADR(args));
  keep(&home.lift, CADDR(args));
  keep(&home.library_env, CADDDR(args));
  return R_NilValue;
}

/* (bare): the state of the process as it is now is the one to go back to. `bare` says that only R's own packages have compiled code
 * here. */
SEXP tq_state_process(SEXP args) {
  tq_process_save(Rf_asLogical(CADR(args)));
  return R_NilValue;
}

/* (parts): so are these parts of the R session. */
SEXP tq_state_save(SEXP args) {
  int parts = Rf_asInteger(CADR(args));
  if (parts & OPTIONS) save_options();
  if (parts & OBJECTS) save_objects();
  if (parts & SEARCH) save_search();
  if (parts & PROBE) {
    SEXP probed = PROTECT(probe());
    if (TYPEOF(probed) != INTSXP) Rf_error("the probe does not return integers");
    keep(&home.probed, probed);
    UNPROTECT(1);
  }
  if (parts & DEVICES) home.devices = Rf_NumDevices();
  if (parts & LIBPATH) keep(&home.library, library_now());
  return R_NilValue;
}

/* What differs from the saved state: an integer of bits, or NULL for nothing. */
SEXP tq_state_changed(SEXP args) {
  (void) args;
  lift_time_limits();
  int parts = (int) tq_process_changes();
  if (options_differ()) parts |= OPTIONS;
  if (objects_differ()) parts |= OBJECTS;
  if (search_differs()) parts |= SEARCH;
  if (probe_differs()) parts |= PROBE;
  if (Rf_NumDevices() != home.devices) parts |= DEVICES;
  if (library_now() != home.library) parts |= LIBPATH;
  if (random_differs()) parts |= RANDOM;
  return parts ? Rf_ScalarInteger(parts) : R_NilValue;
}

/* (parts): puts back those that need no R code. NULL, or why not. */
SEXP tq_state_restore(SEXP args) {
  int parts = Rf_asInteger(CADR(args));
  const char *problem = NULL;
  if (parts & PROCESS) problem = tq_process_restore((unsigned) (parts & PROCESS));
  if (!problem && parts & OBJECTS) problem = restore_objects();
  return problem ? Rf_mkString(problem) : R_NilValue;
}
