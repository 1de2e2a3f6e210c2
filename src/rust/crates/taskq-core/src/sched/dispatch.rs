//! Which task goes to which worker, and what is fetched back.
//!
//! The oldest waiting task goes to an idle worker; only when there is none, and tasks are short by
//! measurement, behind the running task of a busy one. What lies ahead is recalled as soon as the
//! head turns out to be long, so that look-ahead never holds a task up for longer than
//! `recall_after`.
//!
//! Invariant: after every input, no task waits while a worker is idle, unless the queue is paused or
//! the nursery is not up.

use crate::action::Action;
use crate::id::{TaskId, Time, WorkerId};
use crate::task::Phase;
use crate::timers::Timer;

use super::machine::{Mode, Nursery, Scheduler};

impl Scheduler {
    /// Sends waiting tasks as long as somebody can take them.
    pub(super) fn dispatch(&mut self) {
        if self.paused || self.nursery != Nursery::Up {
            return;
        }
        while let Some(task) = self.tasks.next_waiting() {
            let idle = self.pool.next_idle();
            let Some(worker) = idle.or_else(|| self.room_ahead()) else {
                return;
            };
            self.send(task, worker, idle.is_some());
        }
    }

    /// Asks back what lies behind the head of this worker's line, and lets nothing more follow it.
    pub(super) fn recall(&mut self, worker: WorkerId) {
        self.pool.bar(worker);
        self.timers.clear(Timer::Recall(worker));
        if self.pool.is_killed(worker) {
            return;
        }
        let attempts = self.pool.ask_back(worker);
        if !attempts.is_empty() {
            self.act(Action::Recall { worker, attempts });
        }
    }

    /// Sets the recall timer of this worker exactly when there is something to recall.
    pub(super) fn watch_line(&mut self, worker: WorkerId) {
        let timer = Timer::Recall(worker);
        let killed = self.pool.is_killed(worker);
        let head = self
            .pool
            .head(worker)
            .filter(|_| !killed && self.pool.has_to_recall(worker));
        match head.and_then(|head| self.running_since(head.task)) {
            Some(since) => self
                .timers
                .set(timer, since.after(self.config.recall_after)),
            None => self.timers.clear(timer),
        }
    }

    /// No task is sent any more.
    pub(super) fn pause(&mut self) {
        if self.mode != Mode::Open {
            return;
        }
        self.paused = true;
        let workers: Vec<WorkerId> = self.pool.workers().map(|(id, _)| id).collect();
        for worker in workers {
            if self.pool.has_to_recall(worker) {
                self.recall(worker);
            }
        }
    }

    /// Tasks are sent again.
    pub(super) fn resume(&mut self) {
        self.paused = false;
    }

    fn send(&mut self, task: TaskId, worker: WorkerId, head: bool) {
        let attempt = self.tasks.send(task, worker, head, self.now);
        self.pool.push(worker, attempt);
        if !head {
            self.watch_line(worker);
        }
        self.act(Action::Send { worker, attempt });
    }

    /// The busy worker with the shortest line, if one more task may lie ahead there.
    fn room_ahead(&mut self) -> Option<WorkerId> {
        let look_ahead = self.config.look_ahead;
        let depth = self
            .mean_run_time
            .fitting(look_ahead.budget)
            .min(look_ahead.max.into());
        loop {
            // A line holds its head and what lies ahead.
            let (length, worker) = self.pool.shortest_open()?;
            if length as u64 > depth || depth == 0 {
                return None;
            }
            let head = self.pool.head(worker)?;
            let since = self.running_since(head.task)?;
            if self.now < since.after(self.config.recall_after) {
                return Some(worker);
            }
            self.pool.bar(worker);
        }
    }

    fn running_since(&self, task: TaskId) -> Option<Time> {
        match self.tasks.get(task)?.phase {
            Phase::Running { since, .. } => Some(since),
            Phase::Waiting | Phase::Ahead { .. } | Phase::Done(_) => None,
        }
    }
}
