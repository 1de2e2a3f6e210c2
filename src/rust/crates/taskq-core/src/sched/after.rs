//! The end of a task, and what it means for those that are to run after it.
//!
//! Owns how an outcome is given. A task is held until all that it is to run after have succeeded;
//! when one of them ends otherwise, it is skipped, and so are those after it, however many there
//! are. One that was submitted after a task that has failed already is skipped at once.

use std::sync::Arc;

use taskq_record::{Ended, Outcome, TaskId};

use crate::action::Action;
use crate::task::{Claim, End, Hold, Phase, Task};
use crate::timers::Timer;

use super::machine::Scheduler;

impl Scheduler {
    /// Gives a task its outcome, and those that it held what follows for them.
    pub(super) fn conclude(&mut self, task: TaskId, end: End) {
        // A chain of tasks may be longer than the stack is deep.
        let mut skipped = Vec::new();
        let mut next = Some((task, end));
        while let Some((task, end)) = next {
            self.conclude_one(task, end, &mut skipped);
            next = skipped.pop();
        }
    }

    /// The first of these that has ended, and not with success.
    pub(super) fn first_failed(&self, after: &[TaskId]) -> Option<TaskId> {
        let failed = |&id: &TaskId| match self.tasks.get(id).map(|task| &task.phase) {
            Some(Phase::Done(end)) => end.outcome != Outcome::Success,
            _ => false,
        };
        after.iter().copied().find(failed)
    }

    /// Gives a task that no session runs its outcome.
    pub(super) fn conclude_now(&mut self, task: TaskId, outcome: Outcome) {
        let end = self.end_now(outcome);
        self.conclude(task, end);
    }

    /// Notes that an attempt is over, for the driver's record.
    pub(super) fn note_end(&mut self, id: TaskId, end: &End, retried: bool) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        self.ended.push_back(Ended {
            task: id,
            label: Arc::clone(&task.label),
            tag: task.tag().cloned(),
            claimed: task.claim() != Claim::Open,
            tries: task.tries,
            queued: task.waits_since(),
            ran: end.ran,
            ended: end.finished,
            outcome: end.outcome,
            retried,
        });
    }

    /// Clears the timers of a task that is about to leave its phase.
    pub(super) fn clear_timers_of(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let timer = match task.phase {
            Phase::Running { stopping: None, .. } if task.timeout().is_some() => Timer::Timeout(id),
            Phase::Running {
                stopping: Some(_), ..
            }
            | Phase::Ahead {
                stopping: Some(_), ..
            } => Timer::Grace(id),
            Phase::Held(Hold::Backoff) => Timer::Retry(id),
            _ => return,
        };
        self.timers.clear(timer);
    }

    fn conclude_one(&mut self, task: TaskId, end: End, skipped: &mut Vec<(TaskId, End)>) {
        self.clear_timers_of(task);
        if !self.tasks.finish(task, end) {
            return;
        }
        self.note_end(task, &end, false);
        self.totals.count(&end.outcome);
        let wanted = self.tasks.get(task).map(Task::claim) != Some(Claim::Disowned);
        if wanted {
            self.act(Action::Done { task });
        }
        for held in self.tasks.held_by(task) {
            if end.outcome == Outcome::Success {
                self.tasks.release(held);
            } else {
                let after = task;
                skipped.push((held, self.end_now(Outcome::Skipped { after })));
            }
        }
        if !wanted {
            self.forget(task);
        }
    }

    fn end_now(&self, outcome: Outcome) -> End {
        End {
            outcome,
            finished: self.now,
            ran: None,
        }
    }
}
