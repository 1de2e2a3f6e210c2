//! The sending half of every session: what goes out, and what waits for room in a socket. The receiving half is
//! [`crate::session`]'s. Decides nothing, and never blocks.

use std::os::fd::AsFd;
use std::sync::Arc;

use taskq_core::id::{AttemptId, WorkerId};
use taskq_core::TaskPhase;
use taskq_sys::socket;
use taskq_wire::memory::{Memory, Place};
use taskq_wire::message::{FunctionRef, ToControl, ToSession};
use taskq_wire::packet;

use crate::link::Link;
use crate::outbox::Outbox;
use crate::output::SharedCapture;

use super::State;

/// The sending half of a session.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) link: Arc<Link>,
    pub(crate) outbox: Outbox,
    /// Which functions it was sent.
    pub(crate) functions: Memory,
    /// What its current task writes: standard output, standard error.
    pub(crate) captures: [SharedCapture; 2],
}

impl State {
    /// Sends what waits for this session, as far as its socket takes it.
    pub(crate) fn flush(&mut self, worker: WorkerId) {
        if let Some(outgoing) = self.outgoing.get_mut(&worker) {
            // A broken socket means that the session is about to be reported dead, and its tasks with it.
            let _ = outgoing.outbox.flush(outgoing.link.task.as_fd());
            if outgoing.outbox.is_stalled() {
                self.stalled.insert(worker);
            }
        }
    }

    /// Tries again to send where descriptors were too many.
    pub(crate) fn flush_stalled(&mut self) {
        for worker in std::mem::take(&mut self.stalled) {
            self.flush(worker);
        }
    }

    pub(super) fn send(&mut self, worker: WorkerId, attempt: AttemptId) {
        if let Some(inline) = &mut self.inline {
            inline.push_back(attempt);
            return;
        }
        let Some(outgoing) = self.outgoing.get_mut(&worker) else {
            return;
        };
        let Some(payload) = self
            .records
            .get(&attempt.task)
            .and_then(|r| r.payload.as_ref())
        else {
            return;
        };
        let Some(task) = self.sched.task(attempt.task) else {
            return;
        };
        // While it runs, the present try is counted already.
        let tries = match task.phase {
            TaskPhase::Running { .. } => task.tries,
            TaskPhase::Waiting | TaskPhase::Done => task.tries.saturating_add(1),
        };
        let fun = &payload.fun;
        let part = fun.payload().part();
        let place = outgoing.functions.admit(fun.id(), &part, |_| {});
        let message = ToSession::Run {
            attempt,
            label: task.label.to_owned(),
            tries,
            fun: FunctionRef {
                id: fun.id(),
                is_pure: fun.is_pure(),
                part,
            },
            call: payload.call.part(),
        };
        let payloads: &[_] = match place {
            Place::Known(_) => &[&payload.call],
            Place::New(_) | Place::None => &[fun.payload(), &payload.call],
        };
        let pushed = outgoing.outbox.push(&message, payloads);
        // The payload was measured when it was made, and no label is long (`max_id_bytes` in R/config.R).
        debug_assert!(pushed.is_ok());
    }

    pub(super) fn retire(&mut self, worker: WorkerId) {
        if let Some(outgoing) = self.outgoing.get_mut(&worker) {
            let pushed = outgoing.outbox.push(&ToSession::Retire, &[]);
            debug_assert!(pushed.is_ok());
        }
    }

    pub(super) fn control(&mut self, worker: WorkerId, message: &ToControl) {
        let Some(outgoing) = self.outgoing.get(&worker) else {
            return;
        };
        let Ok(packet) = packet::encode(message) else {
            return;
        };
        // A full control socket belongs to a session that does not listen: the scheduler's grace ends it. A broken one
        // belongs to a session that is about to be reported dead.
        let _ = socket::send_packet(outgoing.link.control.as_fd(), &packet, &[]);
    }
}
