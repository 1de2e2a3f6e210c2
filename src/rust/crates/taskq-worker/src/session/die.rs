//! The end of a session whose nursery is gone, or that cannot be reached any more.
//!
//! The nursery's death is seen by all sessions at once, and what they have to do is the same: kill all that descends from any
//! of them. Looking at all processes costs milliseconds, so one of them does it for all; the others kill what is nearest to
//! them, and go.

use std::fs::{self, File};
use std::time::Duration;

use rustix::fs::{flock, FlockOperation};
use taskq_sys::process::{self, kill_tree, Process, Tree};

use crate::seed::Lineage;

/// Of the two seconds in which everything has to be gone.
const LIMIT: Duration = Duration::from_millis(1500);

/// Kills everything that this session has started, then the session. Does nothing of the kind in a fork of the session, which
/// has no control thread and must not call this.
pub(super) fn die(lineage: &Lineage) -> ! {
    let own = process::own_pid();
    // While the nursery lives, it does all this better, as soon as this process is gone.
    if lineage.nursery.is_gone().unwrap_or(true) {
        let tree = Tree {
            roots: vec![own],
            ..Tree::default()
        };
        let _ = kill_tree(&tree, LIMIT);
        if let Some(_elected) = election(lineage) {
            let tree = Tree {
                marks: vec![lineage.siblings.clone()],
                ..tree
            };
            let _ = kill_tree(&tree, LIMIT);
            let host_lives = lineage.host.as_ref().is_some_and(Process::still_lives);
            if !host_lives {
                let _ = fs::remove_dir_all(&lineage.queue_dir);
            }
        }
    }
    loop {
        let _ = process::kill(own, libc::SIGKILL);
    }
}

/// The lock on the queue's directory, which one session holds until it dies; `None` for the others.
fn election(lineage: &Lineage) -> Option<Option<File>> {
    // Without a directory everybody is elected: that costs time, but leaves nobody behind.
    let Ok(dir) = File::open(&lineage.queue_dir) else {
        return Some(None);
    };
    match flock(&dir, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => None,
        _ => Some(Some(dir)),
    }
}
