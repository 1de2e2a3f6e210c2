//! What sessions say about the attempts they were sent.
//!
//! Owns how an attempt leaves a line and what its worker does next. An attempt that is not in the
//! line of the worker that speaks of it is over: the message is stale. Answers come on two channels,
//! so they need not come in the order of the line.

use crate::action::Action;
use crate::id::{AttemptId, TaskId, Time, WorkerId};
use crate::input::Verdict;
use crate::outcome::Outcome;
use crate::run_time::plausible;
use crate::task::{End, Phase};
use crate::timers::Timer;

use super::machine::Scheduler;

impl Scheduler {
    /// An attempt has ended by itself.
    pub(super) fn finished(
        &mut self,
        worker: WorkerId,
        attempt: AttemptId,
        verdict: Verdict,
        (began, ended): (Time, Time),
    ) {
        let task = attempt.task;
        let queued = self.tasks.get(task).map(|task| task.queued);
        let Some(queued) = queued.filter(|_| self.pool.pull(worker, attempt)) else {
            self.stale += 1;
            return;
        };
        let (began, ended) = plausible(began, ended, queued, self.now);
        self.mean_run_time.learn(ended.since(began));
        let outcome = match verdict {
            Verdict::Success => Outcome::Success,
            Verdict::Error => Outcome::Error,
            Verdict::Interrupted => Outcome::Cancelled,
        };
        self.pool.count_task(worker);
        self.tasks.count_try(task);
        self.conclude(
            task,
            End {
                outcome,
                finished: ended,
                ran: Some((worker, began)),
            },
        );
        self.advance_line(worker);
    }

    /// Attempts have not begun, and never will.
    pub(super) fn returned(&mut self, worker: WorkerId, attempts: &[AttemptId]) {
        let mut shortened = false;
        for &attempt in attempts {
            if self.pool.pull(worker, attempt) {
                shortened = true;
                self.not_begun(attempt.task);
            } else {
                self.stale += 1;
            }
        }
        if shortened {
            self.advance_line(worker);
        }
    }

    /// A task that was sent has not begun: it waits again, unless its end was asked for or nothing
    /// can run it.
    pub(super) fn not_begun(&mut self, task: TaskId) {
        let outcome = if self.is_cancelling(task) {
            Outcome::Cancelled
        } else if self.starts.given_up {
            Outcome::NoWorker
        } else {
            self.tasks.give_back(task);
            return;
        };
        self.conclude(
            task,
            End {
                outcome,
                finished: self.now,
                ran: None,
            },
        );
    }

    /// Gives a task its outcome.
    pub(super) fn conclude(&mut self, task: TaskId, end: End) {
        if self.is_cancelling(task) {
            self.timers.clear(Timer::Grace(task));
        }
        if self.tasks.finish(task, end) {
            self.totals.count(&end.outcome);
            self.act(Action::Done { task });
        }
    }

    /// Whether a task was sent and its end was asked for.
    pub(super) fn is_cancelling(&self, task: TaskId) -> bool {
        match self.tasks.get(task).map(|task| &task.phase) {
            Some(Phase::Ahead { cancelling, .. } | Phase::Running { cancelling, .. }) => {
                *cancelling
            }
            Some(Phase::Waiting | Phase::Done(_)) | None => false,
        }
    }

    /// Lets the line of a worker, from which something was taken, go on.
    fn advance_line(&mut self, worker: WorkerId) {
        let Some(head) = self.pool.head(worker) else {
            self.line_is_empty(worker);
            return;
        };
        if self.tasks.promote(head.task, self.now) {
            self.pool.unbar(worker);
            if self.is_cancelling(head.task) {
                self.recall(worker);
            }
        }
        self.watch_line(worker);
    }

    fn line_is_empty(&mut self, worker: WorkerId) {
        self.timers.clear(Timer::Recall(worker));
        let Some((number, seat)) = self.pool.seat_of(worker) else {
            return;
        };
        let leaving = seat.leaving;
        if self.pool.is_killed(worker) {
            // It is about to die: nothing more is expected of it, its seat gets a new session.
            self.pool.detach(worker);
        } else if leaving {
            self.pool.detach(worker);
            self.retire(worker);
        } else {
            self.pool.set_idle(worker);
            return;
        }
        if leaving {
            self.pool.drop_seat(number);
        }
    }
}
