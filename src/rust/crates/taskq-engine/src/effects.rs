//! What a queue does to the world outside: what its [`State`](crate::state::State) wants, and who carries that out.
//!
//! `sessions` writes to sessions and leaves processes to the driver; `inline` answers as sessions would, where there
//! are none; the tests of `state` note it down, and fail when something is left that they have not looked at.

use std::collections::BTreeSet;
use std::sync::Arc;

use taskq_core::id::{AttemptId, Time, WorkerId};
use taskq_core::Action;
use taskq_payload::payload::Payload;

use crate::config::EventLoop;
use crate::state::{Given, TaskPayload};

/// What can be done to the world. It is said under the lock, in the order in which it is to happen: nothing of it may
/// block.
pub(crate) trait Effects {
    /// Sends an attempt to a session, behind what it was sent before.
    fn send(&mut self, worker: WorkerId, run: Run<'_>);

    /// Has a session run a broadcast.
    fn run_broadcast(&mut self, worker: WorkerId, broadcast: u64, call: &Arc<Payload>);

    /// Does something else with a session or a process: any action but `Send`, `RunBroadcast`, and those that end
    /// a task or the pool.
    fn act(&mut self, action: Action);

    /// Who is to be woken when the lock is free.
    fn wakes(&mut self) -> &mut Wakes;

    /// For now that was all: what was gathered goes out. The scheduler is to be told that time has passed at `wake_at`.
    fn finish(&mut self, wake_at: Option<Time>);
}

/// An attempt that is to be run.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) attempt: AttemptId,
    /// The user's name of its task.
    pub(crate) label: &'a str,
    /// How often that has begun, this time included.
    pub(crate) tries: u32,
    pub(crate) payload: &'a TaskPayload,
    /// Values that it is given.
    pub(crate) given: &'a [Given],
}

/// Who is to be woken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wakes {
    /// What the R thread waits for has come.
    pub(crate) r_thread: bool,
    /// The driver has something to do that it does not know of.
    pub(crate) driver: bool,
    /// Event loops for which a promised task is done, or has signalled a condition.
    pub(crate) loops: BTreeSet<EventLoop>,
}
