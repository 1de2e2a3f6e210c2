//! What a queue is made from.

use std::ffi::OsString;
use std::path::PathBuf;

use taskq_core::{SchedulerConfig, TaskOptions};
use taskq_sys::tempdir::Parent;

use crate::text::Charset;

/// An event loop of the R thread, by the number that its library knows it by.
pub type EventLoop = i32;

/// What a queue is made from. Everything the worker processes get of the host is in here: they inherit nothing else.
#[derive(Clone, Debug)]
pub struct Config {
    /// The program that a supervisor comes from, and its arguments.
    pub command: Vec<OsString>,
    /// Its whole environment; the queue's own variables are added to it.
    pub env: Vec<(OsString, OsString)>,
    /// Its working directory, and so that of the sessions. It must exist.
    pub working_dir: PathBuf,
    /// Those of its variables that a supervisor sets by itself before anything of a user is loaded: they need not have
    /// been there at the start of the program.
    pub late_variables: Vec<OsString>,
    /// The files that it reads at its start, whether they are there or not. While none of them changes, and all of the
    /// above is equal, another queue's supervisor may come from the same start of the program.
    pub startup_files: Vec<PathBuf>,
    /// Where the queue's own directory can be made, the first of these that is there; it is removed with the queue.
    pub temp_dirs: Vec<Parent>,
    /// What the supervisor is told of `preload`, `init` and so on: opaque here.
    pub setup: Vec<u8>,
    /// How many bytes of a task's standard output, and of its standard error, are kept: the first and the last half of
    /// it.
    pub output_limit: usize,
    /// In what sessions write.
    pub charset: Charset,
    /// How many of the last bytes of standard error an error about a dead session shows.
    pub stderr_tail: usize,
    /// What a task is pushed with unless its user says otherwise.
    pub task_defaults: TaskOptions,
    /// Called when a task that was [promised](crate::Queue::promise) to this loop is done, or has signalled a
    /// condition: on any thread, perhaps often, perhaps when there is nothing left for it. It must return soon, and
    /// is called without a lock.
    pub waker: fn(EventLoop),
    /// The scheduler's own settings, among them the number of workers.
    pub scheduler: SchedulerConfig,
}

impl Config {
    /// The default of [`output_limit`](Config::output_limit): 16 MiB.
    pub const OUTPUT_LIMIT: usize = 16 << 20;
    /// The default of [`stderr_tail`](Config::stderr_tail).
    pub const STDERR_TAIL: usize = 4096;
}
