//! Broadcasts: calls that every session runs, those that are there and those that come.
//!
//! Owns the list of them, of which only numbers are known here, and which session runs which of them
//! when: all in their order, a new session after its start, any other as soon as its line is empty.
//! Meanwhile it is Starting: it is sent nothing, and who waits for workers waits for it. One that fails
//! is a start that has failed.
//!
//! | a broadcast is | as long as                                                                            |
//! |----------------|---------------------------------------------------------------------------------------|
//! | Open           | a seat has a session that is to run it, or is to get one                              |
//! | Kept           | for good: every session that is launched will run it                                  |
//! | Withdrawn      | for good: a session has failed in it while it was open, or the host gave it up. Those |
//! |                | that have run it are replaced: it is as if it had never been                          |
//!
//! So what is wrong with a broadcast costs the sessions that there are, not the queue.

use taskq_record::{Time, WorkerId};

use crate::action::Action;
use crate::error::SubmitError;
use crate::view::BroadcastState;
use crate::worker::Stage;

use super::machine::Scheduler;

impl Scheduler {
    /// Has every session run a broadcast: its number, from 1.
    ///
    /// # Errors
    /// As [`submit`](Scheduler::submit), where the queue takes no tasks.
    pub fn run_everywhere(&mut self, now: Time) -> Result<u64, SubmitError> {
        self.submit_all(now, Vec::new())?;
        self.broadcasts.push(BroadcastState::Open);
        for worker in self.all_workers() {
            match self.pool.worker(worker).map(|worker| &worker.stage) {
                Some(Stage::Idle { .. }) => {
                    self.run_next_broadcast(worker);
                }
                // Nothing is sent behind what it gives back, or has begun meanwhile.
                Some(Stage::Busy { .. }) => self.recall(worker),
                Some(Stage::Starting { .. } | Stage::Gone) | None => {}
            }
        }
        self.go_on();
        Ok(self.broadcasts.len() as u64)
    }

    /// What has become of a broadcast.
    #[must_use]
    pub fn broadcast(&self, number: u64) -> Option<BroadcastState> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.broadcasts.get(place).copied()
    }

    /// Which broadcast a session runs, if it runs one.
    #[must_use]
    pub fn broadcast_of(&self, worker: WorkerId) -> Option<u64> {
        let broadcast = self.pool.starting(worker)?.broadcast;
        (broadcast > 0).then_some(broadcast)
    }

    /// A broadcast shall not have been, if it is open still.
    pub(super) fn withdraw(&mut self, number: u64) {
        if self.broadcast(number) != Some(BroadcastState::Open) {
            return;
        }
        self.broadcasts[number as usize - 1] = BroadcastState::Withdrawn;
        for worker in self.all_workers() {
            let Some(known) = self
                .pool
                .worker(worker)
                .filter(|known| known.broadcast >= number)
            else {
                continue;
            };
            match known.stage {
                Stage::Starting { .. } => {
                    self.pool.detach(worker);
                    self.kill_worker(worker);
                }
                Stage::Idle { .. } => self.recycle(worker),
                Stage::Busy { .. } => self.wear_out(worker),
                Stage::Gone => {}
            }
        }
    }

    /// Has a session without a task run the next broadcast, if there is one. Idle, or Starting, it is Starting then.
    pub(super) fn run_next_broadcast(&mut self, worker: WorkerId) -> bool {
        let Some(broadcast) = self.next_broadcast(worker) else {
            return false;
        };
        self.pool.set_broadcast(worker, broadcast);
        self.act(Action::RunBroadcast { worker, broadcast });
        true
    }

    /// What a session is to run next, as every session.
    pub(super) fn next_broadcast(&self, worker: WorkerId) -> Option<u64> {
        let seen = self.pool.worker(worker)?.broadcast;
        let mut next = seen + 1..=self.broadcasts.len() as u64;
        next.find(|&number| self.broadcast(number) != Some(BroadcastState::Withdrawn))
    }

    /// A session that was Starting has failed. Whether an open broadcast is to blame, which is withdrawn.
    pub(super) fn fails_in_broadcast(&mut self, broadcast: u64) -> bool {
        let is_to_blame = self.broadcast(broadcast) == Some(BroadcastState::Open);
        if is_to_blame {
            self.withdraw(broadcast);
        }
        is_to_blame
    }

    /// The broadcasts that every session has run which is to run them are kept.
    pub(super) fn keep_broadcasts(&mut self) {
        if !self.broadcasts.contains(&BroadcastState::Open) {
            return;
        }
        let lacks = |number: u64| {
            self.pool.seats().any(|(_, seat)| {
                let Some(worker) = seat.worker else {
                    return true;
                };
                let Some(known) = self.pool.worker(worker) else {
                    return true;
                };
                let is_ending = seat.leaving || known.killed || self.pool.is_spent(worker);
                match known.stage {
                    Stage::Starting { .. } => known.broadcast <= number,
                    Stage::Idle { .. } | Stage::Busy { .. } => {
                        known.broadcast < number && !is_ending
                    }
                    Stage::Gone => false,
                }
            })
        };
        let numbers = 1..=self.broadcasts.len() as u64;
        let kept: Vec<u64> = numbers
            .filter(|&number| {
                self.broadcast(number) == Some(BroadcastState::Open) && !lacks(number)
            })
            .collect();
        for number in kept {
            self.broadcasts[number as usize - 1] = BroadcastState::Kept;
        }
    }

    fn all_workers(&self) -> Vec<WorkerId> {
        self.pool.workers().map(|(id, _)| id).collect()
    }
}
