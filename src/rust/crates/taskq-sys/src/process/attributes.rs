//! What a process that the calling thread starts would inherit, beside its environment, working directory and
//! descriptors.
//!
//! Two processes that were started with equal attributes by one host are, to what they run, as good as one. It is a
//! text to be compared, not to be read. Signals are not part of it: who starts a process here resets them.

use std::fs;
use std::io;

use super::stat::Stat;

/// The lines of `/proc/thread-self/status` that are passed on: who one is, and what one may do, where.
const PASSED_ON: [&str; 8] = [
    "Umask:",
    "Uid:",
    "Gid:",
    "Groups:",
    "Cap",
    "NoNewPrivs:",
    "Seccomp",
    "Cpus_allowed:",
];
/// Whole files that are.
const FILES: [&str; 5] = [
    "limits",
    "cgroup",
    "oom_score_adj",
    "coredump_filter",
    "personality",
];
/// What is passed on of `/proc/thread-self/stat`, by the numbers of proc(5): the nice value, the real-time priority and
/// the policy.
const SCHEDULING: [usize; 3] = [19, 40, 41];

/// What a process inherits of the calling thread: limits, mask of new files, processors, priority, identity, groups,
/// name spaces.
///
/// # Errors
/// `/proc` cannot be read, or does not have these files.
pub fn inherited_attributes() -> io::Result<String> {
    let mut text = String::new();
    let status = fs::read_to_string("/proc/thread-self/status")?;
    let is_passed_on = |line: &&str| PASSED_ON.iter().any(|start| line.starts_with(start));
    for line in status.lines().filter(is_passed_on) {
        text.push_str(line);
        text.push('\n');
    }
    for file in FILES {
        match fs::read_to_string(format!("/proc/thread-self/{file}")) {
            Ok(content) => text.push_str(&content),
            // Not every kernel is built to have all of them, and then no process has that.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let stat = Stat::read("/proc/thread-self/stat")?;
    for number in SCHEDULING {
        text.push_str(stat.field(number).ok_or(io::ErrorKind::InvalidData)?);
        text.push(' ');
    }
    let mut spaces = Vec::new();
    for entry in fs::read_dir("/proc/thread-self/ns")? {
        spaces.push(fs::read_link(entry?.path())?);
    }
    spaces.sort();
    for space in spaces {
        text.push_str(&space.to_string_lossy());
    }
    text.push_str(&fs::read_link("/proc/thread-self/root")?.to_string_lossy());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Limits and the mask of new files are the whole process's, so this is one test.
    #[test]
    fn what_a_child_would_have_makes_a_difference_and_nothing_else_does() {
        use rustix::process::{getpriority_process, nice, setrlimit, umask, Resource, Rlimit};
        std::thread::spawn(|| {
            let first = inherited_attributes().expect("proc");
            assert_eq!(inherited_attributes().expect("proc"), first);
            let others = std::thread::spawn(|| inherited_attributes().expect("proc")).join();
            assert_eq!(others.expect("no panic"), first);

            let mask = umask(rustix::fs::Mode::RWXO);
            assert_ne!(
                inherited_attributes().expect("proc"),
                first,
                "the mask of new files"
            );
            umask(mask);
            let limit = rustix::process::getrlimit(Resource::Core);
            let other = Rlimit {
                current: Some(limit.current.map_or(4096, |now| now.saturating_sub(1))),
                ..limit
            };
            if limit.current != Some(0) {
                setrlimit(Resource::Core, other).expect("a lower limit");
                assert_ne!(inherited_attributes().expect("proc"), first, "a limit");
                setrlimit(Resource::Core, limit).expect("the limit as it was");
            }
            assert_eq!(inherited_attributes().expect("proc"), first);

            // A thread has its own, which a process that it starts inherits.
            let before = getpriority_process(None).expect("a priority");
            if before < 19 {
                nice(1).expect("nobody may not be nicer");
                assert_ne!(
                    inherited_attributes().expect("proc"),
                    first,
                    "the nice value"
                );
            }
        })
        .join()
        .expect("no panic");
    }
}
