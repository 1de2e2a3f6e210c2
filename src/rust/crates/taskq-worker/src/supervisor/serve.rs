//! The supervisor's loop: waits for whatever comes first, and does it.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use taskq_sys::feature::{available, Feature};
use taskq_sys::signals::ChildEnds;
use taskq_sys::socket::{recv_packet, send_packet, RecvFlags};
use taskq_sys::{fault, process, threads};
use taskq_wire::message::{FromSupervisor, NoFork, ToSupervisor};
use taskq_wire::packet::{self, MAX_PACKET};

use super::children::Children;
use super::{ExecSession, Inherited, Role};
use crate::error::ServeError;
use crate::inheritance::Inheritance;

/// A supervisor in service.
pub(super) struct Serving {
    pub(super) inherited: Inherited,
    pub(super) exec: ExecSession,
    pub(super) ends: ChildEnds,
    pub(super) children: Children,
    /// Whether sessions are forked.
    pub(super) forks: bool,
    /// Where sessions are to start. It may be removed, and be made anew, while the supervisor waits.
    pub(super) working_dir: Option<PathBuf>,
    /// Packets for which the socket had no room.
    outbox: VecDeque<Vec<u8>>,
}

/// What a round of the loop led to.
enum Step {
    Go,
    Stop,
    Become(Box<Inheritance>),
}

/// See [`Supervisor::serve`](super::Supervisor::serve).
pub(super) fn serve(inherited: Inherited, exec: ExecSession) -> Result<Role, ServeError> {
    let adopts = process::set_subreaper().map_err(ServeError::system("adopt orphans"))?;
    let ends = ChildEnds::watch().map_err(ServeError::system("take over SIGCHLD"))?;
    let children = Children::new(&inherited, adopts);
    let outbox = VecDeque::new();
    let mut serving = Serving {
        inherited,
        exec,
        ends,
        children,
        forks: false,
        working_dir: std::env::current_dir().ok(),
        outbox,
    };
    match serving.run() {
        Ok(Some(inheritance)) => {
            // This is the child. All descriptors but the inheritance's are closed, so their owners must not close them
            // again.
            std::mem::forget(serving);
            Ok(Role::Session(*inheritance))
        }
        Ok(None) => {
            serving.children.end();
            Ok(Role::End)
        }
        Err(error) => {
            serving.children.end();
            Err(error)
        }
    }
}

impl Serving {
    fn run(&mut self) -> Result<Option<Box<Inheritance>>, ServeError> {
        // The loop sees the host's death by itself; the signal is only needed to wake a supervisor that was stopped.
        process::set_parent_death_signal(libc::SIGCONT).map_err(ServeError::system("be woken"))?;
        let refusal = self.why_not_fork();
        self.forks = refusal.is_none();
        self.tell(&FromSupervisor::Up { refusal });
        loop {
            match self.round()? {
                Step::Go => {}
                Step::Stop => return Ok(None),
                Step::Become(inheritance) => return Ok(Some(inheritance)),
            }
        }
    }

    /// Why sessions cannot be forked (any more).
    fn why_not_fork(&self) -> Option<NoFork> {
        if !available(Feature::Fork) {
            return Some(NoFork::SwitchedOff);
        }
        match threads::left() {
            Ok(1) => None,
            Ok(count) => Some(NoFork::Threads {
                count: u32::try_from(count).unwrap_or(u32::MAX),
                sources: self.inherited.sources.clone(),
            }),
            Err(_) => Some(NoFork::Uncounted),
        }
    }

    fn round(&mut self) -> Result<Step, ServeError> {
        let ready = self.wait().map_err(ServeError::system("wait for events"))?;
        // The host's death comes first: what it may have sent before does not matter any more.
        if self
            .inherited
            .host
            .is_gone()
            .map_err(ServeError::system("watch the host"))?
        {
            if fault::is_on("late-parent-death") {
                std::thread::sleep(std::time::Duration::from_secs(15));
            }
            return Ok(Step::Stop);
        }
        if ready.ends {
            self.ends.clear();
            for message in self.children.reap() {
                self.tell(&message);
            }
        }
        if ready.control_writable {
            self.flush()?;
        }
        if ready.control_readable {
            return self.receive();
        }
        Ok(Step::Go)
    }

