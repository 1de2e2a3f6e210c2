//! R as Rust sees it: objects, the scopes that protect them, and calls that tell when R has jumped.
//!
//! R reports errors, interrupts and want of memory by jumping, and must not jump over a frame of Rust's. So what may
//! jump is called through `src/guard.c` alone, by [`guard`], and says so by [`Stop::Jump`]. That goes up like any other
//! error, everything on its way is released, and at the border R goes on with its jump.
//!
//! Owns: all calls of R. Must not: know of tasks and queues.

use std::cell::RefCell;
use std::ffi::{c_char, c_int, CStr, CString};
use std::marker::PhantomData;
use std::panic::{catch_unwind, AssertUnwindSafe};

use extendr_ffi::{Rboolean, Rf_NumDevices, SEXP};

use crate::value::Value;

mod argument;
mod guard;
mod object;
mod scope;
mod shelf;
mod symbol;
mod tree;

pub(crate) use argument::Argument;
pub(crate) use guard::{Finalizer, Jump};
pub(crate) use object::{Encoding, Kept, Object};
pub(crate) use scope::{Binding, Scope};
pub(crate) use shelf::Shelf;
pub(crate) use symbol::Symbol;
pub(crate) use tree::{na_int, na_real, Constant, Parts, Text, Tree};

/// Why a call from R ends without a value.
#[derive(Debug)]
pub(crate) enum Stop {
    /// R has jumped.
    Jump(Jump),
    /// An expected failure, which R makes a condition of: see [`crate::reply`].
    Failure(Value),
    /// A fault of this package.
    Fault(String),
}

impl From<Jump> for Stop {
    fn from(jump: Jump) -> Stop {
        Stop::Jump(jump)
    }
}

extern "C" {
    static mut R_interrupts_suspended: Rboolean;
}

/// As long as this is there, R does not look for interrupts of the user.
#[derive(Debug)]
pub(crate) struct Uninterrupted {
    before: Rboolean,
}

impl Uninterrupted {
    pub(crate) fn new(_: &Scope) -> Uninterrupted {
        // SAFETY: on the R thread, as the scope is.
        unsafe {
            let before = R_interrupts_suspended;
            R_interrupts_suspended = Rboolean::TRUE;
            Uninterrupted { before }
        }
    }
}

impl Drop for Uninterrupted {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { R_interrupts_suspended = self.before };
    }
}

/// Whether R does not look for interrupts of the user from now on.
pub(crate) fn suspend_interrupts(_: &Scope, are_suspended: bool) {
    // SAFETY: on the R thread, as the scope is.
    unsafe { R_interrupts_suspended = are_suspended.into() };
}

/// Elements of a map that are to be called: see `taskq.h`.
#[repr(C)]
pub(crate) struct Elements<'a> {
    frame: SEXP,
    values: SEXP,
    state: SEXP,
    renew: SEXP,
    until: usize,
    are_counted: c_int,
    are_taken_back: c_int,
    objects: PhantomData<&'a ()>,
}

impl<'a> Elements<'a> {
    /// The frame in which they are called, the list for their results, where the batch stands, a function or NULL.
    pub(crate) fn new(
        frame: Object<'a>,
        values: Object<'a>,
        state: Object<'a>,
        renew: Object<'a>,
    ) -> Elements<'a> {
        Elements {
            frame: frame.get(),
            values: values.get(),
            state: state.get(),
            renew: renew.get(),
            until: 0,
            are_counted: 0,
            are_taken_back: 0,
            objects: PhantomData,
        }
    }
}

/// How many graphics devices are open.
pub(crate) fn num_devices() -> i32 {
    // SAFETY: on the R thread; only reads a number.
    unsafe { Rf_NumDevices() }
}

/// What a call from R comes to.
pub(crate) type Answer<T> = Result<T, Stop>;

/// How a call from R has ended: see `taskq.h`.
#[repr(C)]
pub(crate) enum Ending {
    Answered = 0,
    Jumped = 1,
    Fault = 2,
}

thread_local! {
    static FAULT: RefCell<CString> = RefCell::default();
}

/// Answers R with what `body` gives, which it makes in a scope of its own. A panic is a fault.
///
/// # Safety
/// In a call from R, on its thread; `value` is on the caller's stack.
pub(crate) unsafe fn answer(
    value: *mut SEXP,
    body: impl for<'a> FnOnce(&'a Scope) -> Answer<Object<'a>>,
) -> Ending {
    let answered = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: see above.
        let scope = unsafe { Scope::new() };
        let made = match body(&scope) {
            Err(Stop::Failure(failure)) => failure.make(&scope).map_err(Stop::from),
            made => made,
        }?;
        // SAFETY: see above. What is given to R is its own from here on.
        unsafe { value.write(made.get()) };
        Ok(())
    }));
    match answered {
        Ok(Ok(())) => Ending::Answered,
        Ok(Err(Stop::Jump(_))) => Ending::Jumped,
        Ok(Err(Stop::Fault(fault))) => note(&fault),
        Ok(Err(Stop::Failure(_))) | Err(_) => note("a fault within taskq; please report it"),
    }
}

fn note(fault: &str) -> Ending {
    FAULT.set(CString::new(fault.replace('\0', " ")).unwrap_or_default());
    Ending::Fault
}

/// What the last fault was, until the next.
#[no_mangle]
extern "C" fn tq_fault() -> *const c_char {
    FAULT.with_borrow(|fault| CStr::as_ptr(fault))
}
