//! Promises: tasks whose results are for an event loop of the R thread, which takes them when it comes to it.
//!
//! A task is promised to one loop, once, at any time until it is popped. When it is done, the loop's
//! [waker](crate::Config::waker) is called, on whatever thread that was found out; the loop then looks for what is
//! [kept](Queue::oldest_kept) for it, and takes one after the other. What is promised is claimed: no other method takes
//! it.
//!
//! Promises outlive the handle of the queue: see [`Queue::abandon_within`].

use taskq_core::id::TaskId;

use super::Queue;
use crate::config::EventLoop;

impl Queue {
    /// The result of a task goes to this loop from now on. False when it is gone, promised, or another claimant's. The
    /// waker is called at once for a task that is done.
    pub fn promise(&self, task: TaskId, event_loop: EventLoop) -> bool {
        self.door.ask(|state, _| state.promise(task, event_loop))
    }

    /// Whether a task was promised, and is in the queue.
    #[must_use]
    pub fn is_promised(&self, task: TaskId) -> bool {
        let look = self.door.look();
        look.record(task)
            .is_some_and(|record| record.promised_to.is_some())
    }

    /// Whether the result of a task belongs to somebody: it was promised, or is a part of a map.
    #[must_use]
    pub fn is_claimed(&self, task: TaskId) -> bool {
        let look = self.door.look();
        let view = look.sched().task(task);
        view.is_some_and(|view| view.claimed)
    }

    /// The oldest task that is done and was promised to this loop. It stays in the queue until it is
    /// [taken](Queue::take).
    #[must_use]
    pub fn oldest_kept(&self, event_loop: EventLoop) -> Option<TaskId> {
        self.door.look().oldest_kept(event_loop)
    }
}
