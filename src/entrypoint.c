/* What R calls when it loads the shared object: the only exported symbol.
 *
 * It also keeps the linker from dropping the static library of the Rust code,
 * which nothing else refers to. */

#include "rapi.h"
#include "walk.h"

#include <R_ext/Visibility.h>

/* The routines in C, with their numbers of arguments. */
static const R_ExternalMethodDef external[] = {
  {"C_tq_ask", (DL_FUNC) &tq_r_ask, -1},
  {"C_tq_push_plain", (DL_FUNC) &tq_r_push_plain, 3},
  {"C_tq_push", (DL_FUNC) &tq_r_push, 5},
  {"C_tq_push_many", (DL_FUNC) &tq_r_push_many, 6},
  {"C_tq_wait", (DL_FUNC) &tq_r_wait_done, 2},
  {"C_tq_wait_all", (DL_FUNC) &tq_r_wait_all, 3},
  {"C_tq_wait_room", (DL_FUNC) &tq_r_wait_room, 3},
  {"C_tq_wait_closed", (DL_FUNC) &tq_r_wait_closed, 2},
  {"C_tq_pop", (DL_FUNC) &tq_r_pop, 3},
  {"C_tq_peek", (DL_FUNC) &tq_r_peek, 2},
  {"C_tq_outcome", (DL_FUNC) &tq_r_outcome, 2},
  {"C_tq_commit", (DL_FUNC) &tq_r_commit, 4},
  {"C_tq_commit_all", (DL_FUNC) &tq_r_commit_all, 4},
  {"C_tq_hang_bell", (DL_FUNC) &tq_r_hang_bell, 1},
  {"C_tq_objects", (DL_FUNC) &tq_r_objects, 2},
  {"C_tq_objects_free", (DL_FUNC) &tq_r_objects_free, 1},
  {"C_tq_payload", (DL_FUNC) &tq_r_payload, 2},
  {"C_tq_map_begin", (DL_FUNC) &tq_r_map_begin, 6},
  {"C_tq_map_feed", (DL_FUNC) &tq_r_map_feed, 1},
  {"C_tq_map_wait", (DL_FUNC) &tq_r_map_wait, 3},
  {"C_tq_map_batch", (DL_FUNC) &tq_r_map_batch, 2},
  {"C_tq_map_put", (DL_FUNC) &tq_r_map_put, 3},
  {"C_tq_map_settle", (DL_FUNC) &tq_r_map_settle, 5},
  {"C_tq_map_results", (DL_FUNC) &tq_r_map_results, 1},
  {"C_tq_map_end", (DL_FUNC) &tq_r_map_end, 1},
  {"C_tq_batch_run", (DL_FUNC) &tq_r_batch_run, 5},
  {"C_tq_batch_clock", (DL_FUNC) &tq_r_batch_clock, 0},
  {"C_tq_batch_pack", (DL_FUNC) &tq_r_batch_pack, 2},
  {"C_tq_evaluate", (DL_FUNC) &tq_r_evaluate, 2},
  {"C_tq_read", (DL_FUNC) &tq_r_read, 1},
  {"C_tq_serve", (DL_FUNC) &tq_r_serve, 3},
  {"C_tq_reply", (DL_FUNC) &tq_r_reply, 2},
  {"C_tq_disarm", (DL_FUNC) &tq_r_disarm, 0},
  {"C_tq_inline_next", (DL_FUNC) &tq_r_inline_next, 1},
  {"C_tq_inline_done", (DL_FUNC) &tq_r_inline_done, 8},
  {"C_tq_state_begin", (DL_FUNC) &tq_state_begin, 4},
  {"C_tq_state_watch", (DL_FUNC) &tq_state_watch, 3},
  {"C_tq_state_objects", (DL_FUNC) &tq_state_objects, 0},
  {"C_tq_state_opened", (DL_FUNC) &tq_state_opened, 2},
  {"C_tq_state_process", (DL_FUNC) &tq_state_process, 1},
  {"C_tq_state_save", (DL_FUNC) &tq_state_save, 1},
  {"C_tq_state_changed", (DL_FUNC) &tq_state_changed, 0},
  {"C_tq_state_restore", (DL_FUNC) &tq_state_restore, 1},
  {"C_tq_portable", (DL_FUNC) &tq_r_portable, 1},
  {"C_tq_with_captured", (DL_FUNC) &tq_r_with_captured, 2},
  {"C_tq_without_sources", (DL_FUNC) &tq_r_without_sources, 1},
  {"C_tq_is_data", (DL_FUNC) &tq_r_is_data, 1},
  {"C_tq_is_empty_pointer", (DL_FUNC) &tq_r_is_empty_pointer, 1},
  {"C_tq_uses", (DL_FUNC) &tq_r_uses, 1},
  {"C_tq_plain", (DL_FUNC) &tq_r_plain, 1},
  {"C_tq_share", (DL_FUNC) &tq_r_share, 1},
  {"C_tq_is_shared", (DL_FUNC) &tq_r_is_shared, 1},
  {"C_tq_segments", (DL_FUNC) &tq_r_segments, 0},
  {NULL, NULL, 0}};

void attribute_visible R_init_taskq(DllInfo *dll) {
  tq_panics_begin();
  tq_result_begin();
  tq_plain_begin();
  tq_shared_begin(dll);
  tq_walk_begin();
  tq_parcels_begin(dll);
  tq_evaluate_begin();
  R_registerRoutines(dll, NULL, NULL, NULL, external);
  R_useDynamicSymbols(dll, FALSE);
}
