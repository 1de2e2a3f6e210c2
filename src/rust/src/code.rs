//! Which variables the code of an R function uses that are not its own: what it may find in the frames around it.
//!
//! The walk follows the order of evaluation. A variable is the function's own once an assignment that is always run has
//! been walked. In doubt it counts as used: to send too much does no harm, to send too little gives a wrong value.
//! Names in strings (`get("x")`) are not seen. Code that is quoted counts as code.
//!
//! Of R only accessors are called that neither allocate nor jump.

use std::collections::HashMap;
use std::ffi::CStr;
use std::os::raw::c_int;

use extendr_ffi::{
    R_MissingArg, R_NilValue, CAR, CDR, PRINTNAME, R_CHAR, SEXP, SEXPTYPE, TAG, TYPEOF,
};

use crate::r::Object;

/// How a variable is used, as bits: its value; as a function that is called, for which R passes over other values. The
/// others stand alone, and mean another variable: of `f` it is `f<-` that is called; of `..x`, as data.table has it, it
/// is `x` that is meant.
pub(crate) const VALUE: c_int = 1;
pub(crate) const FUNCTION: c_int = 2;
pub(crate) const REPLACEMENT: c_int = 4;
pub(crate) const BEHIND_DOTS: c_int = 8;

/// Calls within calls to this depth are walked in their order. Below, everything that is named counts as used.
const DEEPEST: u32 = 400;

/// The variables that are the function's own at some point of the walk, and those of them that are functions.
#[derive(Clone, Default)]
struct Scope {
    own: Vec<SEXP>,
    functions: Vec<SEXP>,
}

/// The uses, in the order of their first one. Symbols are never collected, so their addresses can be kept.
#[derive(Default)]
pub(crate) struct Uses {
    found: Vec<(SEXP, c_int)>,
    places: HashMap<(SEXP, c_int), usize>,
}

impl Uses {
    fn add(&mut self, symbol: SEXP, how: c_int) {
        let next = self.found.len();
        let place = *self
            .places
            .entry((symbol, how & !(VALUE | FUNCTION)))
            .or_insert(next);
        match self.found.get_mut(place) {
            Some(use_) => use_.1 |= how,
            None => self.found.push((symbol, how)),
        }
    }
}

/// The functions around the code that is walked, the innermost last.
struct Walk {
    scopes: Vec<Scope>,
    uses: Uses,
    depth: u32,
}

fn type_of(x: SEXP) -> SEXPTYPE {
    // SAFETY: `x` is an object of R, here and below: a part of the code that the caller holds.
    unsafe { TYPEOF(x) }
}

fn is_cell(x: SEXP) -> bool {
    matches!(type_of(x), SEXPTYPE::LISTSXP | SEXPTYPE::LANGSXP)
}

/// The first element of a pairlist or call; NULL where there is none.
fn first(x: SEXP) -> SEXP {
    if is_cell(x) {
        // SAFETY: it is a cell.
        unsafe { CAR(x) }
    } else {
        nil()
    }
}

/// What follows the first element.
fn rest(x: SEXP) -> SEXP {
    if is_cell(x) {
        // SAFETY: it is a cell.
        unsafe { CDR(x) }
    } else {
        nil()
    }
}

fn nil() -> SEXP {
    // SAFETY: set when R starts, and never changed.
    unsafe { R_NilValue }
}

/// The cells of a pairlist or call.
fn cells(mut list: SEXP) -> impl Iterator<Item = SEXP> {
    std::iter::from_fn(move || {
        let cell = is_cell(list).then_some(list)?;
        list = rest(list);
        Some(cell)
    })
}

fn name_of(symbol: SEXP) -> &'static [u8] {
    // SAFETY: a symbol, whose name lives as long as R does.
    unsafe { CStr::from_ptr(R_CHAR(PRINTNAME(symbol))) }.to_bytes()
}

fn is_symbol(x: SEXP) -> bool {
    // SAFETY: the constant is set when R starts.
    type_of(x) == SEXPTYPE::SYMSXP && x != unsafe { R_MissingArg }
}

/// `..1` and its like.
fn is_numbered_dots(name: &[u8]) -> bool {
    name.len() > 2 && name.starts_with(b"..") && name[2..].iter().all(u8::is_ascii_digit)
}

impl Walk {
    fn is_own(&self, symbol: SEXP, scopes: usize) -> bool {
        self.scopes[..scopes]
            .iter()
            .any(|scope| scope.own.contains(&symbol))
    }

    fn value(&mut self, symbol: SEXP) {
        if !self.is_own(symbol, self.scopes.len()) {
            self.uses.add(symbol, VALUE);
        }
    }

    /// A variable of one's own that is not known to be a function may be passed over.
    fn function(&mut self, symbol: SEXP) {
        if !self
            .scopes
            .iter()
            .any(|scope| scope.functions.contains(&symbol))
        {
            self.uses.add(symbol, FUNCTION);
        }
    }

