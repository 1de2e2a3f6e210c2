//! Killing what belongs together, and nothing else.
//!
//! The rounds go on until a look finds none any more, so that a process that forks while it is looked for is found by
//! the next look. Before a process is signalled, it is held by a descriptor (so that its number cannot pass to another)
//! and compared with what was seen; one that cannot be shown to belong is left alone and judged by the next look.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::process::{pidfd_send_signal, Signal};

use super::mark::Mark;
use super::table::{Found, Process, ProcessTable};
use super::{kill, own_pid, pidfd};
use crate::fault;

/// What is to be killed. The calling process is never killed, even where it belongs.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Processes that are known for sure: the caller, or its children that are not reaped. They are killed, with their
    /// descendants and with the members of the sessions that they lead.
    pub roots: Vec<i32>,
    /// Whoever has one of these marks is killed, with descendants. Without marks only descendants are looked at, which
    /// is much cheaper.
    pub marks: Vec<Mark>,
    /// Processes whose marks need not be looked for, because they are known to belong elsewhere.
    pub known: HashSet<i32>,
    /// Processes that started before this tick are not looked at for marks; see [`Process::started`].
    pub since: u64,
}

/// What [`kill_tree`] has done.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// How many processes were sent a signal.
    pub killed: usize,
    /// Who still lived when the time was up, for instance because the kernel holds it or it belongs to another user.
    pub left: Vec<i32>,
}

/// Kills everything that belongs to `tree`, until a look finds none of it alive or `limit` is over.
///
/// As long as there are others to be killed, the roots are only stopped: who descends from them can be seen as long as
/// they are there.
///
/// # Errors
/// `/proc` cannot be read.
pub fn kill_tree(tree: &Tree, limit: Duration) -> io::Result<Swept> {
    let deadline = Instant::now() + limit;
    let own = own_pid();
    let mut killed: HashMap<i32, Process> = HashMap::new();
    if fault::is_on("leave-descendants") {
        let roots = tree.roots.iter().filter(|root| **root != own);
        roots.for_each(|root| drop(kill(*root, Signal::KILL.as_raw())));
        return Ok(Swept::default());
    }
    loop {
        let table = match &tree.marks[..] {
            [] => ProcessTable::under(&tree.roots)?,
            _ => ProcessTable::read()?,
        };
        let belongs = |process: &Process| {
            process.alive
                && process.started >= tree.since
                && process.pid != own
                && !tree.known.contains(&process.pid)
                && process.carries_any(&tree.marks)
        };
        let mut found = table.below(&tree.roots, belongs);
        found.retain(|found| found.process.pid != own);
        // One that is dying has neither environment nor parent any more.
        let dying = || killed.values().filter(|process| process.still_lives());
        let is_over = Instant::now() >= deadline;
        if is_over {
            for found in &found {
                send(found, Signal::KILL);
            }
        }
        if is_over || (found.is_empty() && dying().next().is_none()) {
            let found = found.iter().map(|found| found.process.pid);
            let left: HashSet<i32> = found.chain(dying().map(|process| process.pid)).collect();
            return Ok(Swept {
                killed: killed.len(),
                left: left.into_iter().collect(),
            });
        }
        let is_root = |found: &Found| tree.roots.contains(&found.process.pid);
        let is_new = |found: &Found| {
            let before = killed.get(&found.process.pid);
            before.map_or(true, |before| before.started != found.process.started)
        };
        let others = found.iter().any(|found| !is_root(found) && is_new(found));
        let mut held = Vec::new();
        if others {
            for found in found.iter().filter(|found| is_root(found)) {
                send(found, Signal::STOP);
            }
        }
        // Children first: as long as its parent is there, a child can be shown to be its child.
        for found in found
            .iter()
            .rev()
            .filter(|found| !others || !is_root(found))
        {
            if let Some(fd) = send(found, Signal::KILL) {
                killed.insert(found.process.pid, found.process);
                held.extend(fd);
            }
        }
        wait_for(&held, deadline);
    }
}

/// Signals a process, if it still is the one that was seen. Returns a descriptor of it where there are such.
fn send(found: &Found, signal: Signal) -> Option<Option<OwnedFd>> {
    // Without a descriptor left to open, the comparison alone must do, as where the kernel has none.
    let held = pidfd(found.process.pid).unwrap_or(None);
    let descent_holds = found.parent.map_or(true, |parent| parent.is_same());
    if !found.process.is_same() || !descent_holds {
        return None;
    }
    match &held {
        Some(fd) => pidfd_send_signal(fd, signal).ok()?,
        None => kill(found.process.pid, signal.as_raw()).ok()?,
    }
    Some(held)
}

/// Waits until some of the killed are dead; the next look tells what is left.
fn wait_for(dying: &[OwnedFd], deadline: Instant) {
    /// Without descriptors there is no event to wait for, and looking costs time, too.
    const PAUSE: Duration = Duration::from_millis(2);
    let Some(last) = dying.last() else {
        std::thread::sleep(PAUSE);
        return;
    };
    // The last one is the nearest to the root, and most of its descendants will be dead when it is. One that cannot die
    // now would hold the others up, so the wait is short.
    let left = deadline
        .saturating_duration_since(Instant::now())
        .min(10 * PAUSE);
    let left = Timespec {
        tv_sec: 0,
        tv_nsec: left.as_nanos() as _,
    };
    // An interrupted or failed wait only makes the next look come sooner.
    let _ = poll(&mut [PollFd::new(last, PollFlags::IN)], Some(&left));
}
