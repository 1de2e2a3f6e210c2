//! What the C side (`src/rapi.h`) calls, declared there in `taskq.h`. None of it may jump or unwind into C: each function is
//! a few lines that call the engine, which reports failures as values, inside a border that catches panics. Nothing is made for
//! R here: what tells of a failure is plain data, a [`crate::value`], and the rest is made in C.

use std::os::raw::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::value::{self, Value};

pub(crate) mod bell;
mod host;
mod inline;
mod many;
mod map;
pub(crate) mod objects;
pub(crate) mod options;
mod session;
mod share;
mod state;

/// Runs `body`; a panic in it becomes `fault`.
pub(crate) fn border<T>(fault: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fault)
}

/// Bytes that somebody else owns.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Bytes {
    bytes: *const u8,
    length: usize,
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Bytes {
        Bytes {
            bytes: bytes.as_ptr(),
            length: bytes.len(),
        }
    }
}

/// No text is an empty one.
impl From<Option<&str>> for Bytes {
    fn from(text: Option<&str>) -> Bytes {
        text.unwrap_or_default().as_bytes().into()
    }
}

/// The same for what answers C with a failure, or null. A panic is one, too.
pub(crate) fn border_with(body: impl FnOnce() -> Option<Value>) -> *mut c_void {
    let panicked = || Value::fault("a fault within taskq; please report it".to_owned());
    tell(catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| Some(panicked())))
}

/// A failure for C, or null.
fn tell(failure: Option<Value>) -> *mut c_void {
    failure.map_or(std::ptr::null_mut(), value::to_c)
}

const DONE: i32 = 0;
const EMPTY: i32 = 1;
const FAILED: i32 = 2;
const TIMED_OUT: i32 = 3;
const AGAIN: i32 = 4;

const BROKEN: i32 = 0;
const UNSURE: i32 = 1;
const SOUND: i32 = 2;

const SUCCESS: i32 = 0;
const ERROR: i32 = 1;
