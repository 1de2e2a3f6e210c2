//! One task, in a session as in a queue without workers: the call of its function.
//!
//! It is driven by the evaluator of R/worker-eval.R, an environment, in which it notes the phase, and whose handlers
//! learn of warnings, messages and errors. A jump leaves everything to them.

use std::cell::Cell;
use std::ffi::CStr;

use taskq_worker::Session;

use super::serve::with_session;
use crate::closures::with_captured;
use crate::entries::entries;
use crate::r::{suspend_interrupts, Answer, Constant, Object, Scope, Symbol, Tree};

/// The variables of an evaluator that are read or written for each task.
#[derive(Clone, Copy)]
struct Variables {
    phase: Symbol,
    globals: Symbol,
    warnings: Symbol,
    messages: Symbol,
    conditions: Symbol,
    dropped: Symbol,
}

thread_local! {
    static VARIABLES: Cell<Option<Variables>> = const { Cell::new(None) };
}

fn variables() -> Variables {
    VARIABLES.get().unwrap_or_else(|| {
        let variables = Variables {
            phase: Symbol::named(c"phase"),
            globals: Symbol::named(c"globals"),
            warnings: Symbol::named(c"warnings"),
            messages: Symbol::named(c"messages"),
            conditions: Symbol::named(c"conditions"),
            dropped: Symbol::named(c"dropped"),
        };
        VARIABLES.set(Some(variables));
        variables
    })
}

// What a session does.
pub(super) static IDLE: Constant = Constant::new(&["idle"]);
pub(super) static RECEIVE: Constant = Constant::new(&["receive"]);
static RUN: Constant = Constant::new(&["run"]);
static REPLY: Constant = Constant::new(&["reply"]);

static VALUE: Constant = Constant::new(&["value"]);

pub(super) fn set_phase(scope: &Scope, evaluator: Object<'_>, phase: &Constant) -> Answer<()> {
    Ok(scope.set_variable(evaluator, variables().phase, phase.get(scope)?)?)
}

/// What a task has beside its function.
#[derive(Clone, Copy, Default)]
pub(super) struct Task<'s> {
    args: Option<Object<'s>>,
    captured: Option<Object<'s>>,
    name: Option<Object<'s>>,
    pub(super) batch: Option<Object<'s>>,
    /// All of it, where it has packages, globals or a seed, too.
    whole: Option<Object<'s>>,
}

impl<'s> Task<'s> {
    pub(super) fn new(whole: Object<'s>) -> Answer<Task<'s>> {
        let mut task = Task::default();
        for (name, part) in whole.names()?.iter().zip(whole.elements_of_list()) {
            let part = Some(part).filter(|part| !part.is_null());
            match name.to_bytes() {
                b"args" => task.args = part,
                b"captured" => task.captured = part,
                b"name" => task.name = part,
                b"batch" => task.batch = part,
                _ => task.whole = Some(whole),
            }
        }
        Ok(task)
    }
}

/// The outcome of a task. `is_armed`: in a session, where it may be interrupted meanwhile.
///
/// The call is that of `do.call(fun, args)`: what looks at it finds the values of the arguments, and no frame of ours
/// is in between.
pub(super) fn evaluate<'s>(
    scope: &'s Scope,
    evaluator: Object<'s>,
    fun: Object<'s>,
    task: Task<'s>,
    is_armed: bool,
) -> Answer<Object<'s>> {
    let fun = with_captured(scope, fun, task.captured.unwrap_or(scope.null()))?;
    let (call, env, prepare) = match task.batch {
        Some(batch) => {
            let call = call_of(scope, c"run_batch", &[fun, batch])?;
            (call, evaluator, None)
        }
        None => {
            let call = call_with(scope, head_for(scope, fun, task.name)?, task.args)?;
            let prepare = task.whole.map(|task| call_of(scope, c"prepare", &[task]));
            let globals = evaluator.value_of(variables().globals);
            (call, globals.unwrap_or(scope.null()), prepare.transpose()?)
        }
    };
    if is_armed {
        with_session(Session::arm)?;
        suspend_interrupts(scope, false);
    }
    if let Some(prepare) = prepare {
        scope.evaluate(prepare, evaluator)?;
    }
    let value = scope.evaluate_noted(call, env, evaluator, variables().phase, RUN.get(scope)?)?;
    if is_armed {
        suspend_interrupts(scope, true);
        with_session(Session::disarm)?;
    }
    set_phase(scope, evaluator, &REPLY)?;
    let outcome = scope.record(&VALUE, &[value.into()])?;
    if !is_noted(evaluator)? {
        return Ok(outcome);
    }
    let record = call_of(scope, c"record", &[outcome])?;
    Ok(scope.evaluate(record, evaluator)?)
}

