//! The calls of R that may jump, each made by `src/guard.c` under a guard that ends the jump there.

use std::ffi::{c_char, c_int, c_void, CStr};
use std::sync::Arc;

use extendr_ffi::{R_NilValue, SEXP, SEXPTYPE};
use taskq_payload::payload::Payload;
use taskq_payload::segment::Segment;

use super::{Elements, Tree};
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

type CallOfR = unsafe extern "C" fn(*const Slot) -> SEXP;

// Of R's objects only addresses cross.
#[allow(improper_ctypes)]
extern "C" {
    fn tq_guarded(call: CallOfR, args: *const Slot, keeps: c_int, value: *mut SEXP) -> c_int;
    fn tq_c_vector(args: *const Slot) -> SEXP;
    fn tq_c_pointer(args: *const Slot) -> SEXP;
    fn tq_c_make_real(args: *const Slot) -> SEXP;
    fn tq_c_call(args: *const Slot) -> SEXP;
    fn tq_c_call_own(args: *const Slot) -> SEXP;
    fn tq_c_check_interrupt(args: *const Slot) -> SEXP;
    fn tq_c_keep(args: *const Slot) -> SEXP;
    fn tq_c_translate(args: *const Slot) -> SEXP;
    fn tq_c_make(args: *const Slot) -> SEXP;
    fn tq_c_write(args: *const Slot) -> SEXP;
    fn tq_c_read(args: *const Slot) -> SEXP;
    fn tq_c_pointer_to(args: *const Slot) -> SEXP;
    fn tq_c_slice(args: *const Slot) -> SEXP;
    fn tq_c_pack(args: *const Slot) -> SEXP;
    fn tq_c_unpack(args: *const Slot) -> SEXP;
    fn tq_c_with_captured(args: *const Slot) -> SEXP;
    fn tq_c_with_environment(args: *const Slot) -> SEXP;
    fn tq_c_clean_function(args: *const Slot) -> SEXP;
    fn tq_c_with_code_of(args: *const Slot) -> SEXP;
    fn tq_c_without_sources(args: *const Slot) -> SEXP;
    fn tq_c_value_at_hand(args: *const Slot) -> SEXP;
    fn tq_c_symbol_like(args: *const Slot) -> SEXP;
    fn tq_c_marker(args: *const Slot) -> SEXP;
    fn tq_c_segment_pointer(args: *const Slot) -> SEXP;
    fn tq_c_shared_vector(args: *const Slot) -> SEXP;
    fn tq_c_shallow_copy(args: *const Slot) -> SEXP;
    fn tq_c_copy_attributes(args: *const Slot) -> SEXP;
    fn tq_c_set_attribute(args: *const Slot) -> SEXP;
    fn tq_c_attribute(args: *const Slot) -> SEXP;
    fn tq_c_check_stack(args: *const Slot) -> SEXP;
    fn tq_c_region(args: *const Slot) -> SEXP;
    fn tq_c_call_elements(args: *const Slot) -> SEXP;
    fn tq_c_evaluate_own(args: *const Slot) -> SEXP;
    fn tq_c_hang_bell(args: *const Slot) -> SEXP;
    fn tq_c_protect(args: *const Slot) -> SEXP;
    fn tq_c_collect_garbage(args: *const Slot) -> SEXP;
    fn tq_c_symbols_in(args: *const Slot) -> SEXP;
    fn tq_c_set_variable(args: *const Slot) -> SEXP;
    fn tq_c_make_active(args: *const Slot) -> SEXP;
    fn tq_c_remove_variable(args: *const Slot) -> SEXP;
    fn tq_c_lock_variable(args: *const Slot) -> SEXP;
    fn tq_c_unlock_variable(args: *const Slot) -> SEXP;
    fn tq_c_evaluate_call(args: *const Slot) -> SEXP;
    fn tq_c_try_call(args: *const Slot) -> SEXP;
    fn tq_c_set_phase(args: *const Slot) -> SEXP;
    fn tq_c_evaluate(args: *const Slot) -> SEXP;
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
    SEXP: object = |object| object,
    SEXPTYPE: count = |kind| kind as usize,
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

/// Declares calls. `object`: the value is protected once more than before, and the caller has to see to its end.
macro_rules! calls {
    ($($(#[$doc:meta])* $what:ident $name:ident($($arg:ident: $type:ty),*) by $call:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// On the R thread. Objects are R's, protected, and of the kind that is meant.
        pub(super) unsafe fn $name($($arg: $type),*) -> Result<calls!(@type $what), Jump> {
            let args = [$(Slot::from($arg)),*];
            // SAFETY: see above.
            unsafe { call($call, &args, calls!(@keeps $what)) }.map(calls!(@value $what))
        }
    )*};
    (@type object) => { SEXP };
    (@keeps object) => { 1 };
    (@value object) => { |object| object };
    (@type done) => { () };
    (@keeps done) => { 0 };
    (@value done) => { |_| () };
}

calls! {
    /// A new vector. Numbers in it may be anything, elements are NULL or empty.
    object vector(kind: SEXPTYPE, length: usize) by tq_c_vector;
    /// An external pointer without an address.
    object pointer(tag: &CStr, finalizer: Finalizer) by tq_c_pointer;
    /// The value of a function, of an argument unless that is null.
    object call_function(function: SEXP, argument: SEXP) by tq_c_call;
    /// The same of a function of this package; without an argument where that is NULL.
    object call_own(name: &CStr, argument: SEXP) by tq_c_call_own;
    /// Jumps when the user interrupts.
    done check_interrupt() by tq_c_check_interrupt;
    /// Keeps an object for ever.
    done keep(object: SEXP) by tq_c_keep;
    /// Where the text of a string is in UTF-8, until the call from R ends.
    done translate(string: SEXP, text: &mut *const c_char) by tq_c_translate;
    /// The object that a tree tells of.
    object make(tree: &Tree<'_>) by tq_c_make;
    /// Appends an object to a buffer: see `src/rapi.h`.
    done write(buffer: &mut Buffer, object: SEXP, fun: SEXP) by tq_c_write;
    /// The object of a payload, which is not empty.
    object read(payload: &Payload) by tq_c_read;
    /// An external pointer to a payload.
    object pointer_to(payload: &Payload) by tq_c_pointer_to;
    /// So many elements of a vector, from one on.
    object slice(vector: SEXP, first: usize, count: usize) by tq_c_slice;
    /// The first elements of a list, as a vector if they are scalars of one type.
    object pack(list: SEXP, count: usize) by tq_c_pack;
    /// Puts what [`pack`] has made into a list, from one place on.
    done unpack(packed: SEXP, list: SEXP, first: usize) by tq_c_unpack;
    /// A function with what it captures.
    object with_captured(fun: SEXP, captured: SEXP) by tq_c_with_captured;
    /// A function in another environment.
    object with_environment(fun: SEXP, env: SEXP) by tq_c_with_environment;
    /// Formals and code of a function without source references, as a function.
    object clean_function(fun: SEXP) by tq_c_clean_function;
    /// `fun` with formals and code of `clean`, in this environment.
    object with_code_of(clean: SEXP, fun: SEXP, env: SEXP) by tq_c_with_code_of;
    /// An object whose functions have no source references.
    object without_sources(object: SEXP) by tq_c_without_sources;
    /// The value of a variable that is not active, or null.
    object value_at_hand(frame: SEXP, symbol: SEXP) by tq_c_value_at_hand;
    /// The symbol whose name is that of another one without its first characters, and with others behind it.
    object symbol_like(symbol: SEXP, without: usize, behind: &CStr) by tq_c_symbol_like;
    /// What stands for a vector in a parcel.
    object marker(state: &[f64; 4]) by tq_c_marker;
    /// A pointer of R's that holds a segment.
    object segment_pointer(segment: &Arc<Segment>) by tq_c_segment_pointer;
    /// A vector over a segment, that is to stand for another one: where it begins, and its size.
    object shared_vector(vector: SEXP, holder: SEXP, offset: usize, size: usize) by tq_c_shared_vector;
    /// A copy of a list or vector, with the same elements.
    object shallow_copy(object: SEXP) by tq_c_shallow_copy;
    /// Gives an object the attributes of another one.
    done copy_attributes(to: SEXP, from: SEXP) by tq_c_copy_attributes;
    /// Sets an attribute of an object that nobody else has.
    done set_attribute(object: SEXP, name: SEXP, value: SEXP) by tq_c_set_attribute;
    /// An attribute, or NULL.
    object attribute(object: SEXP, name: SEXP) by tq_c_attribute;
    /// Jumps when there is not much left of the stack.
    done check_stack() by tq_c_check_stack;
    /// Copies elements from one on, as many as there are, or as have room.
    done region(vector: SEXP, from: usize, most: usize, into: &mut [f64]) by tq_c_region;
    /// Calls elements of a map.
    done call_elements(elements: &mut Elements<'_>) by tq_c_call_elements;
    /// The outcome of the evaluator's function.
    object evaluate_own(evaluator: SEXP, call: SEXP) by tq_c_evaluate_own;
    /// Hangs the bell of an event loop.
    done hang_bell(settle: SEXP) by tq_c_hang_bell;
    /// The object itself.
    object protect(object: SEXP) by tq_c_protect;
    /// Has R collect garbage.
    done collect_garbage() by tq_c_collect_garbage;
    /// The symbols of all variables of an environment, as a list.
    object symbols_in(env: SEXP) by tq_c_symbols_in;
    /// Sets a variable of an environment.
    done set_variable(env: SEXP, symbol: SEXP, value: SEXP) by tq_c_set_variable;
    /// Makes it active.
    done make_active(env: SEXP, symbol: SEXP, function: SEXP) by tq_c_make_active;
    /// Removes it.
    done remove_variable(env: SEXP, symbol: SEXP) by tq_c_remove_variable;
    /// Locks it.
    done lock_variable(env: SEXP, symbol: SEXP) by tq_c_lock_variable;
    /// Unlocks it.
    done unlock_variable(env: SEXP, symbol: SEXP) by tq_c_unlock_variable;
    /// The value of a call.
    object evaluate_call(call: SEXP) by tq_c_evaluate_call;
    /// The same, or null for an error.
    object try_call(call: SEXP) by tq_c_try_call;
    /// Notes what the session does: see [`super::Phase`].
    done set_phase(evaluator: SEXP, phase: usize) by tq_c_set_phase;
    /// The outcome of a task, that may be interrupted meanwhile.
    object evaluate(evaluator: SEXP, fun: SEXP, call: SEXP) by tq_c_evaluate;
    /// Has the elements of a vector be where `DATAPTR_RO` says.
    done make_real(vector: SEXP) by tq_c_make_real;
}

/// # Safety
/// As those of [`calls`].
unsafe fn call(call: CallOfR, args: &[Slot], keeps: c_int) -> Result<SEXP, Jump> {
    // SAFETY: a constant of R's.
    let mut value = unsafe { R_NilValue };
    // SAFETY: see above; the call reads as many arguments as it has.
    let is_done = unsafe { tq_guarded(call, args.as_ptr(), keeps, &mut value) };
    if is_done == 1 {
        Ok(value)
    } else {
        Err(Jump(()))
    }
}
