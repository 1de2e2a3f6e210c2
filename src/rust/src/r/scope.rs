//! What is protected from R's collector, and for how long: objects that Rust makes live as long as the scope they were
//! made in.
//!
//! R protects on a stack. So only the innermost scope can make objects; an object that is to outlive it is what
//! [`Scope::within`] gives.

use std::cell::Cell;
use std::ffi::{c_int, c_ulong, c_void, CStr};
use std::marker::PhantomData;
use std::sync::Arc;

use extendr_ffi::{
    R_ClearExternalPtr, R_NilValue, R_SetExternalPtrAddr, R_SetExternalPtrProtected, Rboolean,
    Rf_unprotect, MARK_NOT_MUTABLE, SEXP, SEXPTYPE,
};
use taskq_payload::payload::Payload;
use taskq_payload::segment::Segment;

use super::guard::{self, Finalizer, Jump};
use super::{Answer, Constant, Elements, Kept, Object, Phase, Shelf, Stop, Symbol, Tree};
use crate::buffer::Buffer;

/// See the module. Not for other threads.
#[derive(Debug)]
pub(crate) struct Scope {
    protected: Cell<c_int>,
    of_this_thread: PhantomData<*const ()>,
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
    fn keep(&self, object: SEXP) -> Object<'_> {
        self.protected.set(self.protected.get() + 1);
        // SAFETY: protected until this scope ends.
        unsafe { Object::new(object) }
    }

    /// What R gives to a call.
    ///
    /// # Safety
    /// So many objects, which R keeps for as long as the scope.
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

    /// The object that a tree tells of.
    pub(crate) fn make(&self, tree: &Tree<'_>) -> Result<Object<'_>, Jump> {
        // SAFETY: on the R thread, as this scope is.
        Ok(self.keep(unsafe { guard::make(tree)? }))
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

    /// A list of so many NULLs.
    pub(crate) fn empty_list(&self, length: usize) -> Result<Object<'_>, Jump> {
        // SAFETY: as above.
        Ok(self.keep(unsafe { guard::vector(SEXPTYPE::VECSXP, length)? }))
    }

    /// An external pointer to what `address` gives, once nothing can fail any more. `finalizer` frees it.
    pub(crate) fn pointer(
        &self,
        tag: &CStr,
        finalizer: Finalizer,
        address: impl FnOnce() -> *mut c_void,
    ) -> Result<Object<'_>, Jump> {
        // SAFETY: on the R thread.
        unsafe {
            let pointer = self.keep(guard::pointer(tag, finalizer)?);
            R_SetExternalPtrAddr(pointer.get(), address());
            Ok(pointer)
        }
    }
}

// Of R's objects only addresses cross.
#[allow(improper_ctypes)]
extern "C" {
    fn R_BindingIsActive(symbol: SEXP, env: SEXP) -> Rboolean;
    fn tq_parcels_held() -> f64;
    fn tq_doubts() -> c_ulong;
    fn tq_references_written() -> c_ulong;
}

impl Scope {
    /// Keeps an object for ever.
    pub(crate) fn preserve(&self, object: Object<'_>) -> Result<(), Jump> {
        // SAFETY: on the R thread.
        unsafe {
            guard::keep(object.get())?;
            // In an R that shares what it can, nobody may write into it.
            MARK_NOT_MUTABLE(object.get());
        }
        Ok(())
    }

    /// Keeps an object for as long as what this gives.
    pub(crate) fn hold(&self, object: Object<'_>) -> Result<Kept, Jump> {
        // SAFETY: on the R thread.
        unsafe { guard::keep(object.get())? };
        Ok(Kept(object.get()))
    }

