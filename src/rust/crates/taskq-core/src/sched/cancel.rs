//! How a task is ended before its time, because its user wants it or because it has run too long.
//!
//! A task that was sent is never given up on: it stays as it is until its session has answered or is
//! gone, so that its outcome is the truth. First it is interrupted, then its session is killed.

use std::time::Duration;

use taskq_record::{AttemptId, Outcome, TaskId, Time, WorkerId};

use crate::action::Action;
use crate::task::{Phase, Stopping};
use crate::timers::Timer;
use crate::view::Stop;

use super::machine::Scheduler;

/// An interrupt is not repeated faster than this, however short grace is.
const SHORTEST_REPEAT: Duration = Duration::from_millis(1);

impl Scheduler {
    /// The user wants these tasks to end.
    pub(super) fn cancel(&mut self, mut tasks: Vec<TaskId>, grace: Option<Duration>) {
        // A task is younger than those that it is to run after, so it is cancelled before it could
        // be skipped because of one of them.
        tasks.sort_unstable_by(|a, b| b.cmp(a));
        for task in tasks {
            self.cancel_one(task, grace);
        }
    }

    /// Ends a task, or asks its session to.
    pub(super) fn cancel_one(&mut self, task: TaskId, grace: Option<Duration>) {
        let Some(phase) = self.tasks.get(task).map(|task| &task.phase) else {
            return;
        };
        let grace = grace.unwrap_or(self.config.grace);
        match *phase {
            Phase::Done(_) => {}
            Phase::Held(_) | Phase::Waiting => {
                self.conclude_now(task, Outcome::Cancelled);
            }
            Phase::Ahead { stopping, .. } | Phase::Running { stopping, .. } => {
                let (why, asked) = (Stop::Cancel, self.now);
                match stopping {
                    None => self.stop(task, Stopping { why, asked }, grace),
                    Some(Stopping { asked, .. }) => {
                        self.tasks.stop(task, Stopping { why, asked });
                        self.hasten(task, grace);
                    }
                }
            }
        }
    }

    /// Sets the timer of a task that has just become the head of its line.
    pub(super) fn watch_run(&mut self, task: TaskId) {
        if let Some(due) = self.run_is_due(task) {
            self.timers.set(Timer::Timeout(task), due);
        }
    }

    /// A task has run for as long as it may.
    pub(super) fn run_is_over(&mut self, task: TaskId) {
        if let Some(asked) = self.run_is_due(task) {
            let why = Stop::Timeout;
            self.stop(task, Stopping { why, asked }, self.config.grace);
        }
    }

    /// When a running task whose end was not asked for has run for as long as it may.
    pub(super) fn run_is_due(&self, task: TaskId) -> Option<Time> {
        let task = self.tasks.get(task)?;
        match task.phase {
            Phase::Running {
                since,
                stopping: None,
                ..
            } => Some(since.after(task.timeout()?)),
            _ => None,
        }
    }

    /// A task that was asked to end has not done so in time.
    pub(super) fn grace_is_over(&mut self, task: TaskId) {
        match self.tasks.get(task).map(|task| &task.phase) {
            Some(&Phase::Running {
                worker,
                stopping: Some(_),
                ..
            }) => self.kill_worker(worker),
            Some(&Phase::Ahead {
                worker,
                stopping: Some(_),
            }) if !self.pool.is_killed(worker) => {
                // Its turn has not come, so its session owes an answer, but not its life.
                self.interrupt(worker, task);
                let pause = self.config.grace.max(SHORTEST_REPEAT);
                self.timers.set(Timer::Grace(task), self.now.after(pause));
            }
            _ => {}
        }
    }

    /// Asks the session of a task to end it.
    fn stop(&mut self, task: TaskId, stopping: Stopping, grace: Duration) {
        let Some(phase) = self.tasks.get(task).map(|task| &task.phase) else {
            return;
        };
        let head = matches!(phase, Phase::Running { .. });
        let Some((worker, _)) = phase.sent() else {
            return;
        };
        self.clear_timers_of(task);
        self.tasks.stop(task, stopping);
        if head {
            // It may take long, or its session may have to be killed: save what lies behind it.
            self.recall(worker);
        }
        if !self.pool.is_killed(worker) {
            self.interrupt(worker, task);
            self.timers.set(Timer::Grace(task), self.now.after(grace));
        }
    }

    /// Shortens the grace of a task, if it has longer.
    fn hasten(&mut self, task: TaskId, grace: Duration) {
        let timer = Timer::Grace(task);
        let due = self.now.after(grace);
        if self.timers.get(timer).is_some_and(|before| due < before) {
            self.timers.set(timer, due);
        }
    }

    fn interrupt(&mut self, worker: WorkerId, task: TaskId) {
        let number = self.tasks.get(task).map_or(0, |task| task.sends);
        let attempt = AttemptId { task, number };
        self.pool.ask_one_back(worker, attempt);
        self.watch_line(worker);
        self.act(Action::Interrupt { worker, attempt });
    }
}
