//! How a task can end.
//!
//! A task gets exactly one outcome, at the moment it becomes done, and keeps it.

use std::ffi::CStr;

use crate::id::TaskId;
use crate::input::GoneCause;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Its function returned.
    Success,
    /// Its function raised an R error.
    Error,
    /// Its session died while it ran.
    Crash {
        /// How the session ended.
        cause: GoneCause,
    },
    /// It ran for longer than its timeout.
    Timeout,
    /// It was cancelled, or the queue was closed or killed before it ended.
    Cancelled,
    /// It was to run after a task that did not succeed.
    Skipped {
        /// That task, which may have been taken since.
        after: TaskId,
    },
    /// No session could be started for it: the pool had failed.
    NoWorker,
}

impl Outcome {
    /// The word for it, a result's `status`. A task that no worker could run counts as an error.
    #[must_use]
    pub fn word(&self) -> &'static CStr {
        match self {
            Outcome::Success => c"success",
            Outcome::Error | Outcome::NoWorker => c"error",
            Outcome::Crash { .. } => c"crash",
            Outcome::Timeout => c"timeout",
            Outcome::Cancelled => c"cancelled",
            Outcome::Skipped { .. } => c"skipped",
        }
    }
}
