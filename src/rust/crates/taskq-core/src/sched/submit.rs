//! Tasks come in, and leave for good.
//!
//! Owns who is refused and why, and what a key does. A refused submission, like a refused take, has
//! changed nothing.

use crate::error::SubmitError;
use crate::id::{TaskId, Time};
use crate::outcome::Outcome;
use crate::submission::Submission;

use super::machine::{Mode, Scheduler};

impl Scheduler {
    /// Adds a task. O(log n) in the number of tasks, for each that it is to run after.
    ///
    /// The unfinished task with the same key, if there is one, is cancelled, whatever it is doing.
    ///
    /// # Errors
    ///
    /// In this order: when the queue is closing, closed, failed, or full; when the label is reserved
    /// or in use; when one of those that it is to run after is not in the queue.
    pub fn submit(&mut self, now: Time, task: Submission) -> Result<TaskId, SubmitError> {
        if self.mode != Mode::Open {
            return Err(SubmitError::Closed);
        }
        if self.starts.given_up {
            return Err(SubmitError::Failed);
        }
        if !self.has_room() {
            return Err(SubmitError::Full);
        }
        let after = self.tasks.admit(&task)?;
        self.advance_clock(now);
        if let Some(previous) = task.key.as_ref().and_then(|key| self.tasks.keyed(key)) {
            self.cancel_one(previous, None);
        }
        let id = self.tasks.add(self.now, task, &after);
        self.totals.submitted += 1;
        if let Some(after) = self.first_failed(&after) {
            self.conclude_now(id, Outcome::Skipped { after });
        }
        self.go_on();
        Ok(id)
    }

    /// Removes a done task for good; its label is free again. False, and no change, for any other.
    pub fn take(&mut self, task: TaskId) -> bool {
        let taken = self.tasks.remove(task);
        self.totals.taken += u64::from(taken);
        taken
    }
}
