//! The supervisor's sessions: who lives, reaping the dead, and killing.
//!
//! A dead session stays a zombie until everything that belonged to it is gone: as long as it is one, its number (which
//! names its terminal session, too) cannot pass to another process. Sessions that end together are reaped together,
//! because what costs time is the look at all processes.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use taskq_record::{ProcessEnd, WorkerId};
use taskq_sys::process::{self, kill_tree, Mark, Process, Tree};
use taskq_sys::tempdir::TempDir;
use taskq_sys::{fault, tag, wait};
use taskq_wire::message::FromSupervisor;

use super::Inherited;
use crate::inheritance::dir_name;
use crate::setup::queue_dir;

/// Time to kill what a session has left behind. It takes milliseconds; only what the kernel itself holds takes longer.
const BURIAL: Duration = Duration::from_millis(500);
/// Time to kill everything at the end, of the two seconds that are promised.
const END: Duration = Duration::from_millis(1500);

/// A session's process, not reaped.
struct Child {
    worker: WorkerId,
    tag: String,
    /// When it started, in ticks; nothing that belongs to it is older.
    started: u64,
}

/// All children that are sessions.
pub(super) struct Children {
    token: String,
    queue_dir: TempDir,
    own: i32,
    /// Whether the supervisor is the parent of what its sessions leave behind.
    adopts: bool,
    sessions: HashMap<i32, Child>,
}

impl Children {
    pub(super) fn new(inherited: &Inherited, adopts: bool) -> Children {
        Children {
            token: inherited.setup.token.clone(),
            queue_dir: queue_dir(&inherited.setup),
            own: process::own_pid(),
            adopts,
            sessions: HashMap::new(),
        }
    }

    /// The tag of a session that is going to be launched.
    pub(super) fn tag(&self, worker: WorkerId) -> String {
        tag::of_session(&self.token, self.own, worker.0)
    }

    /// What the tags of all sessions have in common.
    pub(super) fn mark_of_all(&self) -> Mark {
        Mark::SessionOf(tag::of_supervisor(&self.token, self.own))
    }

    /// The queue's directory, which is made where it is gone.
    pub(super) fn make_queue_dir(&self) -> io::Result<PathBuf> {
        self.queue_dir.make()
    }

    /// Removes the directory of a session that is gone, or could not be made.
    pub(super) fn forget_dir(&self, worker: WorkerId) {
        self.queue_dir.remove_below(dir_name(worker));
    }

    /// Notes a new session.
    pub(super) fn add(&mut self, pid: i32, worker: WorkerId) {
        let started = Process::look(pid).map_or(0, |process| process.started);
        self.sessions.insert(
            pid,
            Child {
                worker,
                tag: self.tag(worker),
                started,
            },
        );
    }

    /// Kills these sessions, and says which are gone.
    pub(super) fn kill(&mut self, workers: &[WorkerId]) -> Vec<FromSupervisor> {
        let doomed = self
            .sessions
            .iter()
            .filter(|(_, child)| workers.contains(&child.worker));
        let doomed: Vec<i32> = doomed.map(|(pid, _)| *pid).collect();
        if doomed.is_empty() {
            return Vec::new();
        }
        self.sweep(&doomed)
    }

    /// Reaps what has ended, and says which sessions were among it.
    pub(super) fn reap(&mut self) -> Vec<FromSupervisor> {
        let mut messages = Vec::new();
        // An error means that there are no children at all.
        while let Ok(Some(pid)) = wait::ended(None) {
            if self.sessions.contains_key(&pid) {
                let ended = |pid: &i32| matches!(wait::ended(Some(*pid)), Ok(Some(_)));
                let dead: Vec<i32> = self.sessions.keys().copied().filter(ended).collect();
                messages.extend(self.sweep(&dead));
            } else {
                // An orphan that was adopted, or a child of `preload`, which is of no interest any more.
                let _ = wait::reap(pid, false);
            }
        }
        // Where somebody else reaps all children, a session that is gone is none of our children any more.
        let gone = |pid: &i32| wait::ended(Some(*pid)).is_err();
        let stolen: Vec<i32> = self.sessions.keys().copied().filter(gone).collect();
        if !stolen.is_empty() {
            messages.extend(self.sweep(&stolen));
        }
        messages
    }

