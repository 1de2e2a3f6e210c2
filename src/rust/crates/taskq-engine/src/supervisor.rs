//! The host's side of the supervisor: how it is made, told and reaped. What the host knows of it, and does about that,
//! is [decided](lifecycle) apart from the calls of the operating system, which are here. The worker side is in
//! `taskq-worker`.
//!
//! A supervisor comes from a [`Zygote`], and may be the zygote itself. In the driver's eyes it is one process from its
//! beginning.

use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, Shutdown};
use taskq_core::id::WorkerId;
use taskq_sys::process::{kill_tree, Mark, Tree};
use taskq_sys::tempdir::TempDir;
use taskq_sys::{memory, pipe, process, socket, tag};
use taskq_wire::message::{FromSupervisor, FromZygote, Setup, ToSupervisor};
use taskq_wire::{frame, packet, WireError};

mod lifecycle;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod tests;

pub(crate) use lifecycle::News;
use lifecycle::{Lifecycle, SupervisorIo};
use taskq_record::{ProcessEnd, StartPhase};

use crate::config::Config;
use crate::output::Capture;
use crate::text::shown;
use crate::zygote::{self, random_token, wait_for, Key, Zygote, END_LIMIT};

/// How much of a supervisor's own output is kept.
const OUTPUT_LIMIT: usize = 64 * 1024;

/// How long orphans are looked for. Killing takes milliseconds; a process in the kernel's hands is not waited for
/// longer.
const ORPHANS_LIMIT: Duration = Duration::from_secs(1);

/// A supervisor process.
#[derive(Debug)]
pub(crate) struct Supervisor {
    life: Lifecycle,
    ends: NearEnds,
    /// What it writes to both output descriptors.
    pub(crate) output: OwnedFd,
    capture: Capture,
    token: String,
    dir: TempDir,
    /// Why it cannot come up, as far as it has said.
    pub(crate) refusal: Option<(Option<StartPhase>, String)>,
}

/// Where it and its zygote are heard and told.
#[derive(Debug)]
struct NearEnds {
    /// What it comes from.
    zygote: Arc<Zygote>,
    /// What the zygote tells of it.
    report: OwnedFd,
    /// Packets to and from it.
    control: OwnedFd,
    /// The fork that the zygote has told of: readable once it is dead.
    fork: Option<OwnedFd>,
    /// Whether the supervisor has closed its end: it is dead or about to die.
    is_silent: bool,
}

/// The worker sides of the descriptors that a session gets.
#[derive(Debug)]
pub(crate) struct FarEnds {
    pub(crate) task: OwnedFd,
    pub(crate) control: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    pub(crate) board: OwnedFd,
}

/// The worker sides of a supervisor's descriptors, in the order in which a zygote gets them.
struct ForZygote {
    control: OwnedFd,
    setup: OwnedFd,
    output: OwnedFd,
    report: OwnedFd,
}

impl Supervisor {
    /// Has a supervisor made: by a zygote that there is, or by one that is started for it. In either case it answers
    /// when it is up, or dies.
    ///
    /// # Errors
    /// What the operating system says, with the program's name where that is to blame.
    pub(crate) fn start(config: &Config) -> io::Result<Supervisor> {
        let key = Key::of(config);
        for zygote in zygote::alike(key.as_ref()) {
            let (supervisor, ends) = Supervisor::prepare(config, |_| Ok(zygote))?;
            if let Ok(supervisor) = supervisor.ask(&ends).and_then(Supervisor::born_soon) {
                return Ok(supervisor);
            }
        }
        let start = |output: BorrowedFd<'_>| Zygote::start(config, key, output).map(Arc::new);
        let (supervisor, ends) = Supervisor::prepare(config, start)?;
        supervisor.ask(&ends)
    }

