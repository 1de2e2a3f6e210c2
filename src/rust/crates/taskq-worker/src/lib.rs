//! The worker side of a queue: the zygote that supervisors come from, the supervisor that makes sessions, and the
//! session that runs tasks. It knows nothing of R.
//!
//! A *zygote* is a process in which everything is up that does not depend on a queue. It forks a supervisor for each
//! queue. A *supervisor* is a process that has loaded everything a task may need and then serves one host: it forks a
//! *session* on request (or starts a program, where forking is not safe), reaps it, and removes what it left behind. A
//! session receives attempts, calls whatever the binding calls with them, and sends the results. See
//! `design-processes.Rmd` for the long form.
//!
//! ```text
//! Zygote::open ── serve ──┬── Supervisor::serve ──┬── Role::Session(inheritance) ── Session::start ── …
//!                         └── end                 └── Role::End
//! ```
//!
//! Who dies when: a zygote leaves when its host is gone; a supervisor kills everything it started when its host is gone
//! or says so; a session kills itself and its own when its supervisor is gone. What decides is the other *process* (its
//! descriptor, or its being one's parent); the end of a stream is only a hint, because any fork may hold the other
//! end.

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

mod error;
mod inheritance;
pub mod random;
mod session;
mod setup;
mod supervisor;
mod watch;
mod zygote;

pub use error::{ServeError, SessionError, StartError};
pub use inheritance::Inheritance;
pub use session::{Fun, InterruptHook, Job, Received, Session};
pub use setup::SetupFile;
pub use supervisor::{ExecSession, Role, Supervisor};
pub use zygote::Zygote;
