//! One look at all processes of the machine, through `/proc`.
//!
//! A look is not a moment: processes come and go while it is taken. What is found is a suggestion, and who signals a
//! process checks again that it still is the one that was seen ([`Process::is_same`]).

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::thread;
use std::time::{Duration, Instant};

use super::mark::Mark;
use super::stat::Stat;

/// A process, as it was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's number.
    pub parent: i32,
    /// The number of its terminal session.
    pub session: i32,
    /// When it started, in ticks since the machine did. Number and start together mean one process.
    pub started: u64,
    /// Whether it is alive: neither dead nor waiting to be reaped.
    pub alive: bool,
}

impl Process {
    /// The process with this number, or `None` when there is none.
    #[must_use]
    pub fn look(pid: i32) -> Option<Process> {
        Process::of(pid, &Stat::of(pid).ok()?)
    }

    /// By the numbers of proc(5).
    fn of(pid: i32, stat: &Stat) -> Option<Process> {
        const STATE: usize = 3;
        const PARENT: usize = 4;
        const SESSION: usize = 6;
        const THREADS: usize = 20;
        const STARTED: usize = 22;
        // The first thread can be over while others run on.
        let over = matches!(stat.field(STATE)?, "Z" | "X" | "x");
        Some(Process {
            pid,
            parent: stat.number(PARENT)?,
            session: stat.number(SESSION)?,
            started: stat.number(STARTED)?,
            alive: !over || stat.number::<u32>(THREADS)? > 1,
        })
    }

    /// Whether the number still means this process, which was looked at before.
    #[must_use]
    pub fn is_same(&self) -> bool {
        Process::look(self.pid).is_some_and(|now| now.started == self.started)
    }

    /// Whether this process, which was looked at before, is alive.
    #[must_use]
    pub fn still_lives(&self) -> bool {
        Process::look(self.pid).is_some_and(|now| now.alive && now.started == self.started)
    }

    /// Whether the process belongs to this user and has the mark in its environment. Unreadable means no.
    #[must_use]
    pub fn carries(&self, mark: &Mark) -> bool {
        self.environment()
            .is_some_and(|environment| mark.is_in(&environment))
    }

    pub(super) fn carries_any(&self, marks: &[Mark]) -> bool {
        let environment = self.environment();
        environment.is_some_and(|environment| marks.iter().any(|mark| mark.is_in(&environment)))
    }

    /// What its program was started with. While a process turns into another program it has none for a moment, and
    /// looks like one that was started without: that is looked at for a while.
    fn environment(&self) -> Option<Vec<u8>> {
        /// Where there is no event.
        const PAUSE: Duration = Duration::from_micros(50);
        const LIMIT: Duration = Duration::from_millis(20);
        let start = Instant::now();
        loop {
            let environment = self.environment_now()?;
            let is_over = start.elapsed() >= LIMIT;
            if !environment.is_empty() || is_over || !self.has_memory() {
                return Some(environment);
            }
            thread::sleep(PAUSE);
        }
    }

    /// In one call, which sees one program, or nothing.
    fn environment_now(&self) -> Option<Vec<u8>> {
        const USUAL: usize = 32 * 1024;
        let file = File::open(format!("/proc/{}/environ", self.pid)).ok()?;
        if file.metadata().ok()?.uid() != rustix::process::geteuid().as_raw() {
            return None;
        }
        let mut environment = vec![0; USUAL];
        loop {
            let length = file.read_at(&mut environment, 0).ok()?;
            if length < environment.len() {
                environment.truncate(length);
                return Some(environment);
            }
            environment.resize(2 * length, 0);
        }
    }

    /// As threads of the kernel and the dead have not. By its number of proc(5).
    fn has_memory(&self) -> bool {
        const MEMORY: usize = 23;
        let stat = Stat::of(self.pid).ok();
        stat.and_then(|stat| stat.number::<u64>(MEMORY)) > Some(0)
    }
}

/// A process that was found below another.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// The process.
    pub process: Process,
    /// Its parent, when the process was found by descent.
    pub(super) parent: Option<Process>,
}

/// All processes there were.
#[derive(Debug)]
pub struct ProcessTable {
    processes: Vec<Process>,
}

