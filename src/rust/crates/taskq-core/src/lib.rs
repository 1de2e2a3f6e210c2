//! The scheduler of taskq: a pure state machine. No I/O, clock, thread, environment, R or `unsafe`.
//! What tasks, attempts and results are made of is `taskq-record`'s.
//!
//! A driver tells it what happened ([`Scheduler::handle`], [`Scheduler::submit`]), does what it asks
//! for ([`Scheduler::next_action`], until there is none), may keep a record of what ended
//! ([`Scheduler::next_ended`], likewise), and comes back with [`Input::Tick`] at
//! [`Scheduler::next_wakeup`]. Time is an argument, so every decision can be tested in virtual time.
//!
//! # Words
//!
//! - A **task** is what a user pushed; its **label** is the user's name for it, its [`TaskId`] ours.
//! - An **attempt** is one sending of a task to a session. Whatever crosses a process border carries
//!   an [`AttemptId`], so that a message about an attempt that is over is recognised as *stale*.
//! - A **worker** is one R session, from its launch to its end ([`WorkerId`]).
//! - A **seat** is a place for one worker at a time; the pool has as many seats as it was asked for.
//! - The **supervisor** is the process that launches sessions; it boots once, and again when it dies.
//! - The **line** of a worker is what it was sent and has not answered: the **head** runs, the others
//!   were sent *ahead* so that a short task need not wait for a round trip.
//!
//! - A task is **held** while it may not be sent: others must succeed first, or it failed and backs
//!   off before its next **try**. A try is an attempt that has begun.
//! - In a fair queue the tasks of one priority and one tag form a **lane**, and lanes take turns.
//! - A session is **fresh** until it is sent something, then **worn**, and **spent** when it is to
//!   run nothing more and its seat is to get a new one.
//!
//! # Promises
//!
//! Every task gets exactly one [`Outcome`]. No task is begun more often than its `tries` say: only an
//! attempt which its session gave back, or which a dead session had not begun, is sent again without
//! being counted. No task is begun before all that it is to run after have succeeded. What had ended
//! before its end was asked for is what it says; what ends later is cancelled or has timed out,
//! whatever it says. In a fair queue a lane in which a task waits is passed over by each other lane
//! of its priority once for each of its own turns, and by no lower priority. Every input has a defined answer in every
//! state. Submit, dispatch, cancel and take are O(log n) in the number of tasks, for each task that one is to run
//! after; those that are to be alone in a session add O(seats).
//!
//! # Not built
//!
//! Nothing counts how often a task was in the line of a session that died *without* having begun it:
//! sessions note the begin of an attempt before they unserialize it, so that a task cannot kill its
//! session unnoticed. A session that hangs while it starts is waited for.

// No panic may reach R: what can fail says so by its type. (Tests may panic.)
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::exit
    )
)]
#![forbid(unsafe_code)]

pub mod batches;
pub mod retry_rules;

mod action;
mod config;
mod dependencies;
mod error;
mod input;
mod pool;
mod run_time;
mod sched;
mod submission;
mod task;
mod tasks;
mod timers;
mod totals;
mod view;
mod waiting;
mod worker;

pub use action::Action;
pub use config::{LookAhead, SchedulerConfig};
pub use error::SubmitError;
pub use input::{Begun, Input};
pub use sched::Scheduler;
pub use submission::Submission;
pub use taskq_record::id;
pub use taskq_record::{
    AttemptId, Ended, GoneCause, Outcome, QueueState, RetryOn, TaskId, TaskOptions, Time, Verdict,
    WorkerId,
};
pub use totals::Totals;
pub use view::{
    BroadcastState, Counts, Outlook, SeatState, SeatView, Stop, TaskPhase, TaskView, Wait,
};
