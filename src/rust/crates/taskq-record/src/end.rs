//! How attempts, tasks and processes end.
//!
//! A task gets exactly one outcome, at the moment it becomes done, and keeps it.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde::{Deserialize, Serialize};

use crate::id::TaskId;
use crate::words::{Cause, Status};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProcessEnd {
    /// It exited with this status.
    Exited {
        /// The exit status; 0 is no success for a session that had a task.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// It is gone, and how could not be learnt: another part of the process that waits took its exit status.
    Unknown,
}

/// How the process of a session ended, as far as its host can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GoneCause {
    /// It exited with this status; 0 is no success for a session that had a task.
    Exited {
        /// The exit status.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// No process could be made for it.
    LaunchFailed {
        /// The operating system's error number.
        errno: i32,
    },
    /// The supervisor died, and it with it.
    SupervisorLost,
    /// It is gone, and how could not be learnt.
    Unknown,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// Its function returned.
    #[default]
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

impl From<Option<ExitStatus>> for ProcessEnd {
    fn from(status: Option<ExitStatus>) -> ProcessEnd {
        match status.map(|status| (status.code(), status.signal())) {
            Some((Some(code), _)) => ProcessEnd::Exited { code },
            Some((None, Some(signal))) => ProcessEnd::Signaled { signal },
            _ => ProcessEnd::Unknown,
        }
    }
}

impl From<ProcessEnd> for GoneCause {
    fn from(end: ProcessEnd) -> GoneCause {
        match end {
            ProcessEnd::Exited { code } => GoneCause::Exited { code },
            ProcessEnd::Signaled { signal } => GoneCause::Signaled { signal },
            ProcessEnd::Unknown => GoneCause::Unknown,
        }
    }
}

impl GoneCause {
    /// Its word.
    #[must_use]
    pub const fn cause(self) -> Cause {
        match self {
            GoneCause::Exited { .. } => Cause::Exit,
            GoneCause::Signaled { .. } => Cause::Signal,
            GoneCause::LaunchFailed { .. } => Cause::Launch,
            GoneCause::SupervisorLost => Cause::Supervisor,
            GoneCause::Unknown => Cause::Unknown,
        }
    }

    /// The exit status, the signal or the error that goes with it.
    #[must_use]
    pub const fn number(self) -> Option<i32> {
        match self {
            GoneCause::Exited { code } => Some(code),
            GoneCause::Signaled { signal } => Some(signal),
            GoneCause::LaunchFailed { errno } => Some(errno),
            GoneCause::SupervisorLost | GoneCause::Unknown => None,
        }
    }

    /// The status with which it exited.
    #[must_use]
    pub const fn exit_code(self) -> Option<i32> {
        match self {
            GoneCause::Exited { code } => Some(code),
            _ => None,
        }
    }

    /// The signal that ended it.
    #[must_use]
    pub const fn signal(self) -> Option<i32> {
        match self {
            GoneCause::Signaled { signal } => Some(signal),
            _ => None,
        }
    }
}

impl Outcome {
    /// Its word. A task that no worker could run counts as an error.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Outcome::Success => Status::Success,
            Outcome::Error | Outcome::NoWorker => Status::Error,
            Outcome::Crash { .. } => Status::Crash,
            Outcome::Timeout => Status::Timeout,
            Outcome::Cancelled => Status::Cancelled,
            Outcome::Skipped { .. } => Status::Skipped,
        }
    }

    /// How its session ended, when that has ended the task.
    #[must_use]
    pub const fn gone(&self) -> Option<GoneCause> {
        match self {
            Outcome::Crash { cause } => Some(*cause),
            _ => None,
        }
    }

    /// Why the task has not ended by itself, where there is more to say than its status.
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        match self {
            Outcome::Crash { cause } => Some(cause.cause()),
            Outcome::NoWorker => Some(Cause::NoWorker),
            _ => None,
        }
    }
}
