//! What travels beside the messages of a queue, as bytes: in memory, in memory files, and in pages that two processes
//! share.
//!
//! | module | what |
//! | --- | --- |
//! | [`payload`], [`parcel`] | what travels with a frame, and what of it does so in a memory file |
//! | [`arrived`] | what came with a frame |
//! | [`portable`] | the same as one string of bytes, for a file, a database or another machine |
//! | [`sealed`], [`segment`] | memory files that are handed over, and those that hold shared vectors |
//! | [`budget`] | how many of these a process may hold |
//! | [`mapping`] | what is in such a file, in the memory of this process |
//! | [`board`] | the status board of one session, which the host and the session have mapped |
//!
//! Owns these bytes, their descriptors and how many of these a process may hold. Must not look into the bytes, send or
//! receive anything, or decide what is worth a file: that is the callers'.

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

pub mod arrived;
pub mod board;
pub mod budget;
pub mod mapping;
pub mod parcel;
pub mod payload;
pub mod portable;
pub mod sealed;
pub mod segment;
