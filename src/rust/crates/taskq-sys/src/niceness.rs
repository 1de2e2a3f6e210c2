//! How much a process leaves of the processors to others.
//!
//! Linux weighs threads by their niceness, but where it groups processes by their session (an *autogroup*, sched(7))
//! only against threads of the same session: among the groups a niceness of the group counts. A process that has begun
//! a session is therefore to raise both.

use std::fs;
use std::io;

const OWN_GROUP: &str = "/proc/self/autogroup";
const HIGHEST: i32 = 19;

/// Raises the niceness of the calling thread, and so of what it starts from now on, by `more`, to 19 at most. Other
/// threads of the process stay as they are, where threads have a niceness of their own (Linux).
///
/// # Errors
/// The system does not allow it.
pub fn raise(more: i32) -> io::Result<()> {
    rustix::process::nice(more)?;
    Ok(())
}

/// The same for the group of processes that this one was put into with its session. Without groups it does nothing.
///
/// # Errors
/// `WouldBlock`: the kernel allows this ten times a second, for all who are not root together. Or the file may not be
/// written to.
pub fn raise_group(more: i32) -> io::Result<()> {
    let Ok(line) = fs::read_to_string(OWN_GROUP) else {
        return Ok(());
    };
    match niceness_of(&line) {
        Some(niceness) => fs::write(OWN_GROUP, raised(niceness, more).to_string()),
        None => Ok(()),
    }
}

/// The line is `/autogroup-<number> nice <niceness>`.
fn niceness_of(line: &str) -> Option<i32> {
    line.trim_end().rsplit_once(" nice ")?.1.parse().ok()
}

fn raised(niceness: i32, more: i32) -> i32 {
    niceness.saturating_add(more).min(HIGHEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::stat::Stat;

    /// Of the calling thread, which has a number of its own under `/proc`.
    fn own_niceness() -> i32 {
        let stat = Stat::read("/proc/thread-self/stat").expect("proc");
        stat.number(19).expect("proc(5)")
    }

    #[test]
    fn a_thread_is_nicer_than_the_one_that_started_it() {
        let before = own_niceness();
        let seen = std::thread::spawn(|| {
            raise(3).expect("allowed to all");
            let once = own_niceness();
            raise(100).expect("allowed to all");
            (once, own_niceness())
        });
        assert_eq!(seen.join().expect("no panic"), (raised(before, 3), HIGHEST));
        assert_eq!(own_niceness(), before);
    }

    #[test]
    fn the_niceness_of_a_group_is_read() {
        assert_eq!(niceness_of("/autogroup-304697 nice 0\n"), Some(0));
        assert_eq!(niceness_of("/autogroup-1 nice -5\n"), Some(-5));
        assert_eq!(niceness_of(""), None);
        assert_eq!(raised(-5, 10), 5);
        assert_eq!(raised(12, 10), 19);
    }
}
