//! The session's standard descriptors, which tasks may close or replace.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{fcntl_getfl, fcntl_setfl, fstat, OFlags};
use taskq_sys::{fds, pipe};
use taskq_wire::board::{Board, Positions};

/// Which file a descriptor means, however often it was duplicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The identity of what is open there.
    pub(super) fn of(fd: impl AsFd) -> io::Result<Identity> {
        let stat = fstat(fd)?;
        Ok(Identity {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
        })
    }

    /// Whether `fd` (still) means this file. A number that a task has closed may mean anything by now.
    pub(super) fn is_of(self, fd: impl AsFd) -> bool {
        Identity::of(fd).is_ok_and(|found| found == self)
    }
}

/// Where the standard descriptors belong.
#[derive(Debug)]
pub(super) struct Output {
    pipes: [OwnedFd; 2],
    identities: [Identity; 2],
    null: Identity,
}

impl Output {
    pub(super) fn new(pipes: [OwnedFd; 2]) -> io::Result<Output> {
        let identities = [Identity::of(&pipes[0])?, Identity::of(&pipes[1])?];
        let null = Identity::of(File::open("/dev/null")?)?;
        Ok(Output {
            pipes,
            identities,
            null,
        })
    }

    /// Whether the session's own duplicates of the pipes are there.
    pub(super) fn is_whole(&self) -> bool {
        let mut pairs = self.pipes.iter().zip(self.identities);
        pairs.all(|(pipe, identity)| identity.is_of(pipe))
    }

    /// Writes out what the C library holds back.
    pub(super) fn flush(&self) {
        // SAFETY: NULL means all streams that were written to. That a task's stream cannot be written is the task's
        // loss.
        unsafe { libc::fflush(std::ptr::null_mut()) };
    }

    /// How much was ever written to the pipes.
    pub(super) fn positions(&self, board: &Board) -> io::Result<Positions> {
        let mut failure = None;
        let positions = board.written(|| {
            let mut unread = |pipe: &OwnedFd| {
                pipe::unread(pipe).unwrap_or_else(|error| {
                    failure = Some(error);
                    0
                })
            };
            Positions {
                stdout: unread(&self.pipes[0]),
                stderr: unread(&self.pipes[1]),
            }
        });
        match failure {
            None => Ok(positions),
            Some(error) => Err(error),
        }
    }

    /// Puts the standard descriptors back where they belong.
    pub(super) fn restore(&self) -> io::Result<()> {
        if !self.null.is_of(standard(0)) {
            let null = OwnedFd::from(File::open("/dev/null")?);
            put(&null, 0)?;
            if null.as_raw_fd() == 0 {
                // It was free, so this file has got the number itself; there it stays.
                std::mem::forget(null);
            }
        }
        for (at, (pipe, identity)) in (1..).zip(self.pipes.iter().zip(self.identities)) {
            if !identity.is_of(standard(at)) {
                put(pipe, at)?;
            }
            // A child may have made the pipe non-blocking for all who share it; then R would lose output.
            let flags = fcntl_getfl(pipe)?;
            if flags.contains(OFlags::NONBLOCK) {
                fcntl_setfl(pipe, flags - OFlags::NONBLOCK)?;
            }
        }
        Ok(())
    }
}

fn standard(at: i32) -> BorrowedFd<'static> {
    // SAFETY: borrowed for calls that fail when nothing is open there, and the number is never -1.
    unsafe { BorrowedFd::borrow_raw(at) }
}

fn put(fd: &OwnedFd, at: i32) -> io::Result<()> {
    // SAFETY: the standard descriptors have no owner.
    unsafe { fds::place(fd.as_fd(), at) }
}
