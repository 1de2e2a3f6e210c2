//! What the host keeps of a task beside the scheduler's view of it: its payload, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use taskq_payload::payload::Payload;
use taskq_record::{Measured, TaskResult};
use taskq_wire::board::progress::Progress;

use crate::config::EventLoop;
use crate::function::Function;
use crate::output::Captured;

/// What a finished task was made of is freed as soon as the task is done when it keeps more bytes than this.
const KEEP_PAYLOAD: usize = 1 << 20;

/// What a task consists of: opaque bytes, shared with the socket that sends them.
#[derive(Clone, Debug)]
pub struct TaskPayload {
    /// The function.
    pub fun: Arc<Function>,
    /// The rest of the call.
    pub call: Arc<Payload>,
}

impl TaskPayload {
    fn weight(&self) -> usize {
        self.fun
            .payload()
            .weight()
            .saturating_add(self.call.weight())
    }

    /// It will not be sent any more. What others hold, too, is theirs to retire.
    fn retire(&mut self) {
        if let Some(call) = Arc::get_mut(&mut self.call) {
            call.retire();
        }
        if let Some(fun) = Arc::get_mut(&mut self.fun) {
            fun.retire();
        }
    }
}

/// What an attempt left behind.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// The serialized outcome; `None` when the session died or was never there.
    pub outcome: Option<Arc<Payload>>,
    /// What the process wrote while the task ran.
    pub stdout: Arc<Captured>,
    /// What the process wrote while the task ran.
    pub stderr: Arc<Captured>,
    /// The last of standard error, for a session that died.
    pub stderr_tail: Vec<u8>,
    /// The session's process id.
    pub pid: Option<i32>,
    /// What was measured of the attempt.
    pub measured: Measured,
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
    /// What its user is told of its end.
    pub result: TaskResult,
    /// What the last attempt left.
    pub ending: Arc<Ending>,
}

/// What the host keeps of a task.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) payload: Option<TaskPayload>,
    pub(crate) ending: Option<Arc<Ending>>,
    pub(crate) skipped_after: Option<String>,
    /// How long it may run: for those who run it themselves.
    pub(crate) timeout: Option<Duration>,
    /// Whose result it is, when it was promised.
    pub(crate) promised_to: Option<EventLoop>,
    /// What a picture calls it, when that is not its label.
    pub(crate) title: Option<Arc<str>>,
}

impl Record {
    pub(crate) fn new(payload: TaskPayload, timeout: Option<Duration>) -> Record {
        Record {
            payload: Some(payload),
            timeout,
            ..Record::default()
        }
    }

    /// The task is done: what only running it needed is given up to be freed, when that is worth it, and its
    /// descriptors in any case.
    pub(crate) fn settle(&mut self) -> Option<TaskPayload> {
        let payload = self.payload.as_mut()?;
        if payload.weight() > KEEP_PAYLOAD {
            return self.payload.take();
        }
        payload.retire();
        None
    }
}
