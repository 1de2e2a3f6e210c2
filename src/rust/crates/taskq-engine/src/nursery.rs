//! The host's side of the nursery: how the process is spawned, told and buried. The far side is in `taskq-worker`.
//!
//! The nursery is the host's only child. It is spawned by the driver thread, whose life is the queue's: the kernel sends the
//! parent-death signal when the *thread* that forked ends, and here that is when no nursery should be left anyway.

use std::ffi::OsString;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::net::RecvFlags;
use taskq_core::id::WorkerId;
use taskq_sys::process::{kill_tree, Mark, Tree};
use taskq_sys::{memory, pipe, process, signals, socket, tag, wait};
use taskq_wire::message::{FromNursery, ProcessEnd, Setup, SlotId, StartPhase, ToNursery};
use taskq_wire::{frame, packet};

use crate::config::Config;
use crate::output::Capture;

/// The nursery finds its control socket here, the status board at the next, the setup file at the one after that.
const FIRST_DESCRIPTOR: RawFd = 3;
/// How much of a nursery's own output is kept.
const OUTPUT_LIMIT: usize = 64 * 1024;

/// How long strays are looked for. Killing takes milliseconds; a process in the kernel's hands is not waited for longer.
const STRAYS_LIMIT: Duration = Duration::from_secs(1);

/// A nursery process.
#[derive(Debug)]
pub(crate) struct Nursery {
    pid: i32,
    /// Readable once the process is dead; `None` where the kernel has no such thing.
    pub(crate) pidfd: Option<OwnedFd>,
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

/// The far ends of the descriptors that a session gets.
#[derive(Debug)]
pub(crate) struct FarEnds {
    pub(crate) task: OwnedFd,
    pub(crate) control: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

impl Nursery {
    /// Starts the process. It answers when it is up, or dies.
    ///
    /// # Errors
    /// What the operating system says, with the program's name where that is to blame.
    pub(crate) fn spawn(config: &Config, board: BorrowedFd<'_>) -> io::Result<Nursery> {
        let token = random_token()?;
        let dir = config.parent_dir.join(format!("taskq-{token}"));
        std::fs::DirBuilder::new().mode(0o700).create(&dir)?;
        let spawned = Nursery::spawn_in(config, board, token, &dir);
        if spawned.is_err() {
            let _ = std::fs::remove_dir(&dir);
        }
        spawned
    }

    fn spawn_in(
        config: &Config,
        board: BorrowedFd<'_>,
        token: String,
        dir: &Path,
    ) -> io::Result<Nursery> {
        let (near, far) = socket::packet_pair()?;
        socket::set_nonblocking(near.as_fd(), true)?;
        let (output, far_output) = pipe::pair()?;
        socket::set_nonblocking(output.as_fd(), true)?;
        let setup = setup_file(config, &token, dir)?;
        let (program, arguments) = split_command(&config.command)?;
        // The three that the nursery finds at 3, 4 and 5. All of them are open before the command makes descriptors of its
        // own, so these numbers are taken by now, and placing them in the child overwrites nothing that `Command` needs.
        let descriptors = [far.as_raw_fd(), board.as_raw_fd(), setup.as_raw_fd()];
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(config.env.iter().map(|(name, value)| (name, value)))
            .envs(tag::nursery_variables(&token))
            .env("TMPDIR", dir)
            .current_dir(&config.working_dir)
            .stdin(Stdio::null())
            .stdout(far_output.try_clone()?)
            .stderr(far_output);
        let host = process::own_pid();
        // SAFETY: the closure runs in the child between fork and exec and only makes system calls that are
        // async-signal-safe; it neither allocates nor locks.
        unsafe {
            command.pre_exec(move || prepare_child(host, &descriptors));
        }
        let child = command.spawn().map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot start {}: {error}", program.to_string_lossy()),
            )
        })?;
        let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
        Ok(Nursery {
            pid,
            pidfd: process::pidfd(pid)?,
            control: near,
            output,
            capture: Capture::new(OUTPUT_LIMIT),
            token,
            dir: dir.to_owned(),
            is_silent: false,
            refusal: None,
        })
    }

    /// Asks for a session. `Ok(false)`: the socket is full, ask again when it is writable.
    pub(crate) fn launch(
        &self,
        worker: WorkerId,
        slot: SlotId,
        ends: &FarEnds,
    ) -> io::Result<bool> {
        let descriptors = [
            ends.task.as_fd(),
            ends.control.as_fd(),
            ends.stdout.as_fd(),
            ends.stderr.as_fd(),
        ];
        self.send(&ToNursery::Launch { worker, slot }, &descriptors)
    }

    /// Sends a message. `Ok(false)`: the socket is full.
    pub(crate) fn send(&self, message: &ToNursery, fds: &[BorrowedFd<'_>]) -> io::Result<bool> {
        let packet = packet::encode(message)?;
        match socket::send_packet(self.control.as_fd(), &packet, fds) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            // The kernel bounds the descriptors that are under way.
            Err(error) if error.raw_os_error() == Some(libc::ETOOMANYREFS) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The next message that has come; `None` when there is none (any more).
    pub(crate) fn receive(&mut self) -> Option<FromNursery> {
        let mut buffer = [0u8; packet::MAX_PACKET];
        let received =
            socket::recv_packet(self.control.as_fd(), &mut buffer, RecvFlags::DONTWAIT).ok()?;
        self.is_silent = received.len == 0;
        packet::decode(&buffer[..received.len]).ok()
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
        // It is our child and not yet waited for, so the number is still its own.
        let _ = process::kill(self.pid, libc::SIGKILL);
    }

    /// How the process ended; `None` while it lives.
    pub(crate) fn try_wait(&self) -> Option<ProcessEnd> {
        match wait::reap(self.pid, false) {
            Ok(None) => None,
            Ok(Some(reaped)) => Some(reaped.end),
            // Somebody else in this process waited for it, or the host ignores SIGCHLD.
            Err(_) => Some(ProcessEnd::Unknown),
        }
    }

    /// Removes what a dead nursery could not: processes that carry the queue's token, and its directory.
    pub(crate) fn bury(&self) {
        self.kill_strays();
        match std::fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                // A process that was just killed may have been writing; it is gone now.
                self.kill_strays();
                let _ = std::fs::remove_dir_all(&self.dir);
            }
            _ => {}
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

/// Runs in the child between fork and exec.
fn prepare_child(host: i32, descriptors: &[RawFd; 3]) -> io::Result<()> {
    signals::reset_all();
    process::new_session()?;
    process::set_parent_death_signal(libc::SIGKILL)?;
    if process::parent_pid() != host {
        // The host died before the line above; no signal will come.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    place_descriptors(descriptors)
}

/// Puts the descriptors at [`FIRST_DESCRIPTOR`] and up, to be inherited. The sources may stand in each other's way, so they
/// are moved out of it first.
fn place_descriptors(descriptors: &[RawFd; 3]) -> io::Result<()> {
    let mut moved = [0; 3];
    for (copy, &fd) in moved.iter_mut().zip(descriptors) {
        // SAFETY: a system call on a descriptor that the caller of `spawn_in` holds until the child is made.
        *copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR + 3) };
        if *copy < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    for (place, &fd) in (FIRST_DESCRIPTOR..).zip(&moved) {
        // SAFETY: as above; `dup2` leaves the copy without the close-on-exec flag.
        if unsafe { libc::dup2(fd, place) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn split_command(command: &[OsString]) -> io::Result<(&OsString, &[OsString])> {
    command
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program was given"))
}

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

fn random_token() -> io::Result<String> {
    let mut bytes = [0u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
