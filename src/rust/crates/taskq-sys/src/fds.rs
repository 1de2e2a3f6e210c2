//! The table of descriptors: putting one at a fixed number, closing all that are not one's own, and how many there may
//! be.

use std::ffi::{c_long, c_uint};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

/// Makes the number `at` a duplicate of `fd` that survives `exec`; what was open there is closed.
///
/// Async-signal-safe. When `fd` already has that number, it only loses its close-on-exec flag.
///
/// # Errors
/// `at` is beyond the limit of descriptors.
///
/// # Safety
/// Nothing in this process may own the descriptor numbered `at`, unless that owner expects this.
pub unsafe fn place(fd: BorrowedFd<'_>, at: RawFd) -> io::Result<()> {
    if fd.as_raw_fd() == at {
        return Ok(rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?);
    }
    loop {
        // SAFETY: dup2 touches no memory; the caller vouches for `at`.
        if unsafe { libc::dup2(fd.as_raw_fd(), at) } >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// A duplicate with a number of at least `from`, closed by `exec`. Async-signal-safe.
///
/// # Errors
/// No descriptor is left.
pub fn duplicate_above(fd: impl AsFd, from: RawFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, from)?)
}

/// Opens `/dev/null` at each of the numbers 0, 1 and 2 at which nothing is open, and leaves it there for good.
/// Otherwise they would pass to the next files that are opened, and what the process prints would go there.
pub fn occupy_standard() {
    if crate::fault::is_on("use-standard") {
        return;
    }
    while let Ok(null) = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
    {
        let null = OwnedFd::from(null);
        if null.as_raw_fd() > 2 {
            break;
        }
        std::mem::forget(null);
    }
}

/// Takes over an inherited descriptor, and has it closed by `exec` from now on.
///
/// # Errors
/// Nothing is open at that number.
///
/// # Safety
/// Nothing else in this process may own it.
pub unsafe fn adopt(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: borrowed for one call that fails when nothing is open at that number.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)?;
    // SAFETY: it is open, and the caller vouches that it has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Closes all descriptors from 3 on except those in `keep`.
///
/// # Errors
/// The kernel cannot close ranges, and the list of open descriptors cannot be read either.
///
/// # Safety
/// Whatever owns one of the closed descriptors must be forgotten without running its destructor.
pub unsafe fn close_all_except(keep: &[RawFd]) -> io::Result<()> {
    let mut keep: Vec<RawFd> = keep.iter().copied().filter(|fd| *fd >= 3).collect();
    keep.sort_unstable();
    keep.dedup();
    let mut first = 3;
    for fd in keep.iter().copied().chain([RawFd::MAX]) {
        if fd > first && !close_range(first, fd - 1, 0) {
            return close_listed(&keep);
        }
        first = fd.saturating_add(1);
    }
    Ok(())
}

/// Has all descriptors from `first` on closed by `exec`. Async-signal-safe.
pub fn close_on_exec_from(first: RawFd) {
    /// `CLOSE_RANGE_CLOEXEC`, since Linux 5.11.
    const CLOEXEC: c_uint = 4;
    /// Without the call each number is tried, up to a number that is rarely reached.
    const LAST: RawFd = 65_536;
    if close_range(first, RawFd::MAX, CLOEXEC) {
        return;
    }
    for fd in first..LAST {
        // SAFETY: sets a flag of a descriptor, if it is open; it stays open and owned by whom it belongs to.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Lets this process have `count` descriptors: where the soft limit is too low for that and the hard one is not, it is
/// raised. As far as that goes; what does not fit fails when it is opened.
pub fn make_room(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let current = Some(limit.maximum.map_or(count, |maximum| count.min(maximum)));
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current,
                maximum: limit.maximum,
            },
        );
    }
}

/// Whether the kernel has done it. Called directly, because the C library knows the call only since glibc 2.34.
fn close_range(first: RawFd, last: RawFd, flags: c_uint) -> bool {
    let (first, last, flags) = (first as c_long, last as c_long, c_long::from(flags));
    // SAFETY: the call touches no memory; that the descriptors have no owner is vouched for by our caller's caller.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) == 0 }
}

fn close_listed(keep: &[RawFd]) -> io::Result<()> {
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        if let Some(fd) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        {
            open.push(fd);
        }
    }
    // The descriptor of the listing itself is among them and closed by now, which does no harm.
    for fd in open.into_iter().filter(|fd| *fd >= 3 && !keep.contains(fd)) {
        // SAFETY: the caller of `close_all_except` vouches for all descriptors that it does not keep.
        unsafe { libc::close(fd) };
    }
    Ok(())
}
