//! A queue without workers: its tasks are run by R itself, in R/inline.R.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use taskq_engine::{Captured, Ending, Given, InlineStep, Queue};
use taskq_record::{Measured, TaskId, Verdict};

use crate::entries::entries;
use crate::given::with_given;
use crate::r::{Answer, Constant, Object, Scope, Uninterrupted};
use crate::serialize::{serialize_outcome, unserialize};

static NEXT: Constant = Constant::new(&["serial", "id", "tries", "timeout"]);
static PAYLOAD: Constant = Constant::new(&["fun", "call"]);

/// The next task that the caller is to run itself as a list; or how many milliseconds later there will be one, because
/// it waits for its next try; or NULL.
fn rs_inline_next<'s>(scope: &'s Scope, queue: &Queue) -> Answer<Object<'s>> {
    match queue.next_inline() {
        InlineStep::Rest => Ok(scope.null()),
        InlineStep::Wait(time) => {
            // Not a moment too early, or the caller would come in vain.
            let ms = (time.as_secs_f64() * 1e3).ceil();
            Ok(scope.make(&ms.into())?)
        }
        InlineStep::Run(task) => {
            let limit = task.timeout.map(|limit| limit.as_secs_f64() * 1e3);
            let cells = [
                (task.id.0 as f64).into(),
                task.label.as_str().into(),
                i32::try_from(task.tries).ok().into(),
                limit.unwrap_or(f64::INFINITY).into(),
            ];
            let next = scope.record(&NEXT, &cells);
            if next.is_err() {
                queue.put_back_inline(task.id);
            }
            Ok(next?)
        }
    }
}

/// `list(fun, call)` of a task, or NULL when it is gone or was freed.
fn rs_payload<'s>(scope: &'s Scope, queue: &Queue, task: f64) -> Answer<Object<'s>> {
    let Some(sent) = queue.payload(TaskId(task as u64)) else {
        return Ok(scope.null());
    };
    let fun = unserialize(scope, Some(sent.fun.payload()))?;
    let call = unserialize(scope, Some(&sent.call))?;
    let given = queue.given(TaskId(task as u64));
    let given = given.iter().filter_map(Given::known);
    let call = with_given(scope, call, given.map(|(name, outcome)| (name, &**outcome)))?;
    Ok(scope.record(&PAYLOAD, &[fun.into(), call.into()])?)
}

/// What came of a task: "success" or another word, its outcome; what it has written, and as errors; seconds of the
/// processor and of the clock.
fn rs_inline_done(
    scope: &Scope,
    queue: &Queue,
    task: f64,
    verdict: Cow<'_, str>,
    outcome: Object<'_>,
    written: Object<'_>,
    times: &[f64],
) -> Answer<()> {
    // What came of a task must not be lost.
    let _uninterrupted = Uninterrupted::new(scope);
    let captured = |place: usize| -> Answer<Arc<Captured>> {
        let bytes = written.text(place)?.unwrap_or_default().into_bytes();
        Ok(Arc::new(Captured { bytes, dropped: 0 }))
    };
    let mut outcome = serialize_outcome(scope, outcome)?.finish();
    if let Some(outcome) = &mut outcome {
        // It is where it is read: no descriptor is needed for it.
        outcome.retire();
    }
    let (cpu, seconds) = match *times {
        [cpu, seconds] => (cpu.max(0.0), seconds.max(0.0)),
        _ => (0.0, 0.0),
    };
    let is_whole = verdict == "success" && outcome.is_some();
    let ending = Ending {
        outcome: outcome.map(Arc::new),
        stdout: captured(0)?,
        stderr: captured(1)?,
        pid: i32::try_from(std::process::id()).ok(),
        measured: Measured {
            cpu_us: Some((cpu * 1e6) as u64),
            max_rss: Some(taskq_sys::process::own_usage().max_rss),
        },
        ..Ending::default()
    };
    let verdict = if is_whole {
        Verdict::Success
    } else {
        Verdict::Error
    };
    let took = Duration::from_secs_f64(seconds);
    queue.finish_inline(TaskId(task as u64), verdict, ending, took);
    Ok(())
}

entries! {
    rs_inline_next[scope](queue),
    rs_payload[scope](queue, task),
    rs_inline_done[scope](queue, task, verdict, outcome, written, times),
}
