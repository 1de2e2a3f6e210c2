//! Why a task was refused.
//!
//! One enum, cut by what the caller can do. A refused submission has changed nothing.

use std::fmt;

/// Why a task was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitError {
    /// A task with this label is in the queue; it is free again when that task has been taken.
    Duplicate {
        /// The label.
        label: Box<str>,
    },
    /// The label begins with `.idle-`, as the names of the workers' rows do.
    Reserved {
        /// The label.
        label: Box<str>,
    },
    /// It was to run after a task that is not in the queue. Only what is there already can be
    /// waited for, so that tasks never wait for each other in a circle.
    Unknown {
        /// The label.
        label: Box<str>,
    },
    /// As many tasks wait as may wait.
    Full,
    /// These are more tasks at once than may ever wait.
    TooMany {
        /// How many may wait.
        limit: usize,
    },
    /// The queue is closing or closed.
    Closed,
    /// The pool has failed; nothing would run the task.
    Failed,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubmitError::Duplicate { label } => {
                write!(f, "a task with the id {label:?} is in the queue already")
            }
            SubmitError::Reserved { label } => {
                write!(
                    f,
                    "the id {label:?} begins with \".idle-\", which is reserved"
                )
            }
            SubmitError::Unknown { label } => {
                write!(f, "there is no task with the id {label:?} in the queue")
            }
            SubmitError::Full => f.write_str("as many tasks wait in the queue as may wait"),
            SubmitError::TooMany { limit } => {
                write!(f, "at most {limit} tasks may wait in the queue")
            }
            SubmitError::Closed => f.write_str("the queue is closed"),
            SubmitError::Failed => f.write_str("the workers of the queue cannot be started"),
        }
    }
}

impl std::error::Error for SubmitError {}
