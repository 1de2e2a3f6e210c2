//! Functions, and code: calls and lists of cells.

use std::ffi::c_int;

use extendr_ffi::{R_GlobalEnv, R_NilValue, Rf_getAttrib, CAR, CDR, SETCDR, SEXP, SEXPTYPE};

use super::{Kept, Object};
use crate::r::Symbol;

// Of R's objects only addresses cross.
#[allow(improper_ctypes)]
extern "C" {
    fn R_ClosureExpr(fun: SEXP) -> SEXP;
    fn SETCAR(cell: SEXP, object: SEXP) -> SEXP;
    fn tq_formals(fun: SEXP) -> SEXP;
    fn tq_enclosure(fun: SEXP) -> SEXP;
    fn tq_is_namespace(env: SEXP) -> c_int;
    fn tq_is_same_function(fun: SEXP, other: SEXP) -> c_int;
}

impl<'a> Object<'a> {
    /// A function of which nothing has to be known but what it captures; of one of a package, its name has to be.
    pub(crate) fn is_plain_function(self) -> bool {
        match self.kind() {
            SEXPTYPE::BUILTINSXP | SEXPTYPE::SPECIALSXP => true,
            SEXPTYPE::CLOSXP => {
                // SAFETY: a closure.
                let is_of_package = unsafe {
                    let env = tq_enclosure(self.object);
                    env != R_GlobalEnv && tq_is_namespace(env) == 1
                };
                !is_of_package
            }
            _ => false,
        }
    }

    pub(crate) fn is_function(self) -> bool {
        use SEXPTYPE::{BUILTINSXP, CLOSXP, SPECIALSXP};
        matches!(self.kind(), CLOSXP | BUILTINSXP | SPECIALSXP)
    }

    /// The environment of a closure.
    pub(crate) fn enclosure(self) -> Object<'a> {
        debug_assert_eq!(self.kind(), SEXPTYPE::CLOSXP);
        // SAFETY: a closure keeps its environment.
        unsafe { Object::new(tq_enclosure(self.object)) }
    }

    /// The formals of a closure; NULL of anything else.
    pub(crate) fn formals(self) -> Object<'a> {
        let is_closure = self.kind() == SEXPTYPE::CLOSXP;
        // SAFETY: a closure keeps its formals.
        unsafe {
            Object::new(if is_closure {
                tq_formals(self.object)
            } else {
                R_NilValue
            })
        }
    }

    /// The code of a closure, not compiled; anything else itself.
    pub(crate) fn code(self) -> Object<'a> {
        let is_closure = self.kind() == SEXPTYPE::CLOSXP;
        // SAFETY: a closure keeps its code.
        unsafe {
            Object::new(if is_closure {
                R_ClosureExpr(self.object)
            } else {
                self.object
            })
        }
    }

    /// Whether a closure has source references.
    pub(crate) fn has_source(self) -> bool {
        let is_closure = self.kind() == SEXPTYPE::CLOSXP;
        is_closure && (self.has_source_attribute() || self.code().has_source_attribute())
    }

    /// Whether a function, or code, has a source reference.
    pub(crate) fn has_source_attribute(self) -> bool {
        // SAFETY: see `kind`. It lives as long as the object; asking for it makes nothing.
        let source = || unsafe { Rf_getAttrib(self.object, Symbol::source().get()) };
        // SAFETY: a constant of R's.
        self.has_attributes() && source() != unsafe { R_NilValue }
    }

    /// Whether it is a cell of a pairlist, or of a call.
    pub(crate) fn is_cell(self) -> bool {
        self.is_call() || self.kind() == SEXPTYPE::LISTSXP
    }

    pub(crate) fn is_call(self) -> bool {
        self.kind() == SEXPTYPE::LANGSXP
    }

    /// What a cell holds; NULL of anything else.
    pub(crate) fn first(self) -> Object<'a> {
        // SAFETY: a cell keeps it, as what follows; NULL has both.
        unsafe { Object::new(CAR(self.cell())) }
    }

    /// The cell behind this one; NULL where there is none.
    pub(crate) fn rest(self) -> Object<'a> {
        // SAFETY: see above.
        unsafe { Object::new(CDR(self.cell())) }
    }

    fn cell(self) -> SEXP {
        if self.is_cell() {
            return self.object;
        }
        // SAFETY: a constant of R's.
        unsafe { R_NilValue }
    }

    /// Puts an object into a cell.
    pub(crate) fn set_first(self, object: Object<'_>) {
        if self.is_cell() {
            // SAFETY: a cell.
            unsafe { SETCAR(self.object, object.object) };
        }
    }

    /// Has other cells, or NULL, follow a cell.
    pub(crate) fn set_rest(self, cells: Object<'_>) {
        if self.is_cell() {
            // SAFETY: a cell.
            unsafe { SETCDR(self.object, cells.object) };
        }
    }

    /// Whether it is the same function as this one in all that is sent of it.
    pub(crate) fn is_same_function(self, other: &Kept) -> bool {
        // SAFETY: R keeps both.
        unsafe { tq_is_same_function(self.object, other.0) == 1 }
    }
}
