//! The host's side of the nursery: how it is born, told and buried. The far side is in `taskq-worker`.
//!
//! A nursery comes from a [`Stem`], in three steps that its [`Birth`] tells apart. In the driver's eyes it is one
//! process from its beginning, whose death is told by one of several descriptors:
//!
//! | birth | its process | who knows how it ended |
//! | --- | --- | --- |
//! | unborn | the stem, which is being started for it | the host: the stem is its child |
//! | born | a fork of the stem | the stem, which tells; nobody, if that is dead, too |
//! | alone | the stem, which could not fork and has become the nursery | the host |

use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::net::RecvFlags;
use taskq_core::id::WorkerId;
use taskq_sys::process::{kill_tree, Mark, Tree};
use taskq_sys::{memory, pipe, process, socket, tag, tempdir};
use taskq_wire::message::{FromNursery, FromStem, ProcessEnd, Setup, StartPhase, ToNursery};
use taskq_wire::{frame, packet};

use crate::config::Config;
use crate::output::Capture;
use crate::stem::{self, random_token, Likeness, Stem};

/// How much of a nursery's own output is kept.
const OUTPUT_LIMIT: usize = 64 * 1024;

/// How long strays are looked for. Killing takes milliseconds; a process in the kernel's hands is not waited for longer.
const STRAYS_LIMIT: Duration = Duration::from_secs(1);
/// A stem that is up forks within a millisecond. One that has not done it by then is stopped, or worse.
const BIRTH_LIMIT: Duration = Duration::from_secs(2);
/// A stem tells at once how a nursery ended, unless it is stopped.
const REPORT_LIMIT: Duration = Duration::from_millis(200);

/// A nursery process.
#[derive(Debug)]
pub(crate) struct Nursery {
    birth: Birth,
    /// What it comes from.
    pub(crate) stem: Arc<Stem>,
    /// What the stem tells of it.
    pub(crate) report: OwnedFd,
    /// The stem could not make it; the operating system's error number.
    pub(crate) failure: Option<i32>,
    /// It was born, and nobody has asked yet.
    is_new: bool,
    /// How it ended, by the stem's word.
    end: Option<ProcessEnd>,
    /// Packets to and from it.
    pub(crate) control: OwnedFd,
    /// What it writes to both output descriptors.
    pub(crate) output: OwnedFd,
    capture: Capture,
    token: String,
    dir: PathBuf,
    /// Whether it has closed its end: it is dead or about to die.
    pub(crate) is_silent: bool,
    /// What it said about why it cannot come up.
    pub(crate) refusal: Option<(StartPhase, String)>,
}

/// Which process it is; see the table above.
#[derive(Debug)]
enum Birth {
    Unborn,
    /// With a descriptor that is readable once it is dead.
    Born(OwnedFd),
    Alone,
}

/// The far ends of the descriptors that a session gets.
#[derive(Debug)]
pub(crate) struct FarEnds {
    pub(crate) task: OwnedFd,
    pub(crate) control: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    pub(crate) board: OwnedFd,
}

/// The far ends of a nursery's descriptors, in the order in which a stem gets them.
struct ForStem {
    control: OwnedFd,
    setup: OwnedFd,
    output: OwnedFd,
    report: OwnedFd,
}

impl Nursery {
    /// Has a nursery made: by a stem that there is, or by one that is started for it. In either case it answers when
    /// it is up, or dies.
    ///
    /// # Errors
    /// What the operating system says, with the program's name where that is to blame.
    pub(crate) fn start(config: &Config) -> io::Result<Nursery> {
        let likeness = Likeness::of(config);
        for stem in stem::alike(likeness.as_ref()) {
            let (nursery, ends) = Nursery::prepare(config, |_| Ok(stem))?;
            if let Ok(nursery) = nursery.ask(&ends).and_then(Nursery::born_soon) {
                return Ok(nursery);
            }
        }
        let start = |output: BorrowedFd<'_>| Stem::start(config, likeness, output).map(Arc::new);
        let (nursery, ends) = Nursery::prepare(config, start)?;
        nursery.ask(&ends)
    }

