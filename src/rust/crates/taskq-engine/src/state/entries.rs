//! What every session is to run, and what it has given in those that are there. When a session runs which of these
//! *entries*, and what becomes of one that fails, is the scheduler's business.

use std::sync::Arc;

use taskq_core::id::{Time, WorkerId};
use taskq_core::{EntryState, Input, QueueState, SubmitError};
use taskq_payload::payload::Payload;

use super::State;
use crate::error::StartFailure;

/// All of them, by their numbers less one.
#[derive(Debug, Default)]
pub(super) struct Entries(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    /// Serialized; nothing once it was withdrawn.
    call: Option<Arc<Payload>>,
    /// What it gave, as long as it is open.
    values: Vec<(WorkerId, Arc<Payload>)>,
}

/// What became of an entry, with all that need not be kept.
#[derive(Debug)]
pub struct EntryEnd {
    /// What it gave in the sessions that were there, in the order in which these were launched; or why it failed in one
    /// of them, if that was told.
    pub values: Result<Vec<Arc<Payload>>, Option<StartFailure>>,
    /// To be freed without the lock.
    _call: Option<Arc<Payload>>,
}

impl Entries {
    /// What is to be run.
    pub(super) fn call(&self, number: u64) -> Option<&Arc<Payload>> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.0.get(place)?.call.as_ref()
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut Entry> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.0.get_mut(place)
    }
}

impl State {
    /// Has every session run something. Returns the number of this entry.
    pub(crate) fn run_everywhere(
        &mut self,
        call: Arc<Payload>,
        now: Time,
    ) -> Result<u64, SubmitError> {
        let number = self.sched.run_everywhere(now)?;
        self.entries.0.push(Entry {
            call: Some(call),
            values: Vec::new(),
        });
        Ok(number)
    }

    /// Whether not all of the sessions that there are have run an entry, and will.
    pub(crate) fn is_open(&self, entry: u64) -> bool {
        self.sched.entry(entry) == Some(EntryState::Open) && self.sched.state() == QueueState::Open
    }

    /// A session has run an entry.
    pub(super) fn ran(&mut self, worker: WorkerId, value: Arc<Payload>, now: Time) {
        let number = self.sched.entry_of(worker);
        let open = number.filter(|&number| self.is_open(number));
        if let Some(entry) = open.and_then(|number| self.entries.get_mut(number)) {
            entry.values.push((worker, value));
        }
        if let Some(entry) = number {
            self.input(Input::Ran { worker, entry }, now);
        }
    }

    /// What became of an entry, which is withdrawn if it is open still.
    pub(crate) fn end_entry(&mut self, number: u64, now: Time) -> EntryEnd {
        self.input(Input::Withdraw { entry: number }, now);
        let is_kept = self.sched.entry(number) == Some(EntryState::Kept)
            && self.sched.state() == QueueState::Open;
        let Some(entry) = self.entries.get_mut(number) else {
            return EntryEnd {
                values: Err(None),
                _call: None,
            };
        };
        let mut values = std::mem::take(&mut entry.values);
        values.sort_by_key(|(worker, _)| *worker);
        let values = values.into_iter().map(|(_, value)| value).collect();
        if is_kept {
            return EntryEnd {
                values: Ok(values),
                _call: None,
            };
        }
        EntryEnd {
            _call: entry.call.take(),
            values: Err(self.failure.clone()),
        }
    }
}
