//! The life of the supervisor and of the sessions, and the point where starting is given up.
//!
//! Owns when something is launched again and when not: every start that fails is counted, and after
//! `start_limit` of them in a row nothing is started any more, so that starting never spins.
//! Sessions that were starting at the same time and fail together count once: they had no chance to
//! profit from each other's failure. A session that dies right after it became ready, before it has
//! begun a task, has not failed to start, but may be as hopeless: these are counted apart.

use std::time::Duration;

use taskq_record::{AttemptId, GoneCause, Outcome, TaskId, WorkerId};

use crate::action::Action;
use crate::input::Begun;
use crate::timers::Timer;
use crate::worker::{Stage, Worker};

use super::machine::{Mode, Scheduler, Supervisor};

/// A session that dies after this time died of something else than its start.
const YOUNG: Duration = Duration::from_secs(1);

impl Scheduler {
    /// Starts a session on every vacant seat.
    pub(super) fn launch(&mut self) {
        if self.supervisor != Supervisor::Up {
            return;
        }
        while let Some(seat) = self.pool.next_vacant() {
            let worker = self.pool.launch(seat, self.now);
            self.act(Action::Launch { worker });
        }
    }

    /// The supervisor can launch.
    pub(super) fn supervisor_up(&mut self) {
        match self.supervisor {
            Supervisor::Booting => self.supervisor = Supervisor::Up,
            Supervisor::Up | Supervisor::Lost | Supervisor::Ending { .. } | Supervisor::Down => {
                self.stale += 1
            }
        }
    }

    /// The supervisor is gone, and all sessions with it.
    pub(super) fn supervisor_gone(&mut self, reported: bool) {
        if self.supervisor == Supervisor::Down {
            self.stale += 1;
            return;
        }
        self.supervisor = Supervisor::Down;
        self.timers.clear(Timer::Supervisor);
        self.forget_sessions();
        if self.mode == Mode::Closed || self.starts.given_up {
            return;
        }
        if self.mode == Mode::Closing && self.tasks.unfinished() == 0 {
            return;
        }
        if reported && !self.starts.any_ready {
            self.give_up();
        } else if reported || !self.starts.supervisor_bore {
            self.count_failed_start();
        }
        if !self.starts.given_up {
            self.supervisor = Supervisor::Booting;
            self.starts.supervisor_bore = false;
            self.act(Action::Boot);
        }
    }

    /// A session has run its `init`, which is number 0, or a broadcast.
    pub(super) fn worker_ready(&mut self, worker: WorkerId, broadcast: u64) {
        let known = self.pool.starting(worker);
        let Some(known) = known.filter(|known| known.broadcast == broadcast) else {
            self.stale += 1;
            return;
        };
        let is_new = known.ready.is_none();
        if self.run_next_broadcast(worker) {
            return;
        }
        self.pool.ready(worker, self.now);
        self.totals.sessions_ready += u64::from(is_new);
        self.starts.failures = 0;
        self.starts.any_ready = true;
        self.starts.supervisor_bore = true;
    }

    /// A session cannot come up, and is about to end.
    pub(super) fn start_failed(&mut self, worker: WorkerId) {
        match self.pool.worker(worker).map(|worker| &worker.stage) {
            Some(Stage::Starting { .. }) => {
                let broadcast = self
                    .pool
                    .worker(worker)
                    .map_or(0, |worker| worker.broadcast);
                self.pool.detach(worker);
                self.expect_end(worker, self.config.kill_patience);
                if !self.fails_in_broadcast(broadcast) {
                    self.session_failed_to_start(worker);
                }
            }
            Some(Stage::Idle { .. } | Stage::Busy { .. } | Stage::Gone) | None => self.stale += 1,
        }
    }

    /// The process of a session is gone.
    pub(super) fn worker_gone(&mut self, worker: WorkerId, cause: GoneCause, begun: Option<Begun>) {
        let Some(known) = self.pool.worker(worker) else {
            self.stale += 1;
            return;
        };
        let starting = matches!(known.stage, Stage::Starting { .. });
        let broadcast = known.broadcast;
        let died_young =
            cause != GoneCause::SupervisorLost && self.died_young(known, begun.is_some());
        self.remove_worker(worker, cause, begun);
        if cause == GoneCause::SupervisorLost {
            if self.supervisor == Supervisor::Up {
                self.supervisor = Supervisor::Lost;
            }
        } else if starting && !self.fails_in_broadcast(broadcast) {
            self.session_failed_to_start(worker);
        } else if died_young && worker.0 > self.starts.deaths_counted_up_to {
            self.count_young_death();
        }
    }

    /// Tells a session without a task to leave. It is Gone already.
    pub(super) fn retire(&mut self, worker: WorkerId) {
        self.act(Action::Retire { worker });
        self.expect_end(worker, self.config.kill_patience);
    }

    /// Nothing more will be heard of a session.
    pub(super) fn lose_words(&mut self, worker: WorkerId) {
        if self.pool.set_unheard(worker) {
            self.kill_worker(worker);
        } else {
            self.stale += 1;
        }
    }

    /// A session has closed its socket.
    pub(super) fn hung_up(&mut self, worker: WorkerId) {
        match self.pool.worker(worker) {
            Some(known) if known.killed || matches!(self.supervisor, Supervisor::Ending { .. }) => {
            }
            Some(_) => {
                self.pool.set_hung_up(worker);
                self.expect_end(worker, self.config.hang_up_patience);
            }
            None => self.stale += 1,
        }
    }

