//! Who owns a task of a queue that is kept in a store: the protocol that agents, clients and stores speak.
//!
//! A task is pushed by a *client*, kept by a *store*, run by an *agent*, and its result is taken by a client. Any of
//! them may die, be cut off or repeat itself at any moment. What follows from that is decided here, once for all
//! stores: a store has tables, and runs each call of the protocol as one transaction over them.
//!
//! | module | what |
//! | --- | --- |
//! | [`names`] | nonces, incarnations, the store's wall clock |
//! | [`task`], [`queue`] | the records that a store keeps |
//! | [`call`] | the calls, their replies, and why one is refused |
//! | [`rules`] | what becomes of a task: pure decisions over its record |
//! | [`tables`] | what a store has to keep and to find |
//! | [`apply()`] | what a call does to the tables, by the rules |
//! | [`store`] | what a store is to its callers |
//! | [`model`] | the model: a store in memory |
//! | `testing` | what every store has to pass (feature `testing`) |
//!
//! Owns the meaning of the protocol. Must not do I/O, look at a clock, have a thread, or look into what is kept: time
//! and nonces are arguments, functions and values are bytes. How an agent runs a task is decided in `taskq-core`.
//!
//! # What holds
//!
//! A task has one outcome, and has begun at most as often as its `tries` allow. Only the holder of the present claim's
//! nonce can say anything of it; what comes later is fenced. What was not begun waits again, uncounted. Leases run on a
//! counter of the queue, which no jump of a clock makes faster. No call handles more than
//! [`STEP`](config::STEP) tasks; what is left of a cascade is a flag in the record, and goes on with the next call.
//!
//! ```
//! use taskq_ledger::call::{Call, Held, Reply, Report};
//! use taskq_ledger::config::PROTOCOL;
//! use taskq_ledger::model::Model;
//! use taskq_ledger::names::{Incarnation, Nonce, Wall};
//! use taskq_ledger::queue::MemberRole;
//! use taskq_ledger::store::Store;
//! use taskq_ledger::task::Push;
//!
//! let (client, agent) = (Incarnation(Nonce(1)), Incarnation(Nonce(2)));
//! let mut store = Model::new(Nonce(0), Wall(0));
//! for (member, role) in [(client, MemberRole::Client), (agent, MemberRole::Agent { pool: "".into() })] {
//!     let attach = Call::Attach { member, role, leased: true, protocol: PROTOCOL, about: "".into() };
//!     store.call(Wall(1), &attach).unwrap();
//! }
//! let push = Push { id: "fit".into(), nonce: Nonce(3), ..Push::default() };
//! let push = Call::Push { client, push };
//! store.call(Wall(2), &push).unwrap();
//! // The reply was lost: the same again.
//! let Ok(Reply::Pushed(tasks)) = store.call(Wall(3), &push) else { panic!() };
//!
//! let claim = Call::Claim { agent, request: 1, held: vec![], count: 1, fresh: Nonce(4) };
//! let Ok(Reply::Granted(grants)) = store.call(Wall(4), &claim) else { panic!() };
//! let held = grants[0].held;
//! store.call(Wall(5), &Call::Begin { held: vec![held] }).unwrap();
//! store.call(Wall(6), &Call::Complete { held, report: Report::default() }).unwrap();
//!
//! let Ok(Reply::Taken { end, .. }) = store.call(Wall(7), &Call::Take { client, task: tasks[0] })
//!     else { panic!() };
//! assert_eq!(end.word(), "success");
//! ```

// No panic may reach R: what can fail says so by its type. (Tests may panic.)
#![cfg_attr(
    not(any(test, feature = "testing")),
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

pub mod call;
pub mod config;
pub mod model;
pub mod names;
pub mod queue;
pub mod rules;
pub mod store;
pub mod tables;
pub mod task;
#[cfg(feature = "testing")]
pub mod testing;

mod ledger;

pub use ledger::apply;
