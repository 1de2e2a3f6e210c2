//! Tasks come in, and leave for good.
//!
//! Owns who is refused and why. A refused submission, like a refused take, has changed nothing.

use crate::error::SubmitError;
use crate::id::{TaskId, Time};
use crate::submission::Submission;

use super::machine::{Mode, Scheduler};

impl Scheduler {
    /// Adds a task. O(log n) in the number of tasks.
    ///
    /// # Errors
    ///
    /// When the queue is closing, closed or failed, and when the label is reserved or in use.
    pub fn submit(&mut self, now: Time, task: Submission) -> Result<TaskId, SubmitError> {
        if self.mode != Mode::Open {
            return Err(SubmitError::Closed);
        }
        if self.starts.given_up {
            return Err(SubmitError::Failed);
        }
        let queued = self.now.max(now);
        let id = self.tasks.add(queued, task)?;
        self.totals.submitted += 1;
        self.advance_clock(now);
        self.dispatch();
        Ok(id)
    }

    /// Removes a done task for good; its label is free again. False, and no change, for any other.
    pub fn take(&mut self, task: TaskId) -> bool {
        let taken = self.tasks.remove(task);
        self.totals.taken += u64::from(taken);
        taken
    }
}
