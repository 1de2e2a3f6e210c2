//! Processes: watching one, signalling one, and finding those that belong together.

mod attributes;
mod mark;
mod own;
pub(crate) mod stat;
mod table;
mod tree;
mod usage;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{pidfd_open, pidfd_send_signal, Pid, PidfdFlags, Signal};

use crate::feature::{available, Feature};

pub use attributes::inherited_attributes;
pub use mark::Mark;
pub use own::own_pid;
pub use table::{children, Found, Process, ProcessTable};
pub use tree::{kill_tree, Swept, Tree};
pub(crate) use usage::in_bytes;
pub use usage::{own_usage, usage, LiveUsage, Usage};

/// A descriptor of a process, which becomes readable when the process is dead; `None` where there is no such thing.
///
/// The caller checks afterwards that `pid` still is whom it meant, for instance that it still is its parent.
///
/// # Errors
/// `ESRCH` when there is no such process; no descriptor is left.
pub fn pidfd(pid: i32) -> io::Result<Option<OwnedFd>> {
    if !available(Feature::Pidfd) {
        return Ok(None);
    }
    let pid = Pid::from_raw(pid)
        .filter(|_| pid > 0)
        .ok_or(io::ErrorKind::InvalidInput)?;
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOSYS | Errno::PERM) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the process of a [`pidfd`] is dead, perhaps not reaped.
///
/// # Errors
/// `fd` is not open.
pub fn is_dead(fd: impl AsFd) -> io::Result<bool> {
    use rustix::event::{poll, PollFd, PollFlags, Timespec};
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    let ready = rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now)))?;
    if fds[0].revents().contains(PollFlags::NVAL) {
        return Err(Errno::BADF.into());
    }
    Ok(ready > 0)
}

/// Sends a signal to a process. Only for children that are not reaped: their number cannot have passed to another.
///
/// # Errors
/// `ESRCH` when there is none, `EPERM`, and `InvalidInput` for a number that does not mean exactly one process.
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    if pid <= 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: kill touches no memory.
    outcome(unsafe { libc::kill(pid, signal) })
}

/// Kills the process of a [`pidfd`], which cannot be another one.
///
/// # Errors
/// `ESRCH` when it has been reaped, `EPERM`.
pub fn kill_held(fd: impl AsFd) -> io::Result<()> {
    Ok(pidfd_send_signal(fd, Signal::KILL)?)
}

/// The number of its parent.
#[must_use]
pub fn parent_pid() -> i32 {
    // SAFETY: never fails and touches no memory.
    unsafe { libc::getppid() }
}

/// Makes the calling process the leader of a new session and group. Async-signal-safe.
///
/// # Errors
/// It already leads a group.
pub fn new_session() -> io::Result<()> {
    // SAFETY: setsid touches no memory.
    outcome(unsafe { libc::setsid() })
}

/// Makes the calling process the one that adopts its orphaned descendants. Returns whether that is possible.
///
/// # Errors
/// None that is known.
pub fn set_subreaper() -> io::Result<bool> {
    if !available(Feature::Subreaper) {
        return Ok(false);
    }
    // SAFETY: this option takes a number and touches no memory.
    unsupported_is_false(outcome(unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    }))
}

/// Has `signal` sent to the calling process when the thread that forked it is gone; 0 for none. Returns whether that is
/// possible. The caller checks [`parent_pid`] afterwards: the parent may have died before.
///
/// Async-signal-safe once [`available`] has been called in this process.
///
/// # Errors
/// `signal` is none.
pub fn set_parent_death_signal(signal: i32) -> io::Result<bool> {
    if !available(Feature::ParentDeathSignal) {
        return Ok(false);
    }
    // SAFETY: this option takes a number and touches no memory.
    unsupported_is_false(outcome(unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, signal, 0, 0, 0)
    }))
}

/// All living processes that descend from `pid`, nearest first.
///
/// # Errors
/// `/proc` cannot be read.
pub fn descendants(pid: i32) -> io::Result<Vec<i32>> {
    let table = ProcessTable::under(&[pid])?;
    let found = table.below(&[pid], |_| false);
    let found = found.iter().map(|found| found.process);
    Ok(found
        .map(|process| process.pid)
        .filter(|found| *found != pid)
        .collect())
}

/// All living processes of this user that carry `mark` in their environment, the caller itself excluded.
///
/// # Errors
/// `/proc` cannot be read.
pub fn marked(mark: &Mark) -> io::Result<Vec<i32>> {
    let table = ProcessTable::read()?;
    let others = table.living().filter(|process| process.pid != own_pid());
    Ok(others
        .filter(|process| process.carries(mark))
        .map(|process| process.pid)
        .collect())
}

/// All living processes of the queue named `token`, the caller itself excluded.
///
/// # Errors
/// `/proc` cannot be read.
pub fn tagged(token: &str) -> io::Result<Vec<i32>> {
    marked(&Mark::Queue(token.to_owned()))
}

/// All living processes of the session with this tag, the caller itself excluded.
///
/// # Errors
/// `/proc` cannot be read.
pub fn tagged_session(tag: &str) -> io::Result<Vec<i32>> {
    marked(&Mark::Session(tag.to_owned()))
}

fn outcome(result: i32) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn unsupported_is_false(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => Ok(false),
        Err(error) => Err(error),
    }
}
