//! Watching the process that started this one, or the zygote that this one was forked from.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use taskq_sys::process;

use crate::error::StartError;

/// Knows whether that process is still there. What is forked goes on watching it, by the descriptor, as what it was.
#[derive(Debug)]
pub(crate) struct Watch {
    pid: i32,
    fd: Option<OwnedFd>,
}

impl Watch {
    /// Begins to watch `parent`, which must be this process's parent.
    pub(crate) fn parent(parent: i32) -> Result<Watch, StartError> {
        let orphan = StartError::Orphan { expected: parent };
        let fd = match process::pidfd(parent) {
            Ok(fd) => fd,
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Err(orphan),
            Err(source) => {
                return Err(StartError::System {
                    what: "watch the parent",
                    source,
                })
            }
        };
        // The number could have passed to another process before; if it still is our parent's, it did not.
        if process::parent_pid() != parent {
            return Err(orphan);
        }
        Ok(Watch { pid: parent, fd })
    }

    /// What becomes readable when the parent is gone; `None` when there is no such thing.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    pub(crate) fn raw_fd(&self) -> Option<RawFd> {
        self.fd.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// How long one may wait before asking again; `None` for as long as one likes, because there is an event.
    pub(crate) fn patience(&self) -> Option<Duration> {
        /// A parent's death is to be noticed within two seconds, with time left to act.
        const ASK_AGAIN: Duration = Duration::from_millis(200);
        match self.fd {
            Some(_) => None,
            None => Some(ASK_AGAIN),
        }
    }

    /// Whether the parent is gone.
    ///
    /// # Errors
    /// Somebody closed the descriptor under us.
    pub(crate) fn is_gone(&self) -> io::Result<bool> {
        match &self.fd {
            Some(fd) => process::is_dead(fd),
            None => Ok(process::parent_pid() != self.pid),
        }
    }
}
