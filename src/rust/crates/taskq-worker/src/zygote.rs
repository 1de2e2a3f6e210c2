//! The zygote: a process in which everything is up that does not depend on a queue, and from which supervisors are
//! forked.
//!
//! A host starts a program once; what has then become of it, before it has taken in anything of a user, is worth
//! keeping for the next queue. So the process that is started becomes no supervisor: it *forks* one for each request of
//! the host, reaps it, and tells the host how it ended. Every supervisor comes into being in this one way, the first
//! like all others.
//!
//! A zygote must take in nothing of any queue: it reads no setup file, and has no descriptor of a queue but the one on
//! which it tells of the queue's supervisor. It has one thread, sleeps until there is something to do, and has no
//! handler for signals.
//!
//! Where there is no forking (the process has threads, the kernel has no process descriptors, or a test says so),
//! there is no zygote either: the process becomes the one supervisor that it was started for.
//!
//! ```text
//! Zygote::open ── serve ──┬── a supervisor, forked or not, and its setup file
//!                         └── nothing: the host is gone or has closed its end
//! ```
//!
//! | who is gone | what follows |
//! | --- | --- |
//! | supervisor | the zygote reaps it and tells the host |
//! | host | the zygote sees it by its descriptor and leaves; supervisors in service see it, too, the others get `SIGKILL` as children of the zygote |
//! | zygote | supervisors in service go on; one that has not begun to serve is killed by the kernel, as no other process would see to it that it does not outlive its host |

use std::env;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use taskq_sys::feature::{available, Feature};
use taskq_sys::socket::{recv_packet, send_packet, set_nonblocking, RecvFlags};
use taskq_sys::{fds, pipe, process, signals, tag, tempdir, threads, wait};
use taskq_wire::message::{FromZygote, ToZygote};
use taskq_wire::packet::{self, MAX_PACKET};

use crate::error::StartError;
use crate::inheritance::adopt;
use crate::setup::{queue_dir, SetupFile};
use crate::supervisor::Supervisor;
use crate::watch::Watch;

/// Where a zygote finds the socket from which its requests come.
const CONTROL: i32 = 3;

/// A process that was started to be a zygote.
#[derive(Debug)]
pub struct Zygote {
    /// This process, not one that was forked from it.
    own: i32,
    control: OwnedFd,
    /// Known as soon as the first request has come.
    host: Option<Watch>,
    has_forked: bool,
    supervisors: Vec<Offspring>,
}

/// A supervisor of this zygote.
#[derive(Debug)]
struct Offspring {
    pid: i32,
    /// Readable once it is dead.
    pidfd: OwnedFd,
    /// Where the host hears of it.
    report: OwnedFd,
}

/// What comes with a request.
struct Request {
    host_pid: i32,
    control: OwnedFd,
    setup: OwnedFd,
    output: OwnedFd,
    report: OwnedFd,
}

/// What [`Zygote::serve`] returns in the process that has become a supervisor.
type Become = Result<(Supervisor, SetupFile), StartError>;

impl Zygote {
    /// Takes over what a zygote inherits. The process has loaded what all queues need, and its temporary directory is
    /// removed now: every supervisor, and every session, makes its own.
    ///
    /// # Errors
    /// The process was not started by a host.
    pub fn open() -> Result<Zygote, StartError> {
        // What is forked inherits it.
        signals::save_no_workspace();
        let control = adopt(CONTROL)?;
        // A profile may have closed them, and what is received must not get their numbers.
        fds::occupy_standard();
        set_nonblocking(&control, true).map_err(StartError::system("set up the socket"))?;
        if let Some(dir) = own_dir() {
            // What cannot be removed now, its host removes.
            let _ = tempdir::remove(&dir);
        }
        Ok(Zygote {
            own: process::own_pid(),
            control,
            host: None,
            has_forked: false,
            supervisors: Vec::new(),
        })
    }

    /// Forks supervisors until the host is gone or closes its end. Returns in each of them, and in this process itself
    /// when it has to be the supervisor.
    ///
    /// # Errors
    /// [`StartError`]. The process should exit, be it the zygote or a supervisor.
    pub fn serve(mut self) -> Result<Option<(Supervisor, SetupFile)>, StartError> {
        loop {
            self.wait().map_err(StartError::system("wait for events"))?;
            if self.host_is_gone()? {
                return Ok(None);
            }
            self.reap();
            match self.receive()? {
                Received::Nothing => {}
                Received::End => return Ok(None),
                Received::Request(request) => {
                    if let Some(become_supervisor) = self.answer(*request)? {
                        return become_supervisor.map(Some);
                    }
                }
            }
        }
    }

