//! What the host keeps of a task beside the scheduler's view of it: its payload, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use taskq_core::id::TaskId;
use taskq_core::Outcome;
use taskq_wire::board::progress::Progress;

use crate::output::Captured;

/// A finished task's payload above this size is freed as soon as the task is done.
const KEEP_PAYLOAD: usize = 1 << 20;

/// What a task consists of: opaque bytes, shared with the socket that sends them.
#[derive(Clone, Debug)]
pub struct TaskPayload {
    /// The function.
    pub fun: Arc<Vec<u8>>,
    /// The rest of the call.
    pub call: Arc<Vec<u8>>,
}

impl TaskPayload {
    fn len(&self) -> usize {
        self.fun.len() + self.call.len()
    }
}

/// What an attempt left behind.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// The serialized outcome; `None` when the session died or was never there.
    pub outcome: Option<Arc<Vec<u8>>>,
    /// What the process wrote while the task ran.
    pub stdout: Arc<Captured>,
    /// What the process wrote while the task ran.
    pub stderr: Arc<Captured>,
    /// The last of standard error, for a session that died.
    pub stderr_tail: Vec<u8>,
    /// The session's process id.
    pub pid: Option<i32>,
    /// Processor time, in microseconds.
    pub cpu_us: Option<u64>,
    /// The largest resident set the session ever had, in bytes.
    pub max_rss: Option<u64>,
    /// What it had last told of its progress.
    pub progress: Option<Progress>,
    /// How many elements of a batch had begun, where the session died.
    pub elements: u64,
    /// Whether the session was killed because memory was short.
    pub oom: bool,
}

/// A done task, whole.
#[derive(Clone, Debug)]
pub struct DoneTask {
    /// Its number.
    pub id: TaskId,
    /// The user's name of it.
    pub label: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Attempts that had begun.
    pub tries: u32,
    /// What the last attempt left.
    pub ending: Arc<Ending>,
    /// The user's name of the task without which this one was skipped.
    pub skipped_after: Option<String>,
    /// When it was pushed, in seconds since 1970.
    pub queued: f64,
    /// When it began, if it did.
    pub started: Option<f64>,
    /// When it was done.
    pub finished: f64,
}

/// What the host keeps of a task.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) payload: Option<TaskPayload>,
    pub(crate) ending: Option<Arc<Ending>>,
    pub(crate) skipped_after: Option<String>,
    /// How long it may run: for those who run it themselves.
    pub(crate) timeout: Option<Duration>,
}

impl Record {
    pub(crate) fn new(payload: TaskPayload, timeout: Option<Duration>) -> Record {
        Record {
            payload: Some(payload),
            ending: None,
            skipped_after: None,
            timeout,
        }
    }

    /// The task is done: what only running it needed is freed, when that is worth it.
    pub(crate) fn settle(&mut self) {
        if self
            .payload
            .as_ref()
            .is_some_and(|payload| payload.len() > KEEP_PAYLOAD)
        {
            self.payload = None;
        }
    }
}
