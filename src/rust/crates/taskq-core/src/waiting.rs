//! The tasks that can be sent, in the order in which they are to be sent.
//!
//! Owns that order. In all queues a higher priority comes first. Within a priority it is the older
//! push (`by_age`), or, in a fair queue, the tag whose turn it is, and the older push within the tag
//! (`by_turns`). Those that need a session of their own stand apart, because the others need not
//! wait for it. Every change is O(log n).
//!
//! What a task goes through here, and what that means for the turn of its tag:
//!
//! | by          | when                                             | its tag                       |
//! |-------------|--------------------------------------------------|-------------------------------|
//! | `insert`    | it was submitted, or is held no longer           | is last, if it had none here  |
//! | `remove`    | it has ended without having been sent            | keeps its turn                |
//! | `send`      | it was sent to a session                         | has had its turn: is last     |
//! | `give_back` | that session did not begin it                    | has that turn again           |
//! | `settle`    | it was sent and will not be given back           | -                             |
//!
//! By age only the first four matter, and `send` is `remove`, `give_back` is `insert`.

use std::cmp::Reverse;

use crate::task::Task;

mod blocks;
mod by_age;
mod by_turns;

use by_age::ByAge;
use by_turns::ByTurns;
use taskq_record::TaskId;

/// The place of a task among those that may be sent next; the least is sent first. In the middle
/// stands the ticket of its tag, which is 0 for all when tags have no turns.
pub(crate) type Rank = (Reverse<i32>, u64, TaskId);

/// The tasks that can be sent.
#[derive(Clone, Debug)]
pub(crate) enum Waiting {
    ByAge(ByAge),
    ByTurns(ByTurns),
}

/// What the one order and the other have to do.
trait Order {
    fn insert(&mut self, id: TaskId, task: &Task);
    fn remove(&mut self, id: TaskId, task: &Task);
    fn send(&mut self, id: TaskId, task: &Task);
    fn give_back(&mut self, id: TaskId, task: &Task);
    fn settle(&mut self, id: TaskId);
    fn first(&self, isolated: bool) -> Option<Rank>;
    fn more_isolated(&self, than: usize, before: Option<Rank>) -> bool;
    fn ahead_of(&self, id: TaskId, task: &Task) -> usize;
    fn len(&self, isolated: bool) -> usize;
    fn contains(&self, isolated: bool, id: TaskId, task: &Task) -> bool;
    fn check(&self, sent: usize);
}

impl Default for Waiting {
    fn default() -> Self {
        Waiting::ByAge(ByAge::default())
    }
}

impl Waiting {
    /// Nothing waits; tags take turns, or not.
    pub(crate) fn new(fair: bool) -> Self {
        if fair {
            Waiting::ByTurns(ByTurns::default())
        } else {
            Waiting::default()
        }
    }

    /// A task comes to wait, that was not sent or had begun.
    pub(crate) fn insert(&mut self, id: TaskId, task: &Task) {
        self.order_mut().insert(id, task);
    }

    /// A task waits no longer, and was not sent.
    pub(crate) fn remove(&mut self, id: TaskId, task: &Task) {
        self.order_mut().remove(id, task);
    }

    /// A task is sent.
    pub(crate) fn send(&mut self, id: TaskId, task: &Task) {
        self.order_mut().send(id, task);
    }

    /// A task that was sent and has not begun waits again.
    pub(crate) fn give_back(&mut self, id: TaskId, task: &Task) {
        self.order_mut().give_back(id, task);
    }

    /// A task that was sent will not be given back.
    pub(crate) fn settle(&mut self, id: TaskId) {
        self.order_mut().settle(id);
    }

    /// The first of those that may share a session.
    pub(crate) fn first_plain(&self) -> Option<Rank> {
        self.order().first(false)
    }

    /// The first of those that need a session of their own.
    pub(crate) fn first_isolated(&self) -> Option<Rank> {
        self.order().first(true)
    }

    /// Whether more than `than` tasks that need a session of their own rank before this one, which does
    /// not, or, without it, are there at all. O(`than`).
    pub(crate) fn more_isolated(&self, than: usize, before: Option<Rank>) -> bool {
        self.order().more_isolated(than, before)
    }

    /// How many come before this task, which waits, or as if it came to wait now. O(a thousandth of all).
    pub(crate) fn ahead_of(&self, id: TaskId, task: &Task) -> usize {
        self.order().ahead_of(id, task)
    }

    /// How many need a session of their own.
    pub(crate) fn isolated_len(&self) -> usize {
        self.order().len(true)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.order().len(false) + self.order().len(true)
    }

    /// Whether this task is where it belongs, and nowhere else.
    pub(crate) fn is_right_about(&self, id: TaskId, task: &Task, waits: bool) -> bool {
        let found = |isolated| self.order().contains(isolated, id, task);
        let isolate = task.isolate();
        (found(false), found(true)) == (waits && !isolate, waits && isolate)
    }

    /// Panics unless all parts agree with each other; `sent` tasks are sent.
    pub(crate) fn check(&self, sent: usize) {
        self.order().check(sent);
    }

    fn order(&self) -> &dyn Order {
        match self {
            Waiting::ByAge(order) => order,
            Waiting::ByTurns(order) => order,
        }
    }

    fn order_mut(&mut self) -> &mut dyn Order {
        match self {
            Waiting::ByAge(order) => order,
            Waiting::ByTurns(order) => order,
        }
    }
}
