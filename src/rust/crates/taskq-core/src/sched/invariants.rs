//! What always holds between two inputs, checked by every test after every step.
//!
//! Only reads, and panics: a broken invariant is a bug of this crate.

#![allow(clippy::panic)] // Only tests call it.

use taskq_record::{QueueState, TaskId};

use crate::task::{Hold, Phase};
use crate::timers::Timer;
use crate::view::SeatState;
use crate::worker::Stage;

use super::machine::{Mode, Scheduler, Supervisor};

impl Scheduler {
    /// Panics, and says why, unless all parts of the scheduler agree with each other.
    ///
    /// O(n): for tests.
    pub fn check_invariants(&self) {
        self.tasks.check();
        self.pool.check();
        self.timers.check();
        self.check_lines();
        self.check_rows();
        self.check_timers();
        self.check_rest();
    }

    /// A task and the line that it lies in say the same.
    fn check_lines(&self) {
        let mut in_lines = 0;
        for (id, worker) in self.pool.workers() {
            let Stage::Busy { line, .. } = &worker.stage else {
                continue;
            };
            for (place, attempt) in line.attempts().enumerate() {
                in_lines += 1;
                let task = self.tasks.get(attempt.task);
                let Some(task) = task else {
                    panic!("{attempt:?} of {id:?} has no task")
                };
                assert_eq!(task.sends, attempt.number, "{attempt:?} of {id:?} is over");
                let holder = match task.phase {
                    Phase::Running { worker, .. } if place == 0 => Some(worker),
                    Phase::Ahead { worker, .. } if place > 0 => Some(worker),
                    _ => None,
                };
                assert_eq!(
                    holder,
                    Some(id),
                    "{task:?} at place {place} of the line of {id:?}"
                );
            }
        }
        let sent = self
            .tasks
            .iter()
            .filter(|(_, task)| matches!(task.phase, Phase::Ahead { .. } | Phase::Running { .. }));
        assert_eq!(sent.count(), in_lines, "tasks sent and attempts in lines");
    }

    /// Tasks running + seats starting + seats idle = number of seats.
    fn check_rows(&self) {
        let counts = self.counts();
        let (mut seats, mut free) = (0, 0);
        for seat in self.seats() {
            seats += 1;
            free += usize::from(matches!(seat.state, SeatState::Starting | SeatState::Idle));
        }
        assert_eq!(counts.running + free, seats, "running tasks and free seats");
        assert_eq!(
            counts.running,
            self.pool.busy(),
            "running tasks and busy workers"
        );
    }

    /// A timer is set exactly when something is waited for.
    fn check_timers(&self) {
        for timer in self.timers.iter() {
            let due = match timer {
                Timer::Recall(worker) => self.pool.ahead_since(worker).is_some(),
                Timer::Timeout(task) => self.run_is_due(task).is_some(),
                Timer::Grace(task) => self.stopping(task).is_some(),
                Timer::Retry(task) => self.backs_off(task),
                Timer::Leave(worker) => self.pool.worker(worker).is_some(),
                Timer::Idle => self.seats_above_minimum() > 0,
                Timer::Supervisor => self.supervisor == (Supervisor::Ending { killed: false }),
                Timer::Close => self.mode == Mode::Closing,
            };
            assert!(due, "{timer:?} is set for nothing");
        }
        let supervisor_ends = matches!(self.supervisor, Supervisor::Ending { .. });
        for (id, worker) in self.pool.workers() {
            let recalls = !worker.killed && self.pool.ahead_since(id).is_some();
            assert_eq!(
                self.timers.get(Timer::Recall(id)).is_some(),
                recalls,
                "recall of {id:?}"
            );
            let ends = worker.killed || worker.hung_up || matches!(worker.stage, Stage::Gone);
            let watched = self.timers.get(Timer::Leave(id)).is_some();
            assert!(
                watched || !ends || supervisor_ends,
                "nobody waits for the end of {id:?}"
            );
        }
        for (id, task) in self.tasks.iter() {
            let due = self.run_is_due(id);
            assert_eq!(self.timers.get(Timer::Timeout(id)), due, "run of {id:?}");
            let delayed = self.timers.get(Timer::Retry(id)).is_some();
            assert_eq!(delayed, self.backs_off(id), "next try of {id:?}");
            let Some((worker, stopping)) = task.phase.sent() else {
                continue;
            };
            let killed = self.pool.is_killed(worker);
            let watched = self.timers.get(Timer::Grace(id)).is_some();
            assert!(
                watched || killed || stopping.is_none(),
                "nobody waits for {id:?}"
            );
        }
        if self.supervisor == (Supervisor::Ending { killed: false }) {
            assert!(
                self.timers.get(Timer::Supervisor).is_some(),
                "nobody waits for the supervisor"
            );
        }
    }

    fn backs_off(&self, task: TaskId) -> bool {
        let phase = self.tasks.get(task).map(|task| &task.phase);
        matches!(phase, Some(Phase::Held(Hold::Backoff)))
    }

    fn check_rest(&self) {
        let waiting = self.tasks.waiting();
        let isolated = waiting.isolated_len();
        if !self.paused && self.supervisor == Supervisor::Up && self.pool.next_idle().is_some() {
            assert_eq!(waiting.first_plain(), None, "waits and a worker is idle");
            let fresh = self.pool.next_fresh().filter(|_| isolated > 0);
            assert_eq!(fresh, None, "is idle and a task waits for a fresh session");
            let claims = isolated <= self.pool.coming();
            assert!(claims, "a worker is idle and no session starts for a task");
        }
        let serves =
            matches!(self.supervisor, Supervisor::Up | Supervisor::Booting) && !self.paused;
        if self.mode == Mode::Open && !self.starts.given_up {
            let (least, most) = self.seats_wanted();
            let seats = self.pool.staying();
            assert!(least <= seats && seats <= most, "{seats} seats");
            let served = seats == most || waiting.len() <= self.pool.coming();
            assert!(
                served || !serves,
                "a task waits that a seat could be added for"
            );
        }
        let rests = self.pool.idle().min().map(|(since, _)| since);
        if let Some(since) = rests.filter(|_| self.seats_above_minimum() > 0) {
            let due = since.after(self.config.idle_timeout);
            let timer = self.timers.get(Timer::Idle);
            assert!(
                timer.is_some_and(|at| at <= due),
                "nobody waits for idle sessions"
            );
        }
        for (_, worker) in self.pool.idle() {
            let next = self.next_broadcast(worker);
            assert_eq!(next, None, "{worker:?} is idle and lacks a broadcast");
        }
        if self.supervisor == Supervisor::Up {
            assert!(
                self.pool.next_vacant().is_none(),
                "a seat is vacant and the supervisor is up"
            );
        }
        if self.starts.given_up {
            let stranded = self.tasks.not_sent().next();
            assert_eq!(stranded, None, "waits for a pool that has failed");
        }
        match self.state() {
            QueueState::Open => assert_ne!(
                self.supervisor,
                Supervisor::Down,
                "open without a supervisor"
            ),
            QueueState::Failed | QueueState::Closing => {}
            QueueState::Closed => {
                assert_eq!(
                    self.supervisor,
                    Supervisor::Down,
                    "closed with a supervisor"
                );
                assert_eq!(self.tasks.unfinished(), 0, "closed with unfinished tasks");
                assert_eq!(self.timers.next(), None, "closed with a timer");
                assert_eq!(self.pool.workers().count(), 0, "closed with sessions");
            }
        }
    }
}
