//! The words that users read, each in one place: in results, in tables, in conditions and in traces.
//!
//! Owns the words. A word is also what the variant is in a text format (JSON); in a binary one it is its number, so a
//! new variant goes to the end of its enum.

use serde::{Deserialize, Serialize};

/// Enums whose variants are words.
macro_rules! words {
    ($($(#[$about:meta])* pub enum $name:ident {
        $($(#[$what:meta])* $variant:ident = $word:literal,)*
    })*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$what])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// All there are, in their order.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }

            /// The one of that word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|one| one.word() == word)
            }
        }
    )*};
}

words! {
    /// Where a task is.
    pub enum TaskState {
        /// It has not begun, as far as is known.
        Waiting = "waiting",
        /// It runs.
        Running = "running",
        /// It has an outcome and can be taken.
        Done = "done",
    }

    /// What came of an attempt that ended by itself.
    pub enum Verdict {
        /// The function returned.
        Success = "success",
        /// The function, or reading its arguments, or writing its value, raised an R error.
        Error = "error",
        /// The function was left because the host asked for it.
        Interrupted = "interrupted",
    }

    /// How a task ended: a result's `status`.
    pub enum Status {
        /// Its function returned.
        Success = "success",
        /// Its function raised an R error, or no worker could run it.
        Error = "error",
        /// Its session died while it ran.
        Crash = "crash",
        /// It ran for longer than its timeout.
        Timeout = "timeout",
        /// It was cancelled, or the queue ended before it did.
        Cancelled = "cancelled",
        /// It was to run after a task that did not succeed.
        Skipped = "skipped",
    }

    /// Why a task has not ended by itself: more than its [`Status`] says.
    pub enum Cause {
        /// The session exited.
        Exit = "exit",
        /// A signal ended the session.
        Signal = "signal",
        /// No process could be made for the session.
        Launch = "launch",
        /// The supervisor died, and with it the session.
        Supervisor = "supervisor",
        /// The session is gone, and how could not be learnt.
        Unknown = "unknown",
        /// The session was killed because memory was short.
        Oom = "oom",
        /// No session could be started.
        NoWorker = "no-worker",
    }

    /// After which failures a task is tried again: `retry_on`.
    pub enum RetryReason {
        /// Its session died.
        Crash = "crash",
        /// It took too long.
        Timeout = "timeout",
        /// It raised an R error.
        Error = "error",
    }

    /// The state of a queue as a whole.
    pub enum QueueState {
        /// Takes and runs tasks.
        Open = "open",
        /// The workers cannot be started: takes no tasks; what is done can be taken.
        Failed = "failed",
        /// Takes no tasks, finishes those it has.
        Closing = "closing",
        /// All processes are gone; what is done can be taken.
        Closed = "closed",
    }

    /// What the session of a worker is doing.
    pub enum WorkerState {
        /// It is being started.
        Starting = "starting",
        /// It has nothing to do.
        Idle = "idle",
        /// It runs a task.
        Busy = "busy",
        /// It runs a task, and is not replaced when nothing is left to it.
        Leaving = "leaving",
    }

    /// What became of an attempt, or is becoming of it, beside the [`Status`] of one that has ended.
    pub enum AttemptState {
        /// It has not begun.
        Waiting = "waiting",
        /// It runs.
        Running = "running",
        /// It has ended, and the task is tried again.
        Retried = "retried",
    }

    /// Why a session was to end.
    pub enum Asked {
        /// It is replaced, or not needed any more.
        Retired = "retired",
        /// It did not end its task, or is not needed and was not ready.
        Killed = "killed",
        /// The queue ends, or its pool has failed.
        Closed = "closed",
    }

    /// What a supervisor or a session was doing when it could not come up: "boot", or the argument of `task_q$new()`
    /// that it is about.
    pub enum StartPhase {
        /// R itself, its profiles, or loading taskq.
        Boot = "boot",
        /// Attaching `packages`.
        Packages = "packages",
        /// Making `globals`.
        Globals = "globals",
        /// Running `preload`.
        Preload = "preload",
        /// Running `init`.
        Init = "init",
        /// Running a broadcast.
        Everywhere = "everywhere",
    }

    /// What kept sessions from starting, cut by what a user can do about it.
    #[derive(Default)]
    pub enum StartCause {
        /// What runs at their start, or what it needs.
        #[default]
        Startup = "startup",
        /// The operating system makes no more processes.
        NoProcess = "no-process",
        /// A fault in this package.
        Fault = "fault",
    }
}

impl QueueState {
    /// What an open queue is that holds its tasks back.
    pub const PAUSED: &'static str = "paused";

    /// The word for a queue that may be paused.
    #[must_use]
    pub const fn word_when(self, is_paused: bool) -> &'static str {
        match self {
            QueueState::Open if is_paused => QueueState::PAUSED,
            _ => self.word(),
        }
    }
}

impl WorkerState {
    /// What the idle row of a worker shows in the table of tasks, in the words of the task queue that this package
    /// began with.
    #[must_use]
    pub const fn idle_row(self) -> &'static str {
        match self {
            WorkerState::Starting => "running",
            WorkerState::Idle => "ready",
            WorkerState::Busy | WorkerState::Leaving => "waiting",
        }
    }
}
