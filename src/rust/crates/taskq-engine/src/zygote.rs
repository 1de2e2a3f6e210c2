//! The host's side of a zygote: how the process is started, asked and ended, and which of them a new supervisor can
//! come from. The worker side, and what a zygote is, is in `taskq-worker`.
//!
//! Starting the program takes a tenth of a second, a fork of what it has become a millisecond. So the first queue of
//! an R session starts a zygote, which stays for other queues that are [alike](key) in all that the program has
//! read or inherited.
//!
//! A zygote lives as long as a supervisor that came from it, of whatever queue: the supervisors hold it, and the list
//! of zygotes, which is the process's, only knows them. Whoever lets go of the last supervisor ends it and waits for
//! its end, which takes a millisecond, as it does not lie in the zygote's power (but no longer than [`END_LIMIT`]). A
//! zygote that dies by itself costs no queue anything; the next one starts another.
//!
//! A zygote is a child of the host and supervisors are its children, so it is the zygote that learns how a supervisor
//! ended.
//!
//! A fork of the host that has queues of its own starts a zygote for each: the list, and its lock, may have been in use
//! when it was forked. It neither asks nor ends a zygote that is not its own.

mod key;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use taskq_record::ProcessEnd;
use taskq_sys::process::{kill_tree, Mark, Process, Tree};
use taskq_sys::tempdir::TempDir;
use taskq_sys::{fds, process, signals, socket, tag, wait};
use taskq_wire::message::ToZygote;
use taskq_wire::packet;

pub(crate) use key::Key;

use crate::config::Config;

/// A zygote finds its control socket here.
const CONTROL: RawFd = 3;
/// How long orphans are looked for. Killing takes milliseconds; a process in the kernel's hands is not waited for
/// longer.
const ORPHANS_LIMIT: Duration = Duration::from_secs(1);

/// How long the end of what was killed is waited for where nothing else can go on. The kernel needs milliseconds, and
/// more only for a process that it holds itself.
pub(crate) const END_LIMIT: Duration = Duration::from_secs(2);

/// A zygote of this process.
#[derive(Debug)]
pub(crate) struct Zygote {
    pid: i32,
    /// The process that has started it.
    owner: i32,
    /// When it started, in ticks.
    started: u64,
    /// Readable once the process is dead; `None` where the kernel has no such thing.
    pub(crate) pidfd: Option<OwnedFd>,
    control: OwnedFd,
    /// Its own token, which is that of no queue.
    name: String,
    dir: TempDir,
    /// What it was started with; `None` when it cannot be compared with another.
    key: Option<Key>,
    /// How it ended. Who holds the lock may signal it: its number is its own until it was waited for.
    end: Mutex<Option<ProcessEnd>>,
}

/// All zygotes of this process that can be asked.
static ZYGOTES: Mutex<Vec<Weak<Zygote>>> = Mutex::new(Vec::new());

