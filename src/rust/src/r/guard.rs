//! The calls of R that may jump, each made by `src/guard.c` under a guard that ends the jump there: methods of
//! [`Scope`], which protects what they give.

use std::ffi::{c_char, c_int, c_void, CStr};
use std::sync::Arc;

use extendr_ffi::{R_NilValue, SEXP};
use taskq_payload::payload::Payload;
use taskq_payload::segment::Segment;

use super::{Elements, Object, Scope, Symbol, Tree};
use crate::buffer::Buffer;

/// R has jumped, and goes on with it when this has come to the border: whoever gets it hands it on.
#[derive(Debug)]
#[must_use]
pub(crate) struct Jump(());

/// Called by R with an external pointer that nothing refers to any more, or at its end.
pub(crate) type Finalizer = unsafe extern "C" fn(SEXP);

/// What a call is given: see `taskq.h`.
#[repr(C)]
#[derive(Clone, Copy)]
union Slot {
    object: SEXP,
    count: usize,
    address: *const c_void,
    buffer: *mut c_void,
    finalizer: Finalizer,
}

macro_rules! slots {
    ($($type:ty: $field:ident = $value:expr),* $(,)?) => {$(
        impl From<$type> for Slot {
            fn from(value: $type) -> Slot {
                Slot { $field: $value(value) }
            }
        }
    )*};
}
slots! {
    Object<'_>: object = Object::get,
    Option<Object<'_>>: object = |object: Option<Object<'_>>| object.map_or(std::ptr::null_mut(), Object::get),
    Symbol: object = Symbol::get,
    usize: count = |count| count,
    &CStr: address = |text: &CStr| text.as_ptr().cast(),
    &Tree<'_>: address = |tree: &Tree<'_>| std::ptr::from_ref(tree).cast(),
    &mut *const c_char: address = |place: &mut *const c_char| std::ptr::from_mut(place).cast_const().cast(),
    &[f64; 4]: address = |numbers: &[f64; 4]| numbers.as_ptr().cast(),
    &mut [f64]: buffer = |numbers: &mut [f64]| numbers.as_mut_ptr().cast(),
    &Arc<Segment>: address = |segment: &Arc<Segment>| std::ptr::from_ref(segment).cast(),
    &mut Elements<'_>: buffer = |elements: &mut Elements<'_>| std::ptr::from_mut(elements).cast(),
    &mut Buffer: buffer = |buffer: &mut Buffer| std::ptr::from_mut(buffer).cast(),
    &Payload: address = |payload: &Payload| std::ptr::from_ref(payload).cast(),
    Finalizer: finalizer = |finalizer| finalizer,
}

/// What a call gives. An object is protected once more than before.
trait Returned<'s>: Sized {
    const IS_KEPT: bool = true;

    fn new(scope: &'s Scope, value: SEXP) -> Self;
}

impl Returned<'_> for () {
    const IS_KEPT: bool = false;

    fn new(_: &Scope, _: SEXP) {}
}

impl<'s> Returned<'s> for Object<'s> {
    fn new(scope: &'s Scope, value: SEXP) -> Object<'s> {
        scope.keep(value)
    }
}

/// Nothing where that is null.
impl<'s> Returned<'s> for Option<Object<'s>> {
    fn new(scope: &'s Scope, value: SEXP) -> Option<Object<'s>> {
        (!value.is_null()).then(|| scope.keep(value))
    }
}

impl Returned<'_> for Symbol {
    fn new(scope: &Scope, value: SEXP) -> Symbol {
        scope.keep(value);
        // SAFETY: the call gives one.
        unsafe { Symbol::new(value) }
    }
}

/// Declares methods of [`Scope`], and the functions of `src/guard.c` that they call.
macro_rules! calls {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),*) -> $given:ty = $call:ident;)*) => {
        // Of R's objects only addresses cross.
        #[allow(improper_ctypes)]
        extern "C" {$(
            fn $call(args: *const Slot) -> SEXP;
        )*}

        impl Scope {$(
            $(#[$doc])*
            pub(crate) fn $name(&self, $($arg: $type),*) -> Result<$given, Jump> {
                let keeps = <$given as Returned<'_>>::IS_KEPT;
                // SAFETY: on the R thread, as the scope is; R keeps the objects.
                let value = unsafe { guarded($call, &[$(Slot::from($arg)),*], keeps)? };
                Ok(Returned::new(self, value))
            }
        )*}
    };
}

