//! The sending half of every session: what goes out, and what waits for room in a socket, or for the driver. The
//! receiving half is [`crate::session`]'s. Decides nothing, and never blocks.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::AsFd;
use std::sync::Arc;

use taskq_core::id::{Time, WorkerId};
use taskq_core::Action;
use taskq_payload::payload::Payload;
use taskq_sys::socket;
use taskq_wire::frame::MAX_DESCRIPTORS;
use taskq_wire::memory::{Memory, Remembered};
use taskq_wire::message::{FunctionRef, ToControl, ToSession};
use taskq_wire::packet;

use crate::effects::{Effects, Run, Wakes};
use crate::link::Link;
use crate::outbox::Outbox;
use crate::output::SharedCapture;
use crate::state::Given;

/// The sending half of a session.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) link: Arc<Link>,
    /// What its current task writes: standard output, standard error.
    pub(crate) captures: [SharedCapture; 2],
    outbox: Outbox,
    /// Which functions it was sent.
    functions: Memory,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    all: HashMap<WorkerId, Outgoing>,
    /// Those that something was added for, which is still to be written.
    written: Vec<WorkerId>,
    /// Those to which the kernel would not pass on more descriptors. No event tells when it will.
    stalled: BTreeSet<WorkerId>,
    /// What only the driver can do.
    actions: Vec<Action>,
    /// When the driver will wake up by itself.
    driver_wakes_at: Option<Time>,
    wakes: Wakes,
}

impl Outgoing {
    pub(crate) fn new(link: Arc<Link>, captures: [SharedCapture; 2]) -> Outgoing {
        Outgoing {
            link,
            captures,
            outbox: Outbox::default(),
            functions: Memory::default(),
        }
    }
}

impl Sessions {
    pub(crate) fn add(&mut self, worker: WorkerId, outgoing: Outgoing) {
        self.all.insert(worker, outgoing);
    }

    pub(crate) fn get(&self, worker: WorkerId) -> Option<&Outgoing> {
        self.all.get(&worker)
    }

    pub(crate) fn remove(&mut self, worker: WorkerId) {
        self.all.remove(&worker);
    }

    /// The process of a session.
    pub(crate) fn pid(&self, worker: WorkerId) -> Option<i32> {
        self.get(worker)?.link.pid()
    }

    pub(crate) fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(crate) fn are_stalled(&self) -> bool {
        !self.stalled.is_empty()
    }

    /// The socket of this session takes more. That is no reason to try descriptors again, which have another limit.
    pub(crate) fn go_on(&mut self, worker: WorkerId) {
        if !self.stalled.contains(&worker) {
            self.flush(worker);
        }
    }

    /// Tries again to send where descriptors were too many.
    pub(crate) fn flush_stalled(&mut self) {
        for worker in std::mem::take(&mut self.stalled) {
            self.flush(worker);
        }
    }

    /// The driver sleeps until `next`. Sooner, and at once, if something was left to it.
    pub(crate) fn plan(&mut self, next: Option<Time>) -> Option<Time> {
        self.driver_wakes_at = next;
        if self.actions.is_empty() {
            next
        } else {
            Some(Time::default())
        }
    }

    /// Sends what waits for this session, as far as its socket takes it.
    fn flush(&mut self, worker: WorkerId) {
        if let Some(outgoing) = self.all.get_mut(&worker) {
            // A broken socket means that the session is about to be reported dead, and its tasks with it.
            let _ = outgoing.outbox.flush(outgoing.link.task.as_fd());
            if outgoing.outbox.is_stalled() {
                self.stalled.insert(worker);
            }
        }
    }

    fn control(&self, worker: WorkerId, message: &ToControl) {
        if let Some((outgoing, packet)) = self.all.get(&worker).zip(packet::encode(message).ok()) {
            // A full control socket belongs to a session that does not listen: the scheduler's grace ends it. A broken
            // one belongs to a session that is about to be reported dead.
            let _ = socket::send_packet(outgoing.link.control.as_fd(), &packet, &[]);
        }
    }

    fn note_written(&mut self, worker: WorkerId) {
        if !self.written.contains(&worker) {
            self.written.push(worker);
        }
    }
}

impl Effects for Sessions {
    fn send(&mut self, worker: WorkerId, run: Run<'_>) {
        let Some(outgoing) = self.all.get_mut(&worker) else {
            return;
        };
        let (fun, call) = (&run.payload.fun, &run.payload.call);
        let part = fun.payload().part();
        let place = outgoing.functions.admit(fun.id(), &part, |_| {});
        let payloads: &[_] = match place {
            Remembered::Known(_) => &[call],
            Remembered::New(_) | Remembered::None => &[fun.payload(), call],
        };
        let given: Vec<_> = run.given.iter().filter_map(Given::known).collect();
        // A frame has room for so many, of which those that it cannot do without come first.
        let used = payloads.iter().map(|p| p.descriptors().count());
        let mut room = MAX_DESCRIPTORS.saturating_sub(used.sum());
        let mut fits = |payload: &Payload| {
            let left = room.checked_sub(payload.descriptors().count());
            room = left.unwrap_or(room);
            left.is_some()
        };
        let in_files: Vec<bool> = given.iter().map(|(_, outcome)| fits(outcome)).collect();
        let message = ToSession::Run {
            attempt: run.attempt,
            label: run.label.to_owned(),
            tries: run.tries,
            fun: FunctionRef {
                id: fun.id(),
                is_pure: fun.is_pure(),
                part,
            },
            call: call.part(),
            given: given
                .iter()
                .zip(&in_files)
                .map(|((argument, outcome), in_files)| outcome.given(argument, *in_files))
                .collect(),
        };
        let given = given.iter().map(|&(_, outcome)| outcome);
        let given: Vec<_> = given.zip(in_files).collect();
        let pushed = outgoing.outbox.push_given(&message, payloads, &given);
        // The payload was measured when it was made, and no label is long (`max_id_bytes` in R/config.R).
        debug_assert!(pushed.is_ok());
        self.note_written(worker);
    }

    fn run_broadcast(&mut self, worker: WorkerId, _: u64, call: &Arc<Payload>) {
        if let Some(outgoing) = self.all.get_mut(&worker) {
            let message = ToSession::RunBroadcast { call: call.part() };
            let pushed = outgoing.outbox.push(&message, &[call]);
            debug_assert!(pushed.is_ok());
            self.note_written(worker);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Retire { worker } => {
                if let Some(outgoing) = self.all.get_mut(&worker) {
                    let pushed = outgoing.outbox.push(&ToSession::Retire, &[]);
                    debug_assert!(pushed.is_ok());
                    self.note_written(worker);
                }
            }
            Action::Recall { worker, attempts } => {
                self.control(worker, &ToControl::Recall { attempts });
            }
            Action::Interrupt { worker, attempt } => {
                self.control(worker, &ToControl::Interrupt { attempt });
            }
            _ => self.actions.push(action),
        }
    }

    fn wakes(&mut self) -> &mut Wakes {
        &mut self.wakes
    }

    fn finish(&mut self, wake_at: Option<Time>) {
        for worker in std::mem::take(&mut self.written) {
            self.flush(worker);
        }
        let is_earlier = match (wake_at, self.driver_wakes_at) {
            (Some(wanted), Some(planned)) => wanted < planned,
            (wanted, None) => wanted.is_some(),
            (None, _) => false,
        };
        self.wakes.driver |= is_earlier || !self.actions.is_empty() || self.are_stalled();
    }
}
