//! Changing the course of tasks and workers. Nothing here waits for what it asks for.

use std::sync::Arc;
use std::time::Duration;

use taskq_core::id::TaskId;
use taskq_core::Input;
use taskq_payload::payload::Payload;

use super::{make_room_for_sessions, Queue, WaitOutcome};
use crate::error::PushError;
use crate::state::BroadcastEnd;
use crate::state::Wanted;

impl Queue {
    /// Ends tasks, those that run after `grace` by force. Returns for each its name, and whether it was not done
    /// before.
    pub fn cancel(&self, tasks: &[TaskId], grace: Duration) -> Vec<(String, bool)> {
        let input = Input::Cancel {
            tasks: tasks.to_vec(),
            grace: Some(grace),
        };
        self.door.ask(|state, now| state.cancel(tasks, input, now))
    }

    /// From now on there is this number of workers, or, for an elastic queue, between these numbers.
    pub fn resize(&self, workers: u32, max_workers: u32) {
        make_room_for_sessions(workers.max(max_workers));
        self.input(Input::Resize {
            workers,
            max_workers,
        });
    }

    /// Has every session run a broadcast, those that are there between two tasks, those that come before their first.
    /// Returns its number. It is to be waited for, and [ended](Queue::end_broadcast).
    ///
    /// # Errors
    /// As [`push`](Queue::push).
    pub fn run_everywhere(&self, call: Payload) -> Result<u64, PushError> {
        let call = Arc::new(call);
        Ok(self
            .door
            .ask(|state, now| state.run_everywhere(call, now))?)
    }

    /// Waits until the sessions that are there have run a broadcast, or one has failed in it, but no longer than
    /// `timeout`.
    #[must_use]
    pub fn wait_for_broadcast(&self, broadcast: u64, timeout: Duration) -> WaitOutcome {
        self.wait(Wanted::Broadcast(broadcast), timeout, |state| {
            (!state.is_open(broadcast)).then_some(WaitOutcome::Done)
        })
    }

    /// What became of a broadcast. One that was not waited for to its end is as if it had never been.
    #[must_use]
    pub fn end_broadcast(&self, broadcast: u64) -> BroadcastEnd {
        self.door
            .ask(|state, now| state.end_broadcast(broadcast, now))
    }

    /// No task is handed out any more.
    pub fn pause(&self) {
        self.input(Input::Pause);
    }

    /// Tasks are handed out again.
    pub fn resume(&self) {
        self.input(Input::Resume);
    }

    /// Whether tasks are held back by [`pause`](Queue::pause).
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.door.look().sched().is_paused()
    }
}
