//! One task, and where it is.
//!
//! Only data. Which phase follows which stands in the table of `tasks`, the only module that changes
//! a task.

use std::sync::Arc;

use crate::id::{Time, WorkerId};
use crate::outcome::Outcome;

/// One task.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) label: Arc<str>,
    pub(crate) queued: Time,
    /// How often it was sent; the number of its present or last attempt.
    pub(crate) sends: u32,
    /// How often it is known to have begun.
    pub(crate) tries: u32,
    pub(crate) phase: Phase,
}

/// Where a task is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Nobody has it.
    Waiting,
    /// It lies in the line of a worker, behind others.
    Ahead { worker: WorkerId, cancelling: bool },
    /// It is the head of the line of a worker.
    Running {
        worker: WorkerId,
        since: Time,
        cancelling: bool,
    },
    /// It has its outcome.
    Done(End),
}

/// The end of a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    pub(crate) finished: Time,
    /// Where and since when it ran; none when it never began.
    pub(crate) ran: Option<(WorkerId, Time)>,
}

/// A million tasks may wait: keep them small.
const _: () = assert!(std::mem::size_of::<Task>() <= 96);
