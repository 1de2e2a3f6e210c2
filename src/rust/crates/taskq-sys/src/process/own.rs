//! The number of the calling process, without a system call for each look.
//!
//! It is kept in a page that the kernel empties in every fork, however that was made: there it is looked up anew.

use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::OnceLock;

use rustix::mm::{madvise, mmap_anonymous, munmap, Advice, MapFlags, ProtFlags};

const PAGE: usize = 4096;

/// The page; none where there is no such memory. It stays mapped as long as the process.
static KEPT: OnceLock<Option<&'static AtomicI32>> = OnceLock::new();

/// The number of the calling process.
#[must_use]
pub fn own_pid() -> i32 {
    let Some(kept) = KEPT.get_or_init(page) else {
        return look();
    };
    match kept.load(Ordering::Relaxed) {
        0 => {
            let pid = look();
            kept.store(pid, Ordering::Relaxed);
            pid
        }
        pid => pid,
    }
}

fn look() -> i32 {
    // SAFETY: never fails and touches no memory.
    unsafe { libc::getpid() }
}

fn page() -> Option<&'static AtomicI32> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the kernel chooses a free place. The page is all zero, which is a valid number, and nothing else refers
    // to it; it is only unmapped when no reference was made.
    unsafe {
        let page = mmap_anonymous(ptr::null_mut(), PAGE, access, MapFlags::PRIVATE).ok()?;
        if madvise(page, PAGE, Advice::LinuxWipeOnFork).is_err() {
            let _ = munmap(page, PAGE);
            return None;
        }
        Some(&*page.cast::<AtomicI32>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_has_a_number_of_its_own() {
        assert_eq!(own_pid(), look());
        // SAFETY: the child only compares two numbers, and leaves.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::_exit(i32::from(
                    own_pid() != libc::getpid() || own_pid() != libc::getpid(),
                ));
            }
            let mut status = -1;
            assert_eq!(libc::waitpid(child, &mut status, 0), child);
            assert_eq!(status, 0);
        }
        assert_eq!(own_pid(), look());
    }
}