    fn wait(&self) -> io::Result<Ready> {
        let mut interest = PollFlags::IN;
        if !self.outbox.is_empty() {
            interest |= PollFlags::OUT;
        }
        let mut fds = vec![
            PollFd::new(&self.inherited.control, interest),
            PollFd::new(&self.ends, PollFlags::IN),
        ];
        fds.extend(
            self.inherited
                .host
                .fd()
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
        );
        let patience = self.inherited.host.patience();
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        match poll(&mut fds, patience.as_ref()) {
            Err(rustix::io::Errno::INTR) => return Ok(Ready::default()),
            other => other?,
        };
        let control = fds[0].revents();
        if control.contains(PollFlags::NVAL) {
            return Err(rustix::io::Errno::BADF.into());
        }
        Ok(Ready {
            control_readable: control.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR),
            control_writable: control.contains(PollFlags::OUT),
            ends: !fds[1].revents().is_empty(),
        })
    }

    /// Takes what the host has sent, up to a launch, and kills what it wants killed.
    fn receive(&mut self) -> Result<Step, ServeError> {
        let mut buffer = vec![0; MAX_PACKET];
        let mut doomed = Vec::new();
        let mut step = Step::Go;
        loop {
            let packet = recv_packet(&self.inherited.control, &mut buffer, RecvFlags::DONTWAIT);
            let packet = match packet {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                other => other.map_err(ServeError::system("receive from the host"))?,
            };
            if packet.len == 0 {
                step = Step::Stop;
                break;
            }
            match packet::decode(&buffer[..packet.len]).map_err(ServeError::Packet)? {
                ToSupervisor::Shutdown => {
                    step = Step::Stop;
                    break;
                }
                ToSupervisor::Kill { worker } => {
                    tracing::debug!(?worker, "kills");
                    doomed.push(worker);
                }
                ToSupervisor::Launch { worker } => {
                    let ends: Result<[OwnedFd; 5], _> = packet.fds.try_into();
                    let ends = ends.map_err(|fds: Vec<OwnedFd>| ServeError::Descriptors {
                        found: fds.len(),
                    })?;
                    if let Some(inheritance) = self.launch(worker, ends) {
                        return Ok(Step::Become(Box::new(inheritance)));
                    }
                    break;
                }
            }
        }
        if matches!(step, Step::Go) {
            // All at once: one look at all processes serves for all of them.
            for message in self.children.kill(&doomed) {
                self.tell(&message);
            }
        }
        Ok(step)
    }

    /// Forks from now on no more, because the process has become one that must not.
    pub(super) fn check_forks(&mut self) {
        if self.forks {
            let refusal = self.why_not_fork();
            if refusal.is_some() {
                self.forks = false;
                self.tell(&FromSupervisor::Up { refusal });
            }
        }
    }

    /// Sends a message to the host, or keeps it until there is room. A host that has closed its end misses nothing.
    pub(super) fn tell(&mut self, message: &FromSupervisor) {
        if let Ok(packet) = packet::encode(message) {
            self.outbox.push_back(packet);
            // Whatever keeps the socket from sending is seen again when it is polled.
            let _ = self.flush();
        }
    }

    fn flush(&mut self) -> Result<(), ServeError> {
        while let Some(packet) = self.outbox.front() {
            match send_packet(self.inherited.control.as_fd(), packet, &[]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.outbox.clear(),
                other => {
                    other.map_err(ServeError::system("send to the host"))?;
                    self.outbox.pop_front();
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    control_readable: bool,
    control_writable: bool,
    ends: bool,
}
