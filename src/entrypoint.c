/* What R calls when it loads the shared object: the only exported symbol.
 *
 * It also keeps the linker from dropping the static library of the Rust code,
 * which nothing else refers to. */

#include "taskq.h"

#include <R_ext/Visibility.h>

/* The routines in C, with their numbers of arguments. */
static const R_ExternalMethodDef external[] = {{"C_tq_call", (DL_FUNC) &tq_r_call, -1}, {NULL, NULL, 0}};

void attribute_visible R_init_taskq(DllInfo *dll) {
  tq_panics_begin();
  tq_guard_begin();
  tq_shared_begin(dll);
  tq_parcels_begin(dll);
  R_registerRoutines(dll, NULL, NULL, NULL, external);
  R_useDynamicSymbols(dll, FALSE);
}
