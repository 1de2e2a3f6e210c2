//! Tasks whose results belong to one claimant, and to nobody else: the parts of a map.
//!
//! What a claimant lets go of without having taken it is cancelled and leaves the queue by itself, however the claimant ends.

use std::sync::Arc;
use std::time::Duration;

use taskq_core::id::TaskId;
use taskq_core::{Submission, TaskPhase};

use super::{Queue, WaitOutcome};
use crate::clock::now;
use crate::error::PushError;
use crate::record::{Record, TaskPayload};
use crate::state::Wanted;

/// The tasks of one claimant. Dropping it disowns those that were not taken.
#[derive(Debug)]
pub struct Claims {
    queue: Arc<Queue>,
    tasks: Vec<TaskId>,
}

/// Why a wait for claimed tasks ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// This one is done.
    Done(TaskId),
    /// There is no task to wait for.
    Empty,
    /// See [`WaitOutcome::Failed`].
    Failed,
    /// The time is over.
    TimedOut,
}

/// What came of [`Claims::take_back`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeBack {
    /// There is nothing to take.
    Nothing,
    /// It has not run for long enough, but will have after this time.
    Later(Duration),
    /// So many elements are left to it.
    Left(u64),
}

impl Claims {
    /// A claimant without tasks, which counts as one task: with the number of it.
    ///
    /// # Errors
    /// [`PushError`] when the queue takes no tasks.
    pub fn new(queue: &Arc<Queue>) -> Result<(Claims, TaskId), PushError> {
        let number = queue.shared.step(|state, now| {
            state.sched.submit_all(now, Vec::new())?;
            Ok::<_, PushError>(state.sched.number())
        })?;
        let claims = Claims {
            queue: Arc::clone(queue),
            tasks: Vec::new(),
        };
        Ok((claims, number))
    }

    /// The queue that the tasks are in.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Queues a part.
    ///
    /// # Errors
    /// [`PushError`] when it is not taken; nothing has changed then.
    pub fn push(&mut self, task: Submission, payload: TaskPayload) -> Result<TaskId, PushError> {
        let task = Submission {
            claimed: true,
            part: true,
            ..task
        };
        let task = self.queue.shared.step(|state, now| {
            let timeout = task.options.timeout;
            let task = state.sched.submit(now, task)?;
            state.records.insert(task, Record::new(payload, timeout));
            Ok::<_, PushError>(task)
        })?;
        self.tasks.push(task);
        Ok(task)
    }

    /// Waits until one of the tasks is done, but no longer than `timeout`.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> ClaimOutcome {
        if self.tasks.is_empty() {
            return ClaimOutcome::Empty;
        }
        let mut first = None;
        let answer = self.queue.wait(Wanted::Change, timeout, |state| {
            let is_done = |task: &&TaskId| {
                let view = state.sched.task(**task);
                view.map_or(true, |view| view.phase == TaskPhase::Done)
            };
            first = self.tasks.iter().find(is_done).copied();
            first.map(|_| WaitOutcome::Done)
        });
        match (answer, first) {
            (WaitOutcome::Failed, _) => ClaimOutcome::Failed,
            (_, Some(task)) => ClaimOutcome::Done(task),
            _ => ClaimOutcome::TimedOut,
        }
    }

    /// Takes elements back from a batch that has run for `after` or longer, see [`elements`](taskq_wire::board::elements).
    #[must_use]
    pub fn take_back(&self, task: TaskId, after: Duration) -> TakeBack {
        let state = self.queue.shared.lock();
        let view = state.sched.task(task);
        let running = view.and_then(|view| match (view.phase, view.attempt) {
            (TaskPhase::Running { worker, since }, Some(attempt)) => Some((worker, since, attempt)),
            _ => None,
        });
        let Some((worker, since, attempt)) = running else {
            return TakeBack::Nothing;
        };
        let ran = now().since(since);
        if ran < after {
            return TakeBack::Later(after - ran);
        }
        let slot = state
            .outgoing
            .get(&worker)
            .map(|outgoing| outgoing.link.slot);
        let slot = slot.and_then(|slot| self.queue.shared.board.slot(slot));
        match slot.and_then(|slot| slot.elements().take_back(attempt)) {
            Some(left) => TakeBack::Left(left),
            None => TakeBack::Nothing,
        }
    }

    /// How many elements a batch had begun whose session died in it.
    #[must_use]
    pub fn begun(&self, task: TaskId) -> u64 {
        let state = self.queue.shared.lock();
        let record = state.records.get(&task);
        let ending = record.and_then(|record| record.ending.as_ref());
        ending.map_or(0, |ending| ending.elements)
    }

    /// Takes a task that is done out of the queue.
    pub fn take(&mut self, task: TaskId) {
        self.tasks.retain(|&other| other != task);
        self.queue.take(task);
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        if self.tasks.is_empty() || !self.queue.is_ours() {
            return;
        }
        self.queue.shared.step(|state, now| {
            // What waits goes before what runs: nothing is begun in between.
            for task in self.tasks.drain(..).rev() {
                state.sched.disown(now, task);
            }
        });
    }
}
