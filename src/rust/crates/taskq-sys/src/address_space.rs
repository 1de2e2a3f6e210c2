//! The limit on the addresses of a process (`ulimit -v`, as batch systems set it): malloc's threads share, and whether
//! anything is left.

use std::io;

use rustix::mm::{mmap_anonymous, munmap, MapFlags, ProtFlags};
use rustix::process::{getrlimit, Resource};

/// To be called before a thread is started. Where addresses are limited, all threads allocate from one arena: another
/// one takes 64 MB of addresses, most of which are not used.
pub fn be_sparing() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if getrlimit(Resource::As).current.is_some() {
        // SAFETY: sets a number, under malloc's own lock.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    }
}

/// Whether this number of bytes more can be had at this moment. Nothing is kept of them.
///
/// # Errors
/// There is not so much.
pub fn has_room(bytes: usize) -> io::Result<()> {
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // Not by malloc: where such a piece is freed, it maps and returns less from then on.
    // SAFETY: a new mapping at a place that the kernel chooses, which no other code knows.
    unsafe {
        let room = mmap_anonymous(std::ptr::null_mut(), bytes, access, flags)?;
        munmap(room, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_little_and_none_for_all() {
        assert!(has_room(1 << 20).is_ok());
        let refused = has_room(1 << 60).expect_err("more than there is");
        assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
    }
}
