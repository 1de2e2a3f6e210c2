//! Pipes without a name, and how much is unread in one.
//!
//! Reads and writes nothing: that is for whoever owns an end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{pipe_with, PipeFlags};

/// A pipe: its reading and its writing end, both closed by `exec`.
///
/// # Errors
/// No descriptors or no memory are left.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

/// How many bytes were written and not read yet. On Linux this may be asked of either end of a pipe.
///
/// # Errors
/// `fd` is no open descriptor, or one that does not know.
pub fn unread(fd: impl AsFd) -> io::Result<u64> {
    Ok(rustix::io::ioctl_fionread(fd)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_know_what_is_unread() {
        let (read, write) = pair().expect("pipe");
        rustix::io::write(&write, b"12345").expect("write");
        assert_eq!(unread(&read).expect("reading end"), 5);
        assert_eq!(unread(&write).expect("writing end"), 5);
        let mut byte = [0u8; 1];
        rustix::io::read(&read, &mut byte).expect("read");
        assert_eq!(unread(&write).expect("writing end"), 4);
        drop(read);
        assert_eq!(unread(&write).expect("without a reader"), 4);
    }
}
