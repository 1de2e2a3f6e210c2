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
 * | registries | the same of the environments in which packages remember what tasks are to be run by, and R its hooks |
 * | tables | number of S3 methods that are registered, per package of R's own |
 * | namespaces | their number |
 * | search path | the parents of the global environment |
 * | probe | the integers that an R function returns |
 * | devices | their number |
 * | library paths | the vector that .libPaths() keeps |
 * | opened | what `init` has opened: addresses of external pointers, and what an R function says |
 * | random numbers | whether `.Random.seed` is still the binding that makes a seed when it is first used |
 *
 * As everywhere (rapi.h), every routine is called by .External, and nothing of Rust is on the stack when R jumps. */

#include "frame.h"
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
  RANDOM = 2048,
  REGISTRIES = 4096,
  TABLES = 8192,
  NAMESPACES = 16384,
  OPENED = 32768
};

/* How an environment is watched besides the global one: it grows when packages are loaded, and it is large, so that only its size is
 * looked at. */
enum { GROWS = 1, LARGE = 2 };
#define MAX_WATCHED 32

struct watched {
  struct tq_frame frame;
  int how;
};

/* Each is preserved, or NULL before the first tq_state_save(). */
static struct {
  SEXP options; /* tag, value, tag, value ... */
  struct tq_frame objects;
  struct watched watched[MAX_WATCHED];
  int watched_count;
  SEXP parents;
  SEXP lift;
  SEXP probe, probed;
  int devices;
  SEXP library_env, library;
  SEXP namespaces;
  int namespace_count;
  SEXP pointers, is_open;
  void **addresses;
} home;

/* ---- what R's versions call differently ------------------------------------------------------------------------ */

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

static SEXP options_now(void) {
  SEXP options = tq_value_of(symbol.options, R_BaseEnv);
  return options && TYPEOF(options) == LISTSXP ? options : R_NilValue;
}

