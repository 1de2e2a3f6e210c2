//! What the host keeps of a task beside the scheduler's view of it: its payload, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use taskq_payload::payload::Payload;
use taskq_record::{Measured, TaskId, TaskResult};
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

impl Ending {
    /// Nobody is to be sent the outcome: its descriptors are given back.
    pub(crate) fn retire(&mut self) {
        if let Some(outcome) = self.outcome.as_mut().and_then(Arc::get_mut) {
            outcome.retire();
        }
    }
}

/// A done task, whole.
#[derive(Clone, Debug)]
pub struct DoneTask {
    /// What its user is told of its end.
    pub result: TaskResult,
    /// What the last attempt left.
    pub ending: Arc<Ending>,
}

/// The value of another task, which is an argument of this.
#[derive(Clone, Debug)]
pub struct Given {
    /// The name of the argument.
    pub argument: Box<str>,
    /// The other task.
    pub of: TaskId,
    /// Its serialized outcome, from its end until this task is done, also when the other was taken meanwhile.
    pub outcome: Option<Arc<Payload>>,
}

impl Given {
    /// The argument and the outcome, when that is there.
    #[must_use]
    pub fn known(&self) -> Option<(&str, &Arc<Payload>)> {
        Some((&*self.argument, self.outcome.as_ref()?))
    }
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
    /// Values of others that it is given.
    pub(crate) given: Vec<Given>,
    /// The tasks that are given its value.
    pub(crate) takers: Vec<TaskId>,
}

impl Record {
    pub(crate) fn new(payload: TaskPayload, timeout: Option<Duration>) -> Record {
        Record {
            payload: Some(payload),
            timeout,
            ..Record::default()
        }
    }

    /// Whether other tasks are to be given its value.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.takers.is_empty()
    }

    /// The task is done: what only running it needed is given up to be freed, its payload when that is worth it, and
    /// its descriptors in any case.
    pub(crate) fn settle(&mut self) -> Option<Record> {
        let given = std::mem::take(&mut self.given);
        let is_large = |payload: &TaskPayload| payload.weight() > KEEP_PAYLOAD;
        let payload = if self.payload.as_ref().is_some_and(is_large) {
            self.payload.take()
        } else {
            self.payload.iter_mut().for_each(TaskPayload::retire);
            None
        };
        let is_some = payload.is_some() || !given.is_empty();
        is_some.then(|| Record {
            payload,
            given,
            ..Record::default()
        })
    }
}
