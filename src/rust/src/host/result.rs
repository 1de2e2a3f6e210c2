//! What R gets of a done task. The fields of a result, their types and order are those of `taskq-record`.

use std::sync::OnceLock;

use extendr_ffi::SEXPTYPE;
use taskq_engine::DoneTask;
use taskq_record::result::FIELDS;
use taskq_record::{Cause, Field, Outcome, Status, TaskResult};

use crate::entries::entries;
use crate::r::{self, na_real, Answer, Constant, Object, Scope, Tree};
use crate::reply::mended;
use crate::serialize::unserialize_with_care;
use crate::value::{Text, Value};

static RESULT_CLASS: Constant = Constant::new(&["taskq_result"]);
static TIMES: Constant = Constant::new(&TaskResult::TIMES);
static TIMES_CLASS: Constant = Constant::new(&["POSIXct", "POSIXt"]);
static TASK: Constant = Constant::new(&[
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
    "max_rss",
]);

/// The names of a result's fields.
fn names() -> &'static Constant {
    static NAMES: OnceLock<Constant> = OnceLock::new();
    NAMES.get_or_init(|| {
        let names = TaskResult::default().fields().map(|(name, _)| name);
        Constant::new(Box::leak(Box::new(names)))
    })
}

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
) -> Answer<Object<'s>> {
    let stdout = Shown::new(&done.ending.stdout.bytes);
    let stderr = Shown::new(&done.ending.stderr.bytes);
    let fields = done.result.fields();
    let times = fields.map(|(_, field)| match field {
        Field::Times(times) => times.map(|time| time.unwrap_or(na_real())),
        _ => [na_real(); 3],
    });
    let mut cells = [Tree::null(); FIELDS];
    for ((cell, (_, field)), times) in cells.iter_mut().zip(fields).zip(&times) {
        *cell = match field {
            Field::Outcome(name) => outcome.field(name)?.unwrap_or(scope.null()).into(),
            Field::Outcomes(name) => conditions(outcome, name)?,
            Field::Error => Tree::null(),
            Field::Stdout => stdout.text().into(),
            Field::Stderr => stderr.text().into(),
            Field::Text(text) => text.into(),
            Field::Whole(number) => number.into(),
            Field::Number(number) => number.into(),
            Field::Times(_) => Tree::reals(times)
                .with_names(TIMES.get(scope)?)
                .with_class(TIMES_CLASS.get(scope)?),
        };
    }
    let result = Tree::list(&cells).with_names(names().get(scope)?);
    Ok(scope.make(&result.with_class(RESULT_CLASS.get(scope)?))?)
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
    let read = unserialize_with_care(scope, done.ending.outcome.as_deref())?;
    match read {
        Ok(outcome) if is_outcome(outcome, done.result.outcome == Outcome::Success)? => {
            describe_with(scope, done, outcome)
        }
        // A task that was cancelled or has crashed has no outcome.
        _ if done.result.status() != Status::Success && done.result.status() != Status::Error => {
            describe_with(scope, done, scope.null())
        }
        unreadable => {
            let mut done = done.clone();
            if done.result.outcome == Outcome::Success {
                done.result.outcome = Outcome::Error;
            }
            let why = unreadable.err().unwrap_or(scope.null());
            describe_with(scope, &done, scope.call_own(c"tq_unreadable", why)?)
        }
    }
}

fn describe_with<'s>(scope: &'s Scope, done: &DoneTask, outcome: Object<'s>) -> Answer<Object<'s>> {
    let (result, ending) = (&done.result, &done.ending);
    let tail = Shown::new(&ending.stderr_tail);
    let text = |text: Option<&'s str>| text.map_or(Tree::null(), Tree::from);
    let after = result.skipped_after.as_deref();
    let cells = [
        (result.task.0 as f64).into(),
        result.label.as_str().into(),
        make(scope, done, outcome)?.into(),
        result.status().word().into(),
        outcome.into(),
        tail.text().into(),
        ((ending.stdout.dropped + ending.stderr.dropped) as f64).into(),
        result.signal().into(),
        result.exit_code().into(),
        text(result.cause().map(Cause::word)),
        after.map_or(Tree::null(), Tree::from),
        result.pid.into(),
        result.measured.max_rss.map(|bytes| bytes as f64).into(),
    ];
    Ok(scope.record(&TASK, &cells)?)
}

/// The fields of a result in their order, each with its type: a list of what `vector()` calls them.
fn rs_result_types() -> Value {
    let type_of = |field: Field<'_>| match field {
        Field::Stdout | Field::Stderr | Field::Text(_) => "character",
        Field::Whole(_) => "integer",
        Field::Number(_) => "double",
        Field::Outcome(_) | Field::Outcomes(_) | Field::Error | Field::Times(_) => "list",
    };
    let result = TaskResult::default();
    Value::list(
        result
            .fields()
            .map(|(name, field)| (name, type_of(field).into())),
    )
}

/// Whether a session has sent what R/worker-eval.R makes.
pub(crate) fn is_outcome(outcome: Object<'_>, succeeded: bool) -> Answer<bool> {
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
        Ok(list.map_or(true, |list| {
            list.is_null() || list.kind() == SEXPTYPE::VECSXP
        }))
    };
    let is_one = |name, kind| -> Answer<bool> {
        let one = outcome.field(name)?;
        Ok(one.map_or(true, |one| {
            one.is_null() || (one.kind() == kind && one.length() == 1)
        }))
    };
    let error = outcome.field("error")?.filter(|error| !error.is_null());
    Ok(is_list("warnings")?
        && is_list("messages")?
        && is_list("conditions")?
        && error.map_or(Ok(true), is_condition)?
        && is_one("phase", SEXPTYPE::STRSXP)?
        && is_one("dropped", SEXPTYPE::INTSXP)?)
}

/// Whether this is a condition as sessions send them.
pub(super) fn is_condition(object: Object<'_>) -> Answer<bool> {
    Ok(object.kind() == SEXPTYPE::VECSXP && object.inherits(c"condition")?)
}

entries! {
    rs_result_types(),
}