    /// A nursery that is to come from a stem, which is asked for when everything else is there.
    fn prepare(
        config: &Config,
        stem: impl FnOnce(BorrowedFd<'_>) -> io::Result<Arc<Stem>>,
    ) -> io::Result<(Nursery, ForStem)> {
        let (control, far_control) = socket::packet_pair()?;
        let (report, far_report) = socket::packet_pair()?;
        let (output, far_output) = pipe::pair()?;
        for fd in [&control, &report, &output] {
            socket::set_nonblocking(fd, true)?;
        }
        let token = random_token()?;
        let dir = config.parent_dir.join(tag::dir_name(&token));
        let setup = setup_file(config, &token, &dir)?;
        let stem = stem(far_output.as_fd())?;
        let ends = ForStem {
            control: far_control,
            setup: setup.into(),
            output: far_output,
            report: far_report,
        };
        let nursery = Nursery {
            birth: Birth::Unborn,
            stem,
            report,
            failure: None,
            is_new: false,
            end: None,
            control,
            output,
            capture: Capture::new(OUTPUT_LIMIT),
            token,
            dir,
            is_silent: false,
            refusal: None,
        };
        Ok((nursery, ends))
    }

    fn ask(self, ends: &ForStem) -> io::Result<Nursery> {
        std::fs::DirBuilder::new().mode(0o700).create(&self.dir)?;
        let descriptors = [
            ends.control.as_fd(),
            ends.setup.as_fd(),
            ends.output.as_fd(),
            ends.report.as_fd(),
        ];
        self.stem.ask(&descriptors).inspect_err(|_| {
            let _ = std::fs::remove_dir(&self.dir);
        })?;
        Ok(self)
    }

    /// Waits for a stem that is up to fork.
    fn born_soon(mut self) -> io::Result<Nursery> {
        wait_for(&self.report, BIRTH_LIMIT);
        self.hear_stem();
        if self.is_new {
            return Ok(self);
        }
        let error = match self.failure {
            Some(errno) => io::Error::from_raw_os_error(errno),
            None => {
                // What was asked of it must not happen later.
                self.stem.kill();
                io::ErrorKind::TimedOut.into()
            }
        };
        self.bury();
        Err(error)
    }

    /// Hears what the stem tells.
    pub(crate) fn hear_stem(&mut self) {
        let mut buffer = [0u8; 256];
        while let Ok(packet) =
            socket::recv_packet(self.report.as_fd(), &mut buffer, RecvFlags::DONTWAIT)
        {
            let message = packet::decode(&buffer[..packet.len]);
            match (message, packet.fds.into_iter().next()) {
                (Ok(FromStem::Forked { .. }), Some(pidfd)) => {
                    self.birth = Birth::Born(pidfd);
                    self.is_new = true;
                }
                (Ok(FromStem::Became), _) => self.birth = Birth::Alone,
                (Ok(FromStem::Failed { errno }), _) => self.failure = Some(errno),
                (Ok(FromStem::Ended { end }), _) => self.end = Some(end),
                // It is dead, or says what makes no sense.
                _ => break,
            }
        }
    }

    /// Whether the stem has borne it since this was asked last.
    pub(crate) fn take_news_of_birth(&mut self) -> bool {
        std::mem::take(&mut self.is_new)
    }

    /// What is readable once the nursery itself is dead, if it is a fork.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        match &self.birth {
            Birth::Born(pidfd) => Some(pidfd.as_fd()),
            Birth::Unborn | Birth::Alone => None,
        }
    }

    /// Whether nothing tells of its death: the kernel has no process descriptors.
    pub(crate) fn dies_unheard(&self) -> bool {
        self.pidfd().is_none() && self.stem.pidfd.is_none()
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
        self.send(&ToNursery::Launch { worker }, &descriptors)
    }

    /// Sends a message. `Ok(false)`: the socket is full.
    pub(crate) fn send(&self, message: &ToNursery, fds: &[BorrowedFd<'_>]) -> io::Result<bool> {
        let packet = packet::encode(message)?;
        match socket::send_packet(self.control.as_fd(), &packet, fds) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The next message that has come; `None` when there is none (any more).
    pub(crate) fn receive(&mut self) -> Option<FromNursery> {
        let mut buffer = [0u8; packet::MAX_PACKET];
        match socket::recv_packet(self.control.as_fd(), &mut buffer, RecvFlags::DONTWAIT) {
            Ok(received) => {
                self.is_silent = received.len == 0;
                packet::decode(&buffer[..received.len]).ok()
            }
            Err(error) => {
                self.is_silent |= error.kind() != io::ErrorKind::WouldBlock;
                None
            }
        }
    }

    /// Reads what the process wrote.
    pub(crate) fn read_output(&mut self) {
        let mut chunk = [0u8; 4096];
        while let Ok(count @ 1..) = rustix::io::read(&self.output, &mut chunk[..]) {
            self.capture.write(&chunk[..count]);
        }
    }

    /// The last of what it wrote.
    pub(crate) fn last_words(&mut self, count: usize) -> String {
        self.read_output();
        String::from_utf8_lossy(&self.capture.last(count)).into_owned()
    }

    /// Ends the process at once. Its sessions notice and end themselves; [`bury`](Nursery::bury) sees to it.
    pub(crate) fn kill(&self) {
        match &self.birth {
            Birth::Born(pidfd) => drop(process::kill_held(pidfd)),
            Birth::Unborn | Birth::Alone => self.stem.kill(),
        }
    }

    /// How the process ended; `None` while it lives.
    pub(crate) fn try_wait(&mut self) -> Option<ProcessEnd> {
        self.hear_stem();
        let Birth::Born(pidfd) = &self.birth else {
            return self.stem.try_wait();
        };
        if self.end.is_none() {
            if !process::is_dead(pidfd).unwrap_or(true) {
                // It may be the stem that has died, and should not stay a zombie.
                self.stem.try_wait();
                return None;
            }
            wait_for(&self.report, REPORT_LIMIT);
            self.hear_stem();
        }
        Some(self.end.unwrap_or(ProcessEnd::Unknown))
    }

    /// Removes what a dead nursery could not: processes that carry the queue's token, and its directory.
    pub(crate) fn bury(&self) {
        tempdir::clear(&self.dir);
        self.kill_strays();
        if tempdir::remove(&self.dir).is_err() {
            // A process that was just killed may have been writing; it is gone now.
            self.kill_strays();
            let _ = tempdir::remove(&self.dir);
        }
    }

    fn kill_strays(&self) {
        let marks = vec![Mark::Queue(self.token.clone())];
        // What cannot be seen or killed now belongs to another user or is held by the kernel: nobody could do more.
        let _ = kill_tree(
            &Tree {
                marks,
                ..Tree::default()
            },
            STRAYS_LIMIT,
        );
    }
}

/// Waits until there is something to be read, or the other end is closed.
fn wait_for(fd: &OwnedFd, limit: Duration) {
    let limit = Timespec::try_from(limit).ok();
    // The driver thread, which calls this, blocks all signals.
    let _ = poll(&mut [PollFd::new(fd, PollFlags::IN)], limit.as_ref());
}

/// What the nursery reads; see [`Setup`].
fn setup_file(config: &Config, token: &str, dir: &Path) -> io::Result<std::fs::File> {
    let setup = Setup {
        host_pid: process::own_pid(),
        token: token.to_owned(),
        dir: dir.to_string_lossy().into_owned(),
    };
    let mut head = Vec::new();
    frame::encode_head(&setup, config.setup.len() as u64, 0, &mut head)?;
    let mut file = memory::file("taskq-setup")?;
    file.write_all(&head)?;
    file.write_all(&config.setup)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}
