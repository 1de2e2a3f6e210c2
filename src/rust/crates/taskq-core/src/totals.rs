//! What a queue has done since its start.
//!
//! Only sums: nothing here is ever taken back, and nothing in the scheduler depends on it.

use std::time::Duration;

use taskq_record::Outcome;
/// What a queue has done since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Tasks that were accepted.
    pub submitted: u64,
    /// Tasks that were done and taken, or left because they were not wanted.
    pub taken: u64,
    /// Tasks that ended so, taken or not.
    pub success: u64,
    /// See [`Outcome::Error`].
    pub error: u64,
    /// See [`Outcome::Crash`].
    pub crash: u64,
    /// See [`Outcome::Timeout`].
    pub timeout: u64,
    /// See [`Outcome::Cancelled`].
    pub cancelled: u64,
    /// See [`Outcome::Skipped`].
    pub skipped: u64,
    /// See [`Outcome::NoWorker`].
    pub no_worker: u64,
    /// Attempts that failed and were followed, or are to be followed, by another one.
    pub retries: u64,
    /// Sessions that became ready.
    pub sessions_ready: u64,
    /// Sessions that ended in a task or idle, without having been told to.
    pub sessions_died: u64,
    /// Sessions that were told to leave so that a new one takes their seat: those that had done
    /// their share of tasks, had grown too large, or made room for, or had run, an isolated task.
    pub sessions_recycled: u64,
    /// Attempts that have run and ended.
    pub attempts: u64,
    /// For how long these have run.
    pub run_time: Duration,
    /// Tasks that have run once or more.
    pub begun: u64,
    /// For how long these had waited for it, since they were pushed.
    pub wait_time: Duration,
}

impl Totals {
    /// Counts a task that has ended.
    pub(crate) fn count(&mut self, outcome: &Outcome) {
        let sum = match outcome {
            Outcome::Success => &mut self.success,
            Outcome::Error => &mut self.error,
            Outcome::Crash { .. } => &mut self.crash,
            Outcome::Timeout => &mut self.timeout,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Skipped { .. } => &mut self.skipped,
            Outcome::NoWorker => &mut self.no_worker,
        };
        *sum += 1;
    }

    /// How many tasks have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.success
            + self.error
            + self.crash
            + self.timeout
            + self.cancelled
            + self.skipped
            + self.no_worker
    }
}
