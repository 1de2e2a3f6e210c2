//! What sessions do and what befalls them: they run attempts or give them back, answer, crash and hang.

use taskq_core::{AttemptId, Begun, BroadcastState, GoneCause, Input, Time, Verdict, WorkerId};

use super::{Climate, Event, Fate, World};
use crate::session::{Nature, Session};

impl World {
    /// Kills a random session from outside, or makes it close its sockets.
    pub(crate) fn strike_session(&mut self) {
        let alive = self.sessions.iter().filter(|(_, session)| session.alive);
        let alive: Vec<WorkerId> = alive.map(|(&worker, _)| worker).collect();
        match self.random.pick(&alive) {
            // No draw: what is known of a seed stays as it was.
            Some(worker) if self.now.0 % 3 == 0 => self.hang_up(worker),
            Some(worker) => self.die(worker, GoneCause::Signaled { signal: 15 }),
            None => {}
        }
    }

    fn hang_up(&mut self, worker: WorkerId) {
        let session = self.session(worker);
        session.hung_up = true;
        let at = session.task_out.max(session.control_out).max(self.now);
        self.plan(at, Event::Host(Input::HungUp { worker }));
    }

    /// Runs a broadcast, which may fail, or end the session.
    pub(super) fn run_broadcast(&mut self, worker: WorkerId, broadcast: u64) {
        if !self.listens(worker) {
            return;
        }
        let session = self.session(worker);
        assert!(
            session.current.is_none() && session.queue.is_empty(),
            "{worker:?} runs a broadcast, and has a task"
        );
        let at = self.channel(worker, |session| &mut session.task_out);
        // No draw, as above.
        match self.serial % 16 {
            0 => self.die(worker, GoneCause::Signaled { signal: 11 }),
            1 => {
                self.plan(at, Event::Host(Input::StartFailed { worker }));
                self.die(worker, GoneCause::Exited { code: 1 });
            }
            _ => self.plan(at, Event::Host(Input::Ran { worker, broadcast })),
        }
    }

    /// Whoever is sent a task was told to run all that every session is to run.
    pub(super) fn check_broadcasts(&mut self, worker: WorkerId) {
        for broadcast in 1..=self.broadcasts {
            let is_in_force =
                self.scheduler.broadcast(broadcast) != Some(BroadcastState::Withdrawn);
            let told = self.session(worker).broadcasts.contains(&broadcast);
            assert!(
                told || !is_in_force,
                "{worker:?} lacks broadcast {broadcast}"
            );
        }
    }

    pub(super) fn go_on(&mut self, worker: WorkerId) {
        let now = self.now;
        let session = self.session(worker);
        if session.current.is_some() || session.hung_up {
            return;
        }
        let Some(attempt) = session.next() else {
            return;
        };
        let Climate {
            crash,
            hang,
            deaf,
            long_us,
            ..
        } = self.climate;
        if self.random.permille(crash / 2) {
            // While it is read, before it is noted as begun.
            self.die(worker, GoneCause::Signaled { signal: 11 });
            return;
        }
        let is_deaf = self.random.permille(deaf);
        let session = self.session(worker);
        session.current = Some((attempt, now));
        session.begun = Some(Begun { attempt, at: now });
        session.deaf = is_deaf;
        session.begins += 1;
        let begins = session.begins;
        assert!(
            begins <= self.config.max_tasks.max(1),
            "{worker:?} begins {begins} tasks"
        );
        self.truth.begun(attempt.task);
        // No draw, as above.
        if self.config.jitter_seed % 4 == 1 && self.serial % 8 == 0 {
            self.lie(worker);
        }
        if self.random.permille(hang) {
            return;
        }
        let bound = if self.random.permille(50) {
            long_us * 50
        } else {
            long_us
        };
        let at = now.after(self.random.micros(1, bound));
        let fate = if self.random.permille(crash) {
            Fate::Crash
        } else if self.random.permille(100) {
            Fate::Verdict(Verdict::Error)
        } else {
            Fate::Verdict(Verdict::Success)
        };
        self.plan(at, Event::Ends(worker, attempt, fate));
    }

