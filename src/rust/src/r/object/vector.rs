//! Vectors and lists: their elements and names.

use std::ffi::{c_int, c_void, CStr};
use std::mem::size_of;

use extendr_ffi::{
    cetype_t, R_NaString, Rboolean, Rf_isObject, DATAPTR_RO, R_CHAR, SET_REAL_ELT, SET_STRING_ELT,
    SET_VECTOR_ELT, SEXP, SEXPTYPE, STRING_ELT, VECTOR_ELT,
};

use super::Object;
use crate::r::Jump;
use crate::r::{Answer, Scope, Stop};

// Of R's objects only addresses cross.
#[allow(improper_ctypes)]
extern "C" {
    pub(in crate::r) fn Rf_getCharCE(string: SEXP) -> cetype_t;
    fn DATAPTR_OR_NULL(vector: SEXP) -> *const c_void;
    fn tq_elements_of(vector: SEXP) -> *const c_void;
    fn tq_string_flags(string: SEXP) -> u64;
    fn tq_only_names(list: SEXP) -> SEXP;
    fn tq_names(object: SEXP) -> SEXP;
}

/// How a string is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    /// The session's, latin1, or none.
    Other,
}

impl<'a> Object<'a> {
    /// A list without a class.
    pub(crate) fn is_plain_list(self) -> bool {
        // SAFETY: see `kind`.
        self.kind() == SEXPTYPE::VECSXP && unsafe { Rf_isObject(self.object) } == Rboolean::FALSE
    }

    pub(crate) fn is_list(self) -> bool {
        self.kind() == SEXPTYPE::VECSXP
    }

    /// Whether it is a vector of numbers, bytes or strings.
    pub(crate) fn is_atomic(self) -> bool {
        self.element_size().is_some()
    }

    /// How many bytes an element of an atomic vector has; of strings, those that a number has that stands for one.
    pub(crate) fn element_size(self) -> Option<usize> {
        match self.kind() {
            SEXPTYPE::LGLSXP | SEXPTYPE::INTSXP => Some(size_of::<c_int>()),
            SEXPTYPE::REALSXP | SEXPTYPE::STRSXP => Some(size_of::<f64>()),
            SEXPTYPE::CPLXSXP => Some(2 * size_of::<f64>()),
            SEXPTYPE::RAWSXP => Some(1),
            _ => None,
        }
    }

