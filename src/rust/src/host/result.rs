//! What R gets of a done task: the one place that names the fields of a result, their types and order.

use extendr_ffi::SEXPTYPE;
use taskq_core::{GoneCause, Outcome};
use taskq_engine::DoneTask;

use super::tables::status_word;
use crate::r::{self, na_real, Answer, Constant, Object, Scope, Tree};
use crate::reply::mended;
use crate::serialize::unserialize_with_care;
use crate::value::Text;

const RESULT: Constant = Constant::new(&[
    "result", "stdout", "stderr", "error", "task_id", "status", "warnings", "messages", "tries",
    "worker", "times", "seconds", "cpu", "max_rss",
]);
const RESULT_CLASS: Constant = Constant::new(&["taskq_result"]);
const TIMES: Constant = Constant::new(&["queued", "started", "finished"]);
const TIMES_CLASS: Constant = Constant::new(&["POSIXct", "POSIXt"]);
const TASK: Constant = Constant::new(&[
    "serial",
    "id",
    "result",
    "status",
    "outcome",
    "stderr_tail",
    "dropped",
    "signal",
    "exit_code",
    "cause",
    "after",
    "worker",
]);

/// Output as R can hold it.
struct Shown<'a> {
    bytes: &'a [u8],
    mended: Option<Text>,
}

impl<'a> Shown<'a> {
    fn new(bytes: &'a [u8]) -> Shown<'a> {
        let mended = mended(bytes);
        Shown { bytes, mended }
    }

    fn text(&self) -> r::Text<'_> {
        self.mended
            .as_ref()
            .map_or_else(|| self.bytes.into(), Text::seen)
    }
}

/// What `pop()` gives, but for the error of a task that has not succeeded, which R/task-result.R fills in.
pub(super) fn make<'s>(
    scope: &'s Scope,
    done: &DoneTask,
    outcome: Object<'s>,
    status: &str,
) -> Answer<Object<'s>> {
    let ending = &done.ending;
    let (stdout, stderr) = (
        Shown::new(&ending.stdout.bytes),
        Shown::new(&ending.stderr.bytes),
    );
    let times = [
        done.queued,
        done.started.unwrap_or(na_real()),
        done.finished,
    ];
    let times = Tree::reals(&times);
    let times = times
        .with_names(TIMES.get(scope)?)
        .with_class(TIMES_CLASS.get(scope)?);
    let fields = [
        outcome.field("value")?.unwrap_or(scope.null()).into(),
        stdout.text().into(),
        stderr.text().into(),
        Tree::null(),
        done.label.as_str().into(),
        status.into(),
        conditions(outcome, "warnings")?,
        conditions(outcome, "messages")?,
        i32::try_from(done.tries).ok().into(),
        ending.pid.into(),
        times,
        done.started.map(|started| done.finished - started).into(),
        ending.cpu_us.map(|us| us as f64 / 1e6).into(),
        ending.max_rss.map(|bytes| bytes as f64).into(),
    ];
    let fields = Tree::list(&fields).with_names(RESULT.get(scope)?);
    Ok(scope.make(&fields.with_class(RESULT_CLASS.get(scope)?))?)
}

fn conditions<'s>(outcome: Object<'s>, name: &str) -> Answer<Tree<'s>> {
    let list = outcome.field(name)?.filter(|list| !list.is_null());
    Ok(list.map_or(Tree::list(&[]), Tree::from))
}

/// A done task: its result but for the error, and what that is made of. NULL where there is none.
pub(super) fn describe<'s>(scope: &'s Scope, done: Option<&DoneTask>) -> Answer<Object<'s>> {
    let Some(done) = done else {
        return Ok(scope.null());
    };
    let ending = &done.ending;
    let succeeded = done.outcome == Outcome::Success;
    let mut status = status_word(&done.outcome);
    let read = unserialize_with_care(scope, ending.outcome.as_deref())?;
    let outcome = match read {
        Ok(outcome) if is_outcome(outcome, succeeded)? => outcome,
        // A task that was cancelled or has crashed has no outcome.
        _ if !succeeded && status != "error" => scope.null(),
        unreadable => {
            status = "error";
            let why = unreadable.err().unwrap_or(scope.null());
            scope.call_own(c"tq_unreadable", why)?
        }
    };
    let (cause, signal, exit_code) = cause_of(done);
    let tail = Shown::new(&ending.stderr_tail);
    let after = match &done.skipped_after {
        Some(after) => (&**after).into(),
        None => Tree::null(),
    };
    let task = scope.record(
        &TASK,
        &[
            (done.id.0 as f64).into(),
            done.label.as_str().into(),
            make(scope, done, outcome, status)?.into(),
            status.into(),
            outcome.into(),
            tail.text().into(),
            ((ending.stdout.dropped + ending.stderr.dropped) as f64).into(),
            signal.into(),
            exit_code.into(),
            cause.into(),
            after,
            ending.pid.into(),
        ],
    )?;
    Ok(task)
}

/// Whether a session has sent what R/worker-eval.R makes.
pub(super) fn is_outcome(outcome: Object<'_>, succeeded: bool) -> Answer<bool> {
    if outcome.is_null() {
        return Ok(!succeeded);
    }
    let names = outcome.names()?;
    let begins = names.first().is_some_and(|name| *name == c"value");
    if outcome.kind() != SEXPTYPE::VECSXP || names.is_empty() || (succeeded && !begins) {
        return Ok(false);
    }
    let is_list = |name| -> Answer<bool> {
        let list = outcome.field(name)?;
        Ok(list.is_none_or(|list| list.is_null() || list.kind() == SEXPTYPE::VECSXP))
    };
    let is_one = |name, kind| -> Answer<bool> {
        let one = outcome.field(name)?;
        Ok(one.is_none_or(|one| one.is_null() || (one.kind() == kind && one.length() == 1)))
    };
    let error = outcome.field("error")?.filter(|error| !error.is_null());
    let is_condition =
        |error: Object<'_>| error.kind() == SEXPTYPE::VECSXP && error.inherits(c"condition");
    Ok(is_list("warnings")?
        && is_list("messages")?
        && error.is_none_or(is_condition)
        && is_one("phase", SEXPTYPE::STRSXP)?
        && is_one("dropped", SEXPTYPE::INTSXP)?)
}

/// A word for why a session died, the signal, and the exit status.
fn cause_of(done: &DoneTask) -> (&'static str, Option<i32>, Option<i32>) {
    let (cause, signal, code) = match done.outcome {
        Outcome::Crash { cause } => match cause {
            GoneCause::Exited { code } => ("exit", None, Some(code)),
            GoneCause::Signaled { signal } => ("signal", Some(signal), None),
            GoneCause::LaunchFailed { .. } => ("launch", None, None),
            GoneCause::NurseryLost => ("nursery", None, None),
            GoneCause::Unknown => ("unknown", None, None),
        },
        Outcome::NoWorker => ("no-worker", None, None),
        _ => ("", None, None),
    };
    (if done.ending.oom { "oom" } else { cause }, signal, code)
}
