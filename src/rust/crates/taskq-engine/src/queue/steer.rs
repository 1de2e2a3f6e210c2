//! Changing the course of tasks and workers. Nothing here waits for what it asks for.

use std::time::Duration;

use taskq_core::id::TaskId;
use taskq_core::Input;

use super::{make_room_for_sessions, Queue};

impl Queue {
    /// Ends tasks, those that run after `grace` by force. Returns for each its name, and whether it was not done
    /// before.
    pub fn cancel(&self, tasks: &[TaskId], grace: Duration) -> Vec<(String, bool)> {
        let input = Input::Cancel {
            tasks: tasks.to_vec(),
            grace: Some(grace),
        };
        self.door.ask(|state, now| state.cancel(tasks, input, now))
    }

    /// From now on there is this number of workers, or, for an elastic queue, between these numbers.
    pub fn resize(&self, workers: u32, max_workers: u32) {
        make_room_for_sessions(workers.max(max_workers));
        self.input(Input::Resize {
            workers,
            max_workers,
        });
    }

    /// No task is handed out any more.
    pub fn pause(&self) {
        self.input(Input::Pause);
    }

    /// Tasks are handed out again.
    pub fn resume(&self) {
        self.input(Input::Resume);
    }

    /// Whether tasks are held back by [`pause`](Queue::pause).
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.door.look().sched().is_paused()
    }
}
