//! Environments, and the variables in them.

use std::ffi::{c_int, CStr};

use extendr_ffi::{
    R_BaseEnv, R_BaseNamespace, R_EmptyEnv, R_GlobalEnv, R_IsPackageEnv, R_NilValue, Rboolean,
    Rf_install, CAR, CDR, SEXP, SEXPTYPE, TAG, TYPEOF,
};

use super::{questions, Object};
use crate::r::Symbol;

// Of R's objects only addresses cross.
#[allow(improper_ctypes)]
extern "C" {
    fn R_BindingIsActive(symbol: SEXP, env: SEXP) -> Rboolean;
    fn R_BindingIsLocked(symbol: SEXP, env: SEXP) -> Rboolean;
    fn R_ActiveBindingFunction(symbol: SEXP, env: SEXP) -> SEXP;
    fn R_EnvironmentIsLocked(env: SEXP) -> Rboolean;
    fn tq_value_of(symbol: SEXP, env: SEXP) -> SEXP;
    fn tq_base_function_was_used(symbol: SEXP) -> c_int;
    fn R_existsVarInFrame(env: SEXP, symbol: SEXP) -> Rboolean;
    fn tq_parent(env: SEXP) -> SEXP;
    fn tq_is_namespace(env: SEXP) -> c_int;
}

questions! {
    /// Whether an environment is locked.
    fn is_locked = R_EnvironmentIsLocked;
    fn is_namespace = tq_is_namespace;
    /// Whether it is the environment of an attached package.
    fn is_of_package = R_IsPackageEnv;
}

questions! {
    of a symbol:
    /// Whether a function stands for the value of this variable.
    fn is_active = R_BindingIsActive;
    fn is_binding_locked = R_BindingIsLocked;
}

impl<'a> Object<'a> {
    /// Whether an environment itself has this variable.
    pub(crate) fn has_variable(self, symbol: Symbol) -> bool {
        // SAFETY: see `kind`.
        unsafe { R_existsVarInFrame(self.object, symbol.get()) == Rboolean::TRUE }
    }

    /// The environment of base.
    pub(crate) fn base() -> Object<'a> {
        // SAFETY: a constant of R's.
        unsafe { Object::new(R_BaseEnv) }
    }

    /// The global environment.
    pub(crate) fn global() -> Object<'a> {
        // SAFETY: a constant of R's.
        unsafe { Object::new(R_GlobalEnv) }
    }

    /// Tags and values of R's options, in their order; none in an R that does not keep them in a pairlist.
    pub(crate) fn options() -> impl Iterator<Item = (Object<'a>, Object<'a>)> {
        // SAFETY: cells of a pairlist that R keeps, until the next call of R.
        unsafe {
            let options = tq_value_of(Rf_install(c".Options".as_ptr()), R_BaseEnv);
            let is_list = !options.is_null() && TYPEOF(options) == SEXPTYPE::LISTSXP;
            let first = if is_list { options } else { R_NilValue };
            let cells = std::iter::successors(Some(first), |&cell| Some(CDR(cell)));
            let cells = cells.take_while(|&cell| cell != R_NilValue);
            cells.map(|cell| (Object::new(TAG(cell)), Object::new(CAR(cell))))
        }
    }

    /// Whether a function of base was used; in an R that does not tell, it was.
    pub(crate) fn base_function_was_used(name: &'static CStr) -> bool {
        // SAFETY: a symbol.
        unsafe { tq_base_function_was_used(Rf_install(name.as_ptr())) == 1 }
    }

    /// The value of a variable that is not active; that of a promise is the promise, and since R 4.6 `None` until it is
    /// forced.
    pub(crate) fn value_of(self, symbol: Symbol) -> Option<Object<'a>> {
        // SAFETY: see `kind`; the environment keeps it.
        unsafe {
            let value = tq_value_of(symbol.get(), self.object);
            (!value.is_null()).then(|| Object::new(value))
        }
    }

    /// The function that stands for the value of an active variable.
    pub(crate) fn active_function(self, symbol: Symbol) -> Object<'a> {
        // SAFETY: see `kind`; the environment keeps it.
        unsafe { Object::new(R_ActiveBindingFunction(symbol.get(), self.object)) }
    }

    pub(crate) fn is_global(self) -> bool {
        // SAFETY: a constant of R's, here and below.
        unsafe { self.object == R_GlobalEnv }
    }

    /// Whether it is the environment or namespace of base, or the empty environment.
    pub(crate) fn is_base(self) -> bool {
        // SAFETY: see above.
        unsafe { [R_BaseEnv, R_BaseNamespace, R_EmptyEnv].contains(&self.object) }
    }

    /// Whether an environment is on the search path.
    pub(crate) fn is_attached(self) -> bool {
        // SAFETY: environments keep those around them, and the last one is the empty one.
        unsafe {
            let mut place = tq_parent(R_GlobalEnv);
            while self.has_attributes() && place != R_EmptyEnv {
                if place == self.object {
                    return true;
                }
                place = tq_parent(place);
            }
        }
        false
    }

    /// The environment around this one.
    pub(crate) fn parent(self) -> Object<'a> {
        // SAFETY: environments keep those around them.
        unsafe { Object::new(tq_parent(self.object)) }
    }
}
