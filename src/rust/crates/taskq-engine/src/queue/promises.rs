//! Promises: tasks whose results are for an event loop of the R thread, which takes them when it comes to it.
//!
//! A task is promised to one loop, once, at any time until it is popped. When it is done, the loop's
//! [bell](crate::Config::bell) is rung, on whatever thread that was found out; the loop then looks for what is
//! [kept](Queue::oldest_kept) for it, and takes one after the other. What is promised is claimed: nobody else takes it.
//!
//! Promises outlive the handle of the queue: see [`Queue::abandon`].

use taskq_core::id::TaskId;
use taskq_core::TaskPhase;

use super::Queue;
use crate::config::EventLoop;
use crate::state::State;

impl Queue {
    /// The result of a task goes to this loop from now on. False when it is gone, promised, or another claimant's. The
    /// bell is rung at once for a task that is done.
    pub fn promise(&self, task: TaskId, event_loop: EventLoop) -> bool {
        self.shared.step(|state, _| {
            let is_done = match state.sched.task(task) {
                Some(view) => view.phase == TaskPhase::Done,
                None => return false,
            };
            if !state.sched.claim(task) {
                return false;
            }
            if let Some(record) = state.records.get_mut(&task) {
                record.promised_to = Some(event_loop);
            }
            if is_done {
                state.keep(task);
            }
            true
        })
    }

    /// Whether a task was promised, and is in the queue.
    #[must_use]
    pub fn is_promised(&self, task: TaskId) -> bool {
        let state = self.shared.lock();
        let record = state.records.get(&task);
        record.is_some_and(|record| record.promised_to.is_some())
    }

    /// The oldest task that is done and was promised to this loop. It stays in the queue until it is
    /// [taken](Queue::take).
    #[must_use]
    pub fn oldest_kept(&self, event_loop: EventLoop) -> Option<TaskId> {
        let all = (event_loop, TaskId(0))..=(event_loop, TaskId(u64::MAX));
        let state = self.shared.lock();
        let oldest = state.kept.range(all).next();
        oldest.map(|&(_, task)| task)
    }
}

impl State {
    /// A task that was promised is done: its loop shall hear of it.
    pub(crate) fn keep(&mut self, task: TaskId) {
        let record = self.records.get(&task);
        if let Some(event_loop) = record.and_then(|record| record.promised_to) {
            self.kept.insert((event_loop, task));
            self.to_ring.insert(event_loop);
        }
    }
}