    pub(super) fn ends(&mut self, worker: WorkerId, attempt: AttemptId, fate: Fate) {
        if !self.listens(worker) {
            return;
        }
        let Some((current, began)) = self.session(worker).current else {
            return;
        };
        if current != attempt {
            return;
        }
        let Fate::Verdict(verdict) = fate else {
            self.die(worker, GoneCause::Signaled { signal: 11 });
            return;
        };
        let session = self.session(worker);
        session.current = None;
        session.over.insert(attempt);
        self.truth.ended(attempt.task, verdict);
        let ended = self.now;
        let known = self.random.permille(800);
        let memory = known.then(|| self.random.below(1000));
        self.finish(worker, attempt, verdict, (began, ended), memory);
        self.go_on(worker);
    }

    /// Says that an attempt has ended. What was given back before is heard before.
    fn finish(
        &mut self,
        worker: WorkerId,
        attempt: AttemptId,
        verdict: Verdict,
        (began, ended): (Time, Time),
        memory: Option<u64>,
    ) {
        let at = self.channel(worker, |session| &mut session.task_out);
        let session = self.session(worker);
        session.task_out = at.max(session.control_out);
        let at = session.task_out;
        self.plan(
            at,
            Event::Host(Input::Finished {
                worker,
                attempt,
                verdict,
                began,
                ended,
                memory,
                running: None,
            }),
        );
    }

    /// Says that something has ended that is still to begin.
    fn lie(&mut self, worker: WorkerId) {
        let session = self.session(worker);
        let attempts = session.queue.iter();
        let ahead = attempts.last().copied();
        if let Some(attempt) = ahead {
            let now = self.now;
            self.finish(worker, attempt, Verdict::Success, (now, now), None);
        }
    }

    pub(super) fn interrupt(&mut self, worker: WorkerId, attempt: AttemptId) {
        if !self.listens(worker) {
            return;
        }
        let session = self.session(worker);
        if session
            .current
            .is_some_and(|(current, _)| current == attempt)
        {
            if !session.deaf {
                let bound = if self.random.permille(100) {
                    700_000
                } else {
                    500
                };
                let at = self.now.after(self.random.micros(1, bound));
                let fate = Fate::Verdict(Verdict::Interrupted);
                self.plan(at, Event::Ends(worker, attempt, fate));
            }
        } else if session.give_back(attempt) {
            self.give_back(worker, vec![attempt]);
        }
    }

    pub(super) fn give_back(&mut self, worker: WorkerId, attempts: Vec<AttemptId>) {
        let at = self.channel(worker, |session| &mut session.control_out);
        self.plan(at, Event::Host(Input::Returned { worker, attempts }));
    }

    pub(super) fn die(&mut self, worker: WorkerId, cause: GoneCause) {
        let at = self.now.after(self.latency());
        let session = self.session(worker);
        session.alive = false;
        let begun = session.begun;
        let at = at.max(session.task_out).max(session.control_out);
        session.task_out = at;
        if let Some((attempt, _)) = session.current {
            self.truth.died_in(attempt.task);
        }
        self.plan(
            at,
            Event::Host(Input::WorkerGone {
                worker,
                cause,
                begun,
            }),
        );
    }

    /// When the next message of a channel arrives: not before those that were sent earlier.
    pub(super) fn channel(
        &mut self,
        worker: WorkerId,
        of: impl Fn(&mut Session) -> &mut Time,
    ) -> Time {
        let at = self.now.after(self.latency());
        let last = of(self.session(worker));
        *last = at.max(*last);
        *last
    }

    pub(super) fn living(&self, worker: WorkerId) -> bool {
        self.sessions
            .get(&worker)
            .is_some_and(|session| session.alive)
    }

    /// Whether a session can still be spoken to.
    pub(super) fn listens(&self, worker: WorkerId) -> bool {
        let session = self.sessions.get(&worker);
        session.is_some_and(|session| session.alive && !session.hung_up)
    }

    /// A session that the scheduler may still speak of.
    pub(super) fn session(&mut self, worker: WorkerId) -> &mut Session {
        let nature = Nature {
            stays: false,
            unkillable: false,
        };
        let ghost = || Session {
            alive: false,
            ..Session::new(nature)
        };
        self.sessions.entry(worker).or_insert_with(ghost)
    }
}
