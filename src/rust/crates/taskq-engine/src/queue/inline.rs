//! A queue without sessions: its tasks are handed out to the caller, who runs them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use taskq_core::id::{TaskId, Time};
use taskq_core::{Input, Scheduler, Verdict};

use super::Queue;
use crate::clock::now;
use crate::config::Config;
use crate::door::Door;
use crate::state::{Ending, State};

/// A task that is to be run by the caller itself, because the queue has no sessions.
#[derive(Clone, Debug)]
pub struct InlineTask {
    /// The task.
    pub id: TaskId,
    /// The user's name of it.
    pub label: String,
    /// How often it has begun, this time included.
    pub tries: u32,
    /// How long it may run.
    pub timeout: Option<Duration>,
}

/// What the caller of [`Queue::next_inline`] is to do.
#[derive(Clone, Debug)]
pub enum InlineStep {
    /// Run this.
    Run(InlineTask),
    /// Come back after this time: a task waits for its next try.
    Wait(Duration),
    /// Nothing.
    Rest,
}

impl Queue {
    /// Makes a queue without sessions: the caller runs what [`next_inline`](Queue::next_inline) hands out.
    ///
    /// # Errors
    /// When the operating system refuses memory.
    pub fn start_inline(config: Config) -> io::Result<Queue> {
        let scheduler = taskq_core::SchedulerConfig {
            workers: 1,
            max_workers: 1,
            ..config.scheduler
        };
        let door = Door::new(Scheduler::new(scheduler), true, config);
        Ok(Queue::of(Arc::new(door), None))
    }

    /// The next task that the caller is to run itself; it is handed out once. While one runs, which may be what asks,
    /// there is no other.
    #[must_use]
    pub fn next_inline(&self) -> InlineStep {
        self.input(Input::Tick);
        let attempt = self.door.hand_out();
        let look = self.door.look();
        if let Some(task) = attempt.and_then(|attempt| describe(&look, attempt.task)) {
            return InlineStep::Run(task);
        }
        let counts = look.sched().counts();
        let is_next_try = counts.running == 0 && counts.waiting > 0 && !look.sched().is_paused();
        match look.sched().next_wakeup().filter(|_| is_next_try) {
            Some(at) => InlineStep::Wait(at.since(now())),
            None => InlineStep::Rest,
        }
    }

    /// The caller cannot run the task that [`next_inline`](Queue::next_inline) handed out: it is the next one again.
    pub fn put_back_inline(&self, task: TaskId) {
        self.door.put_back(task);
    }

    /// The caller has run the task that [`next_inline`](Queue::next_inline) handed out, and it began `took` ago.
    pub fn finish_inline(&self, task: TaskId, verdict: Verdict, ending: Ending, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.door.ask(|state, now| {
            let began = Time(now.0.saturating_sub(took));
            state.finish_inline(task, verdict, ending, began, now);
        });
    }
}

fn describe(state: &State, task: TaskId) -> Option<InlineTask> {
    let view = state.sched().task(task)?;
    Some(InlineTask {
        id: task,
        label: view.label.to_owned(),
        tries: view.tries,
        timeout: state.record(task)?.timeout,
    })
}
