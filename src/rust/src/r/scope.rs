//! What is protected from R's collector, and for how long: objects that Rust makes live as long as the scope they were
//! made in. Most ways to make one are calls under the guard, in [`super::guard`].
//!
//! R protects on a stack. So only the innermost scope can make objects; an object that is to outlive it is what
//! [`Scope::inner`] gives.

use std::cell::Cell;
use std::ffi::{c_int, c_ulong, c_void, CStr};
use std::marker::PhantomData;
use std::mem::size_of;

use extendr_ffi::{
    R_ClearExternalPtr, R_NilValue, R_SetExternalPtrAddr, R_SetExternalPtrProtected, Rf_unprotect,
    MARK_NOT_MUTABLE, SEXP, SEXPTYPE,
};
use taskq_payload::payload::Payload;

use super::guard::{Finalizer, Jump};
use super::{Answer, Constant, Elements, Kept, Object, Shelf, Stop, Symbol, Tree};

/// See the module. Not for other threads.
#[derive(Debug)]
pub(crate) struct Scope {
    protected: Cell<c_int>,
    of_this_thread: PhantomData<*const ()>,
}

extern "C" {
    fn tq_parcels_held() -> f64;
    fn tq_doubts() -> c_ulong;
    fn tq_references_written() -> c_ulong;
}

impl Scope {
    /// # Safety
    /// On the R thread, in a call from R, within no other scope that is used before this one ends.
    pub(super) unsafe fn new() -> Scope {
        Scope {
            protected: Cell::new(0),
            of_this_thread: PhantomData,
        }
    }