impl ProcessTable {
    /// Looks at all processes.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn read() -> io::Result<ProcessTable> {
        let mut processes = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let pid = name.to_str().and_then(|name| name.parse().ok());
            processes.extend(pid.and_then(Process::look));
        }
        Ok(ProcessTable { processes })
    }

    /// Looks at `roots` and their descendants only. Where the kernel does not list children, it looks at all.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn under(roots: &[i32]) -> io::Result<ProcessTable> {
        let mut processes: Vec<Process> = Vec::new();
        let mut pids = roots.to_vec();
        let mut next = 0;
        while let Some(pid) = pids.get(next).copied() {
            next += 1;
            let Some(process) = Process::look(pid) else {
                continue;
            };
            processes.push(process);
            match children(pid) {
                Ok(children) => {
                    let new = children.into_iter().filter(|child| !pids.contains(child));
                    let new: Vec<i32> = new.collect();
                    pids.extend(new);
                }
                Err(_) if process.is_same() && process.alive => return ProcessTable::read(),
                Err(_) => {}
            }
        }
        Ok(ProcessTable { processes })
    }

    /// Those that are alive.
    pub fn living(&self) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(|process| process.alive)
    }

    /// All, also those that wait to be reaped.
    pub fn all(&self) -> &[Process] {
        &self.processes
    }

    /// The living among: the roots themselves, the members of sessions that the roots lead, those for which `belongs`
    /// says so, and all descendants of these. Parents come before their children.
    pub fn below(&self, roots: &[i32], mut belongs: impl FnMut(&Process) -> bool) -> Vec<Found> {
        let mut children: HashMap<i32, Vec<&Process>> = HashMap::new();
        for process in &self.processes {
            children.entry(process.parent).or_default().push(process);
        }
        let roots: HashSet<i32> = roots.iter().copied().collect();
        let mut found: Vec<Found> = self
            .processes
            .iter()
            .filter(|process| {
                roots.contains(&process.pid) || roots.contains(&process.session) || belongs(process)
            })
            .map(|process| Found {
                process: *process,
                parent: None,
            })
            .collect();
        let mut seen: HashSet<i32> = found.iter().map(|found| found.process.pid).collect();
        let mut next = 0;
        while let Some(parent) = found.get(next).map(|found| found.process) {
            next += 1;
            for child in children.get(&parent.pid).into_iter().flatten() {
                // A child is not older than its parent; if it seems so, the parent's number is a new one's.
                if child.started >= parent.started && seen.insert(child.pid) {
                    found.push(Found {
                        process: **child,
                        parent: Some(parent),
                    });
                }
            }
        }
        found.retain(|found| found.process.alive);
        found
    }
}

/// The children of all threads of a process, dead ones that are not reaped included. Complete as long as none is reaped
/// them meanwhile.
///
/// # Errors
/// There is no such process, or the kernel does not list children.
pub fn children(pid: i32) -> io::Result<Vec<i32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let list = fs::read_to_string(thread?.path().join("children"))?;
        children.extend(
            list.split_ascii_whitespace()
                .filter_map(|child| child.parse::<i32>().ok()),
        );
    }
    Ok(children)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_first_thread_that_is_over_makes_a_process_dead_only_when_it_is_the_only_one() {
        let with = |threads: &str| {
            let line = format!("12 (a) Z 7 12 9 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 4711 0 0");
            Process::of(12, &Stat::parse(line.as_bytes())?)
        };
        let expected = Process {
            pid: 12,
            parent: 7,
            session: 9,
            started: 4711,
            alive: false,
        };
        assert_eq!(with("1"), Some(expected));
        assert!(with("2").expect("a process").alive);
        let short = Stat::parse(b"12 (a) R 1 2").expect("a line");
        assert_eq!(Process::of(12, &short), None);
    }

    #[test]
    fn this_process_is_found_and_is_itself() {
        let table = ProcessTable::read().expect("table");
        let own = crate::process::own_pid();
        let this = table
            .living()
            .find(|process| process.pid == own)
            .expect("this process");
        assert_eq!(this.parent, crate::process::parent_pid());
        assert!(this.is_same());
        assert!(!Process {
            started: this.started + 1,
            ..*this
        }
        .is_same());
    }

    #[test]
    fn a_mark_is_seen_while_a_process_turns_into_another_program() {
        let script = "exec /bin/sh -c \"$0\" \"$0\"";
        let mut turning = Command::new("/bin/sh")
            .args(["-c", script, script])
            .env(crate::tag::QUEUE, "turning")
            .spawn()
            .expect("a shell");
        let process = Process::look(turning.id() as i32).expect("it lives");
        let mark = Mark::Queue("turning".into());
        let seen = (0..3000).filter(|_| process.carries(&mark)).count();
        turning.kill().expect("it lives");
        turning.wait().expect("a child");
        assert_eq!(seen, 3000);
    }
}
