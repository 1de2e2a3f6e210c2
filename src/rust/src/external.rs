//! What the C side (`src/rapi.h`) calls, declared there in `taskq.h`. None of it may jump or unwind into C: each function is a few lines that
//! call the engine, which reports failures as values, inside a border that catches panics. All that is ever made for R
//! here is the short list that tells of a failure ([`crate::reply`]), as in what extendr registers: R could jump only if
//! it had no memory for that. What grows with what users push or collect is made in C.

use std::panic::{catch_unwind, AssertUnwindSafe};

pub(crate) mod bell;
mod host;
mod inline;
mod many;
mod map;
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
struct Bytes {
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

const DONE: i32 = 0;
const EMPTY: i32 = 1;
const FAILED: i32 = 2;
const TIMED_OUT: i32 = 3;
const AGAIN: i32 = 4;

const SUCCESS: i32 = 0;
const ERROR: i32 = 1;