calls! {
    /// The object that a tree tells of.
    fn make(tree: &Tree<'_>) -> Object<'_> = tq_c_make;
    /// A list of `length` NULLs.
    fn empty_list(length: usize) -> Object<'_> = tq_c_empty_list;
    /// An external pointer without an address.
    fn bare_pointer(tag: &CStr, finalizer: Finalizer) -> Object<'_> = tq_c_pointer;
    /// An external pointer to a payload.
    fn bare_pointer_to(payload: &Payload) -> Object<'_> = tq_c_pointer_to;
    /// An object that is kept elsewhere, perhaps not for as long as this scope.
    fn adopt(kept: Object<'_>) -> Object<'_> = tq_c_protect;
    /// Keeps an object until it is released.
    fn retain(object: Object<'_>) -> () = tq_c_retain;
    /// What a function of R's gives, for an argument or for none.
    fn call(function: Object<'_>, argument: Option<Object<'_>>) -> Object<'_> = tq_c_call;
    /// The same of a function of this package; without an argument where that is NULL.
    fn call_own(name: &CStr, argument: Object<'_>) -> Object<'_> = tq_c_call_own;
    /// A call of a function, or of the one that has a symbol's name, with these arguments, as they are.
    fn make_call(head: Object<'_>, args: Object<'_>) -> Object<'_> = tq_c_make_call;
    /// The value of a call, in an environment.
    fn evaluate(call: Object<'_>, env: Object<'_>) -> Object<'_> = tq_c_evaluate;
    /// The same, when a variable of another environment was set before.
    fn evaluate_noted(
        call: Object<'_>,
        env: Object<'_>,
        other: Object<'_>,
        symbol: Symbol,
        value: Object<'_>
    ) -> Object<'_> = tq_c_evaluate_noted;
    /// The value of a call, in the environment of base.
    fn evaluate_call(call: Object<'_>) -> Object<'_> = tq_c_evaluate_call;
    /// The same, or `None` for an error.
    fn try_call(call: Object<'_>) -> Option<Object<'_>> = tq_c_try_call;
    /// Lets a user interrupt.
    fn check_interrupt() -> () = tq_c_check_interrupt;
    /// Jumps when there is not much left of the stack.
    fn check_stack() -> () = tq_c_check_stack;
    /// Has R collect garbage.
    fn collect_garbage() -> () = tq_c_collect_garbage;

    /// A copy of a list or vector, with the same elements.
    fn shallow_copy(object: Object<'_>) -> Object<'_> = tq_c_shallow_copy;
    /// Gives a new object the attributes of another one.
    fn copy_attributes(to: Object<'_>, from: Object<'_>) -> () = tq_c_copy_attributes;
    /// Sets an attribute of a new object.
    fn set_attribute(object: Object<'_>, name: Symbol, value: Object<'_>) -> () = tq_c_set_attribute;
    /// An attribute, or NULL.
    fn attribute(object: Object<'_>, name: Symbol) -> Object<'_> = tq_c_attribute;
    /// Has the elements of a vector be where `DATAPTR_RO` says.
    fn make_elements(vector: Object<'_>) -> () = tq_c_make_elements;
    /// Copies elements of a vector of numbers or bytes, from one on.
    fn copy_region(vector: Object<'_>, from: usize, count: usize, into: &mut [f64]) -> () = tq_c_region;
    /// Elements of a vector, from one on, without attributes.
    fn slice(vector: Object<'_>, first: usize, count: usize) -> Object<'_> = tq_c_slice;
    /// A vector of a kind, to be filled.
    fn new_vector(kind: usize, length: usize) -> Object<'_> = tq_c_new_vector;
    /// The elements of a vector in a list, as vectors of one.
    fn to_list(vector: Object<'_>) -> Object<'_> = tq_c_to_list;

    /// The symbols of all variables of an environment, as a list.
    fn list_symbols(env: Object<'_>) -> Object<'_> = tq_c_symbols_in;
    /// The symbol whose name is that of another one without its first characters, and with others behind it.
    fn symbol_like(symbol: Symbol, without: usize, behind: &CStr) -> Symbol = tq_c_symbol_like;
    /// The value of a variable that is not active, if this R tells without evaluating it.
    fn value_at_hand(frame: Object<'_>, symbol: Symbol) -> Option<Object<'_>> = tq_c_value_at_hand;
    /// Sets a variable of an environment.
    fn set_variable(env: Object<'_>, symbol: Symbol, value: Object<'_>) -> () = tq_c_set_variable;
    /// An environment without variables, in this one.
    fn new_environment(parent: Object<'_>) -> Object<'_> = tq_c_new_environment;
    /// Sets variables of an environment to the elements of a list, by their names.
    fn set_variables(env: Object<'_>, values: Object<'_>) -> () = tq_c_set_variables;
    /// Has a function stand for the value of a variable.
    fn make_active(env: Object<'_>, symbol: Symbol, function: Object<'_>) -> () = tq_c_make_active;
    fn remove_variable(env: Object<'_>, symbol: Symbol) -> () = tq_c_remove_variable;
    fn lock_variable(env: Object<'_>, symbol: Symbol) -> () = tq_c_lock_variable;
    fn unlock_variable(env: Object<'_>, symbol: Symbol) -> () = tq_c_unlock_variable;

    fn make_closure(formals: Object<'_>, code: Object<'_>, env: Object<'_>) -> Object<'_> = tq_c_make_closure;

    /// Appends an object to a buffer. `sent_with`: a task is sent it, beside this function, or NULL: if it cannot work
    /// in another process this is an error, or a warning.
    fn write(buffer: &mut Buffer, object: Object<'_>, sent_with: Option<Object<'_>>) -> () = tq_c_write;
    /// The object of a payload, which is not empty.
    fn read(payload: &Payload) -> Object<'_> = tq_c_read;
    /// What stands for a vector in a parcel, for R's serializer.
    fn marker(state: &[f64; 4]) -> Object<'_> = tq_c_marker;
    /// A pointer that holds a segment.
    fn segment_pointer(segment: &Arc<Segment>) -> Object<'_> = tq_c_segment_pointer;
    /// A vector over the segment that `holder` holds, to stand for another one, which was written there: where it
    /// begins, and its size.
    fn shared_vector(vector: Object<'_>, holder: Object<'_>, offset: usize, size: usize)
        -> Object<'_> = tq_c_shared_vector;

    /// Calls elements of a map.
    fn run_elements(elements: &mut Elements<'_>) -> () = tq_c_call_elements;
    /// Has event loops of the package later, which is loaded, hear of what was promised to them: `settle(loop)`
    /// answers.
    fn set_waker(settle: Object<'_>) -> () = tq_c_set_waker;
    /// Writes where the text of a string is in UTF-8, until the call from R ends.
    fn translate(string: Object<'_>, text: &mut *const c_char) -> () = tq_c_translate;
}

type CallOfR = unsafe extern "C" fn(*const Slot) -> SEXP;

#[allow(improper_ctypes)]
extern "C" {
    fn tq_guarded(call: CallOfR, args: *const Slot, keeps: c_int, value: *mut SEXP) -> c_int;
}

/// # Safety
/// On the R thread. The call reads as many arguments as it has, and they are of the kind that is meant.
unsafe fn guarded(call: CallOfR, args: &[Slot], keeps: bool) -> Result<SEXP, Jump> {
    // SAFETY: a constant of R's; for the rest see above.
    unsafe {
        let mut value = R_NilValue;
        let is_done = tq_guarded(call, args.as_ptr(), c_int::from(keeps), &mut value);
        (is_done == 1).then_some(value).ok_or(Jump(()))
    }
}
