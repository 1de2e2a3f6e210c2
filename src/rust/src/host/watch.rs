//! Following tasks: which there are, which are done, and what they tell while they run. R knows a task by its id, and by its
//! serial number from one look to the next.

use extendr_api::prelude::*;
use taskq_core::id::TaskId;
use taskq_engine::{Captured, Stretch};

use super::{progress, with};
use crate::reply;

/// The ids of the done tasks, oldest push first.
#[extendr]
fn rs_queue_done(handle: Robj) -> Robj {
    with(&handle, |queue| queue.done().into())
}

/// How many tasks wait, run, and are done.
#[extendr]
fn rs_queue_counts(handle: Robj) -> Robj {
    with(&handle, |queue| {
        let counts = queue.counts();
        let whole = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        [
            whole(counts.waiting),
            whole(counts.running),
            whole(counts.done),
        ]
        .into()
    })
}

/// The serial numbers of the tasks with these ids, or a failure with those that are not there.
#[extendr]
fn rs_queue_find(handle: Robj, ids: Strings) -> Robj {
    with(&handle, |queue| {
        match queue.find(ids.iter().map(|id| id.as_ref())) {
            Ok(tasks) => serials(tasks),
            Err(unknown) => reply::unknown(&unknown),
        }
    })
}

/// The serial numbers of the tasks with this tag that are not done.
#[extendr]
fn rs_queue_tagged(handle: Robj, tag: &str) -> Robj {
    with(&handle, |queue| serials(queue.tagged(tag)))
}

/// The serial numbers of the done tasks, oldest push first.
#[extendr]
fn rs_queue_done_serials(handle: Robj) -> Robj {
    with(&handle, |queue| serials(queue.done_tasks()))
}

/// How many of these tasks are done or gone.
#[extendr]
fn rs_queue_num_done(handle: Robj, tasks: Doubles) -> Robj {
    with(&handle, |queue| {
        (queue.count_done(task_ids(&tasks)) as f64).into()
    })
}

/// What a task has written so far: `list(stdout, stderr)`.
#[extendr]
fn rs_queue_output(handle: Robj, task: f64) -> Robj {
    with(&handle, |queue| {
        let (stdout, stderr) = queue.output(TaskId(task as u64)).unwrap_or_default();
        let text = |captured: &Captured| reply::text(&captured.bytes);
        list!(stdout = text(&stdout), stderr = text(&stderr)).into()
    })
}

/// What a task has written since the last look: `list(tries, done, stdout, stderr)`, each stream a `list(text, to, skipped)`.
/// `tries` and `seen` are those of that look, `to` of both streams. NULL when there is no such task.
#[extendr]
fn rs_queue_output_since(handle: Robj, task: f64, tries: f64, seen: Doubles, limit: f64) -> Robj {
    with(&handle, |queue| {
        let at = |stream: usize| seen.iter().nth(stream).map_or(0, |to| to.0 as u64);
        let seen = [at(0), at(1)];
        match queue.output_since(TaskId(task as u64), tries as u32, seen, limit as usize) {
            None => ().into(),
            Some(news) => {
                let stream = |stretch: &Stretch| {
                    list!(
                        text = reply::text(&stretch.bytes),
                        to = stretch.to as f64,
                        skipped = stretch.skipped as f64
                    )
                };
                list!(
                    tries = f64::from(news.tries),
                    done = news.is_done,
                    stdout = stream(&news.streams[0]),
                    stderr = stream(&news.streams[1])
                )
                .into()
            }
        }
    })
}

/// What a task has last told of its progress: `list(fraction, message, at)`, or NULL.
#[extendr]
fn rs_queue_progress(handle: Robj, task: f64) -> Robj {
    with(&handle, |queue| match queue.progress(TaskId(task as u64)) {
        None => ().into(),
        Some((told, at)) => list!(
            fraction = progress::fraction(told.fraction),
            message = progress::message(&told.message),
            at = at
        )
        .into(),
    })
}

/// The numbers of these tasks.
fn serials(tasks: Vec<TaskId>) -> Robj {
    tasks
        .into_iter()
        .map(|task| Rfloat::from(task.0 as f64))
        .collect::<Doubles>()
        .into()
}

/// The tasks with these numbers.
pub(super) fn task_ids(serials: &Doubles) -> impl Iterator<Item = TaskId> + '_ {
    serials.iter().map(|serial| TaskId(serial.0 as u64))
}

extendr_module! {
    mod watch;
    fn rs_queue_done;
    fn rs_queue_counts;
    fn rs_queue_find;
    fn rs_queue_tagged;
    fn rs_queue_done_serials;
    fn rs_queue_num_done;
    fn rs_queue_output;
    fn rs_queue_output_since;
    fn rs_queue_progress;
}
