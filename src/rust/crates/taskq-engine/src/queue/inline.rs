//! A queue without sessions: its tasks are handed out to the caller, who runs them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use taskq_core::id::{TaskId, Time};
use taskq_core::{Action, Input, Scheduler, Verdict};
use taskq_sys::board::Board;

use super::Queue;
use crate::config::Config;
use crate::record::{Ending, TaskPayload};
use crate::state::{now, Shared, State};

/// A task that is to be run by the caller itself, because the queue has no sessions.
#[derive(Clone, Debug)]
pub struct InlineTask {
    /// The task.
    pub id: TaskId,
    /// The user's name of it.
    pub label: String,
    /// What to run.
    pub payload: TaskPayload,
}

impl Queue {
    /// Makes a queue without sessions: the caller runs what [`next_inline`](Queue::next_inline) hands out.
    ///
    /// # Errors
    /// When the operating system refuses memory.
    pub fn start_inline(config: Config) -> io::Result<Queue> {
        let (board, _) = Board::create()?;
        let scheduler = taskq_core::Config {
            workers: 1,
            ..config.scheduler
        };
        let mut state = State::new(Scheduler::new(scheduler), true);
        state.settle();
        state.errands.clear();
        state.sched.handle(now(), Input::NurseryUp);
        state.settle();
        for action in std::mem::take(&mut state.errands) {
            if let Action::Launch { worker } = action {
                state.sched.handle(now(), Input::WorkerReady { worker });
            }
        }
        Ok(Queue::of(Arc::new(Shared::new(state, board, config)), None))
    }

    /// The next task that the caller is to run itself.
    #[must_use]
    pub fn next_inline(&self) -> Option<InlineTask> {
        let state = self.shared.lock();
        let attempt = *state.inline.as_ref()?.front()?;
        let payload = state.records.get(&attempt.task)?.payload.clone()?;
        let label = state.sched.task(attempt.task)?.label.to_owned();
        Some(InlineTask {
            id: attempt.task,
            label,
            payload,
        })
    }

    /// The caller has run the task that [`next_inline`](Queue::next_inline) handed out; `seconds` ago it began.
    pub fn finish_inline(&self, task: TaskId, verdict: Verdict, ending: Ending, took: Duration) {
        self.shared.step(|state, now| {
            let attempt = state.inline.as_mut().and_then(|queue| {
                queue.front().filter(|attempt| attempt.task == task)?;
                queue.pop_front()
            });
            let worker = state.sched.task(task).and_then(|view| view.worker);
            let (Some(attempt), Some(worker)) = (attempt, worker) else {
                return;
            };
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
            };
            state.end_attempt(task, ending, input, now);
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
