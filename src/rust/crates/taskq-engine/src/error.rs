//! What can go wrong with a queue, cut by what its user can do about it.

use taskq_core::SubmitError;
use taskq_record::{ProcessEnd, StartCause, StartPhase};

/// A task was not taken. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The scheduler refused it.
    #[error(transparent)]
    Refused(#[from] SubmitError),
}

/// Why sessions cannot start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartFailure {
    /// What it takes to mend it.
    pub cause: StartCause,
    /// What was being done, when the worker side could still say so.
    pub phase: Option<StartPhase>,
    /// The error in words: R's, or the operating system's.
    pub message: String,
    /// The last of what the process wrote, standard output and standard error together.
    pub stderr: String,
    /// How the process ended, when that is known.
    pub end: Option<ProcessEnd>,
}
