//! Which task goes to which worker, and what is fetched back.
//!
//! The first waiting task (`waiting` says which that is) goes to an idle worker; only when there is none, and tasks are
//! short by measurement, behind the running task of a busy one. What lies ahead is recalled when the head has
//! run for `recall_after`, and when it has lain there for so long itself, because those in front of
//! it turned out longer than the mean: so look-ahead never holds a task up for longer than that.
//!
//! A task that needs a session of its own goes to an idle fresh worker. Until there is one it holds
//! up no others, but it has a claim: one of the sessions that are starting is for it, or else an idle
//! worn one is recycled, or else nothing that ranks behind it is sent ahead, so that a worker becomes
//! idle. No more sessions are recycled for such tasks than they need.
//!
//! Invariant: after every input, unless the queue is paused or the supervisor is not up: no task that
//! may share a session waits while a worker is idle; none that may not waits while a fresh worker is
//! idle; and no more of the latter wait, while a worker is idle, than sessions are starting.

use taskq_record::{TaskId, Time, WorkerId};

use crate::action::Action;
use crate::task::Phase;
use crate::timers::Timer;
use crate::waiting::Rank;

use super::machine::{Mode, Scheduler, Supervisor};

impl Scheduler {
    /// Sends waiting tasks as long as somebody can take them.
    pub(super) fn dispatch(&mut self) {
        if self.paused || self.supervisor != Supervisor::Up {
            return;
        }
        loop {
            let plain = self.tasks.waiting().first_plain();
            if self.serve_isolated(plain) {
                continue;
            }
            self.claim_sessions(plain);
            let Some(plain) = plain else { return };
            let idle = self.pool.next_idle();
            if idle.is_none() && self.must_not_overtake(plain) {
                return;
            }
            let Some(worker) = idle.or_else(|| self.room_ahead()) else {
                return;
            };
            self.send(plain.2, worker, idle.is_some());
        }
    }

    /// Sends the first task that needs a session of its own to a fresh worker, if it ranks before
    /// this one. False when it does not, or there is none of the two.
    fn serve_isolated(&mut self, before: Option<Rank>) -> bool {
        let comes_first = |rank: &Rank| before.map_or(true, |before| *rank < before);
        let first = self.tasks.waiting().first_isolated().filter(comes_first);
        let (Some((.., task)), Some(worker)) = (first, self.pool.next_fresh()) else {
            return false;
        };
        self.send(task, worker, true);
        self.wear_out(worker);
        true
    }

    /// Sees to it that as many sessions are starting as there are tasks that need one of their own
    /// and rank before this one.
    fn claim_sessions(&mut self, before: Option<Rank>) {
        while let Some(worker) = self.pool.last_worn() {
            let coming = self.pool.coming();
            if !self.tasks.waiting().more_isolated(coming, before) {
                return;
            }
            self.recycle(worker);
        }
    }

    /// Whether a task that needs a session of its own ranks before this one, and no session that is
    /// starting is for it.
    fn must_not_overtake(&self, rank: Rank) -> bool {
        let coming = self.pool.coming();
        self.tasks.waiting().more_isolated(coming, Some(rank))
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
        match self.recall_due(worker) {
            Some(due) => self.timers.set(timer, due),
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
            if self.pool.ahead_since(worker).is_some() {
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
        self.pool.push(worker, attempt, self.now);
        if head {
            self.watch_run(task);
        } else {
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

    /// When what lies behind the head of a line has to be recalled.
    fn recall_due(&self, worker: WorkerId) -> Option<Time> {
        let ahead_since = self.pool.ahead_since(worker)?;
        if self.pool.is_killed(worker) {
            return None;
        }
        let head = self.pool.head(worker)?;
        let since = self.running_since(head.task)?.min(ahead_since);
        Some(since.after(self.config.recall_after))
    }

    fn running_since(&self, task: TaskId) -> Option<Time> {
        match self.tasks.get(task)?.phase {
            Phase::Running { since, .. } => Some(since),
            _ => None,
        }
    }
}
