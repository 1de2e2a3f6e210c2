/* What R calls when it loads the shared object: the only exported symbol.
 *
 * It also keeps the linker from dropping the static library of the Rust code,
 * which nothing else refers to. */

#include "rapi.h"

#include <R_ext/Visibility.h>

/* The routines in C, with their numbers of arguments. */
static const R_ExternalMethodDef external[] = {
  {"C_tq_call", (DL_FUNC) &tq_r_call, -1},
  {"C_tq_hang_bell", (DL_FUNC) &tq_r_hang_bell, 1},
  {"C_tq_batch_run", (DL_FUNC) &tq_r_batch_run, 5},
  {"C_tq_batch_clock", (DL_FUNC) &tq_r_batch_clock, 0},
  {"C_tq_batch_pack", (DL_FUNC) &tq_r_batch_pack, 2},
  {"C_tq_evaluate", (DL_FUNC) &tq_r_evaluate, 2},
  {"C_tq_without_sources", (DL_FUNC) &tq_r_without_sources, 1},
  {"C_tq_is_empty_pointer", (DL_FUNC) &tq_r_is_empty_pointer, 1},
  {NULL, NULL, 0}};

void attribute_visible R_init_taskq(DllInfo *dll) {
  tq_panics_begin();
  tq_guard_begin();
  tq_shared_begin(dll);
  tq_parcels_begin(dll);
  tq_evaluate_begin();
  R_registerRoutines(dll, NULL, NULL, NULL, external);
  R_useDynamicSymbols(dll, FALSE);
}