    /// A supervisor that is to come from a zygote, which is asked for when everything else is there.
    fn prepare(
        config: &Config,
        zygote: impl FnOnce(BorrowedFd<'_>) -> io::Result<Arc<Zygote>>,
    ) -> io::Result<(Supervisor, ForZygote)> {
        let (control, far_control) = socket::packet_pair()?;
        let (report, far_report) = socket::packet_pair()?;
        let (output, far_output) = pipe::pair()?;
        for fd in [&control, &report, &output] {
            socket::set_nonblocking(fd, true)?;
        }
        let token = random_token()?;
        let dir = TempDir::within(&config.temp_dirs, &tag::dir_name(&token));
        let setup = setup_file(config, &token, &dir)?;
        let zygote = zygote(far_output.as_fd())?;
        let ends = ForZygote {
            control: far_control,
            setup: setup.into(),
            output: far_output,
            report: far_report,
        };
        let supervisor = Supervisor {
            life: Lifecycle::default(),
            ends: NearEnds {
                zygote,
                report,
                control,
                fork: None,
                is_silent: false,
            },
            output,
            capture: Capture::new(OUTPUT_LIMIT, config.charset),
            token,
            dir,
            refusal: None,
        };
        Ok((supervisor, ends))
    }

    fn ask(self, ends: &ForZygote) -> io::Result<Supervisor> {
        zygote::make(&self.dir)?;
        let descriptors = [
            ends.control.as_fd(),
            ends.setup.as_fd(),
            ends.output.as_fd(),
            ends.report.as_fd(),
        ];
        self.ends.zygote.ask(&descriptors).inspect_err(|_| {
            let _ = self.dir.remove();
        })?;
        Ok(self)
    }

    /// Waits for a zygote that is up to fork.
    fn born_soon(mut self) -> io::Result<Supervisor> {
        let Err(errno) = self.life.await_birth(&mut self.ends) else {
            return Ok(self);
        };
        self.reap();
        Err(errno.map_or_else(
            || io::ErrorKind::TimedOut.into(),
            io::Error::from_raw_os_error,
        ))
    }

    /// What has come of it.
    pub(crate) fn attend(&mut self) -> Vec<News> {
        let news = self.life.attend(&mut self.ends);
        self.read_output();
        news
    }

    /// What it comes from.
    pub(crate) fn zygote(&self) -> &Arc<Zygote> {
        &self.ends.zygote
    }

    /// Where it and its zygote are heard: each of these is readable when there is something to
    /// [attend](Supervisor::attend) to, and the first one is writable when it can be told more.
    pub(crate) fn descriptors(&self) -> [BorrowedFd<'_>; 3] {
        [&self.ends.control, &self.output, &self.ends.report].map(AsFd::as_fd)
    }

    /// What is readable once its process is dead, or the zygote's: of neither where the kernel has no such thing.
    pub(crate) fn pidfds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let of_zygote = self.ends.zygote.pidfd.as_ref().map(AsFd::as_fd);
        of_zygote.into_iter().chain(self.fork())
    }

