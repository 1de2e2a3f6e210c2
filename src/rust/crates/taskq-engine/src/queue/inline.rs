//! A queue without sessions: its tasks are handed out to the caller, who runs them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use taskq_core::id::{TaskId, Time};
use taskq_core::{Action, GoneCause, Input, Scheduler, Verdict};

use super::Queue;
use crate::clock::now;
use crate::config::Config;
use crate::record::Ending;
use crate::state::{Shared, State};

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
        let scheduler = taskq_core::Config {
            workers: 1,
            max_workers: 1,
            ..config.scheduler
        };
        let mut state = State::new(Scheduler::new(scheduler), true);
        state.settle();
        state.errands.clear();
        state.sched.handle(now(), Input::NurseryUp);
        state.stand_in();
        Ok(Queue::of(Arc::new(Shared::new(state, config)), None))
    }

    /// The next task that the caller is to run itself; it is handed out once. While one runs, which may be what asks, there is
    /// no other.
    #[must_use]
    pub fn next_inline(&self) -> InlineStep {
        self.shared.step(|state, now| {
            state.sched.handle(now, Input::Tick);
            state.stand_in();
            if let Some(task) = state.hand_out() {
                return InlineStep::Run(task);
            }
            let counts = state.sched.counts();
            let is_next_try = counts.running == 0 && counts.waiting > 0 && !state.sched.is_paused();
            match state.sched.next_wakeup().filter(|_| is_next_try) {
                Some(at) => InlineStep::Wait(at.since(now)),
                None => InlineStep::Rest,
            }
        })
    }

    /// The caller has run the task that [`next_inline`](Queue::next_inline) handed out, and it began `took` ago.
    pub fn finish_inline(&self, task: TaskId, verdict: Verdict, ending: Ending, took: Duration) {
        self.shared.step(|state, now| {
            let running = state
                .sched
                .task(task)
                .and_then(|view| view.attempt.zip(view.worker));
            let Some((attempt, worker)) = running else {
                return;
            };
            // Nobody else says that a task is out of time.
            state.sched.handle(now, Input::Tick);
            let began = Time(
                now.0
                    .saturating_sub(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
            );
            let input = Input::Finished {
                worker,
                attempt,
                verdict,
                began,
                ended: now,
                memory: None,
                running: None,
            };
            state.end_attempt(task, ending, input, now);
            state.stand_in();
        });
    }

    /// Where there is no driver, nobody else says that nothing is left.
    pub(super) fn end_inline(&self) {
        self.shared.step(|state, _| {
            if state.inline.is_some() {
                state.end_without_driver();
            }
        });
    }
}

impl State {
    fn hand_out(&mut self) -> Option<InlineTask> {
        let attempt = self.inline.as_mut()?.pop_front()?;
        let view = self.sched.task(attempt.task)?;
        Some(InlineTask {
            id: attempt.task,
            label: view.label.to_owned(),
            tries: view.tries,
            timeout: self.records.get(&attempt.task)?.timeout,
        })
    }

    /// Answers as the sessions would that are not there: a new one is ready at once, and one that is to leave is gone.
    fn stand_in(&mut self) {
        self.settle();
        while !self.errands.is_empty() {
            for action in std::mem::take(&mut self.errands) {
                let input = match action {
                    Action::Launch { worker } => Input::WorkerReady { worker },
                    Action::Retire { worker } | Action::KillWorker { worker } => {
                        Input::WorkerGone {
                            worker,
                            cause: GoneCause::Exited { code: 0 },
                            begun: None,
                        }
                    }
                    _ => continue,
                };
                self.sched.handle(now(), input);
            }
            self.settle();
        }
    }
}
