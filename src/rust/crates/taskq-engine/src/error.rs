//! What can go wrong with a queue, cut by what its user can do about it.

use taskq_core::SubmitError;
use taskq_wire::message::{ProcessEnd, StartPhase};

/// A task was not taken. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The scheduler refused it.
    #[error(transparent)]
    Refused(#[from] SubmitError),
}

/// What kept sessions from starting, cut by what its user can do about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartCause {
    /// What runs at their start, or what it needs.
    #[default]
    Startup,
    /// The operating system makes no more processes.
    NoProcess,
    /// A fault in this package.
    Fault,
}

impl StartCause {
    /// A word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StartCause::Startup => "startup",
            StartCause::NoProcess => "no-process",
            StartCause::Fault => "fault",
        }
    }
}

/// Why sessions cannot start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartFailure {
    /// What it takes to mend it.
    pub cause: StartCause,
    /// What was being done, when the far end could still say so.
    pub phase: Option<StartPhase>,
    /// The error in words: R's, or the operating system's.
    pub message: String,
    /// The last of what the process wrote, standard output and standard error together.
    pub stderr: String,
    /// How the process ended, when that is known.
    pub end: Option<ProcessEnd>,
}
