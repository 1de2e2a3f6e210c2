//! One task, and where it is.
//!
//! Only data. Which phase follows which stands in the table of `tasks`, the only module that changes
//! a task.

use std::sync::Arc;
use std::time::Duration;

use taskq_record::{Outcome, TaskOptions, Time, WorkerId};

use crate::view::Stop;

/// One task.
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    pub(crate) options: TaskOptions,
    pub(crate) tag: Option<Arc<str>>,
    pub(crate) key: Option<Arc<str>>,
    /// Whose result it is.
    pub(crate) claim: Claim,
    /// Where and since when its last attempt but the present one ran.
    pub(crate) ran: Option<(WorkerId, Time)>,
    /// When that attempt ended.
    pub(crate) ran_until: Option<Time>,
}

/// Whose the result of a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Claim {
    /// His who comes first.
    #[default]
    Open,
    /// One claimant's: who submitted it, or came later.
    Claimed,
    /// One claimant's, who does not want it any more.
    Disowned,
}

/// Where a task is.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// No session has it, and none may have it yet.
    Held(Hold),
    /// No session has it.
    Waiting,
    /// It lies in the line of a worker, behind others.
    Ahead {
        worker: WorkerId,
        stopping: Option<Stopping>,
    },
    /// It is the head of the line of a worker.
    Running {
        worker: WorkerId,
        since: Time,
        stopping: Option<Stopping>,
    },
    /// It has its outcome.
    Done(End),
}

/// Until when a task is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Until others have succeeded.
    After,
    /// Until the delay before its next try is over.
    Backoff,
}

/// The end of a task that was sent is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopping {
    pub(crate) why: Stop,
    /// Since when: what has ended by then was not stopped.
    pub(crate) asked: Time,
}

/// The end of a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    pub(crate) finished: Time,
    /// Where and since when it ran last; none when it never began.
    pub(crate) ran: Option<(WorkerId, Time)>,
}

/// A million tasks may wait: keep them small.
const _: () = assert!(std::mem::size_of::<Task>() <= 96);

impl Extras {
    /// None when nothing is unusual.
    pub(crate) fn of(
        options: TaskOptions,
        tag: Option<Arc<str>>,
        key: Option<Arc<str>>,
        claim: Claim,
    ) -> Option<Box<Extras>> {
        let usual = options == TaskOptions::default() && tag.is_none() && key.is_none();
        let usual = usual && claim == Claim::Open;
        let extras = || Extras {
            options,
            tag,
            key,
            claim,
            ran: None,
            ran_until: None,
        };
        (!usual).then(|| Box::new(extras()))
    }
}

impl Task {
    /// How it is to be run, when that is not the usual way.
    pub(crate) fn options(&self) -> Option<&TaskOptions> {
        self.extras.as_ref().map(|extras| &extras.options)
    }

    /// Tasks of a higher priority are sent first.
    pub(crate) fn priority(&self) -> i32 {
        self.options().map_or(0, |options| options.priority)
    }

    /// Whether it needs a session of its own.
    pub(crate) fn isolate(&self) -> bool {
        self.options().is_some_and(|options| options.isolate)
    }

    /// How long an attempt may run.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.options()?.timeout
    }

    /// The name that it shares with others.
    pub(crate) fn tag(&self) -> Option<&Arc<str>> {
        self.extras.as_ref()?.tag.as_ref()
    }

    /// Whose its result is.
    pub(crate) fn claim(&self) -> Claim {
        self.extras
            .as_ref()
            .map_or(Claim::Open, |extras| extras.claim)
    }

    /// Since when it has waited, or had: its push, or the end of the attempt before the present one.
    pub(crate) fn waits_since(&self) -> Time {
        let ran_until = self.extras.as_ref().and_then(|extras| extras.ran_until);
        ran_until.unwrap_or(self.queued)
    }

    /// The key by which another can take its place.
    pub(crate) fn key(&self) -> Option<&Arc<str>> {
        self.extras.as_ref()?.key.as_ref()
    }
}

impl Phase {
    /// The worker that was sent it, and whether its end is asked for.
    pub(crate) fn sent(&self) -> Option<(WorkerId, Option<Stopping>)> {
        match *self {
            Phase::Ahead { worker, stopping }
            | Phase::Running {
                worker, stopping, ..
            } => Some((worker, stopping)),
            Phase::Held(_) | Phase::Waiting | Phase::Done(_) => None,
        }
    }
}
