//! The host's ends of a session's two sockets, shared by the sending half (under the lock) and the receiving half (the
//! driver's). The descriptors close when both halves are gone.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicI32, Ordering};

use taskq_payload::board::MappedBoard;

/// The host's ends of the sockets of one session.
#[derive(Debug)]
pub(crate) struct Link {
    /// Its status board.
    pub(crate) board: MappedBoard,
    /// Frames to and from its R thread.
    pub(crate) task: OwnedFd,
    /// Packets to and from its control thread.
    pub(crate) control: OwnedFd,
    /// Its process id; 0 until it is known.
    pid: AtomicI32,
}

impl Link {
    pub(crate) fn new(board: MappedBoard, task: OwnedFd, control: OwnedFd) -> Link {
        Link {
            board,
            task,
            control,
            pid: AtomicI32::new(0),
        }
    }

    /// The session tells its process id. What the supervisor has told counts, or will.
    pub(crate) fn learn_pid(&self, pid: i32) {
        let relaxed = Ordering::Relaxed;
        let _ = self.pid.compare_exchange(0, pid, relaxed, relaxed);
    }

    /// The supervisor tells its process id.
    pub(crate) fn set_pid(&self, pid: i32) {
        self.pid.store(pid, Ordering::Relaxed);
    }

    pub(crate) fn pid(&self) -> Option<i32> {
        Some(self.pid.load(Ordering::Relaxed)).filter(|&pid| pid > 0)
    }
}
