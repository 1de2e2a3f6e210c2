//! The calls of the protocol, what they are answered by, and why they are refused.
//!
//! Every call may be repeated when its answer was lost: it then has the same answer, or one that says the same, and
//! changes nothing more.

use std::fmt;

use serde::{Deserialize, Serialize};
use taskq_record::{Measured, Outcome, TaskId, TaskState};

use crate::names::{Incarnation, Nonce, Wall};
use crate::queue::MemberRole;
use crate::task::{After, End, Options, Push};

/// A claim as an agent names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Held {
    /// The task.
    pub task: TaskId,
    /// Of the claim.
    pub nonce: Nonce,
}

/// What an agent says of the end of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// What was measured.
    pub measured: Measured,
    /// The serialized result: opaque here.
    pub value: Box<[u8]>,
}

/// A call of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// A new agent registers, or a new client attaches.
    Attach {
        /// Who.
        member: Incarnation,
        /// What it does.
        role: MemberRole,
        /// Its death shows by a lease that runs out. Otherwise the store sees it, and says so by `Tick`.
        leased: bool,
        /// The protocol that it speaks.
        protocol: u32,
        /// The versions of taskq, R and the platform.
        about: Box<str>,
    },
    /// A member ends in order. What an agent has begun and not completed ends as "closed".
    Leave {
        /// Who.
        member: Incarnation,
    },
    /// A task is added, if its id is free.
    Push {
        /// Who pushes.
        client: Incarnation,
        /// What.
        push: Push,
    },
    /// At most [`STEP`](crate::config::STEP) tasks are prepared for `Show`; they may be after each other.
    Stage {
        /// Who pushes.
        client: Incarnation,
        /// Which stage they belong to.
        stage: Nonce,
        /// What.
        pushes: Vec<Push>,
    },
    /// All tasks of the stage are pushed, at once.
    Show {
        /// Who pushes.
        client: Incarnation,
        /// Which stage.
        stage: Nonce,
        /// How many there must be.
        count: u64,
    },
    /// An agent wants tasks.
    Claim {
        /// Who.
        agent: Incarnation,
        /// Rises by one with each request that is new. It says that the answers to all before are in, or given up.
        request: u64,
        /// What it has. What earlier requests granted and is not named here goes back.
        held: Vec<Held>,
        /// How many it wants at most.
        count: u32,
        /// The nonces of the claims are made of it.
        fresh: Nonce,
    },
    /// Sessions are about to run these.
    Begin {
        /// Which.
        held: Vec<Held>,
    },
    /// An agent or a client is alive.
    Renew {
        /// Who.
        member: Incarnation,
        /// The last request whose answer is in, or given up; 0 for a client.
        request: u64,
        /// What an agent has; a task stays among these until its completion is acknowledged.
        held: Vec<Held>,
    },
    /// What a running task says of itself, and the end of its output.
    Progress {
        /// Which task.
        held: Held,
        /// Opaque here.
        report: Box<[u8]>,
    },
    /// An attempt has ended.
    Complete {
        /// Which task.
        held: Held,
        /// How.
        report: Report,
    },
    /// A task that has not begun goes back.
    GiveBack {
        /// Which.
        held: Held,
    },
    /// The end of a task is wanted.
    Cancel {
        /// Which.
        task: TaskId,
    },
    /// ... of all tasks of this tag, in steps.
    CancelTagged {
        /// The tag.
        tag: Box<str>,
        /// Where the step before ended; 0 at first.
        after: TaskId,
    },
    /// Nothing is claimed any more, or is again.
    Pause {
        /// Which of both.
        paused: bool,
        /// The version of the queue's record that this is to change.
        version: u64,
    },
    /// The settings change for what is pushed from now on; the same settings are the same generation.
    Replace {
        /// Opaque here.
        settings: Box<[u8]>,
        /// How many tasks may wait.
        max_waiting: u64,
        /// The version of the queue's record that this is to change.
        version: u64,
    },
    /// An agent shall claim no more.
    Drain {
        /// Who.
        agent: Incarnation,
    },
    /// Time has passed.
    Tick {
        /// Who is dead, as the store knows by itself.
        dead: Vec<Incarnation>,
    },
    /// The result goes to a client, who forgets the task when it is safe there.
    Take {
        /// Who.
        client: Incarnation,
        /// Which.
        task: TaskId,
    },
    /// A done task leaves the queue.
    Forget {
        /// Which.
        task: TaskId,
    },
    /// A task that has not succeeded has a new life under the same id.
    Retry {
        /// Which.
        task: TaskId,
        /// By which a repeated call is recognised.
        nonce: Nonce,
    },
    /// The queue and all that is in it goes, in steps.
    Destroy,
}