    /// An object that R has just protected once more for us.
    pub(super) fn keep(&self, object: SEXP) -> Object<'_> {
        self.protected.set(self.protected.get() + 1);
        // SAFETY: protected until this scope ends.
        unsafe { Object::new(object) }
    }

    /// Does something in a scope of its own, with nothing of R's that outlives it.
    pub(crate) fn within<T>(&self, body: impl FnOnce(&Scope) -> Answer<T>) -> Answer<T> {
        // SAFETY: as this one; it ends before this one makes anything.
        body(&unsafe { Scope::new() })
    }

    /// The same with an object that outlives it.
    pub(crate) fn within_on<T>(
        &self,
        object: Object<'_>,
        body: impl for<'i> FnOnce(&'i Scope, Object<'i>) -> Answer<T>,
    ) -> Answer<T> {
        // SAFETY: as above; the object is kept for as long.
        unsafe { body(&Scope::new(), Object::new(object.get())) }
    }

    /// Makes an object of another one in a scope of its own, and protects it in this one, unless it is the same.
    pub(crate) fn inner<'s>(
        &'s self,
        object: Object<'s>,
        body: impl for<'i> FnOnce(&'i Scope, Object<'i>) -> Answer<Object<'i>>,
    ) -> Answer<Object<'s>> {
        // SAFETY: the inner scope ends before this one makes anything. Nothing is called between that and the
        // protection.
        unsafe {
            let inner = Scope::new();
            let made = body(&inner, Object::new(object.get()))?.get();
            drop(inner);
            if made == object.get() {
                return Ok(object);
            }
            Ok(self.adopt(Object::new(made))?)
        }
    }

    /// What R gives to a call.
    ///
    /// # Safety
    /// `count` objects, which R keeps for as long as the scope.
    pub(crate) unsafe fn given(&self, given: *const SEXP, count: usize) -> Vec<Object<'_>> {
        // SAFETY: see above.
        unsafe {
            let given = std::slice::from_raw_parts(given, count);
            given.iter().map(|&object| Object::new(object)).collect()
        }
    }

    /// NULL.
    pub(crate) fn null(&self) -> Object<'_> {
        // SAFETY: a constant of R's.
        unsafe { Object::new(R_NilValue) }
    }

    /// The global environment.
    pub(crate) fn global(&self) -> Object<'_> {
        Object::global()
    }

    /// A list with these names.
    pub(crate) fn record(
        &self,
        names: &Constant,
        elements: &[Tree<'_>],
    ) -> Result<Object<'_>, Jump> {
        let names = names.get(self)?;
        self.make(&Tree::list(elements).with_names(names))
    }

    /// An external pointer to what `address` gives, once nothing can fail any more. `finalizer` frees it.
    pub(crate) fn pointer(
        &self,
        tag: &CStr,
        finalizer: Finalizer,
        address: impl FnOnce() -> *mut c_void,
    ) -> Result<Object<'_>, Jump> {
        let pointer = self.bare_pointer(tag, finalizer)?;
        // SAFETY: on the R thread, here and below.
        unsafe { R_SetExternalPtrAddr(pointer.get(), address()) };
        Ok(pointer)
    }

    /// An external pointer that keeps an object, without an address yet.
    pub(crate) fn pointer_with(
        &self,
        tag: &CStr,
        finalizer: Finalizer,
        kept: Object<'_>,
    ) -> Result<Object<'_>, Jump> {
        let pointer = self.bare_pointer(tag, finalizer)?;
        // SAFETY: see above.
        unsafe { R_SetExternalPtrProtected(pointer.get(), kept.get()) };
        Ok(pointer)
    }

    /// A pointer to a payload, for as long as what this gives.
    pub(crate) fn pointer_to<'p>(&'p self, payload: &'p Payload) -> Result<Pointer<'p>, Jump> {
        Ok(Pointer(self.bare_pointer_to(payload)?))
    }

    /// Keeps an object for ever.
    pub(crate) fn preserve(&self, object: Object<'_>) -> Result<(), Jump> {
        self.retain(object)?;
        // SAFETY: see above. In an R that shares what it can, it may not be written into.
        unsafe { MARK_NOT_MUTABLE(object.get()) };
        Ok(())
    }

    /// Keeps an object for as long as what this gives.
    pub(crate) fn hold(&self, object: Object<'_>) -> Result<Kept, Jump> {
        self.retain(object)?;
        Ok(Kept(object.get()))
    }

    /// `length` places for objects.
    pub(crate) fn shelf(&self, length: usize) -> Result<Shelf, Jump> {
        let list = self.empty_list(length)?;
        self.retain(list)?;
        // SAFETY: see above; the list has no other holder.
        Ok(unsafe { Shelf::new(list.get(), length) })
    }

    /// A variable that this frame has.
    pub(crate) fn binding<'s>(
        &'s self,
        symbol: Symbol,
        frame: Object<'s>,
    ) -> Result<Binding<'s>, Jump> {
        if frame.is_active(symbol) {
            return Ok(Binding::Active);
        }
        let value = self.value_at_hand(frame, symbol)?;
        Ok(value.map_or(Binding::Pending, Binding::Value))
    }

    /// The symbols of all variables of an environment.
    pub(crate) fn symbols_in(&self, env: Object<'_>) -> Result<Vec<Symbol>, Jump> {
        let symbols = self.list_symbols(env)?.elements_of_list();
        // SAFETY: a list of symbols, which R keeps for ever.
        Ok(symbols
            .map(|symbol| unsafe { Symbol::new(symbol.get()) })
            .collect())
    }

    /// The attributes of an object that may be large.
    pub(crate) fn large_attributes(
        &self,
        object: Object<'_>,
    ) -> Result<Vec<(Symbol, Object<'_>)>, Jump> {
        let mut large = Vec::new();
        if !object.has_attributes() {
            return Ok(large);
        }
        for name in Symbol::of_large_attributes() {
            let value = self.attribute(object, name)?;
            if matches!(value.kind(), SEXPTYPE::STRSXP | SEXPTYPE::VECSXP) {
                large.push((name, value));
            }
        }
        Ok(large)
    }

    /// Elements of a vector of integers or doubles from one on, as bytes: as many as there are, or as `piece` has room
    /// for.
    pub(crate) fn region<'p>(
        &self,
        vector: Object<'_>,
        from: usize,
        piece: &'p mut [f64],
    ) -> Result<&'p [u8], Jump> {
        let count = piece.len().min(vector.length().saturating_sub(from));
        self.copy_region(vector, from, count, piece)?;
        let size = vector.element_size().unwrap_or(0).min(size_of::<f64>());
        let bytes = piece.as_ptr().cast();
        // SAFETY: an element is no larger than those of `piece`.
        Ok(unsafe { std::slice::from_raw_parts(bytes, count * size) })
    }

    /// Calls elements of a map, up to the one before a place. Whether the host has taken back what is left.
    pub(crate) fn call_elements(
        &self,
        elements: &mut Elements<'_>,
        until: usize,
        are_counted: bool,
    ) -> Result<bool, Jump> {
        elements.until = until;
        elements.are_counted = c_int::from(are_counted);
        self.run_elements(elements)?;
        Ok(elements.are_taken_back == 1)
    }

    /// How many bytes this process has of vectors that came in parcels.
    pub(crate) fn parcels_held(&self) -> f64 {
        // SAFETY: only reads a number, as those below.
        unsafe { tq_parcels_held() }
    }

    /// How many objects were serialized so far that may be of no use in another process.
    pub(crate) fn doubts(&self) -> c_ulong {
        // SAFETY: see above.
        unsafe { tq_doubts() }
    }

    /// How many references were serialized so far, to what may change while it stays the same object.
    pub(crate) fn references_written(&self) -> c_ulong {
        // SAFETY: see above.
        unsafe { tq_references_written() }
    }

    /// The error of everybody for whose bytes there is no memory.
    pub(crate) fn no_memory(&self) -> Stop {
        match self.call_own(c"tq_throw_no_memory", self.null()) {
            Err(jump) => jump.into(),
            Ok(_) => Stop::Fault("out of memory while serializing".to_owned()),
        }
    }
}

/// How a frame has a variable.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Binding<'s> {
    /// A function stands for its value.
    Active,
    Value(Object<'s>),
    /// It has to be evaluated first, or has no value.
    Pending,
}

/// An external pointer that is emptied when this is dropped.
#[derive(Debug)]
pub(crate) struct Pointer<'p>(Object<'p>);

impl<'p> Pointer<'p> {
    pub(crate) fn object(&self) -> Object<'p> {
        self.0
    }
}

impl Drop for Pointer<'_> {
    fn drop(&mut self) {
        // SAFETY: on the R thread; this makes nothing.
        unsafe { R_ClearExternalPtr(self.0.get()) };
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // SAFETY: these many were protected since the scope began, and those of scopes within have gone.
        unsafe { Rf_unprotect(self.protected.get()) };
    }
}
