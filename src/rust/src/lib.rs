//! The only crate of taskq that knows R.
//!
//! # Two ways in from R
//! - `.Call` of functions in [`host`] and [`far`], registered by extendr: everything that does not serialize, unserialize or wait.
//! - `.External` of routines in `src/*.c`, which own every R call that can jump, and call [`external`] for the rest: plain
//!   functions that never panic outwards, and make nothing of R's but the list that tells of a failure.
//!
//! # Rules
//! - R is called on the R thread only; the engine and the worker do not link to it. Two functions run on other threads, too,
//!   and call nothing of R: the driver's calls `ring` in `external/bell.rs`, which may touch the bell, under its lock, and the
//!   function that later has for this; the control thread of a session calls `raise_interrupt` in `far.rs`, which may set
//!   R's interrupt flag.
//! - An expected failure is a value ([`reply`]), never an `Err` that extendr would turn into an R error without class and
//!   with `%` taken as a format.
//! - No guard of a lock lives across a call of R.

// No panic may reach R: what can fail says so by its type. (Tests may panic.)
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::exit
    )
)]
#![allow(missing_docs)] // extendr's macro makes a public function without; nothing else here is public.

use extendr_api::prelude::*;

mod buffer;
mod external;
mod far;
mod functions;
mod handle;
mod host;
mod parcels;
mod reply;

extendr_module! {
    mod taskq;
    use far;
    use host;
}
