//! One task, and where it is.
//!
//! Only data. Which phase follows which stands in the table of `tasks`, the only module that changes
//! a task.

use std::sync::Arc;

use crate::id::{Time, WorkerId};
use crate::outcome::Outcome;
use crate::submission::TaskOptions;

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
    /// What most tasks have not.
    pub(crate) extras: Option<Box<Extras>>,
}

/// What is unusual about a task.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    pub(crate) options: TaskOptions,
    pub(crate) tag: Option<Arc<str>>,
}

impl Extras {
    /// None when nothing is unusual.
    pub(crate) fn of(options: TaskOptions, tag: Option<Arc<str>>) -> Option<Box<Extras>> {
        let usual = options == TaskOptions::default() && tag.is_none();
        (!usual).then(|| Box::new(Extras { options, tag }))
    }
}

impl Task {
    /// How it is to be run, when that is not the usual way.
    pub(crate) fn options(&self) -> Option<&TaskOptions> {
        self.extras.as_ref().map(|extras| &extras.options)
    }

    /// The name that it shares with others.
    pub(crate) fn tag(&self) -> Option<&Arc<str>> {
        self.extras.as_ref()?.tag.as_ref()
    }
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
