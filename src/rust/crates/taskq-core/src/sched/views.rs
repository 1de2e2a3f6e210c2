//! The machine as others see it.
//!
//! Only reads. Counting is O(1), looking up is O(log n).

use std::sync::Arc;
use std::time::Duration;

use taskq_record::{AttemptId, QueueState, TaskId, WorkerId};

use crate::pool::Seat;
use crate::task::{Claim, Phase, Task};
use crate::totals::Totals;
use crate::view::{Counts, SeatState, SeatView, TaskPhase, TaskView};
use crate::worker::{Line, Stage};

use super::machine::{Mode, Scheduler};

impl Scheduler {
    /// The oldest push among the tasks that are done and not claimed.
    #[must_use]
    pub fn oldest_done(&self) -> Option<TaskId> {
        self.tasks.done().next()
    }

    /// The tasks that are done and not claimed, oldest push first.
    pub fn done(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.tasks.done()
    }

    /// Those of the [done](Scheduler::done) tasks that were not [told](Scheduler::tell) of, oldest push first.
    pub fn news(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.tasks.news().iter().copied()
    }

    /// Whether there are any. O(1).
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.tasks.news().is_empty()
    }

    /// How many tasks there are, by state. O(1).
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.tasks.counts()
    }

    /// The attempt that counts as begun when this worker dies, because what it has told is lost: see
    /// [`Input::Unheard`](crate::Input::Unheard).
    #[must_use]
    pub fn unheard(&self, worker: WorkerId) -> Option<AttemptId> {
        let is_unheard = self.pool.worker(worker).is_some_and(|known| known.unheard);
        self.pool.head(worker).filter(|_| is_unheard)
    }

    /// Whether something that was sent to a worker was asked back, and it may still give that back.
    #[must_use]
    pub fn awaits_answer(&self, worker: WorkerId) -> bool {
        self.pool.line(worker).is_some_and(Line::awaits_answer)
    }

    /// For how long, by measurement, no worker that is sent tasks ahead runs out of them: a driver that has just handed
    /// in answers may let the next ones gather meanwhile. Nothing when there is no such worker. O(1).
    #[must_use]
    pub fn slack(&self) -> Duration {
        let behind_the_head = |(length, _): (usize, _)| length.saturating_sub(1) as u64;
        let ahead = self.pool.shortest_open().map_or(0, behind_the_head);
        self.mean_run_time.of(ahead).unwrap_or_default()
    }

    /// The task with this label that has not been taken and is not disowned.
    #[must_use]
    pub fn find(&self, label: &str) -> Option<TaskId> {
        self.tasks.find(label)
    }

    /// One task, unless it has been taken.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<TaskView<'_>> {
        self.tasks.get(id).map(|task| task_view(id, task))
    }

    /// The user's name of a task and its tag, to share.
    #[must_use]
    pub fn names_of(&self, id: TaskId) -> Option<(Arc<str>, Option<Arc<str>>)> {
        let task = self.tasks.get(id)?;
        Some((Arc::clone(&task.label), task.tag().cloned()))
    }

    /// The seat that a session is on, unless nothing but its end is expected of it.
    #[must_use]
    pub fn seat_of(&self, worker: WorkerId) -> Option<u32> {
        self.pool.seat_of(worker).map(|(number, _)| number)
    }

    /// All tasks that have not been taken, oldest push first.
    pub fn tasks(&self) -> impl Iterator<Item = TaskView<'_>> {
        self.tasks.iter().map(|(id, task)| task_view(id, task))
    }

    /// The tasks with this tag that are not done, oldest push first. O(n).
    #[must_use]
    pub fn tagged(&self, tag: &str) -> Vec<TaskId> {
        let has_tag = |task: &Task| task.tag().is_some_and(|other| **other == *tag);
        let unfinished = |task: &Task| !matches!(task.phase, Phase::Done(_));
        let tagged = self
            .tasks
            .iter()
            .filter(|(_, task)| unfinished(task) && has_tag(task));
        tagged.map(|(id, _)| id).collect()
    }

    /// Whether `count` tasks more may wait.
    #[must_use]
    pub fn has_room(&self, count: usize) -> bool {
        self.counts().waiting.saturating_add(count) <= self.config.max_waiting
    }

    /// How many sessions there will be at once when there is enough to do.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.seats_wanted().1
    }

    /// What the queue has done since its start.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// All seats in the order of their numbers.
    pub fn seats(&self) -> impl Iterator<Item = SeatView> + '_ {
        self.pool
            .seats()
            .map(|(number, seat)| self.seat_view(number, seat))
    }

    /// The state of the queue as a whole.
    #[must_use]
    pub fn state(&self) -> QueueState {
        match self.mode {
            Mode::Open if self.starts.given_up => QueueState::Failed,
            Mode::Open => QueueState::Open,
            Mode::Closing => QueueState::Closing,
            Mode::Closed => QueueState::Closed,
        }
    }

    /// Whether tasks are held back by [`Input::Pause`](crate::Input::Pause).
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// How many messages were recognised as stale.
    #[must_use]
    pub fn stale(&self) -> u64 {
        self.stale
    }

    fn seat_view(&self, number: u32, seat: &Seat) -> SeatView {
        let worker = seat.worker.and_then(|id| self.pool.worker(id));
        let head = seat.worker.and_then(|id| self.pool.head(id));
        let state = match (worker.map(|worker| &worker.stage), head) {
            (Some(Stage::Busy { .. }), Some(head)) if seat.leaving => SeatState::Leaving(head),
            (Some(Stage::Busy { .. }), Some(head)) => SeatState::Busy(head),
            (Some(Stage::Idle { .. }), _) => SeatState::Idle,
            _ => SeatState::Starting,
        };
        SeatView {
            seat: number,
            worker: seat.worker,
            state,
            tasks_done: worker.map_or(0, |worker| worker.tasks_done),
            started: worker.map(|worker| worker.launched),
        }
    }
}

fn task_view(id: TaskId, task: &Task) -> TaskView<'_> {
    let attempt = AttemptId {
        task: id,
        number: task.sends,
    };
    let mut view = TaskView {
        id,
        label: &task.label,
        phase: TaskPhase::Waiting,
        outcome: None,
        tries: task.tries,
        attempt: None,
        stopping: None,
        priority: task.priority(),
        tag: task.tag().map(|tag| &**tag),
        isolate: task.isolate(),
        claimed: task.claim() != Claim::Open,
        queued: task.queued,
        waits_since: task.waits_since(),
        started: None,
        finished: None,
        worker: None,
    };
    match &task.phase {
        Phase::Held(_) | Phase::Waiting => {}
        Phase::Ahead { stopping, .. } => {
            view.attempt = Some(attempt);
            view.stopping = stopping.map(|stopping| stopping.why);
        }
        &Phase::Running {
            worker,
            since,
            stopping,
        } => {
            view.phase = TaskPhase::Running { worker, since };
            view.attempt = Some(attempt);
            view.tries = task.tries.saturating_add(1);
            view.stopping = stopping.map(|stopping| stopping.why);
            view.started = Some(since);
            view.worker = Some(worker);
        }
        Phase::Done(end) => {
            view.phase = TaskPhase::Done;
            view.outcome = Some(&end.outcome);
            view.started = end.ran.map(|(_, since)| since);
            view.finished = Some(end.finished);
            view.worker = end.ran.map(|(worker, _)| worker);
        }
    }
    view
}
