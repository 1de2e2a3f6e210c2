//! The control thread: interrupts, attempts that are given back, and the death of the supervisor.
//!
//! It never touches what runs on the main thread, except by a signal while an attempt is armed. Armed or not, and the
//! sending of the signal, are under one lock, so that an interrupt never hits what comes after its attempt. So are
//! giving back and telling the host, whose socket does not block: what was given back stands in the control socket
//! before a later attempt begins, so the host can know of it whenever it hears that one has ended.

use std::io;
use std::os::fd::OwnedFd;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use taskq_sys::address_space;
use taskq_sys::signals::{self, Thread};
use taskq_sys::socket::{recv_packet, send_packet, RecvFlags};
use taskq_wire::message::{FromControl, ToControl};
use taskq_wire::packet::{self, MAX_PACKET};

use super::die::die;
use super::ledger::{Interrupt, Ledger};
use super::InterruptHook;
use crate::inheritance::Ancestry;

/// How long after an interrupt the next one follows, unless the attempt has ended.
const AGAIN: Duration = Duration::from_millis(50);
/// Deep enough for reading `/proc`.
const STACK: usize = 256 * 1024;

/// What the main and the control thread share.
pub(super) struct Shared {
    /// Guards the state of attempts, and the sending of signals that depends on it.
    ledger: Mutex<Ledger>,
    pub(super) hook: InterruptHook,
    pub(super) ancestry: Ancestry,
    main: Thread,
}

impl Shared {
    pub(super) fn new(hook: InterruptHook, ancestry: Ancestry) -> Shared {
        Shared {
            ledger: Mutex::default(),
            hook,
            ancestry,
            main: Thread::current(),
        }
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // The ledger's methods do not panic; if one did, the state it left is still the best one.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an interrupt if one is due, and says whether it was.
    fn fire(&self) -> bool {
        let mut ledger = self.ledger();
        if !ledger.fire() {
            return false;
        }
        (self.hook.raise)();
        // The main thread cannot be over: its end is the process's.
        let _ = self.main.signal(libc::SIGINT);
        true
    }
}

/// Starts the control thread. A byte on `wake` makes it look whether an interrupt is due.
pub(super) fn start(shared: Arc<Shared>, control: OwnedFd, wake: OwnedFd) -> io::Result<()> {
    let control = Control {
        shared: Arc::clone(&shared),
        socket: Some(control),
        wake,
        unanswered: None,
        next: None,
    };
    let body = move || {
        // Whatever ends this thread, without it the session could not be stopped any more.
        let _ = catch_unwind(AssertUnwindSafe(|| control.run()));
        die(&shared.ancestry);
    };
    // The new thread inherits the mask: no signal that is meant for the task is handled there.
    let mask = signals::block_async();
    let thread = thread::Builder::new()
        .name("taskq-control".into())
        .stack_size(STACK);
    address_space::be_sparing();
    let started = thread.spawn(body);
    mask.restore();
    started.map(drop)
}

struct Control {
    shared: Arc<Shared>,
    /// `None` after the host has closed its end.
    socket: Option<OwnedFd>,
    wake: OwnedFd,
    /// A message for whose answer the socket had no room. Nothing more is taken before it is answered.
    unanswered: Option<ToControl>,
    /// When the next interrupt follows.
    next: Option<Instant>,
}

impl Control {
    /// Returns when the supervisor is gone, or a descriptor of this thread is not what it was.
    fn run(mut self) -> io::Result<()> {
        let mut buffer = Vec::new();
        while !self.shared.ancestry.supervisor.is_gone()? {
            let woken = self.wait()?;
            // Most sessions are never told anything here.
            buffer.resize(MAX_PACKET, 0);
            if woken {
                let mut bytes = [0; 64];
                rustix::io::read(&self.wake, &mut bytes)?;
            }
            let received = self.receive(&mut buffer)?;
            if woken || received || self.next.is_some_and(|next| next <= Instant::now()) {
                self.next = self.shared.fire().then(|| Instant::now() + AGAIN);
            }
        }
        Ok(())
    }

    /// Waits for the next event, and says whether the main thread sent one.
    fn wait(&self) -> io::Result<bool> {
        let until_next = self
            .next
            .map(|next| next.saturating_duration_since(Instant::now()));
        let patience = [until_next, self.shared.ancestry.supervisor.patience()];
        let patience = patience.into_iter().flatten().min();
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        let mut fds = vec![PollFd::new(&self.wake, PollFlags::IN)];
        let supervisor = self.shared.ancestry.supervisor.fd();
        fds.extend(supervisor.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        if let Some(socket) = &self.socket {
            let waits_for_room = self.unanswered.is_some();
            let interest = if waits_for_room {
                PollFlags::OUT
            } else {
                PollFlags::IN
            };
            fds.push(PollFd::new(socket, interest));
        }
        match poll(&mut fds, patience.as_ref()) {
            Err(rustix::io::Errno::INTR) => return Ok(false),
            other => other?,
        };
        if fds.iter().any(|fd| fd.revents().contains(PollFlags::NVAL)) {
            return Err(rustix::io::Errno::BADF.into());
        }
        Ok(!fds[0].revents().is_empty())
    }

    /// Takes all packets that are there. Returns whether an interrupt may be due now.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let mut wanted = false;
        while let Some(socket) = &self.socket {
            let message = if let Some(message) = self.unanswered.take() {
                message
            } else {
                let packet = match recv_packet(socket, buffer, RecvFlags::DONTWAIT) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    other => other?,
                };
                if packet.len == 0 {
                    // Only a hint: it is the supervisor that decides.
                    self.socket = None;
                    break;
                }
                packet::decode(&buffer[..packet.len])?
            };
            tracing::debug!("is told {message:?}");
            let mut ledger = self.shared.ledger();
            let attempts = match &message {
                ToControl::Recall { attempts } => ledger.not_begun(attempts.clone()),
                ToControl::Interrupt { attempt } => match ledger.interrupt(*attempt) {
                    Interrupt::NotBegun => vec![*attempt],
                    answer => {
                        wanted |= answer == Interrupt::Wanted;
                        continue;
                    }
                },
            };
            let answer = FromControl::Returned { attempts };
            match send_packet(socket, &packet::encode(&answer)?, &[]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unanswered = Some(message);
                    break;
                }
                // What could not be sent will not be missed.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                other => other?,
            }
            let FromControl::Returned { attempts } = answer;
            ledger.give_back(attempts);
        }
        Ok(wanted)
    }
}
