//! Whether a task that failed is tried again, and when.
//!
//! Owns that decision, by the rules of [`retry_rules`]. Only an attempt that had begun is a try, so
//! that a task is never begun more often than its user allows. The delay before a try is held as a
//! timer, not in a line: no worker waits for it.

use std::time::Duration;

use taskq_record::{Outcome, TaskId, Time, WorkerId};

use crate::retry_rules;
use crate::task::Task;
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
        nobody_minds
            && task.tries < options.tries
            && retry_rules::is_retried_on(options.retry_on, outcome)
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

    fn delay(&self, id: TaskId) -> Duration {
        let task = self.tasks.get(id);
        let delay = |task: &Task| {
            let options = task.options()?;
            let seed = self.config.jitter_seed;
            Some(retry_rules::delay(options, task.tries, id, seed))
        };
        task.and_then(delay).unwrap_or_default()
    }
}
