//! All I/O of one host of taskq.
//!
//! A [`Queue`] is the scheduler of `taskq-core` with the outside world attached: processes, sockets, pipes, a clock. It
//! decides nothing about tasks; an `if` about which task runs next belongs to the core.
//!
//! # Layout
//! - [`queue`]: the handle that the R thread uses: push, wait, look, take, close.
//! - `door`: the way in for either thread, under the one lock, and what follows of it.
//! - `state`: what is known: scheduler, payloads, results, what ran. `effects`: what it does to the world, which
//!   `sessions` carries out, the sending half of every session, or `inline` where there are none.
//! - `driver`: the one thread, and the only loop: events become inputs of the machine.
//! - `lead`: which thread listens: the driver's, or the R thread while it waits.
//! - `supervisor`: the worker process that launches sessions: how it is born, told and reaped, with what is decided
//!   about it in `supervisor/lifecycle`; `zygote`: the worker process that it comes from, which belongs to no queue.
//! - `session`: the receiving half of a session, the driver's own; `link`, `outbox`: what both halves share and the
//!   sending one.
//! - `output`: what a task wrote, within a limit; `function`: a function that tasks share.
//! - `trace`: a picture of what ran in a file; `replace`: how a file of the user's is replaced; `clock`: the instant,
//!   and its date.
//! - `config`: what a queue is made from; `error`: what can go wrong with it.
//!
//! # Threads and the lock
//! The R thread and the driver meet in one mutex. No R call, no blocking system call and no wait happens under it. The
//! R thread waits to be woken, many wake-ups being one, or takes the lead and listens itself.
//! The driver sleeps in `epoll` until an event or the machine's next deadline: an idle queue wakes no thread.

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
#![warn(missing_docs)]

mod clock;
mod config;
mod door;
mod driver;
mod effects;
mod error;
mod function;
mod inline;
mod lead;
mod link;
mod outbox;
mod output;
pub mod queue;
mod replace;
mod session;
mod sessions;
mod state;
mod supervisor;
mod text;
pub mod trace;
mod zygote;

pub use config::{Config, EventLoop};
pub use error::{PushError, StartFailure};
pub use function::Function;
pub use output::Captured;
pub use queue::{
    Awaited, Detail, InlineStep, InlineTask, Map, MapOutcome, OutputNews, Queue, QueueSnapshot,
    SeatRow, Stretch, TaskObjects, TaskRow, Timeline, WaitOutcome,
};
pub use state::{
    Bar, BarState, BroadcastEnd, DoneTask, Ending, Given, Life, LifeEnd, Relayed, TaskPayload,
};
pub use text::{shown, Charset};
