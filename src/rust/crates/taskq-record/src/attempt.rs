//! What was measured of an attempt, and the record of its end.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::end::Outcome;
use crate::id::{TaskId, Time, WorkerId};

/// What the process that ran an attempt has measured of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// Processor time that the session and its waited-for children used meanwhile, in microseconds.
    pub cpu_us: Option<u64>,
    /// The largest resident set that the session ever had, in bytes.
    pub max_rss: Option<u64>,
}

/// The end of an attempt, or of a task that was not begun. There is one for each attempt that had begun, whether its
/// task is done or is tried again, and one for each task that ended while nothing of it had begun, or had begun again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The task.
    pub task: TaskId,
    /// The user's name of it.
    pub label: Arc<str>,
    /// The name that it shares with others.
    pub tag: Option<Arc<str>>,
    /// Whether its result is for the one who submitted it only.
    pub claimed: bool,
    /// How often it had begun, this attempt included.
    pub tries: u32,
    /// Since when it had waited: its push, or the end of the attempt before.
    pub queued: Time,
    /// Where it ran, and since when; none when this attempt had not begun.
    pub ran: Option<(WorkerId, Time)>,
    /// When it ended.
    pub ended: Time,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the task is tried again; otherwise it is done.
    pub retried: bool,
}
