//! Looking at what is done, and taking it out.
//!
//! In two phases, as everything that takes tasks: what R gets is whole before a task leaves the queue, and nothing can
//! jump or be interrupted between that and the return.

use taskq_engine::{DoneTask, Queue, WaitOutcome};
use taskq_record::{Outcome, TaskId};
use taskq_sys::fault;

use super::result::{self, is_outcome};
use super::{asked, wait};
use crate::entries::entries;
use crate::r::{Answer, Object, Scope, Stop};
use crate::serialize::unserialize_if_sound;

/// Waits as `rs_wait()` does: the result of the oldest done task, which is then out of the queue, or NULL. When it has
/// not succeeded, or anything else needs a closer look, nothing has happened, and it is what `look()` gives.
fn rs_pop<'s>(
    scope: &'s Scope,
    handle: Object<'s>,
    timeout: Object<'s>,
    look: Object<'s>,
) -> Answer<Object<'s>> {
    let closer = || Ok(scope.call(look, None)?);
    // A part of a millisecond is looked at more closely: seconds are meant, perhaps.
    let is_plain = |&ms: &f64| ms >= 1.0 || ms == 0.0;
    let plain = timeout.doubles()?.filter(|_| !timeout.has_attributes());
    let Some(&[ms]) = plain.filter(|ms| ms.iter().all(is_plain)) else {
        return closer();
    };
    let queue = match asked(scope, handle) {
        Err(Stop::Failure(_)) => return closer(),
        queue => queue?,
    };
    let answered = wait::answer(scope, ms, |time| queue.wait_for_done(time))?;
    if answered == Some(WaitOutcome::Failed) {
        // It is told of once, by whoever looks closer.
        return closer();
    }
    let Some(done) = oldest_done(queue) else {
        return Ok(scope.null());
    };
    match whole(scope, &done)? {
        Some(result) if take(queue, done.result.task) => Ok(result),
        _ => closer(),
    }
}

/// The result of a task that has succeeded, of which nothing is lost.
fn whole<'s>(scope: &'s Scope, done: &DoneTask) -> Answer<Option<Object<'s>>> {
    let ending = &done.ending;
    if done.result.outcome != Outcome::Success || ending.stdout.dropped + ending.stderr.dropped > 0
    {
        return Ok(None);
    }
    let Some(outcome) = unserialize_if_sound(scope, ending.outcome.as_deref())? else {
        return Ok(None);
    };
    if !is_outcome(outcome, true)? || outcome.field("dropped")?.is_some() {
        return Ok(None);
    }
    Ok(Some(result::make(scope, done, outcome)?))
}

/// Waits as `rs_wait()` does; the oldest done task as a list, or NULL. It stays in the queue.
fn rs_peek<'s>(scope: &'s Scope, handle: Object<'s>, ms: f64) -> Answer<Object<'s>> {
    let queue = asked(scope, handle)?;
    wait::until(scope, queue, ms, |time| queue.wait_for_done(time))?;
    result::describe(scope, oldest_done(queue).as_ref())
}

/// That done task as a list, or NULL.
fn rs_outcome<'s>(scope: &'s Scope, queue: &Queue, task: f64) -> Answer<Object<'s>> {
    result::describe(scope, queue.done_task(TaskId(task as u64)).as_ref())
}

/// Removes the done task and gives `value` back. When somebody else was faster (a finalizer that pops, for instance):
/// what `again()` gives.
fn rs_commit<'s>(
    scope: &'s Scope,
    queue: &Queue,
    task: f64,
    value: Object<'s>,
    again: Object<'s>,
) -> Answer<Object<'s>> {
    if take(queue, TaskId(task as u64)) {
        return Ok(value);
    }
    Ok(scope.call(again, None)?)
}

/// The same for many done tasks, of which all are removed or none.
fn rs_commit_all<'s>(
    scope: &'s Scope,
    queue: &Queue,
    tasks: &[f64],
    value: Object<'s>,
    again: Object<'s>,
) -> Answer<Object<'s>> {
    let tasks: Vec<TaskId> = tasks.iter().map(|&task| TaskId(task as u64)).collect();
    if queue.take_all(&tasks) {
        return Ok(value);
    }
    Ok(scope.call(again, None)?)
}

fn oldest_done(queue: &Queue) -> Option<DoneTask> {
    let done = queue.oldest_done()?;
    if fault::is_on("one-phase-pop") {
        queue.take(done.result.task);
    }
    Some(done)
}

fn take(queue: &Queue, task: TaskId) -> bool {
    queue.take(task) || fault::is_on("one-phase-pop")
}

entries! {
    rs_pop[scope](handle, timeout, look),
    rs_peek[scope](handle, ms),
    rs_outcome[scope](queue, task),
    rs_commit[scope](queue, task, value, again),
    rs_commit_all[scope](queue, tasks, value, again),
}
