//! All deadlines of the scheduler in one ordered set.
//!
//! Owns which timers are set and when they run out, not what happens then. At most one deadline per
//! timer. Setting, clearing and asking for the next are O(log n).

use std::collections::{BTreeMap, BTreeSet};

use taskq_record::{TaskId, Time, WorkerId};
/// What may run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The head of this worker's line has run so long that what lies behind it is recalled.
    Recall(WorkerId),
    /// This task has run for as long as it may.
    Timeout(TaskId),
    /// This task was asked to end and had its time of grace.
    Grace(TaskId),
    /// This task failed, and is now to be tried again.
    Retry(TaskId),
    /// This worker was told to leave, has closed its socket, or was killed, and is not gone.
    Leave(WorkerId),
    /// A session above the minimum has been idle for long.
    Idle,
    /// The supervisor was told to leave and is not gone.
    Supervisor,
    /// The deadline of the closing queue.
    Close,
}

/// The timers that are set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Time, Timer)>,
    by_timer: BTreeMap<Timer, Time>,
}

impl Timers {
    /// Sets a timer, also when it is set already.
    pub(crate) fn set(&mut self, timer: Timer, at: Time) {
        if let Some(before) = self.by_timer.insert(timer, at) {
            if before == at {
                return;
            }
            self.by_time.remove(&(before, timer));
        }
        self.by_time.insert((at, timer));
    }

    /// Clears a timer, whether it is set or not.
    pub(crate) fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.by_timer.remove(&timer) {
            self.by_time.remove(&(at, timer));
        }
    }

    /// Clears all timers.
    pub(crate) fn clear_all(&mut self) {
        *self = Timers::default();
    }

    /// When a timer runs out, if it is set.
    pub(crate) fn get(&self, timer: Timer) -> Option<Time> {
        self.by_timer.get(&timer).copied()
    }

    /// When the next timer runs out.
    pub(crate) fn next(&self) -> Option<Time> {
        self.by_time.first().map(|&(at, _)| at)
    }

    /// Clears and returns the timers that have run out, the earliest first.
    pub(crate) fn take_due(&mut self, now: Time) -> Vec<Timer> {
        let mut due = Vec::new();
        while let Some(&(at, timer)) = self.by_time.first() {
            if at > now {
                break;
            }
            self.by_time.pop_first();
            self.by_timer.remove(&timer);
            due.push(timer);
        }
        due
    }

    /// All timers that are set.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Timer> + '_ {
        self.by_time.iter().map(|&(_, timer)| timer)
    }

    /// Panics unless the two indexes agree.
    pub(crate) fn check(&self) {
        assert_eq!(
            self.by_time.len(),
            self.by_timer.len(),
            "timer indexes differ in size"
        );
        for &(at, timer) in &self.by_time {
            assert_eq!(
                self.get(timer),
                Some(at),
                "timer {timer:?} is indexed under a wrong time"
            );
        }
    }
}
