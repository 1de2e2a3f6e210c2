//! What another process uses, as `/proc` tells.

use std::fs;

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
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; what follows its end is numbers (proc(5)).
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)?;
    let pages = number(21)?;
    Some(LiveUsage {
        rss: pages * rustix::param::page_size() as u64,
        cpu_us: ticks * 1_000_000 / rustix::param::clock_ticks_per_second(),
    })
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
