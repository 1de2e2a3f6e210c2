//! What a task, an attempt and a result are, and the words for what becomes of them. Everything that crosses a border
//! (to a session, to R, to a file) is made of these, so each is defined once.
//!
//! | module | what |
//! | --- | --- |
//! | [`id`] | the names of tasks, attempts and workers; instants |
//! | [`options`] | how a task is to be run: what is asked for, and what that comes to |
//! | [`end`] | how attempts, tasks and processes end |
//! | [`attempt`] | what was measured of an attempt, and the record of its end |
//! | [`result`] | what a task's user is told of its end |
//! | [`words`] | the words that users read: states, statuses, causes |
//! | [`schema`] | the version that records have when they are kept |
//!
//! Owns these types, their words and their serialized form. Only data: must not decide anything, look at a clock, or do
//! I/O. What is not known is `None`, here and wherever these go; only the last step, to R, makes NA of it.
//!
//! # One more field
//!
//! A number that is measured of an attempt and shown in its result is written down in three places:
//!
//! 1. [`attempt::Measured`]: the field, which messages, history and results then have.
//! 2. Who measures it: `Session::finish` in `taskq-worker` (and `finish_inline` in R's own process).
//! 3. [`result::TaskResult::fields`]: the name by which users see it.
//!
//! `tests/golden.rs` and that of `taskq-wire` fail until their bytes are changed on purpose, and the documentation of
//! `pop()` has to name it. An option of a task is likewise a field of [`options::TaskRequest`], what `taskq-core` makes
//! of it, and the argument in R.

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

pub mod attempt;
pub mod end;
pub mod id;
pub mod options;
pub mod result;
pub mod schema;
pub mod words;

pub use attempt::{Ended, Measured};
pub use end::{GoneCause, Outcome, ProcessEnd};
pub use id::{AttemptId, TaskId, Time, WorkerId};
pub use options::{RetryOn, TaskOptions, TaskRequest};
pub use result::{Field, TaskResult};
pub use schema::{Kept, SCHEMA};
pub use words::{
    Cause, QueueState, StartCause, StartPhase, Status, TaskState, Verdict, WorkerState,
};