    /// Kills what belongs to these sessions, and reaps those of them that are dead then.
    fn sweep(&mut self, pids: &[i32]) -> Vec<FromSupervisor> {
        if !self.have_left_nothing(pids) {
            self.kill_descendants(pids);
        }
        let mut messages = Vec::new();
        for pid in pids {
            // `None` is a session that the kernel holds back; its end will be told like any other.
            if let Ok(Some(reaped)) = wait::reap(*pid, false) {
                messages.extend(self.reap_one(*pid, reaped.end.into(), reaped.max_rss));
            }
        }
        messages
    }

    /// Whether these sessions are dead, and no process lives that descends from them: the supervisor has adopted their
    /// orphans by then, so every orphan is a child of its own or descends from one, and all its children are sessions.
    /// This is one look at one list, where looking at all processes of the machine takes a millisecond and more.
    fn have_left_nothing(&self, pids: &[i32]) -> bool {
        let is_dead = |pid: &i32| matches!(wait::ended(Some(*pid)), Ok(Some(_)));
        let is_known = |pid: &i32| self.sessions.contains_key(pid);
        self.adopts
            && pids.iter().all(is_dead)
            && process::children(self.own).is_ok_and(|children| children.iter().all(is_known))
    }

    /// Kills these sessions with all that belongs to them.
    fn kill_descendants(&self, pids: &[i32]) {
        let children = || pids.iter().filter_map(|pid| self.sessions.get(pid));
        let others = self.sessions.keys().filter(|pid| !pids.contains(pid));
        let tree = Tree {
            // A number that is no child's any more may be somebody else's.
            roots: pids
                .iter()
                .copied()
                .filter(|pid| wait::ended(Some(*pid)).is_ok())
                .collect(),
            marks: children()
                .map(|child| Mark::Session(child.tag.clone()))
                .collect(),
            known: others.copied().collect(),
            since: children().map(|child| child.started).min().unwrap_or(0),
        };
        // Without a look at the processes the sessions still end, and their orphans at the latest with the supervisor.
        if kill_tree(&tree, BURIAL).is_err() {
            for pid in &tree.roots {
                let _ = process::kill(*pid, libc::SIGKILL);
            }
        }
    }

    fn reap_one(&mut self, pid: i32, end: ProcessEnd, max_rss: u64) -> Option<FromSupervisor> {
        let worker = self.sessions.remove(&pid)?.worker;
        tracing::debug!(?worker, pid, ?end, "reaped");
        // What cannot be removed now, because of its permissions, the end of the queue cannot remove either.
        if !fault::is_on("leave-session-dir") {
            self.forget_dir(worker);
        }
        Some(FromSupervisor::Exited {
            worker,
            end,
            max_rss,
        })
    }

    /// Kills everything that the supervisor has ever started, and removes the queue's files.
    pub(super) fn end(&mut self) {
        let mut roots: Vec<i32> = self.sessions.keys().copied().collect();
        roots.push(self.own);
        let tree = Tree {
            roots,
            marks: vec![Mark::Queue(self.token.clone())],
            since: Process::look(self.own).map_or(0, |own| own.started),
            ..Tree::default()
        };
        self.queue_dir.clear();
        // Sessions die after what they have started: should this process be killed meanwhile, they go on with it.
        let _ = kill_tree(&tree, END);
        while let Ok(Some(pid)) = wait::ended(None) {
            let _ = wait::reap(pid, false);
        }
        self.sessions.clear();
        let _ = self.queue_dir.remove();
    }
}
