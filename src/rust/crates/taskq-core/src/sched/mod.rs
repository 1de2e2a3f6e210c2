//! The machine: what is done about each input, in each state.
//!
//! Owns every decision of the queue. Does nothing itself: effects are [`Action`](crate::Action)s.
//! Tasks and workers change their state only through the transitions of `tasks` and `pool`.
//!
//! # Inputs to the queue
//!
//! | input     | Open                  | Failed          | Closing                | Closed       |
//! |-----------|-----------------------|-----------------|------------------------|--------------|
//! | submit    | waits, or is sent     | refused         | refused                | refused      |
//! | take      | only a done task      | same            | same                   | same         |
//! | `Cancel`  | see below             | same            | same                   | all are done |
//! | `Resize`  | seats come and go     | ignored         | ignored                | ignored      |
//! | `Pause`   | nothing is sent, what | noted, without  | ignored                | ignored      |
//! |           | lies ahead is recalled| effect          |                        |              |
//! | `Resume`  | dispatch              | same            | ignored                | ignored      |
//! | `Close`   | Closing; not paused   | Closing         | the earlier deadline   | ignored      |
//! | `Kill`    | all cancelled, nursery killed | same    | same                   | ignored      |
//! | `Tick`    | what has run out      | same            | same                   | same         |
//!
//! # Inputs about the nursery
//!
//! | input         | Booting           | Up               | Lost or Ending   | Down  |
//! |---------------|-------------------|------------------|------------------|-------|
//! | `NurseryUp`   | Up, launches      | stale            | stale            | stale |
//! | `NurseryGone` | a failed start    | failed start if  | as under Up      | stale |
//! |               |                   | no session was   |                  |       |
//! |               |                   | ever ready on it |                  |       |
//!
//! `NurseryGone` then boots a new one, unless the pool has failed (now Down) or the closing queue has
//! nothing left to run (now Closed). When it was `reported` and no session was ever ready, the pool
//! fails at once. *Lost*: a session told that the nursery died. *Ending*: it was told to end, or
//! killed. In both nothing is launched or sent any more.
//!
//! # Inputs about a worker
//!
//! | input         | Starting            | Idle       | Busy                   | Gone, unknown       |
//! |---------------|---------------------|------------|------------------------|---------------------|
//! | `WorkerReady` | Idle                | stale      | stale                  | stale               |
//! | `StartFailed` | failed start; Gone  | stale      | stale                  | stale               |
//! | `Finished`    | stale               | stale      | in its line: the task  | stale               |
//! |               |                     |            | is done; else stale    |                     |
//! | `Returned`    | stale               | stale      | each in its line waits | stale               |
//! |               |                     |            | again; others stale    |                     |
//! | `WorkerGone`  | failed start (not   | new        | as below; new session  | forgotten; unknown: |
//! |               | when `NurseryLost`) | session    |                        | stale               |
//!
//! # What becomes of an attempt
//!
//! | task is    | `Finished`    | `Returned` | gone, begun | gone, not begun | `Kill`    |
//! |------------|---------------|------------|-------------|-----------------|-----------|
//! | sent       | what it says  | waits      | Crash       | waits           | Cancelled |
//! | cancelling | what it says  | Cancelled  | Cancelled   | Cancelled       | Cancelled |
//!
//! `Interrupted` says Cancelled. A session takes its line in order, so what lies in front of the
//! attempt that it noted as begun has begun, too: its result is lost with the session, and it counts
//! as begun. When the pool has failed, NoWorker takes the place of *waits*.
//!
//! # Cancel
//!
//! | task is    | answer                                                                  |
//! |------------|-------------------------------------------------------------------------|
//! | unknown    | ignored                                                                 |
//! | waiting    | Cancelled                                                               |
//! | sent       | `Interrupt`, grace; from the head, also a recall of what lies behind it |
//! | cancelling | ignored                                                                 |
//! | done       | ignored                                                                 |
//!
//! When grace is over: a head's worker is killed; for one that lies ahead, `Interrupt` is repeated.
//!
//! # Escalation
//!
//! Each step waits `kill_patience`: `Retire`, `KillWorker`, `KillNursery`; `Shutdown`, `KillNursery`.

mod after;
mod answers;
mod cancel;
mod close;
mod dispatch;
mod elastic;
mod invariants;
mod machine;
mod recycle;
mod resize;
mod retry;
mod sessions;
mod submit;
mod tick;
mod views;

pub use machine::Scheduler;
