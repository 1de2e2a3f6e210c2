//! An object of R, to be read.

use std::ffi::{c_int, c_void, CStr};
use std::marker::PhantomData;

use extendr_ffi::{
    cetype_t, R_BaseEnv, R_BaseNamespace, R_ClassSymbol, R_EmptyEnv, R_ExternalPtrAddr,
    R_ExternalPtrProtected, R_GlobalEnv, R_IsPackageEnv, R_NaString, R_NilValue, R_ReleaseObject,
    R_SetExternalPtrAddr, Rboolean, Rf_getAttrib, Rf_install, Rf_isObject, Rf_xlength, ALTREP, CAR,
    CDR, DATAPTR_RO, R_CHAR, SETCDR, SET_REAL_ELT, SET_STRING_ELT, SET_VECTOR_ELT, SEXP, SEXPTYPE,
    STRING_ELT, TAG, TYPEOF, VECTOR_ELT,
};

use super::guard::Jump;
use super::{Answer, Scope, Stop, Symbol};

// Of R's objects only addresses cross.
#[allow(improper_ctypes)]
extern "C" {
    fn Rf_isS4(object: SEXP) -> Rboolean;
    pub(super) fn Rf_getCharCE(string: SEXP) -> cetype_t;
    fn R_ClosureExpr(fun: SEXP) -> SEXP;
    fn R_BindingIsActive(symbol: SEXP, env: SEXP) -> Rboolean;
    fn R_BindingIsLocked(symbol: SEXP, env: SEXP) -> Rboolean;
    fn R_ActiveBindingFunction(symbol: SEXP, env: SEXP) -> SEXP;
    fn R_EnvironmentIsLocked(env: SEXP) -> Rboolean;
    fn SETCAR(cell: SEXP, object: SEXP) -> SEXP;
    fn DATAPTR_OR_NULL(vector: SEXP) -> *const c_void;
    fn tq_is_plain_list(object: SEXP) -> c_int;
    fn tq_elements_of(vector: SEXP) -> *const c_void;
    fn tq_is_shared(object: SEXP) -> c_int;
    fn tq_is_intact(object: SEXP) -> c_int;
    fn tq_string_flags(string: SEXP) -> u64;
    fn tq_is_empty_pointer(object: SEXP) -> c_int;
    fn tq_value_of(symbol: SEXP, env: SEXP) -> SEXP;
    fn tq_base_function_was_used(symbol: SEXP) -> c_int;
    fn R_existsVarInFrame(env: SEXP, symbol: SEXP) -> Rboolean;
    fn tq_formals(fun: SEXP) -> SEXP;
    fn tq_parent(env: SEXP) -> SEXP;
    fn tq_only_names(list: SEXP) -> SEXP;
    fn tq_enclosure(fun: SEXP) -> SEXP;
    fn tq_names(object: SEXP) -> SEXP;
    fn tq_is_namespace(env: SEXP) -> c_int;
    fn tq_has_attributes(object: SEXP) -> c_int;
    fn tq_is_same_function(fun: SEXP, other: SEXP) -> c_int;
}

/// How a string is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    /// The session's, latin1, or none.
    Other,
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

    /// A list without a class.
    pub(crate) fn is_plain_list(self) -> bool {
        // SAFETY: see `kind`.
        self.kind() == SEXPTYPE::VECSXP && unsafe { Rf_isObject(self.object) } == Rboolean::FALSE
    }

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

    /// A number that is the same for the same object.
    pub(crate) fn hash(self) -> usize {
        (self.object as usize >> 4).wrapping_mul(2_654_435_761)
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

    /// Whether it is the same function as this one in all that is sent of it.
    pub(crate) fn is_same_function(self, other: &Kept) -> bool {
        // SAFETY: R keeps both.
        unsafe { tq_is_same_function(self.object, other.0) == 1 }
    }

    /// Whether it has a class, of either kind.
    pub(crate) fn has_class(self) -> bool {
        // SAFETY: see `kind`.
        unsafe {
            Rf_isObject(self.object) == Rboolean::TRUE || Rf_isS4(self.object) == Rboolean::TRUE
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

    /// Whether it inherits from this class.
    pub(crate) fn inherits(self, class: &CStr) -> Result<bool, Jump> {
        if !self.has_class() {
            return Ok(false);
        }
        // SAFETY: see `kind`; asking for a class makes nothing.
        let classes = unsafe { Object::new(Rf_getAttrib(self.object, R_ClassSymbol)) };
        Ok(classes.strings()?.unwrap_or_default().contains(&class))
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

    /// The names of its elements; none when it has none.
    pub(crate) fn names(self) -> Result<Vec<&'a CStr>, Jump> {
        Ok(self.names_object().strings()?.unwrap_or_default())
    }

    fn names_object(self) -> Object<'a> {
        // SAFETY: the names of a vector live as long as it.
        unsafe { Object::new(tq_names(self.object)) }
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
