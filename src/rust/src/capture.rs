//! What a function takes along when it travels: the variables that it uses of the frames in which it was made.
//!
//! The function itself travels without them, as if it had been made at the end of its chain of environments: the global
//! environment, or the namespace of a package. So it is the same function at each push, is sent once, and is kept by
//! the sessions. What it captures stands beside its arguments, with the values that it has at that push.
//!
//! Which variables a function uses is found by a walk of its code ([`crate::code`]), whose result is kept for the
//! functions that were seen last. The usual case is done here: variables whose values are data. Where a value is itself
//! code that was made in a frame, or an environment, R/capture.R does it.

use std::cell::RefCell;
use std::ffi::c_int;

use extendr_ffi::SEXPTYPE;

use crate::closures::{
    clean_function, with_captured, with_code_of, with_environment, without_sources,
};
use crate::code::{self, BEHIND_DOTS, FUNCTION, REPLACEMENT, VALUE};
use crate::entries::entries;
use crate::r::{Answer, Binding, Constant, Object, Scope, Shelf, Symbol, Tree};

/// More frames than anybody nests, and lists of more levels, are left to R.
const MOST_FRAMES: usize = 16;
const MOST_DEPTH: usize = 8;

/// How many functions are known. Each has three places on the shelf.
const KNOWN: usize = 256;
const FORMALS: usize = 0;
const CODE: usize = 1;
const CLEAN: usize = 2;
const PLACES: usize = 3;

/// What is known of functions: each is known again by its formals and its code, as objects.
struct Known {
    /// Formals and code; and the same function without source references, or NULL before it was needed.
    shelf: Shelf,
    uses: Vec<Option<Vec<(Symbol, c_int)>>>,
}

thread_local! {
    static FUNCTIONS: RefCell<Option<Known>> = const { RefCell::new(None) };
}

/// Uses what is known of functions. Nothing in `body` may call R.
fn with_known<T>(scope: &Scope, body: impl FnOnce(&mut Known) -> T) -> Answer<T> {
    if FUNCTIONS.with_borrow(Option::is_none) {
        let shelf = scope.shelf(KNOWN * PLACES)?;
        let uses = vec![None; KNOWN];
        FUNCTIONS.set(Some(Known { shelf, uses }));
    }
    let mut body = Some(body);
    FUNCTIONS.with_borrow_mut(|known| match (known, body.take()) {
        (Some(known), Some(body)) => Ok(body(known)),
        _ => Err(crate::r::Stop::Fault(
            "nothing is known of functions".to_owned(),
        )),
    })
}

/// The place of a function or formula among those that are known. After a call of R another one may stand there.
fn place_of(scope: &Scope, fun: Object<'_>) -> Answer<usize> {
    let (formals, code) = (fun.formals(), fun.code());
    let place = code.hash() % KNOWN;
    let is_known = with_known(scope, |known| {
        known.uses[place].is_some()
            && known.shelf.holds(place * PLACES + FORMALS, formals)
            && known.shelf.holds(place * PLACES + CODE, code)
    })?;
    if is_known {
        return Ok(place);
    }
    let found = code::uses(formals, code);
    let named = found.into_iter().map(|(symbol, how)| {
        // SAFETY: the walk gives symbols.
        named(scope, unsafe { Symbol::new(symbol) }, how)
    });
    let uses = named.collect::<Answer<Vec<_>>>()?;
    with_known(scope, |known| {
        known.shelf.put(place * PLACES + FORMALS, formals);
        known.shelf.put(place * PLACES + CODE, code);
        known.shelf.clear(place * PLACES + CLEAN);
        known.uses[place] = Some(uses);
    })?;
    Ok(place)
}

/// The variable that is meant by a use.
fn named(scope: &Scope, symbol: Symbol, how: c_int) -> Answer<(Symbol, c_int)> {
    Ok(match how {
        REPLACEMENT => (scope.symbol_like(symbol, 0, c"<-")?, FUNCTION),
        BEHIND_DOTS => (scope.symbol_like(symbol, 2, c"")?, VALUE),
        how if how & VALUE != 0 && is_about_dots(symbol.name()) => (Symbol::dots(), how),
        how => (symbol, how),
    })
}

