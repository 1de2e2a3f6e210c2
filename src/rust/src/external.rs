//! What R's callbacks in C call, declared there in `src/taskq.h`: R serializes, reads a vector over mapped memory, or
//! frees it. None of it calls R, jumps, or unwinds into C: each function is a few lines inside a border that catches
//! panics.

use std::panic::{catch_unwind, AssertUnwindSafe};

mod payload;
mod place;
mod share;
pub(crate) mod waker;

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
