//! What can happen to a scheduler: facts, reported by its driver.
//!
//! Any input may come in any state; the answers stand in the table of the `sched` module. A message
//! that no longer fits (a *stale* one) is counted and otherwise ignored.

use std::time::Duration;

use taskq_record::{AttemptId, GoneCause, TaskId, Time, Verdict, WorkerId};
/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The supervisor can launch sessions.
    SupervisorUp,
    /// The supervisor's process is gone, and with it all its sessions, for each of which there has been
    /// a [`Input::WorkerGone`] already.
    SupervisorGone {
        /// It said why it cannot come up (preload, packages): trying again will not help.
        reported: bool,
    },
    /// A session has run its `init` and waits for tasks.
    WorkerReady {
        /// The session.
        worker: WorkerId,
    },
    /// A session has run a broadcast.
    Ran {
        /// The session.
        worker: WorkerId,
        /// The number of it.
        broadcast: u64,
    },
    /// A session said that it cannot come up, or has failed in a broadcast. Its end
    /// follows as [`Input::WorkerGone`].
    StartFailed {
        /// The session.
        worker: WorkerId,
    },
    /// The process of a session is gone, or never came to be. Whatever it had written (all
    /// [`Input::Finished`], all [`Input::Returned`]) has been handed in before.
    WorkerGone {
        /// The session.
        worker: WorkerId,
        /// How it ended.
        cause: GoneCause,
        /// The last attempt that it noted to have begun, finished or not.
        begun: Option<Begun>,
    },
    /// What a session has told is lost, and nothing more will be heard of it. It is killed; the attempt
    /// at the head of its line counts as begun, because it may have said that it was over.
    Unheard {
        /// The session.
        worker: WorkerId,
    },
    /// A session has closed its socket, so that it can neither be sent nor answer anything. It should
    /// end, or is killed; what it had begun is said when it is gone. That it ends was its own doing.
    HungUp {
        /// The session.
        worker: WorkerId,
    },
    /// A session says that an attempt has ended by itself. What it had given back before it began
    /// that attempt (all [`Input::Returned`]) has been handed in before.
    Finished {
        /// The session.
        worker: WorkerId,
        /// The attempt.
        attempt: AttemptId,
        /// What came of it.
        verdict: Verdict,
        /// When the function was called.
        began: Time,
        /// When the function was left.
        ended: Time,
        /// How many bytes of memory the session has resident now, where that is known.
        memory: Option<u64>,
        /// The task that the session notes to be running, looked up after this was heard; nothing
        /// between two tasks, or when that cannot be known.
        running: Option<TaskId>,
    },
    /// A session says that these had not begun, and never will on this session.
    Returned {
        /// The session.
        worker: WorkerId,
        /// The attempts.
        attempts: Vec<AttemptId>,
    },
    /// The user wants these tasks to end, all at once: none of them counts as skipped because another
    /// of them was cancelled.
    Cancel {
        /// The tasks, in any order; one that is unknown or done is left alone.
        tasks: Vec<TaskId>,
        /// How long each may take to end by itself, if not as long as `SchedulerConfig::grace`.
        grace: Option<Duration>,
    },
    /// The user wants another number of workers.
    Resize {
        /// How many at least.
        workers: u32,
        /// How many at most; below `workers` it counts as `workers`.
        max_workers: u32,
    },
    /// A broadcast shall not have been, unless it is kept by now.
    Withdraw {
        /// The number of it.
        broadcast: u64,
    },
    /// The user wants no more tasks to start.
    Pause,
    /// The user wants tasks to start again.
    Resume,
    /// The user closes the queue: no new task is taken, the others go on, also when they were paused.
    Close {
        /// What is not finished by then is cancelled, and everything is killed.
        deadline: Time,
    },
    /// The user ends everything now.
    Kill,
    /// Time has passed. Only this input lets timers run out, so that a driver can hand in what has
    /// arrived first.
    Tick,
}

/// A session's note that it began an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The attempt.
    pub attempt: AttemptId,
    /// When.
    pub at: Time,
}
