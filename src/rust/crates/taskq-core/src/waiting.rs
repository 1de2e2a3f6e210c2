//! The tasks that can be sent, in the order in which they are to be sent.
//!
//! Owns that order: higher priority first, then the older push, so that a task that was given back
//! has its place again. Those that need a session of their own stand apart, because the others need
//! not wait for it. Every change is O(log n).

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::id::TaskId;
use crate::task::Task;

/// The place of a task among those that wait; the least is sent first.
pub(crate) type Rank = (Reverse<i32>, TaskId);

/// The tasks that can be sent.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    plain: BTreeSet<Rank>,
    isolated: BTreeSet<Rank>,
}

impl Waiting {
    pub(crate) fn insert(&mut self, id: TaskId, task: &Task) {
        self.set_of(task).insert(rank(id, task));
    }

    pub(crate) fn remove(&mut self, id: TaskId, task: &Task) {
        self.set_of(task).remove(&rank(id, task));
    }

    /// The first of those that may share a session.
    pub(crate) fn first_plain(&self) -> Option<Rank> {
        self.plain.first().copied()
    }

    /// Of those that need a session of their own, the one behind so many others. O(`skipped`).
    pub(crate) fn isolated(&self, skipped: usize) -> Option<Rank> {
        if skipped >= self.isolated.len() {
            return None;
        }
        self.isolated.iter().nth(skipped).copied()
    }

    /// How many need a session of their own.
    pub(crate) fn isolated_len(&self) -> usize {
        self.isolated.len()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.plain.len() + self.isolated.len()
    }

    /// Whether this task is where it belongs, and nowhere else.
    pub(crate) fn is_right_about(&self, id: TaskId, task: &Task, waits: bool) -> bool {
        let rank = rank(id, task);
        let found = (self.plain.contains(&rank), self.isolated.contains(&rank));
        let isolate = task.isolate();
        found == (waits && !isolate, waits && isolate)
    }

    fn set_of(&mut self, task: &Task) -> &mut BTreeSet<Rank> {
        if task.isolate() {
            &mut self.isolated
        } else {
            &mut self.plain
        }
    }
}

fn rank(id: TaskId, task: &Task) -> Rank {
    (Reverse(task.priority()), id)
}
