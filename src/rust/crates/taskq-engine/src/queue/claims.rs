//! Tasks whose results belong to one claimant, and to nobody else, as far as that is a map: its parts, claimed from the
//! start. Promised tasks are claimed, too, by an event loop: see [`promises`](super::promises).
//!
//! What a map lets go of without having taken it is cancelled and leaves the queue by itself, however the claimant ends.

use std::sync::Arc;
use std::time::Duration;

use taskq_core::id::TaskId;
use taskq_core::{Submission, TaskPhase};

use super::{Queue, WaitOutcome};
use crate::error::PushError;
use crate::record::{Record, TaskPayload};
use crate::wanted::Wanted;

/// The tasks of one claimant. Dropping it disowns those that were not taken.
#[derive(Debug)]
pub(super) struct Claims {
    queue: Arc<Queue>,
    tasks: Vec<TaskId>,
}

/// Why a wait for claimed tasks ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClaimOutcome {
    /// This one is done.
    Done(TaskId),
    /// There is no task to wait for.
    Empty,
    /// See [`WaitOutcome::Failed`].
    Failed,
    /// The time is over.
    TimedOut,
}

impl Claims {
    /// A claimant without tasks, which counts as one task: with the number of it.
    ///
    /// # Errors
    /// [`PushError`] when the queue takes no tasks.
    pub(super) fn new(queue: &Arc<Queue>) -> Result<(Claims, TaskId), PushError> {
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
    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Queues a part, which pictures call by this title.
    ///
    /// # Errors
    /// [`PushError`] when it is not taken; nothing has changed then.
    pub(super) fn push(
        &mut self,
        task: Submission,
        payload: TaskPayload,
        title: &str,
    ) -> Result<TaskId, PushError> {
        let task = Submission {
            claimed: true,
            part: true,
            ..task
        };
        let task = self.queue.shared.step(|state, now| {
            let timeout = task.options.timeout;
            let task = state.sched.submit(now, task)?;
            let title = Some(title.into());
            let record = Record::new(payload, timeout);
            state.records.insert(task, Record { title, ..record });
            Ok::<_, PushError>(task)
        })?;
        self.tasks.push(task);
        Ok(task)
    }

    /// Waits until one of the tasks is done, but no longer than `timeout`.
    #[must_use]
    pub(super) fn wait(&self, timeout: Duration) -> ClaimOutcome {
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

    /// Takes a task that is done out of the queue.
    pub(super) fn take(&mut self, task: TaskId) {
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
