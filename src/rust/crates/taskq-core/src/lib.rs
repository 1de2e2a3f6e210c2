//! The scheduler of taskq: a pure state machine. No I/O, clock, thread, environment, R or `unsafe`.
#![forbid(unsafe_code)]

pub mod id;
