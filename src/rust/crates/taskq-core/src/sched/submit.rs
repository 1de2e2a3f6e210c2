//! Tasks come in, and leave for good.
//!
//! Owns who is refused and why, what a key does, and what becomes of what is not wanted any more. A refused submission,
//! of one task or of many, has changed nothing, and neither has a refused take.

use std::collections::HashSet;

use taskq_record::{Outcome, TaskId, Time};

use crate::action::Action;
use crate::error::SubmitError;
use crate::submission::Submission;
use crate::task::Phase;

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
        self.admit(usize::from(task.needs_room()))?;
        let after = self.tasks.admit(&task)?;
        self.advance_clock(now);
        let id = self.enter(task, &after);
        self.go_on();
        Ok(id)
    }

    /// Adds tasks, as if they were submitted one after the other, but all of them or none. None may
    /// be to run after another one of them.
    ///
    /// # Errors
    ///
    /// As [`submit`](Scheduler::submit). Full is a queue without room for all of them; when it can
    /// never have so much, these are too many. A label that two of them have is in use.
    pub fn submit_all(
        &mut self,
        now: Time,
        tasks: Vec<Submission>,
    ) -> Result<Vec<TaskId>, SubmitError> {
        let count = tasks.iter().filter(|task| task.needs_room()).count();
        let full = self.admit(count);
        let limit = self.config.max_waiting;
        if full == Err(SubmitError::Full) && count > limit {
            return Err(SubmitError::TooMany { limit });
        }
        full?;
        let mut labels: HashSet<&str> = HashSet::new();
        let mut admitted = Vec::with_capacity(tasks.len());
        for task in &tasks {
            admitted.push(self.tasks.admit(task)?);
            if let Some(label) = task.label.as_ref() {
                if !labels.insert(label) {
                    let label = label.clone();
                    return Err(SubmitError::Duplicate { label });
                }
            }
        }
        // Needed where some bring a label and others do not.
        if labels.len() == tasks.len() {
            labels.clear();
        }
        let labels: HashSet<Box<str>> = labels.into_iter().map(Box::from).collect();
        self.advance_clock(now);
        let mut ids = Vec::with_capacity(tasks.len());
        for (mut task, after) in tasks.into_iter().zip(admitted) {
            if task.label.is_none() && !labels.is_empty() {
                task.label = Some(
                    self.tasks
                        .automatic_label(task.part, |label| labels.contains(label)),
                );
            }
            ids.push(self.enter(task, &after));
        }
        self.go_on();
        Ok(ids)
    }

    /// An automatic label for a task that is about to be submitted. No other task gets it that brings none.
    pub fn reserve_label(&mut self) -> Box<str> {
        self.tasks.automatic_label(false, |_| false)
    }

    /// The last `count` labels that were [reserved](Scheduler::reserve_label) are not needed.
    pub fn release_labels(&mut self, count: usize) {
        self.tasks.release_labels(count);
    }

    /// A number for something that counts as one task, but consists of [parts](Submission::part).
    pub fn number(&mut self) -> TaskId {
        self.tasks.number()
    }

    /// From now on the result of a task, which may be done already, belongs to whoever calls this, as
    /// if it had been submitted [so](Submission::claimed). False when it is there no more, or
    /// belongs to somebody already.
    pub fn claim(&mut self, task: TaskId) -> bool {
        self.tasks.claim(task)
    }

    /// Somebody was told that these tasks are done: they are [news](Scheduler::news) no more. False, and no change,
    /// when one of them is none.
    pub fn tell(&mut self, tasks: &[TaskId]) -> bool {
        self.tasks.tell(tasks)
    }

    /// The claimant of a task does not want its result any more: it is cancelled, and leaves the queue
    /// as soon as it is done. Nothing happens to a task that was not claimed.
    pub fn disown(&mut self, now: Time, task: TaskId) {
        if !self.tasks.disown(task) {
            return;
        }
        self.advance_clock(now);
        if matches!(
            self.tasks.get(task).map(|task| &task.phase),
            Some(Phase::Done(_))
        ) {
            self.forget(task);
        } else {
            self.cancel_one(task, None);
        }
        self.go_on();
        self.wind_down();
    }

    /// Removes a done task that is not wanted.
    pub(super) fn forget(&mut self, task: TaskId) {
        if self.take(task) {
            self.act(Action::Forget { task });
        }
    }

    /// Whether the queue takes `count` tasks.
    fn admit(&self, count: usize) -> Result<(), SubmitError> {
        if self.mode != Mode::Open {
            Err(SubmitError::Closed)
        } else if self.starts.given_up {
            Err(SubmitError::Failed)
        } else if count > 0 && !self.has_room(count) {
            Err(SubmitError::Full)
        } else {
            Ok(())
        }
    }

    fn enter(&mut self, task: Submission, after: &[TaskId]) -> TaskId {
        if let Some(previous) = task.key.as_ref().and_then(|key| self.tasks.keyed(key)) {
            self.cancel_one(previous, None);
        }
        let id = self.tasks.add(self.now, task, after);
        self.totals.submitted += 1;
        if let Some(after) = self.first_failed(after) {
            self.conclude_now(id, Outcome::Skipped { after });
        }
        id
    }

    /// Removes a done task for good; its label is free again. False, and no change, for any other.
    pub fn take(&mut self, task: TaskId) -> bool {
        let taken = self.tasks.remove(task);
        self.totals.taken += u64::from(taken);
        taken
    }
}
