//! The only crate of taskq that knows R.
//!
//! # How R comes here
//! Every routine that R calls is in C (`src/*.c`), which owns every call of R that can jump. It calls plain functions of
//! Rust's that never panic outwards and make nothing of R's: those in [`external`], each for one routine, and the
//! [`entries`] in [`host`] and [`far`], which R calls by their names through one routine (`src/border.c`), for everything
//! that does not serialize, unserialize or wait. What they answer is plain data, a [`value`].
//!
//! # Rules
//! - R is called on the R thread only; the engine and the worker do not link to it. Two functions run on other threads, too,
//!   and call nothing of R: the driver's calls `ring` in `external/bell.rs`, which may touch the bell, under its lock, and the
//!   function that later has for this; the control thread of a session calls `raise_interrupt` in `far.rs`, which may set
//!   R's interrupt flag.
//! - Nothing here allocates in R, so R never jumps over a frame of Rust's. What is called of R only reads.
//! - An expected failure is a value ([`reply`]), which `tq_checked()` in R/conditions.R throws.
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

mod buffer;
mod capture;
mod code;
mod entries;
mod external;
mod far;
mod functions;
mod handle;
mod host;
mod parcels;
mod plain;
mod r;
mod reply;
mod serialize;
mod share;
mod state;
mod value;
mod vectors;
