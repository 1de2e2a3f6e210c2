//! What a scheduler is told once, at its start.
//!
//! Owns the settings and their defaults. Reads nothing from outside: whoever makes a queue fills
//! this in. Only the numbers of workers can change later ([`Input::Resize`](crate::Input::Resize)).

use std::time::Duration;

/// The settings of a scheduler. No combination is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchedulerConfig {
    /// How many seats there are at the start, and at least. With 0, and no `max_workers`, nothing
    /// runs until a resize. Default 4.
    pub workers: u32,
    /// How many seats there may be when tasks wait; below `workers` it counts as `workers`. Default
    /// 0: the number of seats is fixed.
    pub max_workers: u32,
    /// How long a session above the minimum may be idle. Default 60 s.
    pub idle_timeout: Duration,
    /// How many tasks a session may run before a new one takes its seat. 0 means 1. Default: no
    /// limit.
    pub max_tasks: u64,
    /// How many bytes of memory a session may have resident after a task. Default: no limit.
    pub max_memory: u64,
    /// How many tasks may wait, but for those that [may exceed](crate::Submission::may_exceed) it. Default: no limit.
    pub max_waiting: usize,
    /// Tasks of the same priority take turns between their tags, those without one as if they had
    /// one in common. Default: no, they come in the order of their pushes.
    pub fair: bool,
    /// Decides by how much the delays of retries differ.
    pub jitter_seed: u64,
    /// How many sessions in a row, with no task finished in between, may die right after they became
    /// ready and before they have begun a task, until the pool is given up; sessions that were there at
    /// the same time and die together count once. 0 means 1. Default 10.
    pub idle_death_limit: u32,
    /// How much is sent to a busy worker.
    pub look_ahead: LookAhead,
    /// When the head of a line has run so long, or a task has lain behind heads so long, what lies
    /// ahead on that worker is recalled. Should be longer than the budget of `look_ahead`. Default
    /// 4 ms.
    pub recall_after: Duration,
    /// How many starts may fail in a row before the pool is given up: a session that never became
    /// ready, or a supervisor under which none did. A session that becomes ready sets the count back to
    /// 0; sessions that were starting at the same time and fail together count once. 0 means 1.
    /// Default 3.
    pub start_limit: u32,
    /// How long an interrupted task may take to end before its worker is killed. Default 500 ms.
    pub grace: Duration,
    /// How long a session that has closed its socket may take to end before it is killed. Default
    /// 500 ms.
    pub hang_up_patience: Duration,
    /// How long a kill (of a worker, or a polite end of worker or supervisor) may stay unconfirmed
    /// before the next harder means is taken. Default 2 s.
    pub kill_patience: Duration,
}

/// How many tasks may be sent to a worker that is busy, so that short ones need not wait for a round
/// trip.
///
/// The mean run time of a task is measured; as long as nothing has been measured, nothing is sent
/// ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookAhead {
    /// How many tasks may lie behind the running one, per worker. 0 switches look-ahead off.
    /// Default 64.
    pub max: u32,
    /// How much expected run time may lie in front of a task when it is sent. Default 1 ms.
    pub budget: Duration,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        SchedulerConfig {
            workers: 4,
            max_workers: 0,
            idle_timeout: Duration::from_secs(60),
            max_tasks: u64::MAX,
            max_memory: u64::MAX,
            max_waiting: usize::MAX,
            fair: false,
            jitter_seed: 0,
            idle_death_limit: 10,
            look_ahead: LookAhead::default(),
            recall_after: Duration::from_millis(4),
            start_limit: 3,
            grace: Duration::from_millis(500),
            hang_up_patience: Duration::from_millis(500),
            kill_patience: Duration::from_secs(2),
        }
    }
}

impl Default for LookAhead {
    fn default() -> Self {
        LookAhead {
            max: 64,
            budget: Duration::from_millis(1),
        }
    }
}

impl LookAhead {
    /// Nothing is ever sent to a busy worker.
    pub const OFF: LookAhead = LookAhead {
        max: 0,
        budget: Duration::ZERO,
    };
}
