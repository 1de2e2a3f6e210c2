//! Functions made anew: in another environment, with what they capture; and without their source references, which hold
//! the text of the whole file in which a function stands.
//!
//! Code is shared as far as it has none; only the calls around them are copied.

use extendr_ffi::SEXPTYPE;

use crate::r::{Answer, Object, Scope, Symbol};
use crate::vectors::list_with;

/// How many levels are gone down between two looks at what is left of the stack.
const LEVELS: usize = 32;

/// The same function in another environment, not compiled: what is compiled depends on that.
pub(crate) fn with_environment<'s>(
    scope: &'s Scope,
    fun: Object<'_>,
    env: Object<'_>,
) -> Answer<Object<'s>> {
    let closure = scope.make_closure(fun.formals(), fun.code(), env)?;
    if fun.has_attributes() {
        scope.copy_attributes(closure, fun)?;
    }
    Ok(closure)
}

/// A function with what it captures: a list, an environment, or NULL.
pub(crate) fn with_captured<'s>(
    scope: &'s Scope,
    fun: Object<'s>,
    captured: Object<'s>,
) -> Answer<Object<'s>> {
    if captured.is_null() || fun.kind() != SEXPTYPE::CLOSXP {
        return Ok(fun);
    }
    if captured.kind() == SEXPTYPE::ENVSXP {
        return with_environment(scope, fun, captured);
    }
    let env = scope.new_environment(fun.enclosure())?;
    scope.set_variables(env, captured)?;
    with_environment(scope, fun, env)
}

/// Formals and code of a function without source references, as a function without attributes.
pub(crate) fn clean_function<'s>(scope: &'s Scope, fun: Object<'s>) -> Answer<Object<'s>> {
    let formals = clean_code(scope, fun.formals(), 0)?;
    let code = clean_code(scope, fun.code(), 0)?;
    Ok(scope.make_closure(formals, code, scope.global())?)
}

/// `fun` with the formals and the code of `clean`, in this environment.
pub(crate) fn with_code_of<'s>(
    scope: &'s Scope,
    clean: Object<'_>,
    fun: Object<'_>,
    env: Object<'_>,
) -> Answer<Object<'s>> {
    let closure = scope.make_closure(clean.formals(), clean.code(), env)?;
    if fun.has_attributes() {
        scope.copy_attributes(closure, fun)?;
        scope.set_attribute(closure, Symbol::source(), scope.null())?;
    }
    Ok(closure)
}

/// `object`, where functions have source references the same without these: the object itself, or what is in it if it
/// is a list, at any depth. What is in environments and attributes stays as it is.
pub(crate) fn without_sources<'s>(scope: &'s Scope, object: Object<'s>) -> Answer<Object<'s>> {
    clean_value(scope, object, 0)
}

/// What may have source references in it.
fn is_deep(object: Object<'_>) -> bool {
    use SEXPTYPE::{CLOSXP, LANGSXP, LISTSXP, VECSXP};
    matches!(object.kind(), CLOSXP | LANGSXP | LISTSXP | VECSXP)
}

fn check_stack(scope: &Scope, depth: usize) -> Answer<()> {
    if depth % LEVELS == LEVELS - 1 {
        scope.check_stack()?;
    }
    Ok(())
}

fn clean_value<'s>(scope: &'s Scope, object: Object<'s>, depth: usize) -> Answer<Object<'s>> {
    check_stack(scope, depth)?;
    match object.kind() {
        SEXPTYPE::CLOSXP if object.has_source() => {
            let clean = clean_function(scope, object)?;
            with_code_of(scope, clean, object, object.enclosure())
        }
        SEXPTYPE::VECSXP => {
            let copy = list_with(scope, object, is_value, &mut |scope, element| {
                clean_value(scope, element, depth + 1)
            })?;
            if copy != object {
                scope.copy_attributes(copy, object)?;
            }
            Ok(copy)
        }
        _ => Ok(object),
    }
}

fn is_value(object: Object<'_>) -> bool {
    matches!(object.kind(), SEXPTYPE::CLOSXP | SEXPTYPE::VECSXP)
}

/// Of code or formals. A call of `function` in code has its source reference as its fourth element.
fn clean_code<'s>(scope: &'s Scope, code: Object<'s>, depth: usize) -> Answer<Object<'s>> {
    if !code.is_cell() {
        return clean_value(scope, code, depth);
    }
    check_stack(scope, depth)?;
    let is_function = code.is_call() && code.length() == 4;
    let is_function = is_function && code.first() == Symbol::function().object();
    let mut clean = code;
    if is_function || (code.is_call() && code.has_source_attribute()) {
        clean = scope.shallow_copy(code)?;
        for name in Symbol::of_sources() {
            scope.set_attribute(clean, name, scope.null())?;
        }
        if is_function {
            clean.rest().rest().set_rest(scope.null());
        }
    }
    let mut cell = clean;
    let mut place = 0;
    while cell.is_cell() {
        let part = cell.first();
        if is_deep(part) && clean != code {
            scope.within_on(part, |scope, part| {
                cell.set_first(clean_code(scope, part, depth + 1)?);
                Ok(())
            })?;
        } else if is_deep(part) {
            let other = scope.inner(part, |scope, part| clean_code(scope, part, depth + 1))?;
            if other != part {
                clean = scope.shallow_copy(code)?;
                cell = (0..place).fold(clean, |cell, _| cell.rest());
                cell.set_first(other);
            }
        }
        cell = cell.rest();
        place += 1;
    }
    Ok(clean)
}
