//! What a queue is at one moment: its counts, and the tables of its tasks and workers.

use taskq_core::id::TaskId;
use taskq_core::{Counts, Outcome, QueueState, SeatState, SeatView, TaskPhase, TaskView, Totals};
use taskq_wire::board::progress::Progress;

use super::Queue;
use crate::door::Look;
use crate::error::StartFailure;
use crate::state::{DoneTask, TaskPayload};

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

/// What a task is made of, and what came of it.
#[derive(Clone, Debug)]
pub struct TaskObjects {
    /// What was pushed; `None` when it was freed.
    pub sent: Option<TaskPayload>,
    /// Once it is done.
    pub done: Option<DoneTask>,
}

/// How much a [`QueueSnapshot`] shows. Each shows what those before it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Counts and states.
    Sums,
    /// The table of workers.
    Seats,
    /// The table of tasks.
    Tasks,
    /// What the tasks are made of, too.
    Objects,
}

/// A queue at one moment.
#[derive(Clone, Debug)]
pub struct QueueSnapshot {
    /// The state of the queue as a whole.
    pub state: QueueState,
    /// Whether tasks are held back.
    pub is_paused: bool,
    /// Why the pool has failed, if it has.
    pub failure: Option<StartFailure>,
    /// How many tasks wait, run and are done.
    pub counts: Counts,
    /// What the queue has done in all its life.
    pub totals: Totals,
    /// All workers, by number. A queue without sessions has none.
    pub seats: Vec<SeatRow>,
    /// All tasks, oldest push first, but for those that are done and claimed.
    pub tasks: Vec<TaskRow>,
    /// What these are made of, in the same order.
    pub objects: Vec<TaskObjects>,
}

impl Queue {
    /// What the queue is and does now: all of it under one lock.
    #[must_use]
    pub fn snapshot(&self, detail: Detail) -> QueueSnapshot {
        let look = self.door.look();
        let shown = |least: Detail| (detail >= least).then_some(());
        let seats = shown(Detail::Seats).filter(|()| !self.is_inline);
        let objects_of = |row: &TaskRow| TaskObjects {
            sent: look
                .record(row.id)
                .and_then(|record| record.payload.clone()),
            done: self.describe_done(&look, row.id),
        };
        let tasks = shown(Detail::Tasks).map_or_else(Vec::new, |()| self.task_rows(&look));
        QueueSnapshot {
            state: look.sched().state(),
            is_paused: look.sched().is_paused(),
            failure: look.reason(),
            counts: look.sched().counts(),
            totals: *look.sched().totals(),
            seats: seats.map_or_else(Vec::new, |()| self.seat_rows(&look)),
            objects: shown(Detail::Objects)
                .map_or_else(Vec::new, |()| tasks.iter().map(objects_of).collect()),
            tasks,
        }
    }

    fn task_rows(&self, look: &Look<'_>) -> Vec<TaskRow> {
        let row = |view: TaskView<'_>| TaskRow {
            id: view.id,
            label: view.label.to_owned(),
            phase: view.phase,
            outcome: view.outcome.copied(),
            tries: view.tries,
            tag: view.tag.map(str::to_owned),
            priority: view.priority,
            progress: self.progress_in(look, view.id),
            pid: view
                .worker
                .filter(|_| view.outcome.is_none())
                .and_then(|worker| look.sessions().pid(worker)),
            queued: self.door.epoch.calendar(view.queued),
            started: view.started.map(|at| self.door.epoch.calendar(at)),
            finished: view.finished.map(|at| self.door.epoch.calendar(at)),
        };
        let is_shown = |view: &TaskView<'_>| !view.claimed || view.outcome.is_none();
        look.sched().tasks().filter(is_shown).map(row).collect()
    }

    fn seat_rows(&self, look: &Look<'_>) -> Vec<SeatRow> {
        let row = |view: SeatView| SeatRow {
            seat: view.seat,
            state: view.state,
            task: match view.state {
                SeatState::Busy(attempt) | SeatState::Leaving(attempt) => look
                    .sched()
                    .task(attempt.task)
                    .map(|task| task.label.to_owned()),
                SeatState::Starting | SeatState::Idle => None,
            },
            pid: view.worker.and_then(|worker| look.sessions().pid(worker)),
            tasks_done: view.tasks_done,
            started: view.started.map(|at| self.door.epoch.calendar(at)),
        };
        look.sched().seats().map(row).collect()
    }
}
