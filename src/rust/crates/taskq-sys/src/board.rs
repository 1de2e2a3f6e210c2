//! The status board of [`taskq_wire::board`], mapped from a memory file that host, nursery and sessions share.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::{self, NonNull};

use rustix::mm::{mmap, munmap, MapFlags, ProtFlags};
use taskq_wire::board::{Slot, BYTES, SLOTS};
use taskq_wire::message::SlotId;

use crate::memory;

/// A mapped board. Processes that were forked share it without doing anything.
pub struct Board {
    slots: NonNull<Slot>,
}

// SAFETY: the mapping belongs to no thread, and slots are made of atomics.
unsafe impl Send for Board {}
// SAFETY: as above; a shared board only gives out shared slots.
unsafe impl Sync for Board {}

impl Board {
    /// A new board, all zero, and the file by which another process opens it.
    ///
    /// # Errors
    /// No descriptor or no memory is left.
    pub fn create() -> io::Result<(Board, OwnedFd)> {
        let file = memory::file("taskq-board")?;
        file.set_len(BYTES as u64)?;
        let board = Board::open(&file)?;
        Ok((board, file.into()))
    }

    /// Maps the board that `fd` holds; `fd` may be closed afterwards.
    ///
    /// # Errors
    /// The file is smaller than a board, or cannot be mapped.
    pub fn open(fd: impl AsFd) -> io::Result<Board> {
        let size = rustix::fs::fstat(fd.as_fd())?.st_size;
        if u64::try_from(size).unwrap_or(0) < BYTES as u64 {
            let message = format!("the status board has {size} bytes instead of {BYTES}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a free place, so no other memory is touched.
        let address = unsafe { mmap(ptr::null_mut(), BYTES, access, MapFlags::SHARED, fd, 0)? };
        let slots = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Board { slots })
    }

    /// The slot of a session, or `None` when the board has no such slot.
    #[must_use]
    pub fn slot(&self, slot: SlotId) -> Option<&Slot> {
        let index = usize::try_from(slot.0).ok()?;
        if index >= SLOTS {
            return None;
        }
        // SAFETY: the mapping is `BYTES` = `SLOTS` slots long, page-aligned, lives as long as `self`, and any bytes are a
        // valid slot. Nobody shrinks the file: its descriptor never leaves our processes.
        Some(unsafe { &*self.slots.as_ptr().add(index) })
    }
}

/// One slot of a board that nobody else in this process needs.
#[derive(Debug)]
pub struct OwnSlot {
    /// Keeps it mapped.
    _board: Board,
    slot: NonNull<Slot>,
}

// SAFETY: the slot lies in the board, which may be sent and shared.
unsafe impl Send for OwnSlot {}
// SAFETY: as above.
unsafe impl Sync for OwnSlot {}

impl Board {
    /// Keeps the board only for one slot. `None` when it has no such slot.
    #[must_use]
    pub fn into_slot(self, slot: SlotId) -> Option<OwnSlot> {
        let slot = NonNull::from(self.slot(slot)?);
        Some(OwnSlot { _board: self, slot })
    }
}

impl Deref for OwnSlot {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        // SAFETY: the slot lies in the mapping of `_board`, which lives as long as `self` and does not move with it.
        unsafe { self.slot.as_ref() }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `open` with this length, and no slot outlives the board. Failure would mean that
        // it is not mapped any more, which is what we want.
        let _ = unsafe { munmap(self.slots.as_ptr().cast(), BYTES) };
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taskq_core::id::{AttemptId, TaskId};

    #[test]
    fn two_mappings_show_the_same_slots() {
        let (host, file) = Board::create().expect("create");
        let session = Board::open(&file).expect("open");
        let attempt = AttemptId {
            task: TaskId(9),
            number: 1,
        };
        let last = SlotId(SLOTS as u32 - 1);
        session.slot(last).expect("last").begin(attempt, 5);
        assert_eq!(host.slot(last).expect("last").begun(), Some((attempt, 5)));
        assert!(host.slot(SlotId(SLOTS as u32)).is_none());
    }

    #[test]
    fn a_short_file_is_no_board() {
        let file = memory::file("short").expect("file");
        file.set_len(BYTES as u64 - 1).expect("resize");
        assert!(Board::open(&file).is_err());
    }
}
