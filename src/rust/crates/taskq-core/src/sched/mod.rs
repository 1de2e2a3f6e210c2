//! The machine: what is done about each input, in each state.
//!
//! Owns every decision of the queue. Does nothing itself: effects are [`Action`](crate::Action)s.
//! Tasks and workers change their state only through the transitions of `tasks` and `pool`.
//!
//! # Inputs to the queue
//!
//! Those in lower case are methods of the [`Scheduler`], in `submit`; the others are
//! [`Input`](crate::Input)s.
//!
//! | input     | Open                  | Failed          | Closing                | Closed       |
//! |-----------|-----------------------|-----------------|------------------------|--------------|
//! | submit    | waits, or is sent, or | refused         | refused                | refused      |
//! |           | is held or skipped;   |                 |                        |              |
//! |           | refused when full     |                 |                        |              |
//! | take      | only a done task      | same            | same                   | same         |
//! | claim     | only an open task: it | same            | same                   | same         |
//! |           | is its claimant's     |                 |                        |              |
//! | disown    | only a claimed task:  | same            | same                   | it leaves    |
//! |           | `Cancel`, and when it |                 |                        |              |
//! |           | is done, it leaves    |                 |                        |              |
//! | `Cancel`  | see below             | same            | same                   | all are done |
//! | `Resize`  | seats come and go     | ignored         | ignored                | ignored      |
//! | `Pause`   | nothing is sent, what | noted, without  | ignored                | ignored      |
//! |           | lies ahead is recalled| effect          |                        |              |
//! | `Resume`  | dispatch              | same            | ignored                | ignored      |
//! | `Close`   | Closing; not paused   | Closing         | the earlier deadline   | ignored      |
//! | `Kill`    | all cancelled, supervisor killed | same    | same                   | ignored      |
//! | `Tick`    | what has run out      | same            | same                   | same         |
//!
//! A broadcast comes in by `run_everywhere`, which is refused as `submit` is, and goes by `Withdraw`:
//! see `everywhere`.
//!
//! A submission with the key of an unfinished task cancels that first, as `Cancel` does. A paused
//! queue gets no seats and no new sessions for what waits, but timeouts and delays go on. A closing
//! queue goes on with what is held and with tries; its deadline is a `Kill`.
//!
//! # Inputs about the supervisor
//!
//! | input         | Booting           | Up               | Lost or Ending   | Down  |
//! |---------------|-------------------|------------------|------------------|-------|
//! | `SupervisorUp`   | Up, launches      | stale            | stale            | stale |
//! | `SupervisorGone` | a failed start    | failed start if  | as under Up      | stale |
//! |               |                   | no session was   |                  |       |
//! |               |                   | ever ready on it |                  |       |
//!
//! `SupervisorGone` then boots a new one, unless the pool has failed (now Down) or the closing queue has
//! nothing left to run (now Closed). When it was `reported` and no session was ever ready, the pool
//! fails at once. *Lost*: a session told that the supervisor died. *Ending*: it was told to end, or
//! killed. In both nothing is launched or sent any more.
//!
//! # Inputs about a worker
//!
//! | input         | Starting            | Idle       | Busy                   | Gone, unknown       |
//! |---------------|---------------------|------------|------------------------|---------------------|
//! | `WorkerReady` | the next broadcast, | stale      | stale                  | stale               |
//! | or `Ran`      | or Idle; stale if it|            |                        |                     |
//! |               | is not what it runs |            |                        |                     |
//! | `StartFailed` | failed start; Gone  | stale      | stale                  | stale               |
//! | `Finished`    | stale               | stale      | in its line: see       | stale               |
//! |               |                     |            | below; else stale      |                     |
//! | `Returned`    | stale               | stale      | each in its line: see  | stale               |
//! |               |                     |            | below; others stale    |                     |
//! | `WorkerGone`  | failed start (not   | new        | as below; new session  | forgotten; unknown: |
//! |               | when `SupervisorLost`) | session    |                        | stale               |
//! | `Unheard`     | killed              | killed,    | killed: see below      | killed; unknown:    |
//! |               |                     | new one    |                        | stale               |
//! | `HungUp`      | killed, unless gone | same       | same                   | same; unknown:      |
//! |               | in time: see below  |            |                        | stale               |
//!
//! A session whose line becomes empty is idle; or Gone, and its seat has a new one, when it was
//! killed (nothing is expected of it) or is spent (it is retired); or Gone with its seat, when that
//! is leaving. It is spent when it was sent a task that is to be alone, has finished `max_tasks`, or
//! had more than `max_memory` after one; in the last case what lies behind its head is recalled.
//!
//! A session that dies, idle or before it has begun what it was sent, within a second after it
//! became ready, and not with its supervisor, is counted until a task is finished; `idle_death_limit`
//! of them fail the pool, as `start_limit` failed starts do. Sessions that lived at the same time and
//! die one after the other count once.
//!
//! A session that is `Unheard` is killed, unless it was before, and the head of its line counts as
//! begun when nothing else in it is known to be: what was lost may have said that it was over. Of one
//! that `HungUp` nothing was lost. It is about to end, as a rule, and is killed when it does not; it
//! counts among those that died by themselves.
//!
//! `Finished` of what lies behind the head of a line, or while the session runs what is not in it, is
//! made up. It is stale, and the session is spent: what lies behind the head is recalled, what it has
//! begun may end, and it is killed when it is not gone in time. `Returned` of what was not asked back
//! is stale.
//!
//! # What becomes of an attempt
//!
//! | task is              | `Finished`, ended     | `Finished`, | `Returned`   | gone,     | gone, not | `Kill`    |
//! |                      | when it was asked     | ended later |              | begun     | begun     |           |
//! |----------------------|-----------------------|-------------|--------------|-----------|-----------|-----------|
//! | sent                 | what it says          | -           | waits        | Crash     | waits     | Cancelled |
//! | stopping by a cancel | what it says          | Cancelled   | Cancelled    | Cancelled | Cancelled | Cancelled |
//! | stopping by timeout  | what it says          | Timeout     | Timeout      | Timeout   | Timeout   | Cancelled |
//!
//! `Interrupted` counts as ended later, and as Error when the queue has not asked for it. For a timeout *asked*
//! means when the time was over, not when the timer was looked at. A session takes its line in
//! order, so what lies in front of the attempt that it noted as begun has begun, too: its result is
//! lost with the session, and it counts as begun. When the pool has failed, NoWorker takes the place
//! of *waits*.
//!
//! A Crash, Timeout or Error of an attempt that had begun is not the end of its task when that kind
//! is in its `retry_on`, fewer than `tries` have begun, it was not cancelled and the pool has not
//! failed: then it is held for its delay, and waits again. A task whose time was over before its
//! session had begun it has timed out for good: to send it again would count as no try, and so might
//! go on for ever.
//!
//! # What becomes of a task that no session has
//!
//! | task is             | another ends          | its delay is over | `Cancel`  | pool fails | `Kill`    |
//! |---------------------|-----------------------|-------------------|-----------|------------|-----------|
//! | held by others      | last one, Success:    | -                 | Cancelled | NoWorker   | Cancelled |
//! |                     | waits; one of them,   |                   |           |            |           |
//! |                     | otherwise: Skipped    |                   |           |            |           |
//! | held for its delay  | -                     | waits             | Cancelled | NoWorker   | Cancelled |
//! | waiting             | -                     | -                 | Cancelled | NoWorker   | Cancelled |
//!
//! Cancelled and NoWorker go before Skipped: `Cancel` ends all tasks that it names at once, a `Kill`
//! and a pool that fails all that there are, also those that are to run after one which is still
//! running. Only a task that is not named and is to run after one that is, is skipped.
//!
//! # Cancel and timeout
//!
//! | task is              | `Cancel`                             | its time is over                    |
//! |----------------------|--------------------------------------|-------------------------------------|
//! | unknown, done        | ignored                              | -                                   |
//! | held, waiting        | Cancelled                            | -                                   |
//! | ahead                | `Interrupt`, grace                   | - (it starts when its turn comes)   |
//! | head                 | `Interrupt`, grace; a recall of what | same, with the usual grace          |
//! |                      | lies behind it                       |                                     |
//! | stopping by timeout  | now by cancel; the earlier end of    | -                                   |
//! |                      | grace                                |                                     |
//! | stopping by a cancel | the earlier end of grace             | -                                   |
//!
//! When grace is over: a head's worker is killed; for one that lies ahead, `Interrupt` is repeated.
//!
//! # Escalation
//!
//! Each step waits `kill_patience`: `Retire`, `KillWorker`, `KillSupervisor`; `Shutdown`, `KillSupervisor`.
//! After `HungUp`, `KillWorker` waits `hang_up_patience`; after a `Finished` that is made up, `kill_patience`.

mod after;
mod answers;
mod cancel;
mod close;
mod dispatch;
mod elastic;
mod everywhere;
mod invariants;
mod machine;
mod outlook;
mod recycle;
mod resize;
mod retry;
mod sessions;
mod submit;
mod tick;
mod views;

pub use machine::Scheduler;