/// The names that look at `...` without its name: `..1`, and three functions.
fn is_about_dots(name: &[u8]) -> bool {
    match name {
        b"...length" | b"...elt" | b"...names" => true,
        [b'.', b'.', number @ ..] => !number.is_empty() && number.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// What a function uses.
fn uses_of(scope: &Scope, fun: Object<'_>) -> Answer<Vec<(Symbol, c_int)>> {
    let place = place_of(scope, fun)?;
    with_known(scope, |known| known.uses[place].clone().unwrap_or_default())
}

/// `fun` in this environment and without source references: itself, where it is that already.
fn bare<'s>(scope: &'s Scope, fun: Object<'s>, env: Object<'s>) -> Answer<Object<'s>> {
    if !fun.has_source() {
        let is_there = fun.enclosure() == env;
        return if is_there {
            Ok(fun)
        } else {
            with_environment(scope, fun, env)
        };
    }
    let place = place_of(scope, fun)? * PLACES + CLEAN;
    let known = with_known(scope, |known| {
        let clean = known.shelf.get(place);
        (!clean.is_null()).then(|| scope.adopt(clean))
    })?;
    let clean = match known {
        Some(clean) => clean?,
        None => {
            let clean = clean_function(scope, fun)?;
            let place = place_of(scope, fun)? * PLACES + CLEAN;
            with_known(scope, |known| known.shelf.put(place, clean))?;
            clean
        }
    };
    with_code_of(scope, clean, fun, env)
}

/// What another process has, too.
fn is_everywhere(env: Object<'_>) -> bool {
    env.is_global() || env.is_base() || env.is_namespace() || env.is_of_package()
}

fn is_frame(env: Object<'_>) -> bool {
    !is_everywhere(env) && !env.is_attached()
}

/// Values that travel as they are: data, and functions that were not made in a frame.
fn is_data(value: Object<'_>, depth: usize) -> bool {
    match value.kind() {
        SEXPTYPE::CLOSXP => value.is_s4() || !is_frame(value.enclosure()),
        SEXPTYPE::ENVSXP => is_everywhere(value),
        SEXPTYPE::LANGSXP => !value.has_attributes(),
        SEXPTYPE::PROMSXP | SEXPTYPE::DOTSXP => false,
        SEXPTYPE::VECSXP => {
            let mut elements = value.elements_of_list();
            depth > 0 && elements.all(|element| is_data(element, depth - 1))
        }
        _ => true,
    }
}

/// The values of variables that a function uses, and their names; or why R has to look.
enum Found<'s> {
    Values(Vec<(Symbol, Object<'s>)>),
    /// The variable that has no value, as `list(frame, name, what stands for it)`; or NULL.
    Deep(Object<'s>),
}

/// A variable of one of the frames: its value; or why R has to look, see [`Found::Deep`].
fn value_in<'s>(
    scope: &'s Scope,
    symbol: Symbol,
    frame: Object<'s>,
    frames: &[Object<'s>],
) -> Answer<Result<Object<'s>, Object<'s>>> {
    static FAILED: Constant = Constant::new(&["frame", "name", "value"]);
    if symbol.is_dots() {
        return Ok(Err(scope.null()));
    }
    match scope.binding(symbol, frame)? {
        Binding::Active => return Ok(Err(scope.null())),
        Binding::Value(value) => return Ok(Ok(value)),
        Binding::Pending => {}
    }
    // What is evaluated may take a frame out of the chain.
    for &frame in frames {
        scope.adopt(frame)?;
    }
    let name = Tree::from(symbol.text());
    let name = scope.make(&name)?;
    let request = scope.make(&Tree::list(&[frame.into(), name.into()]))?;
    let forced = scope.call_own(c"tq_forced_in_frame", request)?;
    if !forced.inherits(c"tq_captured")? {
        return Ok(Ok(forced));
    }
    Ok(Err(scope.record(
        &FAILED,
        &[frame.into(), name.into(), forced.into()],
    )?))
}

fn find<'s>(scope: &'s Scope, fun: Object<'s>, frames: &[Object<'s>]) -> Answer<Found<'s>> {
    let mut values = Vec::new();
    for (symbol, mut how) in uses_of(scope, fun)? {
        let mut is_taken = false;
        for &frame in frames {
            if how == 0 {
                break;
            }
            if !frame.has_variable(symbol) {
                continue;
            }
            let value = match value_in(scope, symbol, frame, frames)? {
                Ok(value) => value,
                Err(failed) => return Ok(Found::Deep(failed)),
            };
            let is_sought = how & VALUE != 0 || value.is_function();
            how = if value.is_function() { 0 } else { how & !VALUE };
            if is_sought && (is_taken || !is_data(value, MOST_DEPTH)) {
                return Ok(Found::Deep(scope.null()));
            }
            if is_sought {
                values.push((symbol, value));
                is_taken = true;
            }
        }
    }
    Ok(Found::Values(values))
}

