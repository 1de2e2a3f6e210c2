//! The only crate of taskq that knows R.
//!
//! # How R comes here
//! R calls one routine, `C_tq_call` (`src/guard.c`), with the name of a function and its arguments. `entries` has the
//! list of these functions: those for the user's session are in `host`, those for zygotes, supervisors and sessions in
//! `far`, those for both beside them. They read their arguments by type (`r/argument.rs`), and give an object, or
//! plain data of which one is made (`value`). What R's callbacks in C need of Rust is in `external`.
//!
//! # Rules
//! - R jumps over no frame of Rust's. A call of R that may jump goes through `r`, which makes it under a guard in C.
//!   When R jumps, the guard ends the jump there, and it is an `Err(Stop::Jump)`, handed on by `?`; Rust returns, and
//!   frees what it holds. The outermost frame, which is C, has R go on with its jump.
//! - An expected failure is a `Stop::Failure` (`reply`), which `tq_checked()` in R/conditions.R throws. A fault of
//!   ours is a `Stop::Fault`, an error of R; so is a panic, which ends at the border.
//! - R is called on the R thread only; the engine and the worker do not link to it. Two functions run on other threads,
//!   too, and call nothing of R: the driver's calls `wake` in `external/waker.rs`, which may touch the waker, under its
//!   lock, and the function that later has for this; the control thread of a session calls `raise_interrupt` in
//!   `worker.rs`, which may set R's interrupt flag.
//! - No lock is held during a call of R.

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

mod buffer;
mod capture;
mod closures;
mod code;
mod elements;
mod entries;
mod external;
mod functions;
mod given;
mod handle;
mod host;
mod log;
mod parcels;
mod plain;
mod r;
mod reply;
mod serialize;
mod share;
mod state;
mod value;
mod vectors;
mod worker;
