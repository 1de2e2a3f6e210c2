//! What a store has to keep and to find again, for [`apply()`](crate::apply) to work on it.
//!
//! A store runs each call in one transaction of its own, and rolls it back when the call is refused. The order and the
//! members of an index are defined here, by [`Index::holds`] and [`Index::rank`], over the records alone; a store may
//! find them as it likes.

use std::time::Duration;

use taskq_record::TaskId;

use crate::call::Refusal;
use crate::names::{Incarnation, Nonce, Wall};
use crate::queue::{Member, QueueRecord, Stage, Tombstone};
use crate::task::{Claim, State, Task, Whose};

/// The tables of a store.
///
/// What fails, fails with [`Refusal::Store`].
#[allow(clippy::missing_errors_doc)]
pub trait Tables {
    /// The queue's own record.
    fn queue(&mut self) -> Result<QueueRecord, Refusal>;
    /// Changes it.
    fn set_queue(&mut self, queue: &QueueRecord) -> Result<(), Refusal>;

    /// The task of this serial.
    fn task(&mut self, serial: TaskId) -> Result<Option<Task>, Refusal>;
    /// The task of this id that is not gone.
    fn task_of(&mut self, id: &str) -> Result<Option<Task>, Refusal>;
    /// Adds a task, or changes it.
    fn set_task(&mut self, task: &Task) -> Result<(), Refusal>;
    /// Removes a task and its bytes.
    fn remove_task(&mut self, serial: TaskId) -> Result<(), Refusal>;
    /// The first tasks in an index, of a serial above `above`.
    fn find(&mut self, index: &Index, above: TaskId, limit: usize) -> Result<Vec<TaskId>, Refusal>;
    /// How many tasks are in an index.
    fn count(&mut self, index: &Index) -> Result<u64, Refusal>;

    /// Bytes of a task.
    fn bytes(&mut self, serial: TaskId, part: TaskBytes) -> Result<Option<Box<[u8]>>, Refusal>;
    /// Changes or removes them.
    fn set_bytes(
        &mut self,
        serial: TaskId,
        part: TaskBytes,
        bytes: Option<&[u8]>,
    ) -> Result<(), Refusal>;

    /// An agent or a client.
    fn member(&mut self, incarnation: Incarnation) -> Result<Option<Member>, Refusal>;
    /// All of them, in the order of their incarnations.
    fn members(&mut self) -> Result<Vec<Member>, Refusal>;
    /// Adds one, or changes it.
    fn set_member(&mut self, member: &Member) -> Result<(), Refusal>;
    /// Removes one.
    fn remove_member(&mut self, incarnation: Incarnation) -> Result<(), Refusal>;

    /// A stage.
    fn stage(&mut self, nonce: Nonce) -> Result<Option<Stage>, Refusal>;
    /// All of them, in the order of their nonces.
    fn stages(&mut self) -> Result<Vec<Stage>, Refusal>;
    /// Adds one, or changes it.
    fn set_stage(&mut self, stage: &Stage) -> Result<(), Refusal>;
    /// Removes one.
    fn remove_stage(&mut self, nonce: Nonce) -> Result<(), Refusal>;

    /// What is left of the task that was pushed with this id and nonce.
    fn tombstone_of(&mut self, id: &str, nonce: Nonce) -> Result<Option<Tombstone>, Refusal>;
    /// ... of the task of this serial.
    fn tombstone(&mut self, serial: TaskId) -> Result<Option<Tombstone>, Refusal>;
    /// Those whose time ends before this, at most `limit` of them.
    fn tombstones(&mut self, until: Duration, limit: usize) -> Result<Vec<TaskId>, Refusal>;
    /// Adds one.
    fn set_tombstone(&mut self, tombstone: &Tombstone) -> Result<(), Refusal>;
    /// Removes one.
    fn remove_tombstone(&mut self, serial: TaskId) -> Result<(), Refusal>;
}

/// Bytes that are kept beside the record of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskBytes {
    /// What runs.
    Envelope,
    /// What it said last of itself.
    Progress,
    /// What came of it.
    Value,
}

/// Tasks that are found by what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Index {
    /// All.
    All,
    /// Can be claimed by an agent of this pool. Highest priority first, then lowest serial; the others, but for those
    /// claimed, are by serial alone.
    Ready(Box<str>),
    /// Delayed until this, or less.
    Due(Wall),
    /// Waiting, and expired at this.
    Expired(Wall),
    /// Held by this task.
    HeldBy(TaskId),
    /// Unfinished, with the value of this task as an argument.
    Needs(TaskId),
    /// Claimed by this agent, in the order in which they were granted together.
    ClaimedBy(Incarnation),
    /// Of this client, or taken by it.
    OfClient(Incarnation),
    /// Of this stage.
    Staged(Nonce),
    /// Unfinished, of this key, and pushed; not those of a stage.
    Keyed(Box<str>),
    /// Unfinished, of this tag, and pushed.
    Tagged(Box<str>),
    /// Ended, with tasks that have not been told.
    Settling,
    /// Waiting, as users see it; also those of a stage.
    Waiting,
    /// Running, as users see it.
    Running,
    /// Done, and this client may take it, and has not.
    DoneFor(Incarnation),
    /// Done, whoever may take it.
    Done,
}

impl Index {
    /// Whether a task is in it.
    #[must_use]
    pub fn holds(&self, task: &Task) -> bool {
        let is_done = task.done().is_some();
        let is_staged = matches!(task.state, State::Staged { .. });
        match self {
            Index::All => true,
            Index::Ready(pool) => task.state == State::Ready && task.pool == *pool,
            Index::Due(until) => task.state == State::Delayed && task.due <= *until,
            Index::Expired(now) => {
                let rests = matches!(task.state, State::Held | State::Delayed | State::Ready);
                rests && crate::rules::is_expired(task, *now)
            }
            Index::HeldBy(before) => task.held_by.contains(before),
            Index::Needs(before) => {
                let mut needed = task.after.iter().filter(|of| of.argument.is_some());
                !is_done && needed.any(|of| of.task == *before)
            }
            Index::ClaimedBy(by) => {
                matches!(&task.state, State::Claimed(Claim { agent, .. }) if agent == by)
            }
            Index::OfClient(client) => {
                let whose =
                    matches!(task.whose, Whose::Client(of) | Whose::Only(of) if of == *client);
                whose || task.taken == Some(*client)
            }
            Index::Staged(of) => matches!(task.state, State::Staged { stage, .. } if stage == *of),
            Index::Keyed(key) => !is_done && !is_staged && task.key.as_ref() == Some(key),
            Index::Tagged(tag) => !is_done && !is_staged && task.tag.as_ref() == Some(tag),
            Index::Settling => task.settling,
            Index::Waiting => {
                let begun = matches!(task.state, State::Claimed(Claim { begun: Some(_), .. }));
                !is_done && !begun && !task.gone
            }
            Index::Running => {
                let begun = matches!(task.state, State::Claimed(Claim { begun: Some(_), .. }));
                begun && !task.gone
            }
            Index::DoneFor(client) => {
                task.taken.is_none() && crate::rules::may_take(task, *client).is_ok()
            }
            Index::Done => is_done && !task.gone,
        }
    }

    /// What its tasks are ordered by, least first.
    #[must_use]
    pub fn rank(&self, task: &Task) -> (i64, TaskId) {
        match self {
            Index::Ready(_) | Index::ClaimedBy(_) => {
                (-i64::from(task.options.task.priority), task.serial)
            }
            _ => (0, task.serial),
        }
    }
}
