//! Tasks whose results belong to one claimant, as far as that is a map: its parts, claimed from the
//! start. Promised tasks are claimed, too, by an event loop: see [`promises`](super::promises).
//!
//! What a map lets go of without having taken it is cancelled and leaves the queue by itself, however the claimant
//! ends.

use std::sync::Arc;
use std::time::Duration;

use taskq_core::id::TaskId;
use taskq_core::Submission;

use super::{Queue, WaitOutcome};
use crate::error::PushError;
use crate::state::{TaskPayload, Wanted};

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
    /// See [`WaitOutcome::Signalled`].
    Signalled,
    /// The time is over.
    TimedOut,
}

impl Claims {
    /// A claimant without tasks: a map, with its serial number from 1, and that of the one task that it counts as.
    ///
    /// # Errors
    /// [`PushError`] when the queue takes no tasks.
    pub(super) fn new(queue: &Arc<Queue>) -> Result<(Claims, u64, TaskId), PushError> {
        let (serial, number) = queue.door.ask(|state, now| state.begin_map(now))?;
        let claims = Claims {
            queue: Arc::clone(queue),
            tasks: Vec::new(),
        };
        Ok((claims, serial, number))
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
        let title = Some(title.into());
        let task = self
            .queue
            .door
            .ask(|state, now| state.submit(task, payload, title, now))?;
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
            let mut tasks = self.tasks.iter().copied();
            first = tasks.find(|&task| state.is_over(task));
            first.map(|_| WaitOutcome::Done)
        });
        match (answer, first) {
            (WaitOutcome::Failed, _) => ClaimOutcome::Failed,
            (_, Some(task)) => ClaimOutcome::Done(task),
            (WaitOutcome::Signalled, None) => ClaimOutcome::Signalled,
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
        let tasks = self.tasks.drain(..);
        self.queue.door.ask(|state, now| state.disown(tasks, now));
    }
}
