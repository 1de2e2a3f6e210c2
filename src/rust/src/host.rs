//! What R calls on the host's side, beside what waits or serializes (`src/*.c`): a queue's life, from its opening to its end.
//! Each function returns its value or a [`failure`]; none of them waits.
//!
//! The rest stands beside it: following tasks in `watch`, the tables of tasks and of workers in `tables`, changing their
//! course in `steer`, what ran in `timeline`.

use std::time::Duration;

use extendr_api::prelude::*;
use taskq_core::QueueState;
use taskq_engine::Queue;

use crate::external::bell;
use crate::external::options::duration;
use crate::handle;
use crate::reply::{failure, start_failure};

mod config;
mod progress;
mod promises;
mod steer;
mod tables;
mod timeline;
mod watch;

/// Opens a queue. `config` is the list that `tq_open()` in R/queue-control.R makes. Without any workers, ever, it runs inline.
#[extendr]
fn rs_queue_open(config: List) -> Robj {
    let config = match config::read(&config) {
        Ok(config) => config,
        Err(problem) => return failure("input", &problem, &[]),
    };
    let limits = &config.scheduler;
    let started = if limits.workers.max(limits.max_workers) == 0 {
        Queue::start_inline(config)
    } else {
        Queue::start(config)
    };
    match started {
        Ok(queue) => handle::make(queue),
        Err(error) => failure("system", &format!("cannot make a queue: {error}"), &[]),
    }
}

/// "open", "paused", "failed", "closing" or "closed".
#[extendr]
fn rs_queue_state(handle: Robj) -> Robj {
    with(&handle, |queue| {
        match queue.state() {
            QueueState::Open if queue.is_paused() => "paused",
            QueueState::Open => "open",
            QueueState::Failed => "failed",
            QueueState::Closing => "closing",
            QueueState::Closed => "closed",
        }
        .into()
    })
}

/// Why the pool has failed: a failure with `phase`, `stderr`, `exit_code`, `signal`; NULL when it has not.
#[extendr]
fn rs_queue_failure(handle: Robj) -> Robj {
    with(&handle, |queue| {
        queue
            .failure()
            .map_or_else(|| ().into(), |failure| start_failure(&failure))
    })
}

/// Refuses new tasks, lets the others finish for `grace_ms`, then ends what is left. Does not wait.
#[extendr]
fn rs_queue_close(handle: Robj, grace_ms: f64) -> Robj {
    with(&handle, |queue| {
        queue.close(grace(grace_ms));
        ().into()
    })
}

/// Ends everything now. Does not wait.
#[extendr]
fn rs_queue_kill(handle: Robj) -> Robj {
    with(&handle, |queue| {
        queue.kill();
        ().into()
    })
}

/// Ends all queues of this process: the R session ends, or the package is unloaded. Waits for a second at most.
#[extendr]
fn rs_exit() {
    bell::silence();
    handle::end_all(Duration::from_secs(1));
}

/// How many processors this process may use.
#[extendr]
fn rs_num_cores() -> i32 {
    std::thread::available_parallelism()
        .map_or(1, |cores| i32::try_from(cores.get()).unwrap_or(i32::MAX))
}

fn with(handle: &Robj, body: impl FnOnce(&Queue) -> Robj) -> Robj {
    match handle::queue(handle) {
        Ok(queue) => body(queue),
        Err(refusal) => refusal,
    }
}

/// A time of grace as R has it: infinite is for ever.
fn grace(ms: f64) -> Duration {
    duration(ms).unwrap_or(Duration::MAX)
}

extendr_module! {
    mod host;
    use watch;
    use promises;
    use tables;
    use timeline;
    use steer;
    fn rs_queue_open;
    fn rs_queue_state;
    fn rs_queue_failure;
    fn rs_queue_close;
    fn rs_queue_kill;
    fn rs_exit;
    fn rs_num_cores;
}
