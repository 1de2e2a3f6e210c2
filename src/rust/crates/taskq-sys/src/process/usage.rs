//! What this process has used, as the kernel tells, and what another one uses, as `/proc` does.

use std::mem::MaybeUninit;

use super::stat::Stat;

/// A process's use of memory and processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveUsage {
    /// The resident set, in bytes.
    pub rss: u64,
    /// Processor time so far, in microseconds, without children.
    pub cpu_us: u64,
}

/// What the process uses now; `None` when there is none of this number.
#[must_use]
pub fn usage(pid: i32) -> Option<LiveUsage> {
    /// By the numbers of proc(5).
    const USER: usize = 14;
    const SYSTEM: usize = 15;
    const PAGES: usize = 24;
    let stat = Stat::of(pid).ok()?;
    let ticks = stat.number::<u64>(USER)? + stat.number::<u64>(SYSTEM)?;
    Some(LiveUsage {
        rss: stat.number::<u64>(PAGES)? * rustix::param::page_size() as u64,
        cpu_us: ticks * 1_000_000 / rustix::param::clock_ticks_per_second(),
    })
}

/// What the calling process and the children that it has waited for have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time of both, in microseconds.
    pub cpu_us: u64,
    /// The largest resident set of the process itself, in bytes.
    pub max_rss: u64,
}

/// The calling process's usage.
#[must_use]
pub fn own_usage() -> Usage {
    let own = usage_of(libc::RUSAGE_SELF);
    let children = usage_of(libc::RUSAGE_CHILDREN);
    Usage {
        cpu_us: cpu_us(&own) + cpu_us(&children),
        max_rss: in_bytes(own.ru_maxrss),
    }
}

fn usage_of(who: libc::c_int) -> libc::rusage {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a place of the right type; all zero is valid should the call fail, which it cannot.
    unsafe {
        libc::getrusage(who, usage.as_mut_ptr());
        usage.assume_init()
    }
}

fn cpu_us(usage: &libc::rusage) -> u64 {
    let us = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    us(usage.ru_utime) + us(usage.ru_stime)
}

/// What the kernel counts in kilobytes.
pub(crate) fn in_bytes(count: libc::c_long) -> u64 {
    u64::try_from(count).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_a_dead_one_nothing() {
        assert!(usage(crate::process::own_pid()).is_some_and(|usage| usage.rss > 100_000));
        assert_eq!(usage(i32::MAX), None);
    }
}