    /// Kills a session, whatever it is doing. The seat of one that has nothing to do is vacant: nothing is sent to the
    /// dying.
    pub(super) fn kill_worker(&mut self, worker: WorkerId) {
        let known = self.pool.worker(worker).filter(|known| !known.killed);
        if let Some(known) = known {
            if matches!(known.stage, Stage::Idle { .. }) {
                self.pool.detach(worker);
            }
            self.pool.set_killed(worker);
            self.timers.clear(Timer::Recall(worker));
            self.timers.clear(Timer::Leave(worker));
            self.act(Action::KillWorker { worker });
            self.expect_end(worker, self.config.kill_patience);
        }
    }

    /// A session should be gone by now.
    pub(super) fn end_is_overdue(&mut self, worker: WorkerId) {
        match self.pool.worker(worker).map(|worker| worker.killed) {
            Some(false) => self.kill_worker(worker),
            Some(true) => self.kill_supervisor(),
            None => {}
        }
    }

    /// Kills the supervisor, unless that was done.
    pub(super) fn kill_supervisor(&mut self) {
        self.timers.clear(Timer::Supervisor);
        match self.supervisor {
            Supervisor::Down | Supervisor::Ending { killed: true } => {}
            Supervisor::Booting
            | Supervisor::Up
            | Supervisor::Lost
            | Supervisor::Ending { killed: false } => {
                self.supervisor = Supervisor::Ending { killed: true };
                self.act(Action::KillSupervisor);
            }
        }
    }

    /// Takes the next harder means when a session is not gone by then, or by when it should have been already.
    pub(super) fn expect_end(&mut self, worker: WorkerId, patience: Duration) {
        let timer = Timer::Leave(worker);
        let due = self.now.after(patience);
        if self.timers.get(timer).map_or(true, |before| due < before) {
            self.timers.set(timer, due);
        }
    }

    /// Drops what is left of the sessions of a supervisor that is gone. The driver has reported them
    /// all; for one that it has not, the head of its line counts as begun, as it may have been.
    fn forget_sessions(&mut self) {
        let workers: Vec<WorkerId> = self.pool.workers().map(|(id, _)| id).collect();
        for worker in workers {
            let begun = self.pool.head(worker).map(|attempt| Begun {
                attempt,
                at: self.now,
            });
            self.remove_worker(worker, GoneCause::SupervisorLost, begun);
        }
    }

    /// Forgets a worker and says what becomes of its line and of its seat.
    fn remove_worker(&mut self, worker: WorkerId, cause: GoneCause, begun: Option<Begun>) {
        let seat = self.pool.seat_of(worker);
        let leaving = seat.and_then(|(number, seat)| seat.leaving.then_some(number));
        self.totals.sessions_died += u64::from(self.dies_unasked(worker));
        let is_unheard = self.pool.worker(worker).is_some_and(|known| known.unheard);
        let line = self.pool.detach(worker);
        if let Some(number) = leaving {
            self.pool.drop_seat(number);
        }
        self.pool.forget(worker);
        self.timers.clear(Timer::Recall(worker));
        self.timers.clear(Timer::Leave(worker));
        let Some(line) = line else { return };

        let begun = begun.and_then(|begun| {
            let place = line
                .attempts()
                .position(|attempt| attempt == begun.attempt)?;
            Some((place, begun.at))
        });
        let begun = begun.or(is_unheard.then_some((0, self.now)));
        for (place, AttemptId { task, .. }) in line.attempts().enumerate() {
            match begun {
                Some((last, at)) if place == last => self.died(task, worker, cause, at),
                Some((last, _)) if place < last => self.died(task, worker, cause, self.now),
                Some(_) | None => self.not_begun(task),
            }
        }
    }

    /// Whether a session that is gone was ready, and had not been told to end.
    fn dies_unasked(&self, worker: WorkerId) -> bool {
        let unasked = self.pool.worker(worker).is_some_and(Worker::ends_unasked);
        unasked && !matches!(self.supervisor, Supervisor::Ending { .. })
    }

    /// Whether a session that is gone had only just become ready, and has begun nothing.
    fn died_young(&self, worker: &Worker, begun: bool) -> bool {
        let age = worker.ready.map(|ready| self.now.since(ready));
        let young = age.is_some_and(|age| age <= YOUNG);
        worker.ends_unasked() && young && !begun && worker.tasks_done == 0
    }

    fn session_failed_to_start(&mut self, worker: WorkerId) {
        if worker.0 > self.starts.counted_up_to {
            self.count_failed_start();
        }
    }

    fn count_failed_start(&mut self) {
        self.starts.counted_up_to = self.pool.last_worker().0;
        self.starts.failures = self.starts.failures.saturating_add(1);
        if self.starts.failures >= self.config.start_limit {
            self.give_up();
        }
    }

    fn count_young_death(&mut self) {
        self.starts.deaths_counted_up_to = self.pool.last_worker().0;
        self.starts.young_deaths = self.starts.young_deaths.saturating_add(1);
        if self.starts.young_deaths >= self.config.idle_death_limit {
            self.give_up();
        }
    }

    /// The pool has failed: nothing is started any more, and what cannot run is done.
    fn give_up(&mut self) {
        if self.starts.given_up {
            return;
        }
        self.starts.given_up = true;
        self.tasks.forget_dependencies();
        let stranded: Vec<TaskId> = self.tasks.not_sent().collect();
        for task in stranded {
            self.conclude_now(task, Outcome::NoWorker);
        }
        self.remove_all_seats();
        self.act(Action::Failed);
    }
}
