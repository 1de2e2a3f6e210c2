//! A task as it is pushed, and the record that a store keeps of it.
//!
//! Only data: which state follows which is decided in [`rules`](crate::rules). What is pushed and what comes out (the
//! serialized function, its arguments, its result) are bytes that are kept beside the record and never looked into.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskq_record::{Measured, Outcome, Status, TaskId, TaskOptions, TaskState};

use crate::names::{Incarnation, Nonce, Wall};

/// A task as it is pushed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The user's name of it, or an automatic one that its client makes.
    pub id: Box<str>,
    /// By which a repeated push is recognised.
    pub nonce: Nonce,
    /// How it is to be run.
    pub options: Options,
    /// The tasks that must have succeeded before.
    pub after: Vec<After>,
    /// The name that it shares with others.
    pub tag: Option<Box<str>>,
    /// It takes the place of the unfinished task that was pushed with the same key, which is cancelled.
    pub key: Option<Box<str>>,
    /// Whose its result is.
    pub whose: Wanted,
    /// Which agents may claim it: those of the same word.
    pub pool: Box<str>,
    /// Under which settings it was pushed: see [`QueueRecord::generation`](crate::queue::QueueRecord::generation).
    pub generation: u64,
    /// What runs: opaque here.
    pub envelope: Box<[u8]>,
}

/// How a task is to be run: what [`TaskOptions`] says, and what only a store can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// As in a queue without a store.
    pub task: TaskOptions,
    /// It is tried again when its agent was lost; a crash in `task.retry_on` implies it.
    pub retry_on_lost: bool,
    /// It does not begin before: `at`, on the store's wall clock.
    pub at: Option<Wall>,
    /// ... nor before so long after its push: `delay`.
    pub delay: Duration,
    /// How long it may wait until it first begins, from its push.
    pub expires: Option<Duration>,
    /// It may be pushed when the queue is full.
    pub may_exceed: bool,
}

/// A task that must have succeeded before another begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// Its id.
    pub id: Box<str>,
    /// The argument that its value is, when it is one.
    pub argument: Option<Box<str>>,
}

/// The same, when the store has found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Its serial.
    pub task: TaskId,
    /// The argument that its value is, when it is one.
    pub argument: Option<Box<str>>,
}

/// For whom a task is pushed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// Whoever asks first has its result.
    #[default]
    ByAnyone,
    /// Its client waits for it (a promise); when that ends, it falls to anyone.
    ByClient,
    /// It is of no use without its client (a chunk of a map, a future): when that ends, it is cancelled and removed.
    OnlyByClient,
}

/// Whose the result of a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whose {
    /// Whoever asks first.
    Anyone,
    /// This client's; anyone's after that.
    Client(Incarnation),
    /// This client's, or of no use.
    Only(Incarnation),
}

/// What a store keeps of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The number of this life of the id: given once, in the order of the pushes.
    pub serial: TaskId,
    /// The user's name of it.
    pub id: Box<str>,
    /// Of its push.
    pub nonce: Nonce,
    /// How it is to be run.
    pub options: Options,
    /// What must have succeeded before.
    pub after: Vec<Before>,
    /// Those of these that have not ended.
    pub held_by: Vec<TaskId>,
    /// The name that it shares with others.
    pub tag: Option<Box<str>>,
    /// The key by which another takes its place.
    pub key: Option<Box<str>>,
    /// Which agents may claim it.
    pub pool: Box<str>,
    /// The settings under which it was pushed.
    pub generation: u64,
    /// Whose its result is.
    pub whose: Whose,
    /// When it was pushed.
    pub pushed: Wall,
    /// Not before.
    pub due: Wall,
    /// When it expires, if it has not begun.
    pub expires: Option<Wall>,
    /// How often it has begun.
    pub tries: u32,
    /// The nonce of the last claim that was completed, so that a repeated completion is recognised.
    pub completed: Option<Nonce>,
    /// Where it is.
    pub state: State,
    /// Who has taken its result, and has not forgotten it.
    pub taken: Option<Incarnation>,
    /// It has ended, and tasks that waited for that have not been told yet.
    pub settling: bool,
    /// Users have forgotten it; it stays until no other task needs its value.
    pub gone: bool,
}

/// Where a task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// A part of a `push_many()`, not moved on yet.
    Staged {
        /// Which one.
        stage: Nonce,
        /// A task before it that has failed meanwhile.
        failed: Option<TaskId>,
    },
    /// It waits for other tasks.
    Held,
    /// It waits for its time.
    Delayed,
    /// It can be claimed.
    Ready,
    /// An agent has it.
    Claimed(Claim),
    /// It has its one outcome.
    Done(Done),
}

/// An agent's right to run a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Nothing that an agent says of a task counts without it.
    pub nonce: Nonce,
    /// Who has it.
    pub agent: Incarnation,
    /// The request that it was granted to.
    pub request: u64,
    /// Since when the task runs.
    pub begun: Option<Wall>,
    /// Its end is wanted.
    pub cancel: bool,
}

/// The end of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// How it ended.
    pub end: End,
    /// When.
    pub at: Wall,
    /// Where it ran last, and since when.
    pub ran: Option<(Incarnation, Wall)>,
    /// What was measured there.
    pub measured: Measured,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// As its agent said.
    Ran(Outcome),
    /// Its agent was lost while it ran.
    Lost(LostReason),
    /// It was cancelled.
    Cancelled,
    /// A task that it was to run after has not succeeded.
    Skipped {
        /// That one.
        after: TaskId,
    },
    /// It waited for too long.
    Expired,
}

/// Why an agent does not finish what it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LostReason {
    /// It died, was cut off, or knows nothing of the task any more.
    AgentLost,
    /// It was closed.
    Closed,
}

impl Task {
    /// The word that users read.
    #[must_use]
    pub fn state_word(&self) -> TaskState {
        match &self.state {
            State::Claimed(Claim { begun: Some(_), .. }) => TaskState::Running,
            State::Done(_) => TaskState::Done,
            _ => TaskState::Waiting,
        }
    }

    /// The claim with this nonce, if that is the present one.
    #[must_use]
    pub fn claim(&self, nonce: Nonce) -> Option<&Claim> {
        match &self.state {
            State::Claimed(claim) if claim.nonce == nonce => Some(claim),
            _ => None,
        }
    }

    /// How it ended.
    #[must_use]
    pub fn done(&self) -> Option<&Done> {
        match &self.state {
            State::Done(done) => Some(done),
            _ => None,
        }
    }
}

impl End {
    /// What its agent said counts as what that is: a task that could not be cancelled before it ended so.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(self, End::Ran(Outcome::Success))
    }

    /// A result's `status`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            End::Ran(outcome) => outcome.status().word(),
            End::Lost(_) => Status::Crash.word(),
            End::Cancelled => Status::Cancelled.word(),
            End::Skipped { .. } => Status::Skipped.word(),
            End::Expired => "expired",
        }
    }

    /// `taskq_error_crash$reason`, of a task whose agent was lost.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            End::Lost(LostReason::AgentLost) => Some("agent lost"),
            End::Lost(LostReason::Closed) => Some("closed"),
            _ => None,
        }
    }
}