/// The function that travels for `fun`, and what it captures: a list with names, an environment, or NULL.
pub(crate) fn portable<'s>(scope: &'s Scope, fun: Object<'s>) -> Answer<(Object<'s>, Object<'s>)> {
    if fun.kind() != SEXPTYPE::CLOSXP {
        return Ok((fun, scope.null()));
    }
    let env = fun.enclosure();
    if env.is_global() {
        return Ok((bare(scope, fun, env)?, scope.null()));
    }
    if fun.is_s4() || fun.inherits(c"crate")? || is_everywhere(env) {
        return Ok((fun, scope.null()));
    }
    let mut frames = Vec::new();
    let mut end = env;
    while is_frame(end) {
        frames.push(end);
        end = end.parent();
    }
    let found = if frames.len() > MOST_FRAMES {
        Found::Deep(scope.null())
    } else {
        find(scope, fun, &frames)?
    };
    let captured = match found {
        Found::Values(values) if values.is_empty() => scope.null(),
        Found::Values(values) => {
            let names: Vec<_> = values.iter().map(|(symbol, _)| symbol.text()).collect();
            let values: Vec<_> = values.iter().map(|&(_, value)| value.into()).collect();
            let list = scope.make(&Tree::list(&values).named(&names))?;
            without_sources(scope, list)?
        }
        Found::Deep(failed) => {
            let request = scope.make(&Tree::list(&[fun.into(), failed.into()]))?;
            scope.call_own(c"tq_capture_deeply", request)?
        }
    };
    // What is attached here may not be there.
    let is_elsewhere = end.is_of_package() || end.is_attached();
    let end = if is_elsewhere { scope.global() } else { end };
    Ok((bare(scope, fun, end)?, captured))
}

/// `list(fun, captured)`: see [`portable`].
fn rs_portable<'s>(scope: &'s Scope, fun: Object<'s>) -> Answer<Object<'s>> {
    static BOTH: Constant = Constant::new(&["fun", "captured"]);
    let (fun, captured) = portable(scope, fun)?;
    Ok(scope.record(&BOTH, &[fun.into(), captured.into()])?)
}

/// A function with what it captures.
fn rs_with_captured<'s>(
    scope: &'s Scope,
    fun: Object<'s>,
    captured: Object<'s>,
) -> Answer<Object<'s>> {
    with_captured(scope, fun, captured)
}

/// Whether a value travels as it is.
fn rs_is_data(value: Object<'_>) -> bool {
    is_data(value, MOST_DEPTH)
}

/// What the code of a function or formula uses: `list(names, kinds)`.
fn rs_uses<'s>(scope: &'s Scope, fun: Object<'s>) -> Answer<Object<'s>> {
    let uses = uses_of(scope, fun)?;
    let names: Vec<_> = uses.iter().map(|(symbol, _)| symbol.text()).collect();
    let kinds: Vec<_> = uses.iter().map(|&(_, how)| how).collect();
    Ok(scope.make(&Tree::list(&[
        Tree::strings(&names),
        Tree::integers(&kinds),
    ]))?)
}

/// An object whose functions, in lists at any depth, have no source references.
fn rs_without_sources<'s>(scope: &'s Scope, object: Object<'s>) -> Answer<Object<'s>> {
    without_sources(scope, object)
}

/// Whether an external pointer refers to nothing.
fn rs_is_empty_pointer(object: Object<'_>) -> bool {
    object.is_empty_pointer()
}

entries! {
    rs_without_sources[scope](object),
    rs_is_empty_pointer(object),
    rs_portable[scope](fun),
    rs_with_captured[scope](fun, captured),
    rs_is_data(value),
    rs_uses[scope](fun),
}
