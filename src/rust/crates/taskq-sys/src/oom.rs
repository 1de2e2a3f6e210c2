//! Short memory: who is to be killed first, and whether somebody was.
//!
//! When memory is short, the kernel kills the process with the highest score. A session raises its own, so that it goes
//! before the host, whose work it could not do anyway. The kernel does not say why a process got a `SIGKILL`, but it
//! counts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const OWN_SCORE: &str = "/proc/self/oom_score_adj";
const HIGHEST: i32 = 1000;

/// Makes this process, and what it starts from now on, more likely to be killed than it was, by `more` out of 1000.
///
/// # Errors
/// There is no `/proc`, or it may not be written to.
pub fn raise_score(more: i32) -> io::Result<()> {
    let score: i32 = fs::read_to_string(OWN_SCORE)?
        .trim()
        .parse()
        .map_err(|_| io::ErrorKind::InvalidData)?;
    let raised = score.saturating_add(more).min(HIGHEST);
    if raised > score {
        fs::write(OWN_SCORE, raised.to_string())?;
    }
    Ok(())
}

/// Watches the counts of kills.
#[derive(Debug)]
pub struct Watch {
    counters: Vec<Counter>,
}

/// A line `<key> <number>` of a file.
#[derive(Debug)]
struct Counter {
    path: PathBuf,
    key: &'static str,
    last: u64,
}

impl Watch {
    /// Counts from now on. Where nothing is counted, nothing was killed.
    #[must_use]
    pub fn new() -> Watch {
        Watch::at(Path::new("/proc"), Path::new("/sys/fs/cgroup"))
    }

    /// The same with other places of the two file systems.
    fn at(proc: &Path, cgroup: &Path) -> Watch {
        let own = fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default();
        let mut counters: Vec<Counter> = group_files(&own, cgroup)
            .into_iter()
            .map(|path| (path, "oom_kill"))
            .chain([(proc.join("vmstat"), "oom_kill")])
            .map(|(path, key)| Counter { path, key, last: 0 })
            .collect();
        for counter in &mut counters {
            counter.rose();
        }
        Watch { counters }
    }

    /// Whether a kill was counted since this was asked last. On a machine whose processes are not in groups of their
    /// own, it may have been any process.
    pub fn was_oom(&mut self) -> bool {
        let mut was = false;
        for counter in &mut self.counters {
            was |= counter.rose();
        }
        was
    }
}

impl Default for Watch {
    fn default() -> Watch {
        Watch::new()
    }
}

impl Counter {
    fn rose(&mut self) -> bool {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let Some(count) = count_of(&text, self.key) else {
            return false;
        };
        let rose = count > self.last;
        self.last = count;
        rose
    }
}

fn count_of(text: &str, key: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let (_, count) = lines.find(|(name, _)| *name == key)?;
    count.trim().parse().ok()
}

/// Where the kills in this process's groups are counted. `own` has a line `<number>:<controllers>:<path>` for each
/// hierarchy: the one of version 2 has no controllers. Inside a container the path may be the one outside; then the
/// root is ours.
fn group_files(own: &str, cgroup: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (root, name) = if controllers.is_empty() {
            (cgroup.to_owned(), "memory.events")
        } else if controllers.split(',').any(|name| name == "memory") {
            (cgroup.join("memory"), "memory.oom_control")
        } else {
            continue;
        };
        let own = root.join(path.trim_start_matches('/')).join(name);
        files.push(if own.exists() { own } else { root.join(name) });
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Machine(PathBuf);

    impl Machine {
        fn new(name: &str, own: &str) -> Machine {
            let root =
                std::env::temp_dir().join(format!("taskq-oom-{name}-{}", std::process::id()));
            let machine = Machine(root);
            machine.write("proc/self/cgroup", own);
            machine.write("proc/vmstat", "pgfault 12\noom_kill 0\n");
            machine
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
            fs::write(path, text).expect("write");
        }

        fn watch(&self) -> Watch {
            Watch::at(&self.0.join("proc"), &self.0.join("cgroup"))
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_kill_in_the_group_is_told_once() {
        let machine = Machine::new("v2", "0::/user/app\n");
        let events = "cgroup/user/app/memory.events";
        machine.write(events, "low 0\noom 5\noom_kill 3\noom_group_kill 0\n");
        let mut watch = machine.watch();
        assert!(!watch.was_oom(), "what was before is no news");
        machine.write(events, "low 0\noom 9\noom_kill 3\noom_group_kill 0\n");
        assert!(!watch.was_oom(), "short memory alone kills nobody");
        machine.write(events, "low 0\noom 9\noom_kill 4\noom_group_kill 0\n");
        assert!(watch.was_oom());
        assert!(!watch.was_oom());
    }

    #[test]
    fn version_1_counts_elsewhere() {
        let own = "5:cpu,cpuacct:/a\n4:hugetlb,memory:/a/b\n1:name=systemd:/\n";
        let machine = Machine::new("v1", own);
        let control = "cgroup/memory/a/b/memory.oom_control";
        machine.write(control, "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
        let mut watch = machine.watch();
        assert!(!watch.was_oom());
        machine.write(control, "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
        assert!(watch.was_oom());
    }

    #[test]
    fn in_a_container_the_root_is_the_own_group() {
        let machine = Machine::new("container", "0::/docker/abc\n");
        machine.write("cgroup/memory.events", "oom_kill 0\n");
        let mut watch = machine.watch();
        machine.write("cgroup/memory.events", "oom_kill 2\n");
        assert!(watch.was_oom());
        assert!(!watch.was_oom());
    }

    #[test]
    fn without_groups_the_machine_counts() {
        let machine = Machine::new("vmstat", "");
        let mut watch = machine.watch();
        assert!(!watch.was_oom());
        machine.write("proc/vmstat", "pgfault 99\noom_kill 1\n");
        assert!(watch.was_oom());
        fs::remove_dir_all(&machine.0).expect("remove");
        assert!(!watch.was_oom(), "what cannot be read has not risen");
    }
}
