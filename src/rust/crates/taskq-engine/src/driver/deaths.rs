//! How sessions and nurseries end, and what is kept of them.

use std::sync::Arc;

use taskq_core::id::{Time, WorkerId};
use taskq_core::{Begun, GoneCause};
use taskq_record::{Measured, ProcessEnd, StartCause};
use taskq_wire::message::ToNursery;

use super::births::no_process;
use super::{now, Deadline, Driver, LOOK_AGAIN, LOOK_FOR_DEATH};
use crate::error::StartFailure;
use crate::nursery::Nursery;
use crate::state::{Ending, Gone};

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
        let Some(nursery) = &self.nursery else { return };
        if let Some(session) = self.sessions.get_mut(&worker) {
            session.is_killed = true;
        }
        // When this does not get through, the scheduler's patience ends with the nursery's life.
        let _ = nursery.send(&ToNursery::Kill { worker }, &[]);
    }

    /// Asks the nursery to end everything and itself. For how long that may take, the scheduler knows.
    pub(super) fn say_farewell(&mut self) {
        let Some(nursery) = &mut self.nursery else {
            return self.nursery_is_gone(false, None);
        };
        if !matches!(nursery.send(&ToNursery::Shutdown, &[]), Ok(true)) {
            nursery.kill();
        }
    }

    /// The nursery could make no process for `worker`.
    pub(super) fn bury_unborn(&mut self, worker: WorkerId, errno: i32) {
        self.forget(worker);
        self.refuse_birth(worker, errno);
        self.run_errands();
    }

    /// A session's process is gone.
    pub(super) fn bury_session(
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
        let why = (!session.is_up && !session.has_refused).then(|| StartFailure {
            cause: StartCause::Startup,
            phase: None,
            message: "a session died while it started".to_owned(),
            stderr: session.all_words(),
            end,
        });
        let is_victim = cause == SIGKILLED && !session.is_killed;
        let (stdout, stderr, stderr_tail) = session.last_words(self.door.config.stderr_tail);
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
        self.input(|inside, now| inside.bury(gone, now));
    }

    /// Has the nursery's death looked for where nothing tells of it.
    pub(super) fn look_again(&mut self) {
        self.deadlines.remove(&Deadline::LookForDeath);
        if let Some(nursery) = self.nursery.as_ref().filter(|_| !self.nursery_is_watched) {
            let is_expected = nursery.is_condemned() || nursery.is_silent();
            let pause = if is_expected {
                LOOK_AGAIN
            } else {
                LOOK_FOR_DEATH
            };
            let at = now().after(pause);
            self.deadlines.insert(Deadline::LookForDeath, at);
        }
    }

    /// The poller is to tell no more of a nursery. Closing a descriptor is not enough, see
    /// [`unwatch`](Driver::unwatch).
    pub(super) fn unwatch_nursery(&self, nursery: &Nursery) {
        for fd in nursery.descriptors().into_iter().chain(nursery.pidfds()) {
            self.unwatch(fd);
        }
    }

    /// The nursery is dead, and its sessions end with it.
    pub(super) fn bury_nursery(&mut self, end: ProcessEnd) {
        let Some(mut nursery) = self.nursery.take() else {
            return;
        };
        nursery.bury();
        self.unwatch_nursery(&nursery);
        let reported = nursery.refusal.is_some();
        let failure = why_it_died(&mut nursery, end, self.door.config.stderr_tail);
        drop(nursery);
        let sessions: Vec<WorkerId> = self.sessions.keys().copied().collect();
        for worker in sessions {
            self.bury_session(worker, GoneCause::NurseryLost, None, None);
        }
        for worker in self.births.reset() {
            self.give_up(worker, GoneCause::NurseryLost);
        }
        self.nursery_is_gone(reported, Some(failure));
        self.run_errands();
    }

    /// There is no nursery (any more).
    pub(super) fn nursery_is_gone(&self, reported: bool, why: Option<StartFailure>) {
        self.door
            .input(|inside, now| inside.state.nursery_gone(reported, why, now));
    }

    /// Nothing was done yet for a session, and will not be.
    fn give_up(&self, worker: WorkerId, cause: GoneCause) {
        let gone = Gone::unborn(worker, cause, None);
        self.door.input(|inside, now| inside.bury(gone, now));
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

/// What is told of a nursery that ended so, should no other take its place.
fn why_it_died(nursery: &mut Nursery, end: ProcessEnd, stderr_tail: usize) -> StartFailure {
    let stderr = nursery.last_words(stderr_tail);
    if let Some(errno) = nursery.failure() {
        // It never was, and what has ended is a zygote that is of no use: we have killed it.
        return StartFailure {
            stderr,
            ..no_process(errno)
        };
    }
    let (phase, message) = nursery.refusal.take().unzip();
    let message = message.unwrap_or_else(|| "the process that starts the sessions died".to_owned());
    StartFailure {
        cause: StartCause::Startup,
        phase: phase.flatten(),
        message,
        stderr,
        end: Some(end),
    }
}
