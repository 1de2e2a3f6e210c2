//! What R gives to Rust: the arguments of the functions that R calls by their names (`src/border.c`), read without
//! allocating. C has seen to it that no vector has yet to be made when it is looked at.

use std::borrow::Cow;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::os::raw::{c_int, c_void};

use extendr_ffi::{
    R_ExternalPtrAddr, R_NaString, R_NamesSymbol, Rf_getAttrib, Rf_xlength, DATAPTR_RO, R_CHAR,
    SEXP, SEXPTYPE, STRING_ELT, TYPEOF, VECTOR_ELT,
};
use taskq_engine::Queue;

use crate::handle;
use crate::value::Value;

/// An object that R holds for as long as the call lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    object: SEXP,
    call: PhantomData<&'a ()>,
}

/// What an argument is read as.
pub(crate) trait Argument<'a>: Sized {
    /// The argument, or `None` when it is something else.
    fn read(given: Given<'a>) -> Option<Self>;

    /// The argument, or what to answer instead.
    fn take(given: Given<'a>, name: &str) -> Result<Self, Value> {
        Self::read(given)
            .ok_or_else(|| Value::fault(format!("the argument `{name}` is of another type")))
    }
}

impl<'a> Given<'a> {
    /// # Safety
    /// R holds the object for `'a`, and reading it allocates nothing. On the R thread.
    pub(crate) unsafe fn new(object: SEXP) -> Given<'a> {
        Given {
            object,
            call: PhantomData,
        }
    }

    fn kind(self) -> SEXPTYPE {
        // SAFETY: R holds it.
        unsafe { TYPEOF(self.object) }
    }

    fn length(self) -> usize {
        // SAFETY: as above.
        usize::try_from(unsafe { Rf_xlength(self.object) }).unwrap_or(0)
    }

    /// The elements of a vector of this kind.
    fn elements<T>(self, kind: SEXPTYPE) -> Option<&'a [T]> {
        if self.kind() != kind {
            return None;
        }
        let length = self.length();
        if length == 0 {
            // R has no address for nothing.
            return Some(&[]);
        }
        // SAFETY: a vector of this kind, whose elements are there: see `new`. Callers name the type that goes with the kind.
        Some(unsafe { std::slice::from_raw_parts(DATAPTR_RO(self.object).cast::<T>(), length) })
    }

    /// The only element, or `None`.
    fn scalar<T: Copy>(self, kind: SEXPTYPE) -> Option<T> {
        match self.elements::<T>(kind)? {
            &[element] => Some(element),
            _ => None,
        }
    }

    /// The address of an external pointer; null when it is none.
    pub(crate) fn address(self) -> *mut c_void {
        if self.kind() == SEXPTYPE::EXTPTRSXP {
            // SAFETY: see above.
            unsafe { R_ExternalPtrAddr(self.object) }
        } else {
            std::ptr::null_mut()
        }
    }

    /// The element of a list with this name.
    pub(crate) fn field(self, name: &str) -> Option<Given<'a>> {
        if self.kind() != SEXPTYPE::VECSXP {
            return None;
        }
        let is_it = |other: &Vec<u8>| other == name.as_bytes();
        let place = self.names().iter().position(is_it)?;
        // SAFETY: `place` is below the length of the list, whose elements live as long as it.
        Some(unsafe { Given::new(VECTOR_ELT(self.object, place as isize)) })
    }

    /// The names of its elements; none when it has none.
    pub(crate) fn names(self) -> Vec<Vec<u8>> {
        // SAFETY: the names of a vector are a vector, which holds as long.
        let names = unsafe { Given::new(Rf_getAttrib(self.object, R_NamesSymbol)) };
        let names = Vec::<&CStr>::read(names).unwrap_or_default();
        names
            .into_iter()
            .map(|name| name.to_bytes().to_vec())
            .collect()
    }
}

/// The queue of a handle, or the failure to give back.
impl<'a> Argument<'a> for &'a Queue {
    fn read(given: Given<'a>) -> Option<Self> {
        Self::take(given, "").ok()
    }

    fn take(given: Given<'a>, _: &str) -> Result<Self, Value> {
        let address = given.address();
        match handle::refuse(address) {
            Some(refusal) => Err(refusal),
            // SAFETY: the address is not null, so it is a live handle's.
            None => Ok(unsafe { handle::at(address) }),
        }
    }
}

/// As it is.
impl<'a> Argument<'a> for Given<'a> {
    fn read(given: Given<'a>) -> Option<Self> {
        Some(given)
    }
}

impl<'a> Argument<'a> for f64 {
    fn read(given: Given<'a>) -> Option<Self> {
        let whole = || given.scalar::<c_int>(SEXPTYPE::INTSXP).map(f64::from);
        given.scalar(SEXPTYPE::REALSXP).or_else(whole)
    }
}

/// A number that is whole.
impl<'a> Argument<'a> for i32 {
    fn read(given: Given<'a>) -> Option<Self> {
        let real = || given.scalar::<f64>(SEXPTYPE::REALSXP);
        let whole = || real().filter(|x| x.fract() == 0.0 && x.abs() < f64::from(i32::MAX));
        let integer = given.scalar(SEXPTYPE::INTSXP);
        integer.or_else(|| whole().map(|x| x as i32))
    }
}

impl<'a> Argument<'a> for bool {
    fn read(given: Given<'a>) -> Option<Self> {
        given.scalar::<c_int>(SEXPTYPE::LGLSXP).map(|x| x == 1)
    }
}

impl<'a> Argument<'a> for &'a [f64] {
    fn read(given: Given<'a>) -> Option<Self> {
        given.elements(SEXPTYPE::REALSXP)
    }
}

impl<'a> Argument<'a> for &'a [i32] {
    fn read(given: Given<'a>) -> Option<Self> {
        given.elements(SEXPTYPE::INTSXP)
    }
}

impl<'a> Argument<'a> for &'a [u8] {
    fn read(given: Given<'a>) -> Option<Self> {
        given.elements(SEXPTYPE::RAWSXP)
    }
}

/// Strings as the bytes that they are, none of them NA.
impl<'a> Argument<'a> for Vec<&'a CStr> {
    fn read(given: Given<'a>) -> Option<Self> {
        if given.kind() != SEXPTYPE::STRSXP {
            return None;
        }
        let text = |i: usize| {
            // SAFETY: `i` is below the length of the vector, whose strings live as long as it, and end with NUL.
            unsafe {
                let string = STRING_ELT(given.object, i as isize);
                (string != R_NaString).then(|| CStr::from_ptr(R_CHAR(string)))
            }
        };
        (0..given.length()).map(text).collect()
    }
}

/// One string, which is not NA.
impl<'a> Argument<'a> for Cow<'a, str> {
    fn read(given: Given<'a>) -> Option<Self> {
        let text = Vec::read(given)?.pop()?;
        (given.length() == 1).then_some(text)
    }
}

/// Strings in UTF-8, none of them NA.
impl<'a> Argument<'a> for Vec<Cow<'a, str>> {
    fn read(given: Given<'a>) -> Option<Self> {
        let strings = Vec::<&CStr>::read(given)?;
        Some(strings.into_iter().map(CStr::to_string_lossy).collect())
    }
}