    /// The fork that it is, if it is one, and the zygote has told of it. Readable once it is dead.
    pub(crate) fn fork(&self) -> Option<BorrowedFd<'_>> {
        self.ends.fork.as_ref().map(AsFd::as_fd)
    }

    /// Whether it is to end.
    pub(crate) fn is_condemned(&self) -> bool {
        self.life.is_condemned()
    }

    /// Whether it has closed its end of the control socket: it is dead or about to die.
    pub(crate) fn is_silent(&self) -> bool {
        self.ends.is_silent
    }

    /// Why the zygote could not make it, if so.
    pub(crate) fn failure(&self) -> Option<i32> {
        self.life.failure()
    }

    /// Asks for a session. `Ok(false)`: the socket is full, ask again when it is writable.
    pub(crate) fn launch(&self, worker: WorkerId, ends: &FarEnds) -> io::Result<bool> {
        let descriptors = [
            ends.task.as_fd(),
            ends.control.as_fd(),
            ends.stdout.as_fd(),
            ends.stderr.as_fd(),
            ends.board.as_fd(),
        ];
        self.send(&ToSupervisor::Launch { worker }, &descriptors)
    }

    /// Sends a message. `Ok(false)`: the socket is full.
    pub(crate) fn send(&self, message: &ToSupervisor, fds: &[BorrowedFd<'_>]) -> io::Result<bool> {
        let packet = packet::encode(message)?;
        match socket::send_packet(self.ends.control.as_fd(), &packet, fds) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads what the process wrote.
    fn read_output(&mut self) {
        let mut chunk = [0u8; 4096];
        while let Ok(count @ 1..) = rustix::io::read(&self.output, &mut chunk[..]) {
            self.capture.write(&chunk[..count]);
        }
    }

    /// The last of what it wrote.
    pub(crate) fn last_output(&mut self, count: usize) -> String {
        self.read_output();
        shown(&self.capture.last(count))
    }

    /// Ends the process at once. Its sessions notice and end themselves; [`reap`](Supervisor::reap) sees to it.
    pub(crate) fn kill(&mut self) {
        self.life.kill(&mut self.ends);
    }

    /// Ends it, waits for its end, and reaps it. The kernel needs milliseconds for that, and more only for a process
    /// that it holds itself.
    pub(crate) fn end(&mut self) {
        self.kill();
        let deadline = Instant::now() + END_LIMIT;
        let is_gone = |news: &News| matches!(news, News::Gone(_));
        while !self.attend().iter().any(is_gone) && Instant::now() < deadline {
            let last = self.pidfds().last();
            // Where there are no such descriptors, the zygote's socket closes at its end.
            wait_for(last.unwrap_or(self.ends.report.as_fd()), END_LIMIT);
        }
        self.reap();
    }

    /// Removes what a dead supervisor could not: processes that carry the queue's token, and its directory.
    pub(crate) fn reap(&self) {
        // One that is seen by nothing else makes its directory no more from now on.
        let _ = rustix::net::shutdown(&self.ends.control, Shutdown::Both);
        self.dir.clear();
        self.kill_orphans();
        if self.dir.remove().is_err() {
            // A process that was just killed may have been writing; it is gone now.
            self.kill_orphans();
            let _ = self.dir.remove();
        }
    }

    fn kill_orphans(&self) {
        let marks = vec![Mark::Queue(self.token.clone())];
        // What cannot be seen or killed now belongs to another user or is held by the kernel: no more can be done.
        let _ = kill_tree(
            &Tree {
                marks,
                ..Tree::default()
            },
            ORPHANS_LIMIT,
        );
    }
}

impl SupervisorIo for NearEnds {
    fn next_of_zygote(&mut self) -> Option<FromZygote> {
        let mut buffer = [0u8; 256];
        let received = socket::recv_packet(self.report.as_fd(), &mut buffer, RecvFlags::DONTWAIT);
        let packet = received.ok().filter(|packet| packet.len > 0)?;
        let message = packet::decode(&buffer[..packet.len]);
        let fd = packet.fds.into_iter().next();
        Some(match (message, fd) {
            (Ok(FromZygote::Forked { pid }), Some(pidfd)) => {
                self.fork = Some(pidfd);
                FromZygote::Forked { pid }
            }
            // The host had no room for it among its own.
            (Ok(FromZygote::Forked { .. }), None) => FromZygote::Failed {
                errno: libc::EMFILE,
            },
            (Ok(message), _) => message,
            (Err(_), _) => FromZygote::Failed {
                errno: libc::EPROTO,
            },
        })
    }

    fn next_of_supervisor(&mut self) -> Option<Result<FromSupervisor, WireError>> {
        let mut buffer = [0u8; packet::MAX_PACKET];
        loop {
            match socket::recv_packet(self.control.as_fd(), &mut buffer, RecvFlags::DONTWAIT) {
                Ok(packet) if packet.len > 0 => return Some(packet::decode(&buffer[..packet.len])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // A reset is told once, and before what was said.
                _ if !std::mem::replace(&mut self.is_silent, true) => {}
                _ => return None,
            }
        }
    }

    fn zygote_end(&mut self) -> Option<ProcessEnd> {
        self.zygote.try_wait()
    }

    fn fork_is_dead(&mut self) -> bool {
        let fork = self.fork.as_ref();
        fork.map_or(true, |fork| process::is_dead(fork).unwrap_or(true))
    }

    fn wait_for_zygote(&mut self, limit: Duration) {
        wait_for(self.report.as_fd(), limit);
    }

    fn kill_zygote(&mut self) {
        let _ = self.zygote.kill();
    }

    fn kill_fork(&mut self) {
        if let Some(fork) = &self.fork {
            let _ = process::kill_held(fork);
        }
    }
}

/// What the supervisor reads; see [`Setup`].
fn setup_file(config: &Config, token: &str, dir: &TempDir) -> io::Result<std::fs::File> {
    let setup = Setup {
        host_pid: process::own_pid(),
        token: token.to_owned(),
        places: dir.places().map(Into::into).collect(),
    };
    let mut head = Vec::new();
    frame::encode_head(&setup, config.setup.len() as u64, 0, &mut head)?;
    let mut file = memory::file("taskq-setup")?;
    // The driver thread, which calls this, blocks all signals, that of a file too large among them.
    file.write_all(&head)
        .and_then(|()| file.write_all(&config.setup))
        .map_err(|error| {
            let size = config.setup.len();
            let what = format!("cannot keep `preload`, `init` and `globals`, {size} bytes");
            let is_limit = error.raw_os_error() == Some(libc::EFBIG);
            let limit = if is_limit { ", see `ulimit -f`" } else { "" };
            io::Error::new(error.kind(), format!("{what}: {error}{limit}"))
        })?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}
