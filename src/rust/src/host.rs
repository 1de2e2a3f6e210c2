//! What R calls in the user's session. Here is a queue's life, from its opening to its end; each function returns its
//! value or a [`failure`], and none of them waits. The rest is in the modules: `push`, `wait` and `take` are the way of
//! a task.

use std::time::Duration;

use taskq_engine::{Detail, Queue};
use taskq_record::options::duration;
use taskq_wire::message::NoFork;

use crate::entries::{entries, Entry};
use crate::external::waker;
use crate::handle;
use crate::r::{Answer, Argument, Object, Scope};
use crate::reply::{failure, start_failure};
use crate::value::Value;

mod config;
mod everywhere;
mod inline;
mod map;
mod objects;
mod options;
mod promises;
mod push;
mod result;
mod steer;
mod tables;
mod take;
mod timeline;
mod wait;
mod watch;

pub(crate) use result::is_outcome;

/// Opens a queue. `config` is the list that `tq_open()` in R/queue-control.R makes. Without any workers, ever, it runs
/// inline.
fn rs_queue_open(config: Object<'_>) -> Answer<Value> {
    let config = config::read(config)?;
    let limits = &config.scheduler;
    let started = if limits.workers.max(limits.max_workers) == 0 {
        Queue::start_inline(config)
    } else {
        Queue::start(config)
    };
    Ok(match started {
        Ok(queue) => handle::make(queue),
        Err(error) => failure("system", &format!("cannot make a queue: {error}")),
    })
}

/// "open", "paused", "failed", "closing" or "closed".
fn rs_queue_state(queue: &Queue) -> &'static str {
    tables::state_word(&queue.snapshot(Detail::Sums))
}

/// Why the pool has failed: a failure with `phase`, `stderr`, `exit_code`, `signal`; NULL when it has not.
fn rs_queue_failure(queue: &Queue) -> Option<Value> {
    queue.failure().as_ref().map(start_failure)
}

/// Refuses new tasks, lets the others finish for `grace_ms`, then ends what is left. Does not wait.
fn rs_queue_close(queue: &Queue, grace_ms: f64) {
    queue.close(grace(grace_ms));
}

/// Ends everything now. Does not wait.
fn rs_queue_kill(queue: &Queue) {
    queue.kill();
}

/// Ends all queues of this process: the R session ends, or the package is unloaded. Waits for a second at most.
fn rs_exit() {
    waker::unset();
    handle::end_all(Duration::from_secs(1));
}

/// Why the sessions of a queue are not forked: `list(reason, threads, phases, packages, brought)`, of which the last
/// three belong together: a step of the start, the packages that it has loaded, with commas between them, and the
/// threads that it has brought. NULL where sessions are forked.
fn rs_queue_no_fork(queue: &Queue) -> Option<Value> {
    let no_fork = queue.no_fork()?;
    let (reason, threads, sources) = match no_fork {
        NoFork::SwitchedOff => ("switched off", None, &[][..]),
        NoFork::Uncounted => ("uncounted", None, &[][..]),
        NoFork::Threads { count, sources } => ("threads", Some(*count), &sources[..]),
    };
    let phases = sources.iter().map(|source| Some(source.phase.word()));
    let packages = sources.iter().map(|source| Some(source.packages.join(",")));
    let brought = sources.iter().map(|source| Some(source.threads));
    Some(Value::list([
        ("reason", reason.into()),
        ("threads", Value::integers([threads])),
        ("phases", Value::strings(phases)),
        ("packages", Value::strings(packages)),
        ("brought", Value::integers(brought)),
    ]))
}

/// The queue of a handle, for a call by which nothing has changed yet, as the first thing it does: if the queue has
/// something to tell the user, this warns, and a handler, or `options(warn = 2)`, may jump.
fn asked<'s>(scope: &'s Scope, handle: Object<'s>) -> Answer<&'s Queue> {
    let queue = <&Queue>::take(handle, "handle")?;
    if queue.has_notice() {
        scope.call_own(c"tq_notice", handle)?;
    }
    Ok(queue)
}

/// The user is told now why sessions are not forked, and not again.
fn rs_queue_notice_told(queue: &Queue) {
    queue.notice_is_told();
}

/// How many processors this process may use.
fn rs_num_cores() -> i32 {
    std::thread::available_parallelism()
        .map_or(1, |cores| i32::try_from(cores.get()).unwrap_or(i32::MAX))
}

/// A time of grace as R has it: infinite is for ever.
fn grace(ms: f64) -> Duration {
    duration(ms).unwrap_or(Duration::MAX)
}

entries! {
    rs_queue_open(config),
    rs_queue_state(queue),
    rs_queue_failure(queue),
    rs_queue_close(queue, grace_ms),
    rs_queue_kill(queue),
    rs_exit(),
    rs_num_cores(),
    rs_queue_no_fork(queue),
    rs_queue_notice_told(queue),
}

/// All that is called on the host's side.
pub(crate) fn entries() -> impl Iterator<Item = &'static Entry> {
    ENTRIES
        .iter()
        .chain(watch::ENTRIES)
        .chain(promises::ENTRIES)
        .chain(tables::ENTRIES)
        .chain(timeline::ENTRIES)
        .chain(steer::ENTRIES)
        .chain(everywhere::ENTRIES)
        .chain(push::ENTRIES)
        .chain(wait::ENTRIES)
        .chain(take::ENTRIES)
        .chain(result::ENTRIES)
        .chain(objects::ENTRIES)
        .chain(inline::ENTRIES)
        .chain(map::ENTRIES)
}
