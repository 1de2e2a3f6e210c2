//! What a scheduler asks its driver to do.
//!
//! Actions are to be done in their order. None of them needs an answer at once: what comes of it is
//! reported as an [`Input`](crate::Input), and timers watch over answers that do not come.

use taskq_record::{AttemptId, TaskId, WorkerId};

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a supervisor. Answered by `SupervisorUp` or `SupervisorGone`.
    Boot,
    /// Start a session. Answered by `WorkerReady`, `StartFailed` or `WorkerGone`.
    Launch {
        /// Its name, never used before.
        worker: WorkerId,
    },
    /// Send an attempt to a session, behind what it was sent before.
    Send {
        /// The session.
        worker: WorkerId,
        /// The attempt.
        attempt: AttemptId,
    },
    /// Have a session without a task run a broadcast. Answered by `Ran`, `StartFailed` or
    /// `WorkerGone`.
    RunBroadcast {
        /// The session.
        worker: WorkerId,
        /// The number of it, that of [`run_everywhere`](crate::Scheduler::run_everywhere).
        broadcast: u64,
    },
    /// Ask a session to give back those of these which it has not begun. Answered by `Returned`.
    Recall {
        /// The session.
        worker: WorkerId,
        /// The attempts, in the order in which they were sent.
        attempts: Vec<AttemptId>,
    },
    /// Ask a session to end an attempt: to give it back when it has not begun (`Returned`), to
    /// interrupt it when it runs (`Finished`), to do nothing when it is over.
    Interrupt {
        /// The session.
        worker: WorkerId,
        /// The attempt.
        attempt: AttemptId,
    },
    /// Kill a session with everything it started. Answered by `WorkerGone`.
    KillWorker {
        /// The session.
        worker: WorkerId,
    },
    /// Tell a session, which has nothing to do, to leave. Answered by `WorkerGone`.
    Retire {
        /// The session.
        worker: WorkerId,
    },
    /// Kill the supervisor and all sessions. Answered by `SupervisorGone`.
    KillSupervisor,
    /// Tell the supervisor to kill all sessions and to leave. Answered by `SupervisorGone`.
    Shutdown,
    /// A task is done: its payload can go, and who waits for it can be woken.
    Done {
        /// The task.
        task: TaskId,
    },
    /// A task was done, and is not in the queue any more, because it was
    /// [disowned](crate::Scheduler::disown): all that is kept of it can go. There was no
    /// [`Action::Done`] for it, unless it was done before.
    Forget {
        /// The task.
        task: TaskId,
    },
    /// The pool has failed: no task can run any more.
    Failed,
}