static void save_options(void) {
  SEXP options = options_now();
  SEXP saved = PROTECT(Rf_allocVector(VECSXP, 2 * (R_xlen_t) Rf_length(options)));
  for (R_xlen_t i = 0; options != R_NilValue; options = CDR(options)) {
    SET_VECTOR_ELT(saved, i++, TAG(options));
    SET_VECTOR_ELT(saved, i++, CAR(options));
  }
  tq_keep(&home.options, saved);
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

/* ---- environments ---------------------------------------------------------------------------------------------- */

/* Watches an environment, at a new place or at one whose environment is no more. */
static int watch(SEXP env, int how, int at) {
  if (at < 0 || at > home.watched_count || at >= MAX_WATCHED) return 0;
  tq_frame_save(&home.watched[at].frame, env);
  home.watched[at].how = how;
  if (at == home.watched_count) home.watched_count++;
  return 1;
}

static int watched_differs(const struct watched *watched) {
  return watched->how & LARGE ? tq_frame_size_differs(&watched->frame) : tq_frame_differs(&watched->frame);
}

static int is_of(const struct watched *watched, int part) {
  return part == (watched->how & GROWS ? TABLES : REGISTRIES);
}

/* REGISTRIES, TABLES, or both. */
static int watched_parts(void) {
  int parts = 0;
  for (int i = 0; i < home.watched_count; i++)
    if (watched_differs(&home.watched[i])) parts |= home.watched[i].how & GROWS ? TABLES : REGISTRIES;
  return parts;
}

static void save_watched(int part) {
  for (int i = 0; i < home.watched_count; i++)
    if (is_of(&home.watched[i], part)) tq_frame_save(&home.watched[i].frame, home.watched[i].frame.env);
}

static const char *restore_watched(int part) {
  for (int i = 0; i < home.watched_count; i++)
    if (is_of(&home.watched[i], part) && watched_differs(&home.watched[i]) &&
        !tq_frame_restore(&home.watched[i].frame))
      return "an environment of a package was locked";
  return NULL;
}

/* A locked environment cannot be unlocked, and is told. */
static const char *restore_objects(void) {
  return tq_frame_restore(&home.objects) ? NULL : "the global environment was locked";
}

static int pointers_differ(void) {
  for (R_xlen_t i = 0; home.pointers && i < XLENGTH(home.pointers); i++)
    if (R_ExternalPtrAddr(VECTOR_ELT(home.pointers, i)) != home.addresses[i]) return 1;
  return 0;
}

static int random_differs(void) {
  return !R_existsVarInFrame(R_GlobalEnv, symbol.seed) || !R_BindingIsActive(symbol.seed, R_GlobalEnv);
}

/* What `init` has opened may have been closed. */
static int opened_differ(void) {
  if (pointers_differ()) return 1;
  if (!home.is_open || home.is_open == R_NilValue) return 0;
  /* A driver in C++ takes up the random numbers for each call: it gets some of its own. */
  SEXP seed = PROTECT(random_differs() ? R_NilValue : R_ActiveBindingFunction(symbol.seed, R_GlobalEnv));
  if (seed != R_NilValue) R_removeVarFromFrame(symbol.seed, R_GlobalEnv);
  int failed = 0;
  SEXP is_open = R_tryEvalSilent(home.is_open, R_BaseEnv, &failed);
  int differs = failed || Rf_asLogical(is_open) != TRUE;
  if (seed != R_NilValue) {
    if (R_existsVarInFrame(R_GlobalEnv, symbol.seed)) R_removeVarFromFrame(symbol.seed, R_GlobalEnv);
    R_MakeActiveBinding(symbol.seed, seed, R_GlobalEnv);
  }
  UNPROTECT(1);
  return differs;
}

static void save_search(void) {
  int length = 0;
  for (SEXP env = parent_of(R_GlobalEnv); env != R_BaseEnv && env != R_EmptyEnv; env = parent_of(env)) length++;
  SEXP parents = PROTECT(Rf_allocVector(VECSXP, length));
  SEXP env = R_GlobalEnv;
  for (int i = 0; i < length; i++) SET_VECTOR_ELT(parents, i, env = parent_of(env));
  tq_keep(&home.parents, parents);
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
  SEXP library = tq_value_of(symbol.library, home.library_env);
  return library ? library : R_NilValue;
}

/* ---- routines ------------------------------------------------------------------------------------------------- */

/* (probe, lift, environment of .libPaths(), environment of all namespaces): how to look. The first two are calls, of which the second
 * lifts the time limits. */
SEXP tq_state_begin(SEXP args) {
  find_symbols();
  tq_keep(&home.probe, CADR(args));
  tq_keep(&home.lift, CADDR(args));
  tq_keep(&home.library_env, CADDDR(args));
  tq_keep(&home.namespaces, tq_argument(args, 4));
  return R_NilValue;
}

/* (environment, how, place): watches an environment as it is now; how: the sum of 1, it grows when packages are loaded, and 2, it is
 * large. Returns its place, to be given when another one takes it over; -1 asks for a new place, and NULL is none. */
SEXP tq_state_watch(SEXP args) {
  int at = Rf_asInteger(tq_argument(args, 3));
  if (at < 0) at = home.watched_count;
  return watch(tq_argument(args, 1), Rf_asInteger(tq_argument(args, 2)), at) ? Rf_ScalarInteger(at) : R_NilValue;
}

/* (): the saved objects of the global environment that are values: neither active nor a promise. */
SEXP tq_state_objects(SEXP args) {
  (void) args;
  return tq_frame_values(&home.objects);
}

/* (external pointers, call or NULL): what `init` has opened. The call says whether that is open, where a pointer does not tell. */
SEXP tq_state_opened(SEXP args) {
  SEXP pointers = tq_argument(args, 1);
  R_xlen_t length = XLENGTH(pointers);
  void **addresses = R_Calloc(length + 1, void *);
  for (R_xlen_t i = 0; i < length; i++) addresses[i] = R_ExternalPtrAddr(VECTOR_ELT(pointers, i));
  R_Free(home.addresses);
  home.addresses = addresses;
  tq_keep(&home.pointers, pointers);
  tq_keep(&home.is_open, tq_argument(args, 2));
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
  if (parts & OBJECTS) tq_frame_save(&home.objects, R_GlobalEnv);
  if (parts & REGISTRIES) save_watched(REGISTRIES);
  if (parts & TABLES) save_watched(TABLES);
  if (parts & NAMESPACES) home.namespace_count = Rf_length(home.namespaces);
  if (parts & SEARCH) save_search();
  if (parts & PROBE) {
    SEXP probed = PROTECT(probe());
    if (TYPEOF(probed) != INTSXP) Rf_error("the probe does not return integers");
    tq_keep(&home.probed, probed);
    UNPROTECT(1);
  }
  if (parts & DEVICES) home.devices = Rf_NumDevices();
  if (parts & LIBPATH) tq_keep(&home.library, library_now());
  return R_NilValue;
}

/* What differs from the saved state: an integer of bits, or NULL for nothing. */
SEXP tq_state_changed(SEXP args) {
  (void) args;
  lift_time_limits();
  int parts = (int) tq_process_changes() | watched_parts();
  if (options_differ()) parts |= OPTIONS;
  if (tq_frame_differs(&home.objects)) parts |= OBJECTS;
  if (search_differs()) parts |= SEARCH;
  if (probe_differs()) parts |= PROBE;
  if (Rf_NumDevices() != home.devices) parts |= DEVICES;
  if (library_now() != home.library) parts |= LIBPATH;
  if (Rf_length(home.namespaces) != home.namespace_count) parts |= NAMESPACES;
  if (opened_differ()) parts |= OPENED;
  if (random_differs()) parts |= RANDOM;
  return parts ? Rf_ScalarInteger(parts) : R_NilValue;
}

/* (parts): puts back those that need no R code. NULL, or why not. */
SEXP tq_state_restore(SEXP args) {
  int parts = Rf_asInteger(CADR(args));
  const char *problem = NULL;
  if (parts & PROCESS) problem = tq_process_restore((unsigned) (parts & PROCESS));
  if (!problem && parts & OBJECTS) problem = restore_objects();
  if (!problem && parts & REGISTRIES) problem = restore_watched(REGISTRIES);
  if (!problem && parts & TABLES) problem = restore_watched(TABLES);
  return problem ? Rf_mkString(problem) : R_NilValue;
}
