//! An object of R, to be read.

use std::ffi::{c_int, c_void, CStr};
use std::marker::PhantomData;

use extendr_ffi::{
    R_ClassSymbol, R_ExternalPtrAddr, R_ExternalPtrProtected, R_NilValue, R_ReleaseObject,
    R_SetExternalPtrAddr, Rboolean, Rf_getAttrib, Rf_isObject, Rf_xlength, ALTREP, SEXP, SEXPTYPE,
    TYPEOF,
};

use super::guard::Jump;

mod environment;
mod function;
mod vector;

pub(crate) use vector::Encoding;
pub(super) use vector::Rf_getCharCE;

// Of R's objects only addresses cross.
#[allow(improper_ctypes)]
extern "C" {
    fn Rf_isS4(object: SEXP) -> Rboolean;
    fn tq_is_plain_list(object: SEXP) -> c_int;
    fn tq_is_shared(object: SEXP) -> c_int;
    fn tq_is_intact(object: SEXP) -> c_int;
    fn tq_is_empty_pointer(object: SEXP) -> c_int;
    fn tq_has_attributes(object: SEXP) -> c_int;
}

/// An object that is kept until this is dropped, on the R thread.
#[derive(Debug)]
pub(crate) struct Kept(pub(super) SEXP);

impl Kept {
    /// The object, for as long as this is not dropped.
    pub(crate) fn object(&self) -> Object<'_> {
        // SAFETY: it is kept.
        unsafe { Object::new(self.0) }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: on the R thread; this makes nothing.
        unsafe { R_ReleaseObject(self.0) };
    }
}

/// An object that R keeps for `'a`. It is equal to itself alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Object<'a> {
    object: SEXP,
    kept: PhantomData<&'a ()>,
}

/// Declares methods that ask R, or C, something of an object, and of a symbol.
macro_rules! questions {
    ($($(#[$doc:meta])* fn $name:ident = $function:ident;)*) => {
        impl Object<'_> {$(
            $(#[$doc])*
            pub(crate) fn $name(self) -> bool {
                // SAFETY: R keeps it.
                unsafe { $function(self.object) as c_int != 0 }
            }
        )*}
    };
    (of a symbol: $($(#[$doc:meta])* fn $name:ident = $function:ident;)*) => {
        impl Object<'_> {$(
            $(#[$doc])*
            pub(crate) fn $name(self, symbol: Symbol) -> bool {
                // SAFETY: R keeps it.
                unsafe { $function(symbol.get(), self.object) as c_int != 0 }
            }
        )*}
    };
}
use questions;

questions! {
    fn is_s4 = Rf_isS4;
    fn has_attributes = tq_has_attributes;
    /// Whether R makes its elements only when somebody asks for them.
    fn is_lazy = ALTREP;
    /// Whether it is a list that R keeps as one, or a wrapper of R's around such a one.
    fn is_ordinary_list = tq_is_plain_list;
    /// Whether it is a vector over a segment.
    fn is_shared = tq_is_shared;
    /// Whether such a vector is what the segment holds.
    fn is_intact = tq_is_intact;
}

impl<'a> Object<'a> {
    /// # Safety
    /// R keeps the object for `'a`, which is on the R thread.
    pub(super) unsafe fn new(object: SEXP) -> Object<'a> {
        Object {
            object,
            kept: PhantomData,
        }
    }

    pub(crate) fn get(self) -> SEXP {
        self.object
    }

    pub(crate) fn kind(self) -> SEXPTYPE {
        // SAFETY: R keeps it, here and below.
        unsafe { TYPEOF(self.object) }
    }

    pub(crate) fn length(self) -> usize {
        // SAFETY: see `kind`.
        usize::try_from(unsafe { Rf_xlength(self.object) }).unwrap_or(0)
    }

    pub(crate) fn is_null(self) -> bool {
        self.kind() == SEXPTYPE::NILSXP
    }

    /// A number that is the same for the same object.
    pub(crate) fn hash(self) -> usize {
        (self.object as usize >> 4).wrapping_mul(2_654_435_761)
    }

    /// Whether it has a class, of either kind.
    pub(crate) fn has_class(self) -> bool {
        // SAFETY: see `kind`.
        unsafe {
            Rf_isObject(self.object) == Rboolean::TRUE || Rf_isS4(self.object) == Rboolean::TRUE
        }
    }

    /// Whether it inherits from this class.
    pub(crate) fn inherits(self, class: &CStr) -> Result<bool, Jump> {
        if !self.has_class() {
            return Ok(false);
        }
        // SAFETY: see `kind`; asking for a class makes nothing.
        let classes = unsafe { Object::new(Rf_getAttrib(self.object, R_ClassSymbol)) };
        Ok(classes.strings()?.unwrap_or_default().contains(&class))
    }

    /// The object that an external pointer keeps; NULL when it is none.
    pub(crate) fn protected(self) -> Object<'a> {
        // SAFETY: see `kind`; it lives as long as the pointer.
        unsafe {
            if self.kind() == SEXPTYPE::EXTPTRSXP {
                Object::new(R_ExternalPtrProtected(self.object))
            } else {
                Object::new(R_NilValue)
            }
        }
    }

    /// Has a new external pointer point there.
    pub(crate) fn set_address(self, address: *mut c_void) {
        if self.kind() == SEXPTYPE::EXTPTRSXP {
            // SAFETY: see `kind`.
            unsafe { R_SetExternalPtrAddr(self.object, address) };
        }
    }

    /// Whether it is an external pointer that refers to nothing.
    pub(crate) fn is_empty_pointer(self) -> bool {
        // SAFETY: see `kind`.
        self.kind() == SEXPTYPE::EXTPTRSXP && unsafe { tq_is_empty_pointer(self.object) == 1 }
    }

    /// The address of an external pointer; null when it is none.
    pub(crate) fn address(self) -> *mut c_void {
        if self.kind() == SEXPTYPE::EXTPTRSXP {
            // SAFETY: see `kind`.
            unsafe { R_ExternalPtrAddr(self.object) }
        } else {
            std::ptr::null_mut()
        }
    }
}
