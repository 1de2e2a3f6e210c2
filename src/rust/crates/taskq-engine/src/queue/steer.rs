//! Changing the course of tasks and workers. Nothing here waits for what it asks for.

use std::time::Duration;

use taskq_core::id::TaskId;
use taskq_core::{Input, TaskPhase};

use super::{make_room_for_sessions, Queue};

impl Queue {
    /// Ends tasks, those that run after `grace` by force. Returns for each its name, and whether it was not done before.
    pub fn cancel(&self, tasks: &[TaskId], grace: Duration) -> Vec<(String, bool)> {
        self.shared.step(|state, now| {
            let told = |task: &TaskId| {
                let view = state.sched.task(*task)?;
                Some((view.label.to_owned(), view.phase != TaskPhase::Done))
            };
            let ended = tasks.iter().filter_map(told).collect();
            let input = Input::Cancel {
                tasks: tasks.to_vec(),
                grace: Some(grace),
            };
            state.sched.handle(now, input);
            ended
        })
    }

    /// From now on there are so many workers, or, for an elastic queue, from so many to so many.
    pub fn resize(&self, workers: u32, max_workers: u32) {
        make_room_for_sessions(workers.max(max_workers));
        self.shared.step(|state, now| {
            let input = Input::Resize {
                workers,
                max_workers,
            };
            state.sched.handle(now, input);
        });
    }

    /// No task is handed out any more.
    pub fn pause(&self) {
        self.shared
            .step(|state, now| state.sched.handle(now, Input::Pause));
    }

    /// Tasks are handed out again.
    pub fn resume(&self) {
        self.shared
            .step(|state, now| state.sched.handle(now, Input::Resume));
    }

    /// Whether tasks are held back by [`pause`](Queue::pause).
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.shared.lock().sched.is_paused()
    }
}
