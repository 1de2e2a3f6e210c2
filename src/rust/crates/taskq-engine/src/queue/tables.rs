//! The two tables: what the queue's tasks and workers are doing now.

use taskq_core::id::{TaskId, WorkerId};
use taskq_core::{Outcome, SeatState, SeatView, TaskPhase, TaskView};
use taskq_wire::board::progress::Progress;

use super::Queue;
use crate::state::State;

/// A row of the table of tasks.
#[derive(Clone, Debug)]
pub struct TaskRow {
    /// The task.
    pub id: TaskId,
    /// The user's name of it.
    pub label: String,
    /// What it does.
    pub phase: TaskPhase,
    /// What came of it, once it is done.
    pub outcome: Option<Outcome>,
    /// Attempts that have begun.
    pub tries: u32,
    /// Its tag.
    pub tag: Option<String>,
    /// Its priority.
    pub priority: i32,
    /// What it has last told of its progress.
    pub progress: Option<Progress>,
    /// The process id of its session, while it runs.
    pub pid: Option<i32>,
    /// When it was pushed, in seconds since 1970; likewise the next two.
    pub queued: f64,
    /// When it began.
    pub started: Option<f64>,
    /// When it was done.
    pub finished: Option<f64>,
}

/// A row of the table of workers.
#[derive(Clone, Debug)]
pub struct SeatRow {
    /// The number of the worker, from 1.
    pub seat: u32,
    /// What it does.
    pub state: SeatState,
    /// The user's name of the task it runs.
    pub task: Option<String>,
    /// The process id of its session.
    pub pid: Option<i32>,
    /// How many tasks its session has finished.
    pub tasks_done: u64,
    /// When its session was launched, in seconds since 1970.
    pub started: Option<f64>,
}

impl Queue {
    /// All tasks, oldest push first, but for those that are done and claimed.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskRow> {
        let state = self.shared.lock();
        let row = |view: TaskView<'_>| TaskRow {
            id: view.id,
            label: view.label.to_owned(),
            phase: view.phase,
            outcome: view.outcome.copied(),
            tries: view.tries,
            tag: view.tag.map(str::to_owned),
            priority: view.priority,
            progress: self.progress_in(&state, view.id),
            pid: view
                .worker
                .filter(|_| view.outcome.is_none())
                .and_then(|w| pid_of(&state, w)),
            queued: self.shared.epoch.calendar(view.queued),
            started: view.started.map(|at| self.shared.epoch.calendar(at)),
            finished: view.finished.map(|at| self.shared.epoch.calendar(at)),
        };
        let is_shown = |view: &TaskView<'_>| !view.claimed || view.outcome.is_none();
        state.sched.tasks().filter(is_shown).map(row).collect()
    }

    /// All workers, by number. A queue without sessions has none.
    #[must_use]
    pub fn seats(&self) -> Vec<SeatRow> {
        let state = self.shared.lock();
        if state.inline.is_some() {
            return Vec::new();
        }
        let row = |view: SeatView| SeatRow {
            seat: view.seat,
            state: view.state,
            task: match view.state {
                SeatState::Busy(attempt) | SeatState::Leaving(attempt) => state
                    .sched
                    .task(attempt.task)
                    .map(|task| task.label.to_owned()),
                SeatState::Starting | SeatState::Idle => None,
            },
            pid: view.worker.and_then(|worker| pid_of(&state, worker)),
            tasks_done: view.tasks_done,
            started: view.started.map(|at| self.shared.epoch.calendar(at)),
        };
        state.sched.seats().map(row).collect()
    }
}

fn pid_of(state: &State, worker: WorkerId) -> Option<i32> {
    state
        .outgoing
        .get(&worker)
        .and_then(|outgoing| outgoing.link.pid())
}
