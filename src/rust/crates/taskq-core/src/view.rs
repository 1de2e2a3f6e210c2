//! What can be seen of a scheduler, in the words of its users.
//!
//! The states inside are finer: a task that was sent ahead is *waiting* here, and one that is being
//! cancelled is *running* until its session has answered.
//!
//! The table of tasks and idle rows always adds up: tasks running + seats starting + seats idle =
//! number of seats.

use std::time::Duration;

use taskq_record::{AttemptId, Outcome, TaskId, TaskState, Time, WorkerId, WorkerState};
/// How many tasks there are, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks that have not begun, as far as is known.
    pub waiting: usize,
    /// Tasks that run.
    pub running: usize,
    /// Tasks that are done and have not been taken; not those that are claimed.
    pub done: usize,
}

/// One task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskView<'a> {
    /// Our name of it.
    pub id: TaskId,
    /// The user's name of it.
    pub label: &'a str,
    /// Where it is.
    pub phase: TaskPhase,
    /// How it ended; none before it is done.
    pub outcome: Option<&'a Outcome>,
    /// How often it was begun, the present run included.
    pub tries: u32,
    /// What of it is at a session now; there is one also for a task that waits there.
    pub attempt: Option<AttemptId>,
    /// Why its end was asked for, when that has not come yet.
    pub stopping: Option<Stop>,
    /// Tasks of a higher priority are sent first.
    pub priority: i32,
    /// The name that it shares with others.
    pub tag: Option<&'a str>,
    /// Whether it runs in a session of its own.
    pub isolate: bool,
    /// Whether its result is for the one who submitted it only.
    pub claimed: bool,
    /// When it was pushed.
    pub queued: Time,
    /// Since when it has waited, or had, for its last attempt: its push, or the end of the attempt before.
    pub waits_since: Time,
    /// When it was begun: estimated while it runs, none when it never was.
    pub started: Option<Time>,
    /// When it ended.
    pub finished: Option<Time>,
    /// The session that runs it or ran it.
    pub worker: Option<WorkerId>,
}

/// Why the end of a task is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stop {
    /// The user wants it.
    Cancel,
    /// It has run for longer than it may.
    Timeout,
}

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskPhase {
    /// It has not begun, as far as is known.
    Waiting,
    /// It runs.
    Running {
        /// The session.
        worker: WorkerId,
        /// Since when; an estimate.
        since: Time,
    },
    /// It has an outcome and can be taken.
    Done,
}

impl TaskPhase {
    /// Its word.
    #[must_use]
    pub fn state(&self) -> TaskState {
        match self {
            TaskPhase::Waiting => TaskState::Waiting,
            TaskPhase::Running { .. } => TaskState::Running,
            TaskPhase::Done => TaskState::Done,
        }
    }
}

/// When a task that is not done will be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Its place among the tasks that wait: the next to be begun has 1. One that runs has 0.
    pub position: usize,
    /// How long that will take.
    pub wait: Wait,
}

/// How long it will take until a task is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It is not known: no task has run yet.
    Unknown,
    /// About so long.
    About(Duration),
    /// As long as nothing changes it is not begun: the queue is paused, or is to have no workers.
    Forever,
}

/// One seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeatView {
    /// Its number, counted from 1; the k of `.idle-k`.
    pub seat: u32,
    /// The session on it; none while the supervisor boots.
    pub worker: Option<WorkerId>,
    /// What the session is doing.
    pub state: SeatState,
    /// How many tasks this session has finished.
    pub tasks_done: u64,
    /// When this session was launched.
    pub started: Option<Time>,
}

/// What the session on a seat is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatState {
    /// It is being started.
    Starting,
    /// It has nothing to do.
    Idle,
    /// It runs this.
    Busy(AttemptId),
    /// It runs this, and the seat goes when nothing is left on it.
    Leaving(AttemptId),
}

impl SeatState {
    /// Its word.
    #[must_use]
    pub fn state(&self) -> WorkerState {
        match self {
            SeatState::Starting => WorkerState::Starting,
            SeatState::Idle => WorkerState::Idle,
            SeatState::Busy(_) => WorkerState::Busy,
            SeatState::Leaving(_) => WorkerState::Leaving,
        }
    }
}

/// What has become of a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BroadcastState {
    /// Not all of the sessions that there are have run it.
    Open,
    /// They have, and every session that comes will.
    Kept,
    /// It is as if it had never been.
    Withdrawn,
}