/// Whether the evaluator has conditions, or has dropped some.
fn is_noted(evaluator: Object<'_>) -> Answer<bool> {
    let names = variables();
    let kinds = [names.warnings, names.messages, names.conditions];
    let some = |&name: &Symbol| evaluator.value_of(name).map_or(0, Object::length) > 0;
    let dropped = match evaluator.value_of(names.dropped) {
        Some(dropped) => dropped.integers()?.and_then(|dropped| dropped.first()),
        None => None,
    };
    Ok(kinds.iter().any(some) || dropped.is_some_and(|&count| count > 0))
}

/// The call of a function of the evaluator's.
fn call_of<'s>(scope: &'s Scope, name: &'static CStr, args: &[Object<'_>]) -> Answer<Object<'s>> {
    let args: Vec<Tree<'_>> = args.iter().map(|&arg| arg.into()).collect();
    let args = scope.make(&Tree::list(&args))?;
    Ok(scope.make_call(Symbol::named(name).object(), args)?)
}

/// The first part of the call of `fun`: the function itself, or how it is called where the host has told.
fn head_for<'s>(scope: &'s Scope, fun: Object<'s>, name: Option<Object<'s>>) -> Answer<Object<'s>> {
    let Some(name) = name else {
        return Ok(fun);
    };
    let both = scope.make(&Tree::list(&[fun.into(), name.into()]))?;
    Ok(scope.call_own(c"tq_head_of_call", both)?)
}

/// `head(args)`, in which each argument is evaluated to its value.
fn call_with<'s>(
    scope: &'s Scope,
    head: Object<'_>,
    args: Option<Object<'_>>,
) -> Answer<Object<'s>> {
    let call = scope.make_call(head, args.unwrap_or(scope.null()))?;
    let mut cell = call.rest();
    while cell.is_cell() {
        let value = cell.first();
        if is_evaluated(value)? {
            // The function itself: whoever evaluates may have another one of this name.
            let quote = Object::base().value_of(Symbol::named(c"quote"));
            scope.within(|scope| {
                let value = scope.make(&Tree::list(&[value.into()]))?;
                cell.set_first(scope.make_call(quote.unwrap_or(scope.null()), value)?);
                Ok(())
            })?;
        }
        cell = cell.rest();
    }
    Ok(call)
}

/// Whether a value in a call is evaluated to another one. A formula is its own value.
fn is_evaluated(value: Object<'_>) -> Answer<bool> {
    use extendr_ffi::SEXPTYPE::{BCODESXP, DOTSXP, LANGSXP, PROMSXP, SYMSXP};
    Ok(match value.kind() {
        LANGSXP => {
            let is_formula = value.first() == Symbol::named(c"~").object();
            !(is_formula && value.inherits(c"formula")?)
        }
        SYMSXP | PROMSXP | DOTSXP | BCODESXP => true,
        _ => false,
    })
}

/// The outcome of a task of a queue without workers. `task`: what it has beside its function.
fn rs_evaluate<'s>(
    scope: &'s Scope,
    evaluator: Object<'s>,
    fun: Object<'s>,
    task: Object<'s>,
) -> Answer<Object<'s>> {
    evaluate(scope, evaluator, fun, Task::new(task)?, false)
}

entries! {
    rs_evaluate[scope](evaluator, fun, task),
}
