//! Children that have ended: which, and how.
//!
//! Owns every wait for a child. Takes the status of none but the one it is told: other code in the process has
//! children, too.

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::process::in_bytes;

/// A reaped child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaped {
    /// How it ended. `None` when somebody else in this process has taken its status, or `SIGCHLD` is ignored.
    pub end: Option<ExitStatus>,
    /// Its largest resident set, in bytes.
    pub max_rss: u64,
}

/// Takes the exit status of the child `pid`. With `block` it waits for the end; otherwise `None` means that it still
/// runs.
///
/// # Errors
/// `pid` is no process number.
pub fn reap(pid: i32, block: bool) -> io::Result<Option<Reaped>> {
    if pid <= 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    let options = if block { 0 } else { libc::WNOHANG };
    loop {
        // SAFETY: both pointers are to places of the right types, which live during the call.
        let result = unsafe { libc::wait4(pid, &mut status, options, usage.as_mut_ptr()) };
        if result == 0 {
            return Ok(None);
        }
        if result > 0 {
            break;
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::ECHILD) => {
                return Ok(Some(Reaped {
                    end: None,
                    max_rss: 0,
                }));
            }
            _ => return Err(error),
        }
    }
    // SAFETY: all zero is a valid `rusage`, and the kernel has filled it in.
    let usage = unsafe { usage.assume_init() };
    Ok(Some(Reaped {
        end: Some(ExitStatus::from_raw(status)),
        max_rss: in_bytes(usage.ru_maxrss),
    }))
}

/// A child that has ended and is not reaped, any or a certain one. It stays as it is.
///
/// # Errors
/// `ECHILD` when there is no child (of that number) at all.
pub fn ended(pid: Option<i32>) -> io::Result<Option<i32>> {
    let (kind, id) = match pid {
        None => (libc::P_ALL, 0),
        Some(pid) => (
            libc::P_PID,
            libc::id_t::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?,
        ),
    };
    let options = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG;
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    loop {
        // SAFETY: the pointer is to a place of the right type, which lives during the call.
        if unsafe { libc::waitid(kind, id, info.as_mut_ptr(), options) } == 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: all zero is a valid `siginfo_t`; the kernel has filled in a child's, or left the number zero.
    let pid = unsafe { info.assume_init().si_pid() };
    Ok((pid != 0).then_some(pid))
}
