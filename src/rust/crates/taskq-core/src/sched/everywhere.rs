//! What every session is to run, those that are there and those that come.
//!
//! Owns the list of these *entries*, of which only numbers are known here, and which session runs
//! which of them when: all in their order, a new one after its start, any other as soon as its line is
//! empty. Meanwhile it is Starting: it is sent nothing, and who waits for workers waits for it. What
//! fails is a start that has failed.
//!
//! | an entry is | as long as                                                                              |
//! |-------------|-----------------------------------------------------------------------------------------|
//! | Open        | a seat has a session that is to run it, or is to get one                                |
//! | Kept        | for good: every session that is launched will run it                                    |
//! | Withdrawn   | for good: while it was open, a session has failed in it, or the host gave it up. Those  |
//! |             | that have run it are replaced: it is as if it had never been                            |
//!
//! So what is wrong with an entry costs the sessions that there are, not the queue.

use taskq_record::{Time, WorkerId};

use crate::action::Action;
use crate::error::SubmitError;
use crate::view::EntryState;
use crate::worker::Stage;

use super::machine::Scheduler;

impl Scheduler {
    /// Has every session run something: the number of this entry, from 1.
    ///
    /// # Errors
    /// As [`submit`](Scheduler::submit), where the queue takes no tasks.
    pub fn run_everywhere(&mut self, now: Time) -> Result<u64, SubmitError> {
        self.submit_all(now, Vec::new())?;
        self.entries.push(EntryState::Open);
        for worker in self.all_workers() {
            match self.pool.worker(worker).map(|worker| &worker.stage) {
                Some(Stage::Idle { .. }) => {
                    self.run_next_entry(worker);
                }
                // Nothing is sent behind what it gives back, or has begun meanwhile.
                Some(Stage::Busy { .. }) => self.recall(worker),
                Some(Stage::Starting { .. } | Stage::Gone) | None => {}
            }
        }
        self.go_on();
        Ok(self.entries.len() as u64)
    }

    /// What has become of an entry.
    #[must_use]
    pub fn entry(&self, number: u64) -> Option<EntryState> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.entries.get(place).copied()
    }

    /// Which entry a session runs, if it runs one.
    #[must_use]
    pub fn entry_of(&self, worker: WorkerId) -> Option<u64> {
        let entry = self.pool.starting(worker)?.entry;
        (entry > 0).then_some(entry)
    }

    /// An entry shall not have been, if it is open still.
    pub(super) fn withdraw(&mut self, number: u64) {
        if self.entry(number) != Some(EntryState::Open) {
            return;
        }
        self.entries[number as usize - 1] = EntryState::Withdrawn;
        for worker in self.all_workers() {
            let Some(known) = self
                .pool
                .worker(worker)
                .filter(|known| known.entry >= number)
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

    /// Has a session without a task run the next entry, if there is one. Idle, or Starting, it is Starting then.
    pub(super) fn run_next_entry(&mut self, worker: WorkerId) -> bool {
        let Some(entry) = self.next_entry(worker) else {
            return false;
        };
        self.pool.set_entry(worker, entry);
        self.act(Action::RunEntry { worker, entry });
        true
    }

    /// What a session is to run next, as every session.
    pub(super) fn next_entry(&self, worker: WorkerId) -> Option<u64> {
        let seen = self.pool.worker(worker)?.entry;
        let mut next = seen + 1..=self.entries.len() as u64;
        next.find(|&number| self.entry(number) != Some(EntryState::Withdrawn))
    }

    /// A session that was Starting has failed. Whether an open entry is to blame, which is withdrawn.
    pub(super) fn fails_in_entry(&mut self, entry: u64) -> bool {
        let is_to_blame = self.entry(entry) == Some(EntryState::Open);
        if is_to_blame {
            self.withdraw(entry);
        }
        is_to_blame
    }

    /// The entries that every session has run which is to run them are kept.
    pub(super) fn keep_entries(&mut self) {
        if !self.entries.contains(&EntryState::Open) {
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
                    Stage::Starting { .. } => known.entry <= number,
                    Stage::Idle { .. } | Stage::Busy { .. } => known.entry < number && !is_ending,
                    Stage::Gone => false,
                }
            })
        };
        let numbers = 1..=self.entries.len() as u64;
        let kept: Vec<u64> = numbers
            .filter(|&number| self.entry(number) == Some(EntryState::Open) && !lacks(number))
            .collect();
        for number in kept {
            self.entries[number as usize - 1] = EntryState::Kept;
        }
    }

    fn all_workers(&self) -> Vec<WorkerId> {
        self.pool.workers().map(|(id, _)| id).collect()
    }
}