    fn host_is_gone(&self) -> Result<bool, StartError> {
        let Some(host) = &self.host else {
            return Ok(false);
        };
        host.is_gone().map_err(StartError::system("watch the host"))
    }

    fn wait(&self) -> io::Result<()> {
        let host = self.host.as_ref().and_then(Watch::fd);
        let dying = self
            .supervisors
            .iter()
            .map(|supervisor| supervisor.pidfd.as_fd());
        let fds = [self.control.as_fd()].into_iter().chain(host).chain(dying);
        let mut fds: Vec<PollFd<'_>> = fds
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        match poll(&mut fds, None::<&Timespec>) {
            Err(rustix::io::Errno::INTR) => Ok(()),
            other => other.map(drop).map_err(Into::into),
        }
    }

    /// Reaps supervisors that are dead and tells of them.
    fn reap(&mut self) {
        // A profile may have left children. Nothing tells of their end, but they can wait.
        while let Ok(Some(pid)) = wait::ended(None) {
            if self
                .supervisors
                .iter()
                .any(|supervisor| supervisor.pid == pid)
            {
                break;
            }
            let _ = wait::reap(pid, false);
        }
        self.supervisors.retain(|supervisor| {
            if !process::is_dead(&supervisor.pidfd).unwrap_or(true) {
                return true;
            }
            match wait::reap(supervisor.pid, false) {
                Ok(None) => true,
                Ok(Some(reaped)) => {
                    let end = reaped.end.into();
                    tell(&supervisor.report, &FromZygote::Ended { end }, None);
                    false
                }
                Err(_) => false,
            }
        });
    }

    fn receive(&self) -> Result<Received, StartError> {
        let mut buffer = vec![0; MAX_PACKET];
        let packet = match recv_packet(&self.control, &mut buffer, RecvFlags::DONTWAIT) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Received::Nothing)
            }
            other => other.map_err(StartError::system("receive from the host"))?,
        };
        if packet.len == 0 {
            return Ok(Received::End);
        }
        let ToZygote::Supervisor { host_pid } =
            packet::decode(&buffer[..packet.len]).map_err(StartError::Request)?;
        let fds: Result<[OwnedFd; 4], _> = packet.fds.try_into();
        let [control, setup, output, report] =
            fds.map_err(|fds: Vec<OwnedFd>| StartError::RequestDescriptors { found: fds.len() })?;
        Ok(Received::Request(Box::new(Request {
            host_pid,
            control,
            setup,
            output,
            report,
        })))
    }

    /// Makes a supervisor. `None` in the zygote.
    fn answer(&mut self, request: Request) -> Result<Option<Become>, StartError> {
        let host = match self.host.take() {
            Some(host) => host,
            None => Watch::parent(request.host_pid)?,
        };
        let is_first = !self.has_forked;
        // No signal may find the child while it still looks like the zygote.
        let mask = signals::block_async();
        let forked =
            pipe::pair().and_then(|(untold, telling)| Ok((self.fork(&host)?, untold, telling)));
        let forked = match forked {
            Ok((0, untold, telling)) => {
                drop(telling);
                // What is the zygote's closes with `self`.
                let become_supervisor = begin(self.own, host, request, &untold);
                mask.restore();
                return Ok(Some(become_supervisor));
            }
            other => other,
        };
        mask.restore();
        match forked {
            Ok((pid, _, telling)) => {
                self.has_forked = true;
                self.adopt(pid, request.report)?;
                drop(telling);
            }
            Err(_) if is_first => {
                tell(&request.report, &FromZygote::Became, None);
                return Ok(Some(settle(host, request)));
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EAGAIN);
                tell(&request.report, &FromZygote::Failed { errno }, None);
            }
        }
        self.host = Some(host);
        if is_first {
            leave_output().map_err(StartError::system("leave the supervisor's output"))?;
        }
        Ok(None)
    }

    /// Forks; 0 in the child.
    fn fork(&self, host: &Watch) -> io::Result<i32> {
        let facilities = available(Feature::Fork) && host.fd().is_some();
        if !facilities || threads::left()? != 1 {
            return Err(io::Error::from_raw_os_error(libc::ENOTSUP));
        }
        // What the process has printed and not written yet is not to be written by each supervisor again.
        // SAFETY: flushes what C's streams hold.
        unsafe { libc::fflush(std::ptr::null_mut()) };
        // SAFETY: the process has a single thread, so the child is a whole process: no lock is held by a thread it
        // lacks.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            pid => Ok(pid),
        }
    }

    /// In the zygote: a supervisor was forked.
    fn adopt(&mut self, pid: i32, report: OwnedFd) -> Result<(), StartError> {
        tracing::debug!(supervisor = pid, "forked");
        // From now on the host's death is seen by the loop, and this process is worth more than the thread that has
        // started it; the signal is only needed to wake a zygote that was stopped.
        process::set_parent_death_signal(libc::SIGCONT).map_err(StartError::system("be woken"))?;
        match process::pidfd(pid) {
            Ok(Some(pidfd)) if tell(&report, &FromZygote::Forked { pid }, Some(&pidfd)) => {
                self.supervisors.push(Offspring { pid, pidfd, report });
            }
            // A supervisor of which the host does not know, or that cannot be watched, must not be. The host may ask
            // again.
            other => {
                let errno = other.err().and_then(|error| error.raw_os_error());
                let errno = errno.unwrap_or(libc::EMFILE);
                let _ = process::kill(pid, libc::SIGKILL);
                let _ = wait::reap(pid, true);
                tell(&report, &FromZygote::Failed { errno }, None);
            }
        }
        Ok(())
    }
}

