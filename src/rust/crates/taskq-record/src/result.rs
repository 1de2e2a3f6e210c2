//! What the user of a task is told of its end.
//!
//! Owns the names, the order and the types of the fields of a result. Whoever shows one asks for
//! [`TaskResult::fields`], and knows no field by itself.

use serde::{Deserialize, Serialize};

use crate::attempt::Measured;
use crate::end::Outcome;
use crate::id::TaskId;
use crate::words::{Cause, Status};

/// A task that is done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// Its number.
    pub task: TaskId,
    /// The user's name of it.
    pub label: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether its session was killed because memory was short.
    pub oom: bool,
    /// The user's name of the task without which this one was skipped.
    pub skipped_after: Option<String>,
    /// How often it had begun.
    pub tries: u32,
    /// The process id of the session that ran it last.
    pub pid: Option<i32>,
    /// When it was pushed, in seconds since 1970; likewise the next two.
    pub queued: f64,
    /// When it began, if it did.
    pub started: Option<f64>,
    /// When it was done.
    pub finished: f64,
    /// How long it had waited for its last attempt, in seconds; none when it has not begun, or not begun again.
    #[serde(default)]
    pub waited: Option<f64>,
    /// What was measured of its last attempt.
    pub measured: Measured,
}

/// What stands in a field of a result. `None` is "not known".
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// A part of the outcome that the session has sent, by its name there. Only R can read it.
    Outcome(&'static str),
    /// Several of them: a list.
    Outcomes(&'static str),
    /// Why it did not succeed, made of all of this where it is shown.
    Error,
    /// What it wrote to standard output.
    Stdout,
    /// What it wrote to standard error.
    Stderr,
    /// A string.
    Text(&'a str),
    /// A whole number.
    Whole(Option<i32>),
    /// Any number.
    Number(Option<f64>),
    /// When it was pushed, began and ended, in seconds since 1970.
    Times([Option<f64>; 3]),
}

/// How many fields there are.
pub const FIELDS: usize = 16;

impl TaskResult {
    /// The names of the three [`Field::Times`].
    pub const TIMES: [&'static str; 3] = ["queued", "started", "finished"];

    /// All fields by the names that users know, in their order.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, Field<'_>); FIELDS] {
        let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64);
        let seconds = |us: Option<u64>| us.map(|us| us as f64 / 1e6);
        let tries = i32::try_from(self.tries).unwrap_or(i32::MAX);
        let times = [Some(self.queued), self.started, Some(self.finished)];
        let ran = self.started.map(|started| self.finished - started);
        [
            ("result", Field::Outcome("value")),
            ("stdout", Field::Stdout),
            ("stderr", Field::Stderr),
            ("error", Field::Error),
            ("task_id", Field::Text(&self.label)),
            ("status", Field::Text(self.status().word())),
            ("warnings", Field::Outcomes("warnings")),
            ("messages", Field::Outcomes("messages")),
            ("conditions", Field::Outcomes("conditions")),
            ("tries", Field::Whole(Some(tries))),
            ("worker", Field::Whole(self.pid)),
            ("times", Field::Times(times)),
            ("queued", Field::Number(self.waited)),
            ("seconds", Field::Number(ran)),
            ("cpu", Field::Number(seconds(self.measured.cpu_us))),
            ("max_rss", Field::Number(bytes(self.measured.max_rss))),
        ]
    }

    /// How it ended, in a word.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.outcome.status()
    }

    /// Why it has not ended by itself, where there is more to say than its status.
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        match self.outcome {
            Outcome::Crash { .. } if self.oom => Some(Cause::Oom),
            ref outcome => outcome.cause(),
        }
    }

    /// The signal that ended its session.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.outcome.gone()?.signal()
    }

    /// The status with which its session exited.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.outcome.gone()?.exit_code()
    }
}
