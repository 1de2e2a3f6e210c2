//! Looking at what is done, and taking it out.
//!
//! In two phases, as everything that takes tasks: what R gets is whole before a task leaves the queue, and nothing can
//! jump or be interrupted between that and the return.

use std::time::Duration;

use taskq_engine::{DoneTask, Queue, WaitOutcome};
use taskq_record::{Outcome, TaskId};
use taskq_sys::fault;

use super::result::{self, is_outcome};
use super::{asked, wait};
use crate::entries::entries;
use crate::r::{Answer, Object, Scope, Stop, Tree};
use crate::reply;
use crate::serialize::unserialize_if_sound;

/// Waits for the task of this id, or as `rs_wait()` does where it is NULL: the result of that, or of the oldest done
/// task, which is then out of the queue, or NULL. When it has not succeeded, or anything else needs a closer look,
/// nothing has happened, and it is what `look()` gives.
fn rs_pop<'s>(
    scope: &'s Scope,
    handle: Object<'s>,
    timeout: Object<'s>,
    id: Object<'s>,
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
    let which = match Which::named(queue, id) {
        Err(Stop::Failure(_)) => return closer(),
        which => which?,
    };
    let answered = wait::answer(scope, queue, ms, |time| which.wait(queue, time))?;
    if answered == Some(WaitOutcome::Failed) {
        // It is told of once, by whoever looks closer.
        return closer();
    }
    match which.done(queue) {
        None if answered == Some(WaitOutcome::Done) => closer(),
        None => Ok(scope.null()),
        Some(done) => match whole(scope, &done)? {
            Some(result) if take(queue, done.result.task) => Ok(result),
            _ => closer(),
        },
    }
}

/// What is popped.
#[derive(Clone, Copy)]
enum Which {
    /// The done task that was pushed first.
    Oldest,
    /// This one.
    This(TaskId),
}

impl Which {
    /// The task of this id, which anybody may pop; NULL is the oldest. A failure where there is none, or it is
    /// promised.
    fn named(queue: &Queue, id: Object<'_>) -> Answer<Which> {
        if id.is_null() {
            return Ok(Which::Oldest);
        }
        let label = id.text(0)?.filter(|_| id.length() == 1).unwrap_or_default();
        let unknown = || Stop::Failure(reply::unknown(&[&label]));
        let found = queue.find([&*label]).unwrap_or_default();
        let &task = found.first().ok_or_else(unknown)?;
        if queue.is_promised(task) {
            let message = "the task has a promise";
            let fields = vec![("id", label.into())];
            return Err(Stop::Failure(reply::failure_with(
                "promised", message, fields,
            )));
        }
        // The parts of a map are for nobody else.
        if queue.is_claimed(task) {
            return Err(unknown());
        }
        Ok(Which::This(task))
    }

    fn wait(self, queue: &Queue, time: Duration) -> WaitOutcome {
        match self {
            Which::Oldest => queue.wait_for_done(time),
            Which::This(task) => queue.wait_for_task(task, time),
        }
    }

    fn done(self, queue: &Queue) -> Option<DoneTask> {
        let done = match self {
            Which::Oldest => queue.oldest_done(),
            Which::This(task) => queue.done_task(task),
        }?;
        if fault::is_on("one-phase-pop") {
            queue.take_open(done.result.task);
        }
        Some(done)
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

/// Waits as `rs_pop()` does; the done task as a list, or NULL. It stays in the queue.
fn rs_peek<'s>(
    scope: &'s Scope,
    handle: Object<'s>,
    ms: f64,
    id: Object<'s>,
) -> Answer<Object<'s>> {
    let queue = asked(scope, handle)?;
    let which = Which::named(queue, id)?;
    let is_there = wait::until(scope, queue, ms, |time| which.wait(queue, time))?;
    let done = which.done(queue);
    if is_there && done.is_none() {
        // Somebody else was faster: for a task of this id, there is none any more.
        Which::named(queue, id)?;
    }
    result::describe(scope, done.as_ref())
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

/// The ids of the done tasks that were not told of, which they are by this.
fn rs_tell<'s>(scope: &'s Scope, queue: &Queue) -> Answer<Object<'s>> {
    loop {
        let (tasks, ids) = queue.news();
        let ids: Vec<_> = ids.iter().map(|id| id.as_str().into()).collect();
        let ids = scope.make(&Tree::strings(&ids))?;
        // A finalizer may have popped one of them meanwhile.
        if queue.tell(&tasks) {
            return Ok(ids);
        }
    }
}

/// The claimant of a done task has got its result, and removes it.
fn rs_settled(queue: &Queue, task: f64) {
    queue.take(TaskId(task as u64));
}

fn take(queue: &Queue, task: TaskId) -> bool {
    queue.take_open(task) || fault::is_on("one-phase-pop")
}

entries! {
    rs_pop[scope](handle, timeout, id, look),
    rs_peek[scope](handle, ms, id),
    rs_outcome[scope](queue, task),
    rs_commit[scope](queue, task, value, again),
    rs_commit_all[scope](queue, tasks, value, again),
    rs_tell[scope](queue),
    rs_settled(queue, task),
}
