//! The status board of [`taskq_wire::board`], mapped from a memory file that the host shares with one session.
//!
//! The file is sealed: no process can make it shorter, which would be a SIGBUS for its reader, also not by way of
//! `/proc`. Its descriptors are closed as soon as it is mapped at both ends; no other process has it.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{fcntl_add_seals, fstat, SealFlags};
use taskq_sys::{memory, signals};

const BYTES: usize = std::mem::size_of::<taskq_wire::board::Board>();

/// A mapped board. Processes that were forked share it without doing anything.
pub struct MappedBoard(MmapRaw);

impl MappedBoard {
    /// A new board, all zero, and the file by which another process opens it.
    ///
    /// # Errors
    /// No descriptor or no memory is left.
    pub fn create() -> io::Result<(MappedBoard, OwnedFd)> {
        let file = memory::file("taskq-board")?;
        signals::without_file_size_signal(|| file.set_len(BYTES as u64))?;
        let size = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        match fcntl_add_seals(&file, size) {
            // Where it is no memory file there are no seals; nor is it found once its descriptors are closed.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
        let board = MappedBoard::open(&file)?;
        Ok((board, file.into()))
    }

    /// Maps the board that `fd` holds; `fd` may be closed afterwards.
    ///
    /// # Errors
    /// The file is smaller than a board, or cannot be mapped.
    pub fn open(fd: impl AsFd) -> io::Result<MappedBoard> {
        let size = fstat(fd.as_fd())?.st_size;
        if u64::try_from(size).unwrap_or(0) < BYTES as u64 {
            let message = format!("the status board has {size} bytes instead of {BYTES}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let mapped = MmapOptions::new().len(BYTES).map_raw(&fd.as_fd());
        Ok(MappedBoard(mapped?))
    }
}

impl Deref for MappedBoard {
    type Target = taskq_wire::board::Board;

    fn deref(&self) -> &taskq_wire::board::Board {
        // SAFETY: a board is mapped, page-aligned, as long as `self` lives, in a file that cannot shrink; any bytes are
        // a board, and all of it is atomics.
        unsafe { &*self.0.as_ptr().cast() }
    }
}

impl fmt::Debug for MappedBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedBoard").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taskq_record::id::{AttemptId, TaskId};

    #[test]
    fn two_mappings_show_the_same_board() {
        let (host, file) = MappedBoard::create().expect("create");
        let session = MappedBoard::open(&file).expect("open");
        let attempt = AttemptId {
            task: TaskId(9),
            number: 1,
        };
        session.begin(attempt, 5);
        assert_eq!(host.begun(), Some((attempt, 5)));
    }

    #[test]
    fn nobody_can_take_the_memory_away() {
        let (host, file) = MappedBoard::create().expect("create");
        let again = std::fs::OpenOptions::new()
            .write(true)
            .open(format!(
                "/proc/self/fd/{}",
                std::os::fd::AsRawFd::as_raw_fd(&file)
            ))
            .expect("by way of /proc");
        for len in [0, BYTES as u64 - 1, BYTES as u64 + 1, 1 << 40] {
            assert!(again.set_len(len).is_err(), "{len} bytes");
        }
        assert!(fcntl_add_seals(&file, SealFlags::WRITE).is_err());
        assert_eq!(host.begun(), None);
    }

    #[test]
    fn a_short_file_is_no_board() {
        let file = memory::file("short").expect("file");
        file.set_len(BYTES as u64 - 1).expect("resize");
        assert!(MappedBoard::open(&file).is_err());
    }
}