    fn bind(&mut self, symbol: SEXP) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.own.push(symbol);
            scope.functions.retain(|known| *known != symbol);
        }
    }

    fn here(&self) -> Scope {
        self.scopes.last().cloned().unwrap_or_default()
    }

    fn back_to(&mut self, scope: Scope) {
        if let Some(last) = self.scopes.last_mut() {
            *last = scope;
        }
    }

    /// What may not be run, or later: what it assigns is not known to be there afterwards.
    fn perhaps(&mut self, x: SEXP) {
        let before = self.here();
        self.code(x);
        self.back_to(before);
    }

    fn code(&mut self, x: SEXP) {
        match type_of(x) {
            SEXPTYPE::SYMSXP if is_symbol(x) => self.symbol(x),
            SEXPTYPE::LANGSXP if self.depth >= DEEPEST => self.all_names(x),
            SEXPTYPE::LANGSXP => {
                self.depth += 1;
                self.call(x);
                self.depth -= 1;
            }
            _ => {}
        }
    }

    fn symbol(&mut self, symbol: SEXP) {
        let name = name_of(symbol);
        if is_numbered_dots(name) {
            return self.dots(symbol);
        }
        if name.len() > 2 && name.starts_with(b"..") && name != b"..." {
            self.uses.add(symbol, BEHIND_DOTS);
        }
        self.value(symbol);
    }

    /// `..1`, or the name of a function that looks at `...`, which then has no symbol of its own in the code: the
    /// caller knows these names.
    fn dots(&mut self, symbol: SEXP) {
        let mut own = self.scopes.iter().flat_map(|scope| &scope.own);
        if !own.any(|own| name_of(*own) == b"...") {
            self.uses.add(symbol, VALUE);
        }
    }

    /// Too deep to follow: every name in it.
    fn all_names(&mut self, x: SEXP) {
        let mut todo = vec![x];
        while let Some(x) = todo.pop() {
            if is_symbol(x) {
                self.uses.add(x, VALUE);
                self.uses.add(x, FUNCTION);
            } else {
                todo.extend(cells(x).map(first));
            }
        }
    }

    fn call(&mut self, call: SEXP) {
        let (head, args) = (first(call), rest(call));
        if !is_symbol(head) {
            self.perhaps(head);
            return self.arguments(args);
        }
        match name_of(head) {
            b"function" => self.closure(first(args), first(rest(args))),
            b"<-" | b"=" => self.assign(args, false),
            b"<<-" => self.assign(args, true),
            b"{" | b"(" => cells(args).for_each(|arg| self.code(first(arg))),
            b"if" => self.branches(args),
            b"for" => {
                self.code(first(rest(args)));
                self.bind(first(args));
                self.perhaps(first(rest(rest(args))));
            }
            b"while" => {
                self.code(first(args));
                self.perhaps(first(rest(args)));
            }
            b"&&" | b"||" => {
                self.code(first(args));
                self.perhaps(first(rest(args)));
            }
            b"::" | b":::" => {}
            b"$" | b"@" => {
                self.function(head);
                self.perhaps(first(args));
                let part = first(rest(args));
                if !is_symbol(part) {
                    self.perhaps(part);
                }
            }
            b"rm" | b"remove" => {
                self.function(head);
                if let Some(scope) = self.scopes.last_mut() {
                    *scope = Scope::default();
                }
                self.arguments(args);
            }
            name => {
                self.function(head);
                if matches!(name, b"...length" | b"...elt" | b"...names") {
                    self.dots(head);
                }
                self.arguments(args);
            }
        }
    }

    fn arguments(&mut self, args: SEXP) {
        cells(args).for_each(|arg| self.perhaps(first(arg)));
    }

    fn branches(&mut self, args: SEXP) {
        self.code(first(args));
        let before = self.here();
        self.code(first(rest(args)));
        let one = self.here();
        self.back_to(before);
        self.code(first(rest(rest(args))));
        let mut both = self.here();
        both.own.retain(|symbol| one.own.contains(symbol));
        both.functions
            .retain(|symbol| one.functions.contains(symbol));
        self.back_to(both);
    }

    fn assign(&mut self, args: SEXP, is_outer: bool) {
        let (target, value) = (first(args), first(rest(args)));
        self.code(value);
        if is_symbol(target) {
            if is_outer {
                return self.assign_outer(target);
            }
            self.bind(target);
            let is_function = type_of(value) == SEXPTYPE::LANGSXP
                && is_symbol(first(value))
                && name_of(first(value)) == b"function";
            if let Some(scope) = self.scopes.last_mut().filter(|_| is_function) {
                scope.functions.push(target);
            }
        } else if type_of(target) == SEXPTYPE::LANGSXP {
            self.assign_part(target, is_outer);
        }
    }

    /// A variable of the frames around this one.
    fn assign_outer(&mut self, symbol: SEXP) {
        if !self.is_own(symbol, self.scopes.len().saturating_sub(1)) {
            self.uses.add(symbol, VALUE);
        }
    }

    /// `f(g(x), i) <- value`: reads `x`, and calls `g`, `f<-` and `g<-`.
    fn assign_part(&mut self, mut target: SEXP, is_outer: bool) {
        while type_of(target) == SEXPTYPE::LANGSXP {
            let (head, args) = (first(target), rest(target));
            if is_symbol(head) {
                self.function(head);
                self.uses.add(head, REPLACEMENT);
                let is_part = matches!(name_of(head), b"$" | b"@");
                if !(is_part && is_symbol(first(rest(args)))) {
                    self.arguments(rest(args));
                }
            } else {
                self.arguments(rest(args));
            }
            target = first(args);
        }
        if !is_symbol(target) {
            return;
        }
        if is_outer {
            return self.assign_outer(target);
        }
        self.value(target);
        self.bind(target);
    }

    fn closure(&mut self, formals: SEXP, body: SEXP) {
        let mut scope = Scope::default();
        // SAFETY: the cells of a pairlist of formals.
        scope
            .own
            .extend(cells(formals).map(|formal| unsafe { TAG(formal) }));
        self.scopes.push(scope);
        self.arguments(formals);
        self.code(body);
        self.scopes.pop();
    }
}

/// What a function uses, or a formula, which has no formals: symbols, each once, and how they are used.
pub(crate) fn uses(formals: Object<'_>, code: Object<'_>) -> Vec<(SEXP, c_int)> {
    let mut walk = Walk {
        scopes: Vec::new(),
        uses: Uses::default(),
        depth: 0,
    };
    walk.closure(formals.get(), code.get());
    walk.uses.found
}
