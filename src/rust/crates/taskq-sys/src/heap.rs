//! Huge pages for the heap of a process that forks often, and none for what its forks share.
//!
//! A fork copies the table of all pages that its parent has written. In a nursery that is R's heap: some ten thousand pages, and a
//! third of what a session costs; with huge pages it is a few dozen. So the program is started with the C library told to ask for
//! huge pages ([`variables`]); where that or the kernel does not know of them, everything works as without.
//!
//! In a fork the kernel would put the pages that are shared together again, as pages of its own: 2 MiB of memory for each, in every
//! session that is idle for long enough. [`share_small_pages`] tells it not to.

use std::ffi::{c_void, OsStr};
use std::fs;

use rustix::mm::{madvise, Advice};

/// What the GNU C library reads when a program starts; other programs ignore it.
const TUNABLES: &str = "GLIBC_TUNABLES";
const HUGE_HEAP: &str = "glibc.malloc.hugetlb=1";
/// Says that the other variable is ours.
const MARK: &str = "TASKQ_HUGE_HEAP";

/// The variables with which to start the program, unless its user has tuned the C library.
#[must_use]
pub fn variables<'a>(
    mut env: impl Iterator<Item = &'a OsStr>,
) -> Option<[(&'static str, &'static str); 2]> {
    let is_tuned = env.any(|name| name == TUNABLES);
    (!is_tuned).then_some([(TUNABLES, HUGE_HEAP), (MARK, "1")])
}

/// In the program: takes the variables away again, which are not for what it starts.
///
/// # Safety
/// No other thread may use the environment meanwhile.
pub unsafe fn forget_variables() {
    if std::env::var_os(MARK).is_some() {
        std::env::remove_var(MARK);
        std::env::remove_var(TUNABLES);
    }
}

/// The heap of this process as it is now, which its forks share.
#[derive(Clone, Copy, Debug)]
pub struct Heap {
    start: usize,
}

impl Heap {
    /// Where it begins; `None` when the kernel does not tell.
    #[must_use]
    pub fn find() -> Option<Heap> {
        let maps = fs::read_to_string("/proc/self/maps").ok()?;
        let line = maps.lines().find(|line| line.ends_with("[heap]"))?;
        let start = usize::from_str_radix(line.split('-').next()?, 16).ok()?;
        Some(Heap { start })
    }

    /// In a fork: what it shares stays in small pages. One system call; that it may fail costs memory only.
    pub fn share_small_pages(self) {
        // SAFETY: where the heap ends, without a change to it.
        let end = unsafe { libc::sbrk(0) } as usize;
        if let Some(length) = end.checked_sub(self.start).filter(|length| *length > 0) {
            let start = self.start as *mut c_void;
            // SAFETY: the advice changes no content, and the range is the heap's.
            let _ = unsafe { madvise(start, length, Advice::LinuxNoHugepage) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_who_has_tuned_the_library_is_left_alone() {
        let with =
            |name: &'static str| variables([OsStr::new("HOME"), OsStr::new(name)].into_iter());
        assert!(with("PATH").is_some());
        assert!(with(TUNABLES).is_none());
    }

    #[test]
    fn a_fork_keeps_what_is_on_the_heap() {
        let Some(heap) = Heap::find() else {
            panic!("a test has a heap")
        };
        let before: Vec<u64> = (0..100_000).collect();
        // SAFETY: the child only reads memory and leaves.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                heap.share_small_pages();
                let is_whole = before.iter().copied().eq(0..100_000);
                libc::_exit(i32::from(!is_whole));
            }
            let mut status = -1;
            assert_eq!(libc::waitpid(child, &mut status, 0), child);
            assert_eq!(status, 0);
        }
    }
}
