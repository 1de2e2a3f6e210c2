//! Whether a task that failed is tried again, and when.
//!
//! Owns that decision. Only an attempt that had begun is a try, so that a task is never begun more
//! often than its user allows. The delay before a try is held as a timer, not in a line: no worker
//! waits for it.

use std::time::Duration;

use taskq_record::{Outcome, TaskId, TaskOptions, Time, WorkerId};

use crate::timers::Timer;
use crate::view::Stop;

use super::machine::{Mode, Scheduler};

impl Scheduler {
    /// Whether a task, an attempt of which has just ended so, is tried again.
    pub(super) fn is_retried(&self, id: TaskId, outcome: &Outcome) -> bool {
        let Some(task) = self.tasks.get(id) else {
            return false;
        };
        let Some(options) = task.options() else {
            return false;
        };
        let cancelled = self
            .stopping(id)
            .is_some_and(|stopping| stopping.why == Stop::Cancel);
        let nobody_minds = !cancelled && !self.starts.given_up && self.mode != Mode::Closed;
        nobody_minds && task.tries < options.tries && is_retried_on(options, outcome)
    }

    /// Tries a task again, at once or when its delay is over.
    pub(super) fn retry(&mut self, task: TaskId, ran: (WorkerId, Time), until: Time) {
        self.clear_timers_of(task);
        self.totals.retries += 1;
        self.tasks.again(task, ran, until);
        let delay = self.delay(task);
        if delay.is_zero() {
            self.tasks.release(task);
        } else {
            self.timers.set(Timer::Retry(task), self.now.after(delay));
        }
    }

    /// How long a task is held before its next try: the backoff doubled for each try but the first,
    /// and shortened by up to a half, by chance, so that tasks which failed together do not come
    /// back together.
    fn delay(&self, id: TaskId) -> Duration {
        let Some(task) = self.tasks.get(id) else {
            return Duration::ZERO;
        };
        let backoff = task
            .options()
            .map_or(Duration::ZERO, |options| options.backoff);
        if backoff.is_zero() {
            return Duration::ZERO;
        }
        let nanos = u64::try_from(backoff.as_nanos()).unwrap_or(u64::MAX);
        let doublings = task.tries.saturating_sub(1);
        let longest = if doublings <= nanos.leading_zeros() {
            nanos << doublings.min(63)
        } else {
            u64::MAX
        };
        let chance = hash([self.config.jitter_seed, id.0, task.tries.into()]);
        // A number between a half and one, in units of 2^-64.
        let share = (1 << 63) | (chance >> 1);
        let nanos = (u128::from(longest) * u128::from(share)) >> 64;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

fn is_retried_on(options: &TaskOptions, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Crash { .. } => options.retry_on.crash,
        Outcome::Timeout => options.retry_on.timeout,
        Outcome::Error => options.retry_on.error,
        Outcome::Success | Outcome::Cancelled | Outcome::Skipped { .. } | Outcome::NoWorker => {
            false
        }
    }
}

/// Mixes numbers so that each bit of the result depends on all of them (splitmix64).
fn hash(numbers: [u64; 3]) -> u64 {
    numbers.into_iter().fold(0, |state, number| {
        let mut z = (state ^ number).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}
