//! How a task is ended before its time.
//!
//! A task that was sent is never given up on: it stays as it is until its session has answered or is
//! gone, so that its outcome is the truth. First it is interrupted, then its session is killed.

use std::time::Duration;

use crate::action::Action;
use crate::id::{AttemptId, TaskId, WorkerId};
use crate::outcome::Outcome;
use crate::task::{End, Phase};
use crate::timers::Timer;

use super::machine::Scheduler;

/// An interrupt is not repeated faster than this, however short grace is.
const SHORTEST_REPEAT: Duration = Duration::from_millis(1);

impl Scheduler {
    /// The user wants a task to end.
    pub(super) fn cancel(&mut self, task: TaskId) {
        let Some((phase, sends)) = self.tasks.get(task).map(|task| (&task.phase, task.sends))
        else {
            return;
        };
        let (worker, head) = match *phase {
            Phase::Done(_) => return,
            Phase::Waiting => {
                let (outcome, finished) = (Outcome::Cancelled, self.now);
                self.conclude(
                    task,
                    End {
                        outcome,
                        finished,
                        ran: None,
                    },
                );
                return;
            }
            Phase::Ahead { worker, .. } => (worker, false),
            Phase::Running { worker, .. } => (worker, true),
        };
        if !self.tasks.cancel(task) {
            return;
        }
        if head {
            // It may take long, or its session may have to be killed: save what lies behind it.
            self.recall(worker);
        }
        if !self.pool.is_killed(worker) {
            self.interrupt(
                worker,
                AttemptId {
                    task,
                    number: sends,
                },
            );
            self.timers
                .set(Timer::Grace(task), self.now.after(self.config.grace));
        }
    }

    /// A task that was asked to end has not done so in time.
    pub(super) fn grace_is_over(&mut self, task: TaskId) {
        let Some((phase, sends)) = self.tasks.get(task).map(|task| (&task.phase, task.sends))
        else {
            return;
        };
        match *phase {
            Phase::Running {
                worker,
                cancelling: true,
                ..
            } => self.kill_worker(worker),
            Phase::Ahead {
                worker,
                cancelling: true,
            } => {
                // Its turn has not come, so its session owes an answer, but not its life.
                if !self.pool.is_killed(worker) {
                    self.interrupt(
                        worker,
                        AttemptId {
                            task,
                            number: sends,
                        },
                    );
                    let pause = self.config.grace.max(SHORTEST_REPEAT);
                    self.timers.set(Timer::Grace(task), self.now.after(pause));
                }
            }
            Phase::Ahead { .. } | Phase::Running { .. } | Phase::Waiting | Phase::Done(_) => {}
        }
    }

    fn interrupt(&mut self, worker: WorkerId, attempt: AttemptId) {
        self.pool.ask_one_back(worker, attempt);
        self.watch_line(worker);
        self.act(Action::Interrupt { worker, attempt });
    }
}
