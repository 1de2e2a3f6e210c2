//! The monotonic clock, which all processes of a machine share.

use rustix::time::{clock_gettime, ClockId};

/// Nanoseconds of `CLOCK_MONOTONIC`.
#[must_use]
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Neither part is negative on this clock.
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Lets sleeps of this thread end when they should: by default the kernel may add 50 microseconds. Where that cannot be
/// set, they do.
pub fn sleep_precisely() {
    #[cfg(target_os = "linux")]
    // SAFETY: sets an attribute of the calling thread.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_000, 0, 0, 0);
    }
}
