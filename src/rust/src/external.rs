//! What the C side (`src/rapi.h`) calls, declared there in `taskq.h`. None of it may jump or unwind into C: each function is
//! a few lines that call the engine, which reports failures as values, inside a border that catches panics. Nothing is made for
//! R here: what tells of a failure is plain data, a [`crate::value`], and the rest is made in C.

use std::panic::{catch_unwind, AssertUnwindSafe};

pub(crate) mod bell;
mod payload;
mod share;

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

const BROKEN: i32 = 0;
const UNSURE: i32 = 1;
const SOUND: i32 = 2;
