//! The end of a session whose supervisor is gone, or that cannot be reached any more.
//!
//! The supervisor's death is seen by all sessions at once, and what they have to do is the same: kill all that descends
//! from any of them. Looking at all processes costs milliseconds, so one of them does it for all; the others kill what
//! is nearest to them, and go. The one does it in a process of its own, because meanwhile a session may be stopped, or
//! end by itself.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{flock, FlockOperation};
use taskq_sys::process::{self, kill_tree, Process, Tree};

use crate::inheritance::Ancestry;

/// Of the two seconds in which everything has to be gone.
const LIMIT: Duration = Duration::from_millis(1500);

/// Kills everything that this session has started, then the session.
pub(super) fn die(ancestry: &Ancestry) -> ! {
    let own = process::own_pid();
    // While the supervisor lives, it does all this better, as soon as this process is gone.
    if ancestry.supervisor.is_gone().unwrap_or(true) {
        let _ = kill_tree(
            &Tree {
                roots: vec![own],
                ..Tree::default()
            },
            LIMIT,
        );
        if let Some(_held_by_the_child) = election(ancestry) {
            sweep_in_child(ancestry);
        }
    }
    loop {
        let _ = process::kill(own, libc::SIGKILL);
    }
}

/// The lock on the queue's directory, which one session gets; `None` for the others.
fn election(ancestry: &Ancestry) -> Option<Option<File>> {
    // Without a directory everybody is elected: that costs time, but leaves no process behind.
    let Some(Ok(dir)) = ancestry.queue_dir.find().map(File::open) else {
        return Some(None);
    };
    match flock(&dir, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => None,
        _ => Some(Some(dir)),
    }
}

fn sweep_in_child(ancestry: &Ancestry) {
    // SAFETY: the child has this thread only. What it does needs no lock that another thread may have held: it reads
    // `/proc`, sends signals, and uses the C library's heap, which can be used after a fork.
    match unsafe { libc::fork() } {
        0 => {
            // Out of reach of whatever is sent to the session's group.
            let _ = process::new_session();
            sweep(ancestry);
            // SAFETY: ends the process without running anything.
            unsafe { libc::_exit(0) }
        }
        -1 => sweep(ancestry),
        _ => {}
    }
}

fn sweep(ancestry: &Ancestry) {
    /// There is no event that says that a directory is gone. It takes milliseconds where the host is well.
    const PAUSE: Duration = Duration::from_millis(10);
    const LONG_PAUSE: Duration = Duration::from_millis(100);
    /// After this time the host must be stopped, and no session waits.
    const WELL: Duration = Duration::from_millis(500);
    let marks = vec![ancestry.siblings.clone()];
    let _ = kill_tree(
        &Tree {
            marks,
            ..Tree::default()
        },
        LIMIT,
    );
    // As long as the host lives the directory is its business. It may be stopped, and killed without having done it.
    let start = Instant::now();
    while ancestry.host.as_ref().is_some_and(Process::still_lives) {
        if ancestry.queue_dir.find().is_none() {
            return;
        }
        let is_well = start.elapsed() < WELL;
        thread::sleep(if is_well { PAUSE } else { LONG_PAUSE });
    }
    let _ = ancestry.queue_dir.remove();
}