    /// A function with what it captures: a list, an environment, or NULL.
    pub(crate) fn with_captured(
        &self,
        fun: Object<'_>,
        captured: Object<'_>,
    ) -> Result<Object<'_>, Jump> {
        // SAFETY: on the R thread, here and below.
        Ok(self.keep(unsafe { guard::with_captured(fun.get(), captured.get())? }))
    }

    /// The same function in another environment.
    pub(crate) fn with_environment(
        &self,
        fun: Object<'_>,
        env: Object<'_>,
    ) -> Result<Object<'_>, Jump> {
        // SAFETY: see above.
        Ok(self.keep(unsafe { guard::with_environment(fun.get(), env.get())? }))
    }

    /// The formals and the code of a function without source references, as a function in the environment of base.
    pub(crate) fn clean_function(&self, fun: Object<'_>) -> Result<Object<'_>, Jump> {
        // SAFETY: see above.
        Ok(self.keep(unsafe { guard::clean_function(fun.get())? }))
    }

    /// `fun` with the formals and the code of `clean`, in this environment.
    pub(crate) fn with_code_of(
        &self,
        clean: Object<'_>,
        fun: Object<'_>,
        env: Object<'_>,
    ) -> Result<Object<'_>, Jump> {
        // SAFETY: see above.
        Ok(self.keep(unsafe { guard::with_code_of(clean.get(), fun.get(), env.get())? }))
    }

    /// An object whose functions, in lists at any depth, have no source references.
    pub(crate) fn without_sources(&self, object: Object<'_>) -> Result<Object<'_>, Jump> {
        // SAFETY: see above.
        Ok(self.keep(unsafe { guard::without_sources(object.get())? }))
    }

    /// The symbol whose name is that of another one without its first characters, and with others behind it.
    pub(crate) fn symbol_like(
        &self,
        symbol: Symbol,
        without: usize,
        behind: &CStr,
    ) -> Result<Symbol, Jump> {
        // SAFETY: see above.
        let other = unsafe { guard::symbol_like(symbol.get(), without, behind)? };
        self.keep(other);
        // SAFETY: it is one.
        Ok(unsafe { Symbol::new(other) })
    }

    /// A variable that this frame has.
    pub(crate) fn binding<'s>(
        &'s self,
        symbol: Symbol,
        frame: Object<'s>,
    ) -> Result<Binding<'s>, Jump> {
        // SAFETY: see above.
        unsafe {
            if R_BindingIsActive(symbol.get(), frame.get()) == Rboolean::TRUE {
                return Ok(Binding::Active);
            }
            let value = guard::value_at_hand(frame.get(), symbol.get())?;
            Ok(self
                .keep_some(value)
                .map_or(Binding::Pending, Binding::Value))
        }
    }

    /// What stands for a vector in a parcel, for R's serializer.
    pub(crate) fn marker(&self, state: &[f64; 4]) -> Result<Object<'_>, Jump> {
        // SAFETY: see above.
        Ok(self.keep(unsafe { guard::marker(state)? }))
    }

    /// A pointer that holds a segment.
    pub(crate) fn segment_pointer(&self, segment: &Arc<Segment>) -> Result<Object<'_>, Jump> {
        // SAFETY: see above.
        Ok(self.keep(unsafe { guard::segment_pointer(segment)? }))
    }

    /// A vector over the segment that `holder` holds, to stand for another one: where it begins there, and its size.
    pub(crate) fn shared_vector(
        &self,
        vector: Object<'_>,
        holder: Object<'_>,
        offset: usize,
        size: usize,
    ) -> Result<Object<'_>, Jump> {
        let (vector, holder) = (vector.get(), holder.get());
        // SAFETY: see above; the caller has written it there.
        Ok(self.keep(unsafe { guard::shared_vector(vector, holder, offset, size)? }))
    }

    /// A copy of a list or vector, with the same elements.
    pub(crate) fn shallow_copy(&self, object: Object<'_>) -> Result<Object<'_>, Jump> {
        // SAFETY: see above.
        Ok(self.keep(unsafe { guard::shallow_copy(object.get())? }))
    }

    /// Gives a new object the attributes of another one.
    pub(crate) fn copy_attributes(&self, to: Object<'_>, from: Object<'_>) -> Result<(), Jump> {
        // SAFETY: see above.
        unsafe { guard::copy_attributes(to.get(), from.get()) }
    }

    /// Sets an attribute of a new object.
    pub(crate) fn set_attribute(
        &self,
        object: Object<'_>,
        name: Symbol,
        value: Object<'_>,
    ) -> Result<(), Jump> {
        // SAFETY: see above.
        unsafe { guard::set_attribute(object.get(), name.get(), value.get()) }
    }

    /// The attributes of an object that may be large.
    pub(crate) fn large_attributes<'s>(
        &'s self,
        object: Object<'_>,
    ) -> Result<Vec<(Symbol, Object<'s>)>, Jump> {
        let mut large = Vec::new();
        if !object.has_attributes() {
            return Ok(large);
        }
        for name in Symbol::of_large_attributes() {
            // SAFETY: see above.
            let value = self.keep(unsafe { guard::attribute(object.get(), name.get())? });
            if matches!(value.kind(), SEXPTYPE::STRSXP | SEXPTYPE::VECSXP) {
                large.push((name, value));
            }
        }
        Ok(large)
    }

    /// Jumps when there is not much left of the stack.
    pub(crate) fn check_stack(&self) -> Result<(), Jump> {
        // SAFETY: see above.
        unsafe { guard::check_stack() }
    }

    /// Elements of a vector of integers or doubles from one on, as bytes: as many as there are, or as `piece` has room for.
    pub(crate) fn region<'p>(
        &self,
        vector: Object<'_>,
        from: usize,
        piece: &'p mut [f64],
    ) -> Result<&'p [u8], Jump> {
        let count = piece.len().min(vector.length().saturating_sub(from));
        // SAFETY: see above; an element is no larger than those of `piece`.
        unsafe {
            guard::region(vector.get(), from, count, piece)?;
            let size = vector.element_size().unwrap_or(0).min(size_of::<f64>());
            Ok(std::slice::from_raw_parts(
                piece.as_ptr().cast(),
                count * size,
            ))
        }
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
        // SAFETY: see above.
        unsafe { guard::call_elements(elements)? };
        Ok(elements.are_taken_back == 1)
    }

    /// The outcome of the evaluator's function, outside a session.
    pub(crate) fn evaluate_own(
        &self,
        evaluator: Object<'_>,
        call: Object<'_>,
    ) -> Result<Object<'_>, Jump> {
        // SAFETY: see above.
        Ok(self.keep(unsafe { guard::evaluate_own(evaluator.get(), call.get())? }))
    }

    /// Has event loops of the package later, which is loaded, hear of what was promised to them: `settle(loop)` answers.
    pub(crate) fn hang_bell(&self, settle: Object<'_>) -> Result<(), Jump> {
        // SAFETY: see above.
        unsafe { guard::hang_bell(settle.get()) }
    }

    /// Makes an object of another one in a scope of its own, and protects it in this one.
    pub(crate) fn inner<'s>(
        &'s self,
        object: Object<'_>,
        body: impl for<'i> FnOnce(&'i Scope, Object<'i>) -> Answer<Object<'i>>,
    ) -> Answer<Object<'s>> {
        // SAFETY: the inner scope ends before this one makes anything. Nothing is called between that and the protection.
        unsafe {
            let inner = Scope::new();
            let made = body(&inner, Object::new(object.get()))?.get();
            drop(inner);
            Ok(self.keep(guard::protect(made)?))
        }
    }

    /// The global environment.
    pub(crate) fn global(&self) -> Object<'_> {
        Object::global()
    }

    /// So many places for objects.
    pub(crate) fn shelf(&self, length: usize) -> Result<Shelf, Jump> {
        let list = self.empty_list(length)?;
        // SAFETY: see above; nobody else has the list.
        unsafe {
            guard::keep(list.get())?;
            Ok(Shelf::new(list.get(), length))
        }
    }

    /// An object that was protected for us, unless it is null.
    fn keep_some(&self, object: SEXP) -> Option<Object<'_>> {
        (!object.is_null()).then(|| self.keep(object))
    }

    /// What a function of R's gives, called without arguments.
    pub(crate) fn call(&self, function: Object<'_>) -> Result<Object<'_>, Jump> {
        // SAFETY: on the R thread.
        Ok(self.keep(unsafe { guard::call_function(function.get(), std::ptr::null_mut())? }))
    }

    /// What a function of this package gives for an argument.
    pub(crate) fn call_own(&self, name: &CStr, argument: Object<'_>) -> Result<Object<'_>, Jump> {
        // SAFETY: as above.
        Ok(self.keep(unsafe { guard::call_own(name, argument.get())? }))
    }

    /// So many elements of a vector, from one on.
    pub(crate) fn slice(
        &self,
        vector: Object<'_>,
        first: usize,
        count: usize,
    ) -> Result<Object<'_>, Jump> {
        // SAFETY: on the R thread.
        Ok(self.keep(unsafe { guard::slice(vector.get(), first, count)? }))
    }

    /// The first elements of a list: as a vector, where they are scalars of one type.
    pub(crate) fn pack(&self, list: Object<'_>, count: usize) -> Result<Object<'_>, Jump> {
        // SAFETY: on the R thread.
        Ok(self.keep(unsafe { guard::pack(list.get(), count)? }))
    }

    /// Puts what [`Scope::pack`] has made into a list that is long enough.
    pub(crate) fn unpack(
        &self,
        packed: Object<'_>,
        list: Object<'_>,
        first: usize,
    ) -> Result<(), Jump> {
        // SAFETY: on the R thread.
        unsafe { guard::unpack(packed.get(), list.get(), first) }
    }

    /// Does something in a scope of its own, with nothing of R's that outlives it.
    pub(crate) fn within<T>(&self, body: impl FnOnce(&Scope) -> Answer<T>) -> Answer<T> {
        // SAFETY: as this one; it ends before this one makes anything.
        body(&unsafe { Scope::new() })
    }

    /// An external pointer that keeps an object, without an address yet.
    pub(crate) fn pointer_with(
        &self,
        tag: &CStr,
        finalizer: Finalizer,
        kept: Object<'_>,
    ) -> Result<Object<'_>, Jump> {
        // SAFETY: on the R thread.
        unsafe {
            let pointer = self.keep(guard::pointer(tag, finalizer)?);
            R_SetExternalPtrProtected(pointer.get(), kept.get());
            Ok(pointer)
        }
    }

    /// What a function of R's gives for an argument.
    pub(crate) fn call_with(
        &self,
        function: Object<'_>,
        argument: Object<'_>,
    ) -> Result<Object<'_>, Jump> {
        // SAFETY: on the R thread.
        Ok(self.keep(unsafe { guard::call_function(function.get(), argument.get())? }))
    }

    /// Has R collect garbage.
    pub(crate) fn collect_garbage(&self) -> Result<(), Jump> {
        // SAFETY: on the R thread.
        unsafe { guard::collect_garbage() }
    }

    /// How many bytes this process has of vectors that came in parcels.
    pub(crate) fn parcels_held(&self) -> f64 {
        // SAFETY: only reads a number.
        unsafe { tq_parcels_held() }
    }

    /// The symbols of all variables of an environment.
    pub(crate) fn symbols_in(&self, env: Object<'_>) -> Result<Vec<Symbol>, Jump> {
        // SAFETY: on the R thread, here and below; R keeps symbols for ever.
        unsafe {
            let symbols = self.keep(guard::symbols_in(env.get())?);
            let symbols = symbols.elements_of_list();
            Ok(symbols.map(|symbol| Symbol::new(symbol.get())).collect())
        }
    }

    /// Sets a variable of an environment.
    pub(crate) fn set_variable(
        &self,
        env: Object<'_>,
        symbol: Symbol,
        value: Object<'_>,
    ) -> Result<(), Jump> {
        // SAFETY: see above.
        unsafe { guard::set_variable(env.get(), symbol.get(), value.get()) }
    }

    /// Has a function stand for the value of a variable.
    pub(crate) fn make_active(
        &self,
        env: Object<'_>,
        symbol: Symbol,
        function: Object<'_>,
    ) -> Result<(), Jump> {
        // SAFETY: see above.
        unsafe { guard::make_active(env.get(), symbol.get(), function.get()) }
    }

    pub(crate) fn remove_variable(&self, env: Object<'_>, symbol: Symbol) -> Result<(), Jump> {
        // SAFETY: see above.
        unsafe { guard::remove_variable(env.get(), symbol.get()) }
    }

    pub(crate) fn lock_variable(&self, env: Object<'_>, symbol: Symbol) -> Result<(), Jump> {
        // SAFETY: see above.
        unsafe { guard::lock_variable(env.get(), symbol.get()) }
    }

    pub(crate) fn unlock_variable(&self, env: Object<'_>, symbol: Symbol) -> Result<(), Jump> {
        // SAFETY: see above.
        unsafe { guard::unlock_variable(env.get(), symbol.get()) }
    }

    /// The value of a call, in the environment of base.
    pub(crate) fn evaluate_call(&self, call: Object<'_>) -> Result<Object<'_>, Jump> {
        // SAFETY: see above.
        Ok(self.keep(unsafe { guard::evaluate_call(call.get())? }))
    }

    /// The same, or `None` for an error.
    pub(crate) fn try_call(&self, call: Object<'_>) -> Result<Option<Object<'_>>, Jump> {
        // SAFETY: see above.
        Ok(self.keep_some(unsafe { guard::try_call(call.get())? }))
    }

    /// Notes what the session does.
    pub(crate) fn set_phase(&self, evaluator: Object<'_>, phase: Phase) -> Result<(), Jump> {
        // SAFETY: on the R thread.
        unsafe { guard::set_phase(evaluator.get(), phase as usize) }
    }

    /// The outcome of a task, which may be interrupted meanwhile.
    pub(crate) fn evaluate(
        &self,
        evaluator: Object<'_>,
        fun: Object<'_>,
        call: Object<'_>,
    ) -> Result<Object<'_>, Jump> {
        // SAFETY: on the R thread.
        Ok(self.keep(unsafe { guard::evaluate(evaluator.get(), fun.get(), call.get())? }))
    }

    /// An object that is kept elsewhere, perhaps not for as long as this scope.
    pub(crate) fn adopt(&self, kept: Object<'_>) -> Result<Object<'_>, Jump> {
        // SAFETY: on the R thread.
        Ok(self.keep(unsafe { guard::protect(kept.get())? }))
    }

    /// Lets a user interrupt.
    pub(crate) fn check_interrupt(&self) -> Result<(), Jump> {
        // SAFETY: on the R thread.
        unsafe { guard::check_interrupt() }
    }

    /// Appends an object to a buffer. `sent_with`: a task is sent it, beside this function, or NULL: if it cannot work in another
    /// process this is an error, or a warning.
    pub(crate) fn write(
        &self,
        buffer: &mut Buffer,
        object: Object<'_>,
        sent_with: Option<Object<'_>>,
    ) -> Result<(), Jump> {
        let fun = sent_with.map_or(std::ptr::null_mut(), Object::get);
        // SAFETY: on the R thread.
        unsafe { guard::write(buffer, object.get(), fun) }
    }

    /// The object of a payload, which is not empty.
    pub(crate) fn read(&self, payload: &Payload) -> Result<Object<'_>, Jump> {
        // SAFETY: on the R thread.
        Ok(self.keep(unsafe { guard::read(payload)? }))
    }

    /// A pointer to a payload, for as long as what this gives.
    pub(crate) fn pointer_to<'p>(&'p self, payload: &'p Payload) -> Result<Pointer<'p>, Jump> {
        // SAFETY: on the R thread; it is emptied before the payload may go.
        Ok(Pointer(self.keep(unsafe { guard::pointer_to(payload)? })))
    }

    /// How many objects were serialized so far that may be of no use in another process.
    pub(crate) fn doubts(&self) -> c_ulong {
        // SAFETY: only reads a number.
        unsafe { tq_doubts() }
    }

    /// How many references were serialized so far, to what may change while it stays the same object.
    pub(crate) fn references_written(&self) -> c_ulong {
        // SAFETY: only reads a number.
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
