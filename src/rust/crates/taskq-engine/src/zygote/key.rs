//! What must be equal for supervisors to come from one zygote: all that the program reads at its start, or inherits.
//!
//! Nothing is judged here. A variable that no program reads, or a change in a file that says the same as before, makes
//! another zygote: it costs a tenth of a second, and a wrong guess would cost the user a day.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use taskq_sys::process::inherited_attributes;
use taskq_sys::tag;

use crate::config::Config;

/// What a program was started with, as far as it can make a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    command: Vec<OsString>,
    /// By name: the order has no meaning. Without those that a supervisor sets by itself.
    env: Vec<(OsString, OsString)>,
    working_dir: PathBuf,
    /// The variables by which this process itself belongs to queues.
    outer: [(&'static str, String); 2],
    /// What a process gets from the thread that starts it.
    attributes: String,
    /// The files that the program reads at its start.
    files: Vec<Option<Stamp>>,
}

/// A file at one time: another content has another stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Key {
    /// What a program would be started with now, by this thread. `None` where that cannot be found out.
    pub(crate) fn of(config: &Config) -> Option<Key> {
        let is_late = |name: &OsString| config.late_variables.contains(name);
        let early = config.env.iter().filter(|(name, _)| !is_late(name));
        let mut env: Vec<_> = early.cloned().collect();
        env.sort();
        Some(Key {
            command: config.command.clone(),
            env,
            working_dir: config.working_dir.clone(),
            outer: tag::zygote_variables(""),
            attributes: inherited_attributes().ok()?,
            files: config
                .startup_files
                .iter()
                .map(|path| stamp(path))
                .collect(),
        })
    }
}

/// `None` for a file that is not there.
fn stamp(path: &Path) -> Option<Stamp> {
    let about = fs::metadata(path).ok()?;
    Some(Stamp {
        device: about.dev(),
        inode: about.ino(),
        size: about.size(),
        modified: (about.mtime(), about.mtime_nsec()),
        changed: (about.ctime(), about.ctime_nsec()),
    })
}
