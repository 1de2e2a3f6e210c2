//! What a store keeps beside the tasks: the queue's own record, its members, stages, and what was forgotten.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskq_record::TaskId;

use crate::names::{Incarnation, Nonce, Wall};

/// The queue's own record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRecord {
    /// Which queue this is: another one in the same place is not the same queue.
    pub incarnation: Nonce,
    /// The last serial that was given.
    pub serial: u64,
    /// Rises with every change of what follows.
    pub version: u64,
    /// Nothing is claimed.
    pub paused: bool,
    /// Nothing is accepted any more; what is left is being removed.
    pub destroyed: bool,
    /// The number of the present settings; a task carries that of its push.
    pub generation: u64,
    /// The present settings: opaque here.
    pub settings: Box<[u8]>,
    /// How many tasks may wait before pushes are refused.
    pub max_waiting: u64,
    /// How long a lease is.
    pub ttl: Duration,
    /// The counter that leases run on.
    pub elapsed: Duration,
    /// What the wall clock showed when it was last moved.
    pub last: Wall,
    /// How many completions came too late.
    pub fenced: u64,
}

/// An agent, or a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which one.
    pub incarnation: Incarnation,
    /// What it does.
    pub role: MemberRole,
    /// When its lease is over, on the queue's counter; none when the store sees by other means that it is dead.
    pub lease: Option<Duration>,
    /// The last request of an agent that was answered.
    pub request: u64,
    /// It shall claim no more.
    pub drain: bool,
    /// It is lost, or has left, and what it had is being moved on.
    pub ended: Option<crate::task::LostReason>,
    /// The versions of taskq, R and the platform: shown to users.
    pub about: Box<str>,
}

/// What a member does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberRole {
    /// It runs tasks of this pool.
    Agent {
        /// Its word.
        pool: Box<str>,
    },
    /// It pushes and takes.
    Client,
}

/// A `push_many()` on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Which one.
    pub nonce: Nonce,
    /// Whose.
    pub client: Incarnation,
    /// It counts: all of its tasks are pushed, although they are moved on in steps.
    pub shown: bool,
    /// How many tasks there are.
    pub count: u64,
    /// How long the record stays after that, on the queue's counter.
    pub until: Duration,
}

/// A forgotten task: what is left of it for as long as a call can be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Its serial.
    pub serial: TaskId,
    /// Its id, which is free.
    pub id: Box<str>,
    /// Of its push.
    pub nonce: Nonce,
    /// The next life, when the task is tried again by its user; with the nonce of that call.
    pub next: Option<(TaskId, Nonce)>,
    /// How long it stays, on the queue's counter.
    pub until: Duration,
}

impl QueueRecord {
    /// A new queue.
    #[must_use]
    pub fn new(incarnation: Nonce, now: Wall) -> QueueRecord {
        QueueRecord {
            incarnation,
            serial: 0,
            version: 1,
            paused: false,
            destroyed: false,
            generation: 1,
            settings: Box::default(),
            max_waiting: u64::MAX,
            ttl: crate::config::TTL,
            elapsed: Duration::ZERO,
            last: now,
            fenced: 0,
        }
    }

    /// Moves the counter of leases on. It never runs faster than the wall clock, stands while that jumps back, and a
    /// jump forward or an absence of the store counts half a lease at most: leases get longer, never shorter.
    pub fn pass(&mut self, now: Wall) {
        self.elapsed += now.since(self.last).min(self.ttl / 2);
        self.last = now;
    }
}
