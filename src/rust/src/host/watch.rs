//! Following tasks: which there are, which are done, and what they tell while they run. R knows a task by its id, and
//! by its serial number from one look to the next.

use std::borrow::Cow;

use taskq_core::id::TaskId;
use taskq_core::Wait;
use taskq_engine::{Queue, Stretch};

use crate::entries::entries;
use crate::r::{na_real, Answer, Stop};
use crate::reply;
use crate::value::{Text, Value};

/// The ids of the done tasks, oldest push first.
fn rs_queue_done(queue: &Queue) -> Vec<String> {
    queue.done()
}

/// How many tasks wait, run, and are done.
fn rs_queue_counts(queue: &Queue) -> Vec<i32> {
    let counts = queue.counts();
    let whole = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    [counts.waiting, counts.running, counts.done]
        .map(whole)
        .to_vec()
}

/// How many workers have nothing to do.
fn rs_queue_num_idle(queue: &Queue) -> i32 {
    i32::try_from(queue.num_idle()).unwrap_or(i32::MAX)
}

/// The serial numbers of the tasks with these ids, or a failure with those that are not there.
fn rs_queue_find(queue: &Queue, ids: Vec<Cow<'_, str>>) -> Answer<Vec<f64>> {
    let found = queue.find(ids.iter().map(|id| &**id));
    found
        .map(serials)
        .map_err(|ids| Stop::Failure(reply::unknown(&ids)))
}

/// The serial numbers of the tasks with this tag that are not done.
fn rs_queue_tagged(queue: &Queue, tag: Cow<'_, str>) -> Vec<f64> {
    serials(queue.tagged(&tag))
}

/// The serial numbers of the done tasks, oldest push first.
fn rs_queue_done_serials(queue: &Queue) -> Vec<f64> {
    serials(queue.done_tasks())
}

/// How many of these tasks are done or gone.
fn rs_queue_num_done(queue: &Queue, tasks: &[f64]) -> f64 {
    queue.count_done(task_ids(tasks)) as f64
}

/// What a task has written so far: `list(stdout, stderr)`.
fn rs_queue_output(queue: &Queue, task: f64) -> Value {
    let (stdout, stderr) = queue.output(TaskId(task as u64)).unwrap_or_default();
    Value::list([
        ("stdout", Text::from(&stdout.bytes[..]).into()),
        ("stderr", Text::from(&stderr.bytes[..]).into()),
    ])
}

/// What a task has written since the last look: `list(tries, done, stdout, stderr)`, each stream a `list(text, to,
/// skipped)`. `tries` and `seen` are those of that look, `to` of both streams. NULL when there is no such task.
fn rs_queue_output_since(
    queue: &Queue,
    task: f64,
    tries: f64,
    seen: &[f64],
    limit: f64,
) -> Option<Value> {
    let at = |stream: usize| seen.get(stream).map_or(0, |&to| to as u64);
    let seen = [at(0), at(1)];
    let news = queue.output_since(TaskId(task as u64), tries as u32, seen, limit as usize)?;
    let stream = |stretch: &Stretch| {
        Value::list([
            ("text", Text::from(&stretch.bytes[..]).into()),
            ("to", (stretch.to as f64).into()),
            ("skipped", (stretch.skipped as f64).into()),
        ])
    };
    Some(Value::list([
        ("tries", f64::from(news.tries).into()),
        ("done", news.is_done.into()),
        ("stdout", stream(&news.streams[0])),
        ("stderr", stream(&news.streams[1])),
    ]))
}

/// What a task has last told of its progress: `list(fraction, message, at)`, or NULL.
fn rs_queue_progress(queue: &Queue, task: f64) -> Option<Value> {
    let (told, at) = queue.progress(TaskId(task as u64))?;
    Some(Value::list([
        ("fraction", fraction(told.fraction).into()),
        ("message", Value::strings([message(&told.message)])),
        ("at", at.into()),
    ]))
}

/// When a task will be begun: `list(position, wait)`, in milliseconds. Both are NA when it is done, and `wait`
/// when no task has run yet.
fn rs_queue_position(queue: &Queue, task: f64) -> Value {
    let outlook = queue.outlook(TaskId(task as u64));
    let position = outlook.map(|outlook| i32::try_from(outlook.position).unwrap_or(i32::MAX));
    let wait = match outlook.map(|outlook| outlook.wait) {
        Some(Wait::About(time)) => Some(time.as_secs_f64() * 1e3),
        Some(Wait::Forever) => Some(f64::INFINITY),
        Some(Wait::Unknown) | None => None,
    };
    Value::list([
        ("position", Value::integers([position])),
        ("wait", Value::doubles([wait])),
    ])
}

/// A message of a task about its progress. One that is empty is none.
pub(super) fn message(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// How far a task has come. What R knows as NA is not a number here.
pub(super) fn fraction(fraction: f64) -> f64 {
    if fraction.is_nan() {
        na_real()
    } else {
        fraction
    }
}

/// The numbers of these tasks.
fn serials(tasks: Vec<TaskId>) -> Vec<f64> {
    tasks.into_iter().map(|task| task.0 as f64).collect()
}

/// The tasks with these numbers.
pub(super) fn task_ids(serials: &[f64]) -> impl Iterator<Item = TaskId> + '_ {
    serials.iter().map(|&serial| TaskId(serial as u64))
}

entries! {
    rs_queue_done(queue),
    rs_queue_counts(queue),
    rs_queue_num_idle(queue),
    rs_queue_find(queue, ids),
    rs_queue_tagged(queue, tag),
    rs_queue_done_serials(queue),
    rs_queue_num_done(queue, tasks),
    rs_queue_output(queue, task),
    rs_queue_output_since(queue, task, tries, seen, limit),
    rs_queue_progress(queue, task),
    rs_queue_position(queue, task),
}