enum Received {
    Nothing,
    Request(Box<Request>),
    End,
}

/// In a fork of the zygote: becomes a process of its own, then, once the host was told of it, the supervisor. So
/// whoever has heard of a supervisor's work knows where it came from.
fn begin(zygote: i32, host: Watch, request: Request, untold: &OwnedFd) -> Become {
    process::new_session().map_err(StartError::system("begin a session"))?;
    // Until the supervisor serves, it cannot see its host's death. The zygote does, and leaves.
    process::set_parent_death_signal(libc::SIGKILL)
        .map_err(StartError::system("die with the zygote"))?;
    if process::parent_pid() != zygote {
        return Err(StartError::Orphan { expected: zygote });
    }
    while let Err(rustix::io::Errno::INTR) = rustix::io::read(untold, &mut [0]) {}
    settle(host, request)
}

/// Makes this process the supervisor of the request.
fn settle(host: Watch, request: Request) -> Become {
    for at in [1, 2] {
        // SAFETY: the standard descriptors have no owner.
        unsafe { fds::place(request.output.as_fd(), at) }
            .map_err(StartError::system("set up the standard descriptors"))?;
    }
    let (supervisor, file) = Supervisor::new(host, request.control, request.setup)?;
    // SAFETY: the process has one thread, or else threads of libraries that wait for work.
    unsafe { tag::write_queue(&file.setup.token) };
    // Its host has made it, and may have given up this supervisor and removed it by now: it is not made again.
    if let Some(dir) = queue_dir(&file.setup).find() {
        env::set_var("TMPDIR", dir);
    }
    Ok((supervisor, file))
}

/// The directory in which the process has its temporary files: one that the host has made and named after the zygote.
/// Any other is none of its business.
fn own_dir() -> Option<PathBuf> {
    let dir = PathBuf::from(env::var_os("TMPDIR")?);
    let name = tag::dir_name(&tag::own_queue()?);
    (dir.file_name()? == name.as_str()).then_some(dir)
}

/// Tells the host of a supervisor; whether it could be told. A host that has closed its end needs to know nothing any
/// more. A supervisor gives rise to two messages, for which there is room, but the kernel bounds the descriptors under
/// way.
fn tell(report: &OwnedFd, message: &FromZygote, fd: Option<&OwnedFd>) -> bool {
    let fds: Vec<_> = fd.map(AsFd::as_fd).into_iter().collect();
    packet::encode(message).is_ok_and(|packet| send_packet(report, &packet, &fds).is_ok())
}

/// What the zygote was started with for its output belongs to its first supervisor.
fn leave_output() -> io::Result<()> {
    let null = OwnedFd::from(File::options().write(true).open("/dev/null")?);
    for at in [1, 2] {
        // SAFETY: the standard descriptors have no owner.
        unsafe { fds::place(null.as_fd(), at)? };
    }
    Ok(())
}
