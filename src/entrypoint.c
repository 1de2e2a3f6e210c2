/* What R calls when it loads the shared object: the only exported symbol.
 *
 * It also keeps the linker from dropping the static library of the Rust code,
 * which nothing else refers to. */

#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

void register_extendr_panic_hook(void);
void R_init_taskq_extendr(void *dll);
void taskq_register_external(DllInfo *dll);

void attribute_visible R_init_taskq(DllInfo *dll) {
  register_extendr_panic_hook();
  R_init_taskq_extendr(dll);
  /* Tables are replaced one by one: this leaves extendr's .Call table alone. */
  taskq_register_external(dll);
  R_useDynamicSymbols(dll, FALSE);
}
