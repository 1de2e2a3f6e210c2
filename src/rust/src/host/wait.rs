//! Waiting, in slices in which R gets to see a Ctrl-C.

use std::time::{Duration, Instant};

use taskq_core::id::TaskId;
use taskq_engine::{Awaited, Queue, Relayed, WaitOutcome};
use taskq_record::options::duration;

use super::asked;
use super::result::is_condition;
use crate::entries::entries;
use crate::r::{Answer, Object, Scope, Stop};
use crate::reply::start_failure;
use crate::serialize::unserialize_with_care;
use crate::value::Value;

/// How long is waited before R does.
const SLICE: Duration = Duration::from_millis(50);

/// Calls `wait` again and again, until it answers something, or `ms` are over: then it is `None`. Infinite is for ever.
pub(super) fn in_slices<T>(
    scope: &Scope,
    ms: f64,
    mut wait: impl FnMut(Duration) -> Answer<Option<T>>,
) -> Answer<Option<T>> {
    let deadline = duration(ms.max(0.0)).and_then(|time| Instant::now().checked_add(time));
    loop {
        let left = deadline.map_or(SLICE, |end| end.saturating_duration_since(Instant::now()));
        let answer = wait(left.min(SLICE))?;
        if answer.is_some() || left.is_zero() {
            return Ok(answer);
        }
        scope.check_interrupt()?;
    }
}

/// The same for what a queue answers; `None` when the time is over.
pub(super) fn answer(
    scope: &Scope,
    queue: &Queue,
    ms: f64,
    mut wait: impl FnMut(Duration) -> WaitOutcome,
) -> Answer<Option<WaitOutcome>> {
    in_slices(scope, ms, |time| {
        let outcome = Some(wait(time));
        let outcome = outcome
            .filter(|outcome| !matches!(outcome, WaitOutcome::TimedOut | WaitOutcome::Signalled));
        relay(scope, queue, outcome.is_some())?;
        Ok(outcome)
    })
}

/// Has R signal what tasks have signalled by now, in its order; when the wait goes on, no longer than a slice. A
/// handler of the user may do anything meanwhile, and jump: what was not signalled stays in the queue.
pub(super) fn relay(scope: &Scope, queue: &Queue, is_last: bool) -> Answer<()> {
    let began = Instant::now();
    for _ in 0..queue.num_conditions() {
        if !is_last && began.elapsed() > SLICE {
            break;
        }
        let Some(relayed) = queue.next_condition() else {
            break;
        };
        scope.within(|scope| {
            let lost = match relayed {
                Relayed::Lost(count) => count as f64,
                Relayed::Condition(payload) => {
                    let read = unserialize_with_care(scope, Some(&payload));
                    if read.is_err() {
                        queue.put_condition_back(payload);
                    }
                    match read? {
                        Ok(condition) if is_condition(condition)? => {
                            scope.call_own(c"tq_signal", condition)?;
                            return Ok(());
                        }
                        _ => 1.0,
                    }
                }
            };
            let lost = scope.make(&lost.into())?;
            scope.call_own(c"tq_warn_of_lost", lost)?;
            Ok(())
        })?;
    }
    Ok(())
}

/// All of it, in an event loop.
fn rs_relay(scope: &Scope, queue: &Queue) -> Answer<()> {
    relay(scope, queue, true)
}

/// Whether tasks have signalled something that was not signalled here.
fn rs_has_conditions(queue: &Queue) -> bool {
    queue.num_conditions() > 0
}

/// Whether what a queue answers is what was waited for. A failure when the pool has failed and R was not told yet.
pub(super) fn until(
    scope: &Scope,
    queue: &Queue,
    ms: f64,
    wait: impl FnMut(Duration) -> WaitOutcome,
) -> Answer<bool> {
    match answer(scope, queue, ms, wait)? {
        Some(WaitOutcome::Done) => Ok(true),
        Some(WaitOutcome::Failed) => match told_failure(scope, queue)? {
            Some(failure) => Err(Stop::Failure(failure)),
            None => Ok(false),
        },
        _ => Ok(false),
    }
}

/// Why the pool has failed, for a user who is told now.
pub(super) fn told_failure(scope: &Scope, queue: &Queue) -> Answer<Option<Value>> {
    let failure = queue.failure().as_ref().map(start_failure);
    if let Some(failure) = &failure {
        // Once: so there has to be memory for it.
        scope.within(|scope| Ok(failure.make(scope).map(|_| ())?))?;
    }
    queue.tell_failure();
    Ok(failure)
}

/// TRUE when there is a done task, with `new` one that was not told of; FALSE when none can come, or the time is over.
fn rs_wait(scope: &Scope, handle: Object<'_>, ms: f64, new: bool) -> Answer<bool> {
    let queue = asked(scope, handle)?;
    until(scope, queue, ms, |time| match new {
        true => queue.wait_for_news(time),
        false => queue.wait_for_done(time),
    })
}

/// TRUE when all of these tasks (NULL: of all) are done; FALSE when the time is over.
fn rs_wait_all(scope: &Scope, handle: Object<'_>, tasks: Object<'_>, ms: f64) -> Answer<bool> {
    let queue = asked(scope, handle)?;
    let mut awaited = match tasks.doubles()? {
        None => Awaited::All,
        Some(tasks) => Awaited::These {
            tasks: tasks.iter().map(|&task| TaskId(task as u64)).collect(),
            done: 0,
        },
    };
    until(scope, queue, ms, |time| {
        queue.wait_for_all(&mut awaited, time)
    })
}

/// TRUE when the queue takes `count` tasks more, or refuses for another reason; FALSE when the time is over.
fn rs_wait_room(scope: &Scope, handle: Object<'_>, count: f64, ms: f64) -> Answer<bool> {
    let queue = asked(scope, handle)?;
    until(scope, queue, ms, |time| {
        queue.wait_for_room(count as usize, time)
    })
}

/// TRUE when no process of the queue is left.
fn rs_wait_closed(scope: &Scope, queue: &Queue, ms: f64) -> Answer<bool> {
    let is_over = in_slices(scope, ms, |time| Ok(queue.wait_for_end(time).then_some(())));
    Ok(is_over?.is_some())
}

entries! {
    rs_relay[scope](queue),
    rs_has_conditions(queue),
    rs_wait[scope](handle, ms, new),
    rs_wait_all[scope](handle, tasks, ms),
    rs_wait_room[scope](handle, count, ms),
    rs_wait_closed[scope](queue, ms),
}
