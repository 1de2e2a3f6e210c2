//! What travels between the host, the zygote, the supervisor and the sessions of a queue: bytes to types and back.
//!
//! Five channels connect the processes, all of them inherited and without a name (`design-wire.Rmd` is the long form):
//!
//! | channel | kind | host to worker | worker to host |
//! | --- | --- | --- | --- |
//! | zygote control | packets | [`ToZygote`](message::ToZygote) (+ descriptors) | |
//! | zygote's report of a supervisor | packets | | [`FromZygote`](message::FromZygote) (+ descriptor) |
//! | supervisor control | packets | [`ToSupervisor`](message::ToSupervisor) (+ descriptors) | [`FromSupervisor`](message::FromSupervisor) |
//! | session control | packets | [`ToControl`](message::ToControl) | [`FromControl`](message::FromControl) |
//! | session tasks | stream of frames | [`ToSession`](message::ToSession) | [`FromSession`](message::FromSession) |
//!
//! [`packet`] encodes all but the last, which [`frame`] does; [`memory`] is the account of what a session has;
//! [`board`] lays out the page of shared memory in which a session notes what it has begun and the host notes what it
//! has read.
//!
//! This crate opens no socket and maps no memory. Payloads are opaque bytes here, but for [`serialized`], which tells
//! whether R can read them.

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
#![forbid(unsafe_code)]

pub mod board;
mod error;
pub mod frame;
pub mod memory;
pub mod message;
pub mod packet;
pub mod serialized;

pub use error::WireError;

/// The version of everything in this crate. Both ends come from one installed package, so a difference means that the
/// package was replaced under a running queue; it is reported, never bridged.
pub const VERSION: u8 = 6;