/// The list of zygotes; `None` in a fork of the process that uses it.
fn zygotes() -> Option<MutexGuard<'static, Vec<Weak<Zygote>>>> {
    static OWNER: OnceLock<i32> = OnceLock::new();
    let own = process::own_pid();
    (*OWNER.get_or_init(|| own) == own)
        .then(|| ZYGOTES.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Those from which a supervisor can come that is to be like this.
pub(crate) fn alike(key: Option<&Key>) -> Vec<Arc<Zygote>> {
    let Some(zygotes) = key.and_then(|_| zygotes()) else {
        return Vec::new();
    };
    let known: Vec<Arc<Zygote>> = zygotes.iter().filter_map(Weak::upgrade).collect();
    // Nothing is waited for, and none is dropped, under the lock.
    drop(zygotes);
    let fits = |zygote: &Arc<Zygote>| zygote.key.as_ref() == key && zygote.try_wait().is_none();
    known.into_iter().filter(fits).collect()
}

/// A zygote that has forked can be asked by others.
pub(crate) fn offer(zygote: &Arc<Zygote>) {
    if let Some(mut zygotes) = zygotes() {
        zygotes.retain(|known| known.strong_count() > 0);
        zygotes.push(Arc::downgrade(zygote));
    }
}

impl Zygote {
    /// Starts the process. What it prints until it has forked goes to `output`.
    ///
    /// # Errors
    /// What the operating system says, with the program's name where that is to blame.
    pub(crate) fn start(
        config: &Config,
        key: Option<Key>,
        output: BorrowedFd<'_>,
    ) -> io::Result<Zygote> {
        let name = random_token()?;
        let dir = TempDir::within(&config.temp_dirs, &tag::dir_name(&name));
        let mut zygote = Zygote::start_in(config, output, name, dir.clone()).inspect_err(|_| {
            let _ = dir.remove();
        })?;
        zygote.key = key;
        Ok(zygote)
    }

    fn start_in(
        config: &Config,
        output: BorrowedFd<'_>,
        name: String,
        dir: TempDir,
    ) -> io::Result<Zygote> {
        let (near, far) = socket::packet_pair()?;
        socket::set_nonblocking(near.as_fd(), true)?;
        let (program, arguments) = split_command(&config.command)?;
        // It is open before the command makes descriptors of its own, so the number at which the child finds it is
        // taken by now, and placing it there overwrites nothing that `Command` needs.
        let control = far.as_raw_fd();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(config.env.iter().map(|(name, value)| (name, value)))
            .envs(tag::zygote_variables(&name))
            .env("TMPDIR", make(&dir)?)
            .current_dir(&config.working_dir)
            .stdin(Stdio::null())
            .stdout(output.try_clone_to_owned()?)
            .stderr(output.try_clone_to_owned()?);
        let host = process::own_pid();
        // SAFETY: the closure runs in the child between fork and exec and only makes system calls that are
        // async-signal-safe; it neither allocates nor locks.
        unsafe {
            command.pre_exec(move || prepare_child(host, control));
        }
        let child = command.spawn().map_err(|error| {
            let wd = &config.working_dir;
            let what = if wd.is_dir() {
                format!("cannot start {}: {error}", program.to_string_lossy())
            } else {
                format!(
                    "the working directory of the queue is gone: {}",
                    wd.display()
                )
            };
            io::Error::new(error.kind(), what)
        })?;
        let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
        let mut zygote = Zygote {
            pid,
            owner: host,
            started: Process::look(pid).map_or(0, |process| process.started),
            pidfd: None,
            control: near,
            name,
            dir,
            key: None,
            end: Mutex::default(),
        };
        // A failure ends what was started.
        zygote.pidfd = process::pidfd(pid)?;
        Ok(zygote)
    }

    /// Asks for a supervisor, see [`ToZygote::Supervisor`]. Does not wait for it.
    pub(crate) fn ask(&self, descriptors: &[BorrowedFd<'_>; 4]) -> io::Result<()> {
        let packet = packet::encode(&ToZygote::Supervisor {
            host_pid: self.owner,
        })?;
        socket::send_packet(self.control.as_fd(), &packet, descriptors)
    }

    /// Ends the process at once; whether it was there to be ended.
    pub(crate) fn kill(&self) -> bool {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if end.is_some() {
            return false;
        }
        // Somebody else in this process may have waited for it, or the host ignores SIGCHLD: the number may have passed
        // on.
        if let Some(pidfd) = &self.pidfd {
            return process::kill_held(pidfd).is_ok();
        }
        Process::look(self.pid).is_some_and(|found| found.started == self.started)
            && process::kill(self.pid, libc::SIGKILL).is_ok()
    }

    /// How the process ended; `None` while it lives.
    pub(crate) fn try_wait(&self) -> Option<ProcessEnd> {
        self.reap(false)
    }

    fn reap(&self, block: bool) -> Option<ProcessEnd> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if end.is_none() {
            *end = match wait::reap(self.pid, block) {
                Ok(reaped) => reaped.map(|reaped| reaped.end.into()),
                // Somebody else in this process waited for it, or the host ignores SIGCHLD.
                Err(_) => Some(ProcessEnd::Unknown),
            };
        }
        *end
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        if process::own_pid() != self.owner || taskq_sys::fault::is_on("leave-zygote") {
            return;
        }
        let was_there = self.kill();
        if let Some(pidfd) = &self.pidfd {
            wait_for(pidfd.as_fd(), END_LIMIT);
        }
        self.reap(was_there && self.pidfd.is_none());
        // What the program has started before it had anything to do with a queue.
        let orphans = Tree {
            marks: vec![Mark::Queue(self.name.clone())],
            since: self.started,
            ..Tree::default()
        };
        let _ = kill_tree(&orphans, ORPHANS_LIMIT);
        // Only one that has not come up leaves it.
        let _ = self.dir.remove();
    }
}

/// Waits until there is something to be read, or the other end is closed, but no longer than `limit`.
pub(crate) fn wait_for(fd: BorrowedFd<'_>, limit: Duration) {
    let limit = Timespec::try_from(limit).ok();
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    // The driver thread, which calls this, blocks all signals.
    let _ = poll(&mut fds, limit.as_ref());
}

/// Makes a directory for temporary files. The error names the place.
pub(crate) fn make(dir: &TempDir) -> io::Result<PathBuf> {
    dir.make().map_err(|error| {
        let places = dir.parents();
        let places: Vec<_> = places.map(|parent| parent.to_string_lossy()).collect();
        let what = format!("no place for temporary files in {}", places.join(", "));
        io::Error::new(error.kind(), format!("{what}: {error}"))
    })
}

/// A random name of a queue or a zygote. All are equally long, so that one can be written over another.
pub(crate) fn random_token() -> io::Result<String> {
    let mut bytes = [0u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Runs in the child between fork and exec.
fn prepare_child(host: i32, control: RawFd) -> io::Result<()> {
    signals::reset_all();
    process::new_session()?;
    process::set_parent_death_signal(libc::SIGKILL)?;
    if process::parent_pid() != host {
        // The host died before the line above; no signal will come.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // It may stand at its place already, with the close-on-exec flag, which a copy of a copy does not have.
    // SAFETY: system calls on a descriptor that the caller of `start_in` holds until the child is made.
    let copy = unsafe { libc::fcntl(control, libc::F_DUPFD_CLOEXEC, CONTROL + 1) };
    // SAFETY: as above.
    if copy < 0 || unsafe { libc::dup2(copy, CONTROL) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // What the host has open is not for those that live as long as the queue: closing a pipe there has to end it.
    fds::close_on_exec_from(CONTROL + 1);
    Ok(())
}

fn split_command(command: &[OsString]) -> io::Result<(&OsString, &[OsString])> {
    command
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program was given"))
}
