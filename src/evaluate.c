/* One task, in a session as in a queue without workers: the call of its function.
 *
 * It is driven by the evaluator of R/worker-eval.R, an environment, in which it notes the phase, and whose handlers
 * learn of warnings, messages and errors. A jump leaves everything to them. */

#include "rapi.h"

#include <R_ext/GraphicsEngine.h> /* R_interrupts_suspended, R_interrupts_pending */

static SEXP phase_symbol, fun_symbol, globals_symbol, prepare_symbol, warnings_symbol, messages_symbol, record_symbol,
  dropped_symbol, batch_symbol;
static SEXP quote_function, value_name;

void tq_evaluate_begin(void) {
  phase_symbol = Rf_install("phase");
  fun_symbol = Rf_install("fun");
  globals_symbol = Rf_install("globals");
  prepare_symbol = Rf_install("prepare");
  warnings_symbol = Rf_install("warnings");
  messages_symbol = Rf_install("messages");
  record_symbol = Rf_install("record");
  dropped_symbol = Rf_install("dropped");
  batch_symbol = Rf_install("run_batch");
  /* The function itself: whoever evaluates may have another one of this name. */
  quote_function = Rf_eval(Rf_install("quote"), R_BaseEnv);
  value_name = Rf_mkString("value");
  R_PreserveObject(value_name);
}

/* A vector for each, so that none is made for a task. */
void tq_set_phase(SEXP evaluator, enum tq_phase phase) {
  static SEXP names = NULL;
  if (!names) {
    static const char *const words[] = {"idle", "receive", "run", "reply"};
    SEXP all = PROTECT(Rf_allocVector(VECSXP, 4));
    for (int i = 0; i < 4; i++) SET_VECTOR_ELT(all, i, Rf_mkString(words[i]));
    R_PreserveObject(all);
    names = all;
    UNPROTECT(1);
  }
  Rf_defineVar(phase_symbol, VECTOR_ELT(names, phase), evaluator);
}

/* An argument in a call, such that it is evaluated to `value`. A formula is its own value. */
static SEXP argument_for(SEXP value) {
  switch (TYPEOF(value)) {
  case LANGSXP:
    if (Rf_inherits(value, "formula") && CAR(value) == Rf_install("~")) return value;
    return Rf_lang2(quote_function, value);
  case SYMSXP:
  case PROMSXP:
  case DOTSXP:
  case BCODESXP:
    return Rf_lang2(quote_function, value);
  default:
    return value;
  }
}

/* function(args), or function() when these are NULL. */
static SEXP call_with(SEXP function, SEXP args) {
  SEXP names = PROTECT(Rf_getAttrib(args, R_NamesSymbol));
  SEXP call = PROTECT(Rf_lcons(function, R_NilValue));
  SEXP last = call;
  for (R_xlen_t i = 0; i < Rf_xlength(args); i++) {
    SEXP argument = PROTECT(argument_for(VECTOR_ELT(args, i)));
    SETCDR(last, Rf_cons(argument, R_NilValue));
    UNPROTECT(1);
    last = CDR(last);
    if (names != R_NilValue && CHAR(STRING_ELT(names, i))[0]) SET_TAG(last, Rf_installTrChar(STRING_ELT(names, i)));
  }
  UNPROTECT(2);
  return call;
}

static int is_noted(SEXP evaluator, SEXP conditions) { return Rf_xlength(Rf_eval(conditions, evaluator)) > 0; }

/* The first part of the call of `fun`: the function itself, or how it is called where the host has told. */
static SEXP head_for(SEXP fun, SEXP name) {
  if (name == R_NilValue) return fun;
  SEXP both = PROTECT(Rf_allocVector(VECSXP, 2));
  SET_VECTOR_ELT(both, 0, fun);
  SET_VECTOR_ELT(both, 1, name);
  SEXP head = tq_call_own("tq_head_of_call", both);
  UNPROTECT(1);
  return head;
}

/* The call is that of do.call(fun, args): what looks at it finds the values of the arguments, and no frame of ours is
 * in between. */
SEXP tq_evaluate(SEXP evaluator, SEXP fun, SEXP task_call, int guarded) {
  SEXP args = tq_element(task_call, "args"), batch = tq_element(task_call, "batch");
  SEXP captured = tq_element(task_call, "captured"), name = tq_element(task_call, "name");
  Rf_defineVar(fun_symbol, fun, evaluator);
  SEXP head = PROTECT(batch == R_NilValue ? head_for(fun, name) : R_NilValue);
  SEXP call = PROTECT(batch == R_NilValue ? call_with(head, args) : Rf_lang3(batch_symbol, fun, batch));
  SEXP where = batch == R_NilValue ? Rf_eval(globals_symbol, evaluator) : evaluator;
  SEXP prepare = R_NilValue;
  R_xlen_t plain = (args != R_NilValue) + (captured != R_NilValue) + (name != R_NilValue);
  if (batch == R_NilValue && Rf_xlength(task_call) > plain) prepare = Rf_lang2(prepare_symbol, task_call);
  PROTECT(prepare);
  if (guarded) {
    tq_session_arm();
    R_interrupts_suspended = FALSE;
  }
  if (prepare != R_NilValue) Rf_eval(prepare, evaluator);
  tq_set_phase(evaluator, TQ_PHASE_RUN);
  SEXP value = PROTECT(Rf_eval(call, where));
  if (guarded) {
    R_interrupts_suspended = TRUE;
    tq_session_disarm();
  }
  tq_set_phase(evaluator, TQ_PHASE_REPLY);
  Rf_defineVar(fun_symbol, R_NilValue, evaluator);
  SEXP outcome = PROTECT(Rf_allocVector(VECSXP, 1));
  SET_VECTOR_ELT(outcome, 0, value);
  Rf_setAttrib(outcome, R_NamesSymbol, value_name);
  if (is_noted(evaluator, warnings_symbol) || is_noted(evaluator, messages_symbol) ||
      Rf_asInteger(Rf_eval(dropped_symbol, evaluator)) > 0) {
    SEXP record = PROTECT(Rf_lang2(record_symbol, outcome));
    outcome = Rf_eval(record, evaluator);
    UNPROTECT(1);
  }
  UNPROTECT(5);
  return outcome;
}

/* Called by Rust, on whichever thread: these only touch R's flag. */
void tq_raise_interrupt(void) { R_interrupts_pending = 1; }

void tq_clear_interrupt(void) { R_interrupts_pending = 0; }
