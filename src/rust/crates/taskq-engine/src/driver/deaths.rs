//! How sessions and supervisors end, and what is kept of them.

use std::sync::Arc;

use taskq_core::id::{Time, WorkerId};
use taskq_core::{Begun, GoneCause};
use taskq_record::{Measured, ProcessEnd, StartCause, StartPhase};
use taskq_wire::message::ToSupervisor;

use super::births::no_process;
use super::{now, Deadline, Driver, LOOK_AGAIN, LOOK_FOR_DEATH};
use crate::error::StartFailure;
use crate::state::{Ending, Gone};
use crate::supervisor::Supervisor;

/// How a session ends that the kernel kills for want of memory, among others.
const SIGKILLED: GoneCause = GoneCause::Signaled {
    signal: libc::SIGKILL,
};

impl Driver {
    /// Has a session killed with everything it started.
    pub(super) fn kill_worker(&mut self, worker: WorkerId) {
        if taskq_sys::fault::is_on("no-kill") {
            return;
        }
        if self.births.cancel(worker) {
            return self.give_up(worker, GoneCause::Unknown);
        }
        let Some(supervisor) = &self.supervisor else {
            return;
        };
        if let Some(session) = self.sessions.get_mut(&worker) {
            session.is_killed = true;
        }
        // When this does not get through, the scheduler's patience ends with the supervisor's life.
        let _ = supervisor.send(&ToSupervisor::Kill { worker }, &[]);
    }

    /// Asks the supervisor to end everything and itself. For how long that may take, the scheduler knows.
    pub(super) fn say_farewell(&mut self) {
        let Some(supervisor) = &mut self.supervisor else {
            return self.supervisor_is_gone(false, None);
        };
        if !matches!(supervisor.send(&ToSupervisor::Shutdown, &[]), Ok(true)) {
            supervisor.kill();
        }
    }

    /// The supervisor could make no process for `worker`.
    pub(super) fn reap_unborn(&mut self, worker: WorkerId, errno: i32) {
        self.forget(worker);
        self.refuse_birth(worker, errno);
        self.run_actions();
    }

    /// A session's process is gone.
    pub(super) fn reap_session(
        &mut self,
        worker: WorkerId,
        cause: GoneCause,
        end: Option<ProcessEnd>,
        max_rss: Option<u64>,
    ) {
        let Some(session) = self.sessions.get_mut(&worker) else {
            return;
        };
        let mut news = Vec::new();
        session.pump_to_the_end(&mut news);
        let runs_broadcast = self.door.look().sched().broadcast_of(worker).is_some();
        let was_starting = (!session.is_up || runs_broadcast) && !session.has_refused;
        let why = was_starting.then(|| StartFailure {
            cause: StartCause::Startup,
            phase: runs_broadcast.then_some(StartPhase::Everywhere),
            message: if runs_broadcast {
                "a session died in it".to_owned()
            } else {
                "a session died while it started".to_owned()
            },
            stderr: session.all_words(),
            end,
        });
        let is_victim = cause == SIGKILLED && !session.is_killed;
        let (stdout, stderr, stderr_tail) = session.last_output(self.door.config.stderr_tail);
        let pid = session.link.pid();
        let board = &session.link.board;
        let progress = board.progress();
        let begun = board.begun().map(|(attempt, at)| Begun {
            attempt,
            at: Time(at),
        });
        let ending = Ending {
            outcome: None,
            stdout: Arc::new(stdout),
            stderr: Arc::new(stderr),
            stderr_tail,
            pid,
            measured: Measured {
                max_rss,
                ..Measured::default()
            },
            progress: progress
                .filter(|told| begun.is_some_and(|begun| begun.attempt == told.attempt)),
            elements: board.elements().begun(),
            oom: is_victim && self.oom.was_oom(),
        };
        self.forget(worker);
        let gone = Gone {
            worker,
            cause,
            news,
            why,
            begun,
            ending,
        };
        self.input(|inside, now| inside.reap(gone, now));
    }

    /// Has the supervisor's death looked for where nothing tells of it.
    pub(super) fn look_again(&mut self) {
        self.deadlines.remove(&Deadline::LookForDeath);
        if let Some(supervisor) = self
            .supervisor
            .as_ref()
            .filter(|_| !self.supervisor_is_watched)
        {
            let is_expected = supervisor.is_condemned() || supervisor.is_silent();
            let pause = if is_expected {
                LOOK_AGAIN
            } else {
                LOOK_FOR_DEATH
            };
            let at = now().after(pause);
            self.deadlines.insert(Deadline::LookForDeath, at);
        }
    }

    /// The poller is to tell no more of a supervisor. Closing a descriptor is not enough, see
    /// [`unwatch`](Driver::unwatch).
    pub(super) fn unwatch_supervisor(&self, supervisor: &Supervisor) {
        for fd in supervisor
            .descriptors()
            .into_iter()
            .chain(supervisor.pidfds())
        {
            self.unwatch(fd);
        }
    }

    /// The supervisor is dead, and its sessions end with it.
    pub(super) fn reap_supervisor(&mut self, end: ProcessEnd) {
        let Some(mut supervisor) = self.supervisor.take() else {
            return;
        };
        supervisor.reap();
        self.unwatch_supervisor(&supervisor);
        let reported = supervisor.refusal.is_some();
        let failure = why_it_died(&mut supervisor, end, self.door.config.stderr_tail);
        drop(supervisor);
        let sessions: Vec<WorkerId> = self.sessions.keys().copied().collect();
        for worker in sessions {
            self.reap_session(worker, GoneCause::SupervisorLost, None, None);
        }
        for worker in self.births.reset() {
            self.give_up(worker, GoneCause::SupervisorLost);
        }
        self.supervisor_is_gone(reported, Some(failure));
        self.run_actions();
    }

    /// There is no supervisor (any more).
    pub(super) fn supervisor_is_gone(&self, reported: bool, why: Option<StartFailure>) {
        self.door
            .input(|inside, now| inside.state.supervisor_gone(reported, why, now));
    }

    /// Nothing was done yet for a session, and will not be.
    fn give_up(&self, worker: WorkerId, cause: GoneCause) {
        let gone = Gone::unborn(worker, cause, None);
        self.door.input(|inside, now| inside.reap(gone, now));
    }

    /// Drops the receiving half of a session. The other one goes when its end is told.
    fn forget(&mut self, worker: WorkerId) {
        self.ready.remove(&worker);
        if let Some(session) = self.sessions.remove(&worker) {
            for fd in session.descriptors() {
                self.unwatch(fd);
            }
        }
    }
}

/// What is told of a supervisor that ended so, should no other take its place.
fn why_it_died(supervisor: &mut Supervisor, end: ProcessEnd, stderr_tail: usize) -> StartFailure {
    let stderr = supervisor.last_output(stderr_tail);
    if let Some(errno) = supervisor.failure() {
        // It never was, and what has ended is a zygote that is of no use: we have killed it.
        return StartFailure {
            stderr,
            ..no_process(errno)
        };
    }
    let (phase, message) = supervisor.refusal.take().unzip();
    let message = message.unwrap_or_else(|| "the process that starts the sessions died".to_owned());
    StartFailure {
        cause: StartCause::Startup,
        phase: phase.flatten(),
        message,
        stderr,
        end: Some(end),
    }
}