/// A task that an agent may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The claim.
    pub held: Held,
    /// The user's name of the task.
    pub id: Box<str>,
    /// How it is to be run.
    pub options: Options,
    /// Under which settings it was pushed.
    pub generation: u64,
    /// How often it has begun before.
    pub tries: u32,
    /// What runs.
    pub envelope: Box<[u8]>,
    /// The arguments that values of other tasks are.
    pub inputs: Vec<(Box<str>, Box<[u8]>)>,
}

/// What a call is answered by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is so.
    Fine,
    /// The serials of the tasks that were pushed, in their order, or of the next life of one.
    Pushed(Vec<TaskId>),
    /// What an agent may run.
    Granted(Vec<Grant>),
    /// Which of the named tasks have begun; the others are not the agent's any more.
    Begun(Vec<Held>),
    /// What an agent needs to know.
    Renewed {
        /// Their end is wanted.
        cancel: Vec<Held>,
        /// They are not the agent's any more: to be ended, without a completion.
        gone: Vec<Held>,
        /// It shall claim no more.
        drain: bool,
        /// The version of the queue's record.
        version: u64,
        /// Nothing is to be claimed.
        paused: bool,
    },
    /// The outcome came too late, and is dropped.
    Fenced,
    /// Whether the task had not ended.
    Cancelled(bool),
    /// A step is done; there is more behind this one, or nothing.
    Step(Option<TaskId>),
    /// Whether a further `Tick` or `Destroy` has something to do at once.
    More(bool),
    /// The result.
    Taken {
        /// How it ended.
        end: End,
        /// When.
        at: Wall,
        /// How often it had begun.
        tries: u32,
        /// Where it ran last, and since when.
        ran: Option<(Incarnation, Wall)>,
        /// What was measured.
        measured: Measured,
        /// The serialized result; none unless it ended as its agent said.
        value: Option<Box<[u8]>>,
    },
}

/// Why a call is refused: nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The id is in use.
    Duplicate {
        /// The id.
        id: Box<str>,
        /// Where the task of that id is.
        state: TaskState,
    },
    /// As many tasks wait as may.
    Full,
    /// There is no task to run after.
    UnknownAfter {
        /// Which.
        after: After,
    },
    /// The store does not know this agent or client, or not any more: to register anew.
    UnknownMember,
    /// The store does not know this task, or not any more.
    UnknownTask,
    /// The store does not know this stage, or not so many tasks of it.
    Incomplete {
        /// How many it knows.
        staged: u64,
    },
    /// The task has not ended.
    NotDone,
    /// The result is another client's.
    NotYours,
    /// It has succeeded, or a value that it needs is gone.
    NotRetried,
    /// More tasks in one call than [`STEP`](crate::config::STEP).
    TooMany,
    /// The protocol of a member is not understood.
    Protocol {
        /// Its version.
        theirs: u32,
        /// That of the store.
        ours: u32,
    },
    /// The queue's record was changed by others meanwhile: to be looked at again.
    Outdated {
        /// Its version now.
        version: u64,
    },
    /// The queue is destroyed.
    Destroyed,
    /// The store has failed; whether anything changed is not known.
    Store(Box<str>),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Duplicate { id, state } => {
                write!(f, "the id {id:?} is that of a {} task", state.word())
            }
            Refusal::Full => f.write_str("as many tasks wait as may"),
            Refusal::UnknownAfter { after } => write!(f, "there is no task {:?}", after.id),
            Refusal::UnknownMember => f.write_str("the store does not know this agent or client"),
            Refusal::UnknownTask => f.write_str("the store does not know this task"),
            Refusal::Incomplete { staged } => {
                write!(f, "the store has {staged} tasks of this stage")
            }
            Refusal::NotDone => f.write_str("the task has not ended"),
            Refusal::NotYours => f.write_str("the result belongs to another client"),
            Refusal::NotRetried => f.write_str("the task has succeeded, or what it needs is gone"),
            Refusal::TooMany => f.write_str("too many tasks in one call"),
            Refusal::Protocol { theirs, ours } => {
                write!(f, "protocol {theirs} is not understood, protocol {ours} is")
            }
            Refusal::Outdated { version } => write!(f, "the queue has version {version} by now"),
            Refusal::Destroyed => f.write_str("the queue is destroyed"),
            Refusal::Store(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Refusal {}
