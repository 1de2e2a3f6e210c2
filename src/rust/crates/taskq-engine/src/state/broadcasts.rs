//! Broadcasts, which every session runs, and what they have given in those that are there. When a session runs which of
//! them, and what becomes of one that fails, is the scheduler's business.

use std::sync::Arc;

use taskq_core::id::{Time, WorkerId};
use taskq_core::{BroadcastState, Input, QueueState, SubmitError};
use taskq_payload::payload::Payload;

use super::State;
use crate::error::StartFailure;

/// All of them, by their numbers less one.
#[derive(Debug, Default)]
pub(super) struct Broadcasts(Vec<Broadcast>);

#[derive(Debug)]
struct Broadcast {
    /// Serialized; nothing once it was withdrawn.
    call: Option<Arc<Payload>>,
    /// What it gave, as long as it is open.
    values: Vec<(WorkerId, Arc<Payload>)>,
}

/// What became of a broadcast, with all that need not be kept.
#[derive(Debug)]
pub struct BroadcastEnd {
    /// What it gave in the sessions that were there, in the order in which these were launched; or why it failed in one
    /// of them, if that was told.
    pub values: Result<Vec<Arc<Payload>>, Option<StartFailure>>,
    /// To be freed without the lock.
    _call: Option<Arc<Payload>>,
}

impl Broadcasts {
    /// What is to be run.
    pub(super) fn call(&self, number: u64) -> Option<&Arc<Payload>> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.0.get(place)?.call.as_ref()
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut Broadcast> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.0.get_mut(place)
    }
}

impl State {
    /// Has every session run a broadcast. Returns its number.
    pub(crate) fn run_everywhere(
        &mut self,
        call: Arc<Payload>,
        now: Time,
    ) -> Result<u64, SubmitError> {
        let number = self.sched.run_everywhere(now)?;
        self.broadcasts.0.push(Broadcast {
            call: Some(call),
            values: Vec::new(),
        });
        Ok(number)
    }

    /// Whether not all of the sessions that there are have run a broadcast, and will.
    pub(crate) fn is_open(&self, broadcast: u64) -> bool {
        self.sched.broadcast(broadcast) == Some(BroadcastState::Open)
            && self.sched.state() == QueueState::Open
    }

    /// A session has run a broadcast.
    pub(super) fn ran(&mut self, worker: WorkerId, value: Arc<Payload>, now: Time) {
        let number = self.sched.broadcast_of(worker);
        let open = number.filter(|&number| self.is_open(number));
        if let Some(broadcast) = open.and_then(|number| self.broadcasts.get_mut(number)) {
            broadcast.values.push((worker, value));
        }
        if let Some(broadcast) = number {
            self.input(Input::Ran { worker, broadcast }, now);
        }
    }

    /// What became of a broadcast, which is withdrawn if it is open still.
    pub(crate) fn end_broadcast(&mut self, number: u64, now: Time) -> BroadcastEnd {
        self.input(Input::Withdraw { broadcast: number }, now);
        let is_kept = self.sched.broadcast(number) == Some(BroadcastState::Kept)
            && self.sched.state() == QueueState::Open;
        let Some(broadcast) = self.broadcasts.get_mut(number) else {
            return BroadcastEnd {
                values: Err(None),
                _call: None,
            };
        };
        let mut values = std::mem::take(&mut broadcast.values);
        values.sort_by_key(|(worker, _)| *worker);
        let values = values.into_iter().map(|(_, value)| value).collect();
        if is_kept {
            return BroadcastEnd {
                values: Ok(values),
                _call: None,
            };
        }
        BroadcastEnd {
            _call: broadcast.call.take(),
            values: Err(self.failure.clone()),
        }
    }
}