    /// The elements of an atomic vector, not of strings, that R would write one by one, as they lie there.
    pub(crate) fn elements_at_hand(self) -> Option<&'a [u8]> {
        let size = self.element_size()? * self.length();
        // SAFETY: see `kind`; that is the number of elements.
        unsafe {
            let elements = tq_elements_of(self.object);
            (!elements.is_null()).then(|| std::slice::from_raw_parts(elements.cast(), size))
        }
    }

    /// The elements of an atomic vector that is made, not of strings, as they lie there.
    pub(crate) fn raw_bytes(self) -> &'a [u8] {
        match self.element_size() {
            Some(size) if self.length() > 0 && self.kind() != SEXPTYPE::STRSXP => {
                // SAFETY: see `kind`; that is the number of elements, and there are some.
                unsafe {
                    let elements = DATAPTR_RO(self.object).cast();
                    std::slice::from_raw_parts(elements, size * self.length())
                }
            }
            _ => &[],
        }
    }

    /// Whether it is a sequence, say, of which R has not written out the elements.
    pub(crate) fn is_compact(self) -> bool {
        let is_number = matches!(self.kind(), SEXPTYPE::INTSXP | SEXPTYPE::REALSXP);
        // SAFETY: see `kind`; a vector.
        is_number && self.is_lazy() && unsafe { DATAPTR_OR_NULL(self.object).is_null() }
    }

    /// The text of a string that is there, and what it is: see `src/shared.c`.
    pub(crate) fn shared_string(self, place: usize) -> (&'a [u8], u64) {
        // SAFETY: callers see to the place, and that the strings are made; these live as long as the vector.
        unsafe {
            let string = *DATAPTR_RO(self.object).cast::<SEXP>().add(place);
            let flags = tq_string_flags(string);
            if string == R_NaString {
                (&[], flags)
            } else {
                (CStr::from_ptr(R_CHAR(string)).to_bytes(), flags)
            }
        }
    }

    /// The names of a list that has no other attribute, and they none.
    pub(crate) fn only_names(self) -> Option<Object<'a>> {
        // SAFETY: see `kind`; names live as long as what they name.
        let names = unsafe { Object::new(tq_only_names(self.object)) };
        (!names.is_null()).then_some(names)
    }

    /// The string at a place of a character vector that is not lazy, and `None` for NA; `None` where there is none.
    pub(crate) fn string(self, place: usize) -> Option<Option<(&'a [u8], Encoding)>> {
        if self.kind() != SEXPTYPE::STRSXP || self.is_lazy() || place >= self.length() {
            return None;
        }
        // SAFETY: the place is there; strings live as long as the vector.
        unsafe {
            let string = STRING_ELT(self.object, place as isize);
            if string == R_NaString {
                return Some(None);
            }
            let encoding = match Rf_getCharCE(string) {
                cetype_t::CE_UTF8 => Encoding::Utf8,
                _ => Encoding::Other,
            };
            Some(Some((CStr::from_ptr(R_CHAR(string)).to_bytes(), encoding)))
        }
    }

    /// The elements of a vector of numbers that is not lazy, as they lie there.
    pub(crate) fn number_bytes(self) -> Option<&'a [u8]> {
        let size = match self.kind() {
            SEXPTYPE::LGLSXP | SEXPTYPE::INTSXP => size_of::<c_int>(),
            SEXPTYPE::REALSXP => size_of::<f64>(),
            _ => return None,
        };
        match self.length() {
            _ if self.is_lazy() => None,
            0 => Some(&[]),
            // SAFETY: that is the number of elements of this size.
            length => Some(unsafe {
                std::slice::from_raw_parts(DATAPTR_RO(self.object).cast(), length * size)
            }),
        }
    }

    /// The elements of a list; none where it is none.
    pub(crate) fn elements_of_list(self) -> impl Iterator<Item = Object<'a>> {
        let length = if self.is_list() { self.length() } else { 0 };
        // SAFETY: the place is there; elements live as long as their list.
        (0..length)
            .map(move |place| unsafe { Object::new(VECTOR_ELT(self.object, place as isize)) })
    }

    /// The element of a list with this name.
    pub(crate) fn field(self, name: &str) -> Result<Option<Object<'a>>, Jump> {
        let names = self.names_object().string_objects()?.unwrap_or_default();
        // SAFETY: strings of R's end with NUL.
        let is_it = |string: &SEXP| unsafe {
            CStr::from_ptr(R_CHAR(*string)).to_bytes() == name.as_bytes()
        };
        let place = names.iter().position(is_it);
        Ok(place.and_then(|place| self.element(place)))
    }

    /// The text, in UTF-8, at this place of a character vector; `None` where it is none, or NA.
    pub(crate) fn text(self, place: usize) -> Result<Option<String>, Jump> {
        let strings = self.string_objects()?.unwrap_or_default();
        // SAFETY: the text lives until the call from R ends.
        unsafe {
            let Some(&string) = strings.get(place).filter(|&&string| string != R_NaString) else {
                return Ok(None);
            };
            let mut text = R_CHAR(string);
            if !CStr::from_ptr(text).to_bytes().is_ascii() {
                Scope::new().translate(Object::new(string), &mut text)?;
            }
            Ok(Some(CStr::from_ptr(text).to_string_lossy().into_owned()))
        }
    }

    /// The elements of a vector of this kind; `None` when it is none. `T` is the type that goes with the kind.
    ///
    /// # Safety
    /// See above.
    unsafe fn elements<T>(self, kind: SEXPTYPE) -> Result<Option<&'a [T]>, Jump> {
        if self.kind() != kind {
            return Ok(None);
        }
        let length = self.length();
        if length == 0 {
            // R has no address for nothing.
            return Ok(Some(&[]));
        }
        // SAFETY: a vector of this kind, whose elements are there.
        unsafe {
            self.make_elements()?;
            let elements = DATAPTR_RO(self.object).cast::<T>();
            Ok(Some(std::slice::from_raw_parts(elements, length)))
        }
    }

    /// Some vectors are made when somebody looks at them.
    pub(crate) fn make_elements(self) -> Result<(), Jump> {
        // SAFETY: see `kind`; nothing is made in this scope.
        unsafe {
            if self.is_lazy() && DATAPTR_OR_NULL(self.object).is_null() {
                Scope::new().make_elements(self)?;
            }
        }
        Ok(())
    }

    fn string_objects(self) -> Result<Option<&'a [SEXP]>, Jump> {
        // SAFETY: R's strings.
        unsafe { self.elements(SEXPTYPE::STRSXP) }
    }

    pub(crate) fn integers(self) -> Result<Option<&'a [i32]>, Jump> {
        // SAFETY: R's integers.
        unsafe { self.elements(SEXPTYPE::INTSXP) }
    }

    pub(crate) fn logicals(self) -> Result<Option<&'a [i32]>, Jump> {
        // SAFETY: R's logicals.
        unsafe { self.elements(SEXPTYPE::LGLSXP) }
    }

    pub(crate) fn doubles(self) -> Result<Option<&'a [f64]>, Jump> {
        // SAFETY: R's doubles.
        unsafe { self.elements(SEXPTYPE::REALSXP) }
    }

    pub(crate) fn bytes(self) -> Result<Option<&'a [u8]>, Jump> {
        // SAFETY: R's bytes.
        unsafe { self.elements(SEXPTYPE::RAWSXP) }
    }

    /// Strings as the bytes that they are; `None` when it is no character vector, or one of them is NA.
    pub(crate) fn strings(self) -> Result<Option<Vec<&'a CStr>>, Jump> {
        // SAFETY: strings live as long as their vector, and end with NUL.
        let text = |&string: &SEXP| unsafe {
            (string != R_NaString).then(|| CStr::from_ptr(R_CHAR(string)))
        };
        let strings = self.string_objects()?;
        Ok(strings.and_then(|strings| strings.iter().map(text).collect()))
    }

    /// The element of a list at this place, if there is one.
    pub(crate) fn element(self, place: usize) -> Option<Object<'a>> {
        let is_there = self.kind() == SEXPTYPE::VECSXP && place < self.length();
        // SAFETY: elements live as long as their list.
        is_there.then(|| unsafe { Object::new(VECTOR_ELT(self.object, place as isize)) })
    }

    /// Puts the elements of a list into this one, from a place on.
    pub(crate) fn set_all(self, first: usize, elements: Object<'_>) -> Answer<()> {
        if !self.is_list() || first + elements.length() > self.length() {
            return Err(Stop::Fault("a list is too short".to_owned()));
        }
        for (place, element) in (first as isize..).zip(elements.elements_of_list()) {
            // SAFETY: the place is there.
            unsafe { SET_VECTOR_ELT(self.object, place, element.object) };
        }
        Ok(())
    }

    /// Has the elements of a new vector be those of plain scalars of its kind in a list. False where others are among
    /// these: then there are no more of them.
    pub(crate) fn set_scalars(self, list: Object<'_>) -> bool {
        let kind = self.kind();
        let is_plain = |element: &Object<'_>| {
            let is_scalar = element.kind() == kind && element.length() == 1;
            is_scalar && !element.has_attributes() && !element.is_lazy()
        };
        let scalars = list.elements_of_list().take(self.length());
        let scalars = scalars.take_while(is_plain);
        let count = match kind {
            // SAFETY: vectors of this kind, the first as long as there are others, each of which has an element.
            SEXPTYPE::REALSXP => unsafe { self.gather::<f64>(scalars) },
            // SAFETY: see above.
            SEXPTYPE::INTSXP | SEXPTYPE::LGLSXP => unsafe { self.gather::<c_int>(scalars) },
            SEXPTYPE::STRSXP => scalars.zip(0..).fold(0, |count, (scalar, place)| {
                // SAFETY: see above.
                unsafe { SET_STRING_ELT(self.object, place, STRING_ELT(scalar.object, 0)) };
                count + 1
            }),
            _ => 0,
        };
        count == self.length()
    }

    /// # Safety
    /// See above. `T` is the type of their elements.
    unsafe fn gather<'e, T: Copy>(self, scalars: impl Iterator<Item = Object<'e>>) -> usize {
        // SAFETY: see above; nobody else has the vector.
        unsafe {
            let into = DATAPTR_RO(self.object).cast_mut().cast::<T>();
            scalars.zip(0..).fold(0, |count, (scalar, place)| {
                *into.add(place) = *DATAPTR_RO(scalar.object).cast::<T>();
                count + 1
            })
        }
    }

    /// Puts an element into a list at this place.
    pub(crate) fn set(self, place: usize, element: Object<'_>) -> Answer<()> {
        if self.kind() != SEXPTYPE::VECSXP || place >= self.length() {
            return Err(Stop::Fault("a list is too short".to_owned()));
        }
        // SAFETY: the place is there.
        unsafe { SET_VECTOR_ELT(self.object, place as isize, element.object) };
        Ok(())
    }

    /// Writes an element of a vector of doubles that no other code reads.
    pub(crate) fn set_number(self, place: usize, number: f64) -> Answer<()> {
        if self.kind() != SEXPTYPE::REALSXP || place >= self.length() {
            return Err(Stop::Fault("a vector is too short".to_owned()));
        }
        // SAFETY: the place is there.
        unsafe { SET_REAL_ELT(self.object, place as isize, number) };
        Ok(())
    }

    /// The names of its elements; none when it has none.
    pub(crate) fn names(self) -> Result<Vec<&'a CStr>, Jump> {
        Ok(self.names_object().strings()?.unwrap_or_default())
    }

    fn names_object(self) -> Object<'a> {
        // SAFETY: the names of a vector live as long as it.
        unsafe { Object::new(tq_names(self.object)) }
    }
}
