//! The record of what ended: it is complete, and no session runs two attempts at once.

use std::collections::{BTreeMap, BTreeSet};

use taskq_core::{Ended, TaskId, Time, Totals, WorkerId};

#[derive(Debug, Default)]
pub(crate) struct Record {
    attempts: u64,
    retries: u64,
    done: BTreeSet<TaskId>,
    /// Since when each session has been free.
    free: BTreeMap<WorkerId, Time>,
    /// Since when each task that is tried again has waited.
    waits: BTreeMap<TaskId, Time>,
}

impl Record {
    pub(crate) fn note(&mut self, ended: &Ended) {
        let task = ended.task;
        assert!(ended.queued <= ended.ended, "{ended:?}");
        if let Some(since) = self.waits.get(&task) {
            assert_eq!(*since, ended.queued, "{ended:?} waited since the last try");
        }
        if let Some((worker, began)) = ended.ran {
            self.attempts += 1;
            assert!(ended.queued <= began && began <= ended.ended, "{ended:?}");
            let free = self.free.insert(worker, ended.ended);
            assert!(free <= Some(began), "{ended:?} overlaps: {free:?}");
        }
        if ended.retried {
            self.retries += 1;
            self.waits.insert(task, ended.ended);
        } else {
            assert!(self.done.insert(task), "{task:?} ended twice");
        }
    }

    pub(crate) fn check(&self, totals: &Totals) {
        assert_eq!(self.attempts, totals.attempts);
        assert_eq!(self.retries, totals.retries);
        assert_eq!(self.done.len() as u64, totals.ended());
    }
}
