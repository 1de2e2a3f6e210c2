//! A queue at one moment: the columns of the tables of tasks and of workers, and the sums of a queue's life. What one
//! function answers was so at the same time.

use taskq_engine::{Detail, Queue, QueueSnapshot, SeatRow, TaskRow};
use taskq_record::WorkerState;

use super::objects;
use super::watch::{fraction, message};
use crate::entries::entries;
use crate::reply::start_failure;
use crate::value::Value;

/// `list(tasks, seats, state)`: the columns of the table of tasks, oldest push first; those of the table of workers, by
/// number; and the word for the queue's state.
fn rs_queue_tasks(queue: &Queue) -> Value {
    let now = queue.snapshot(Detail::Tasks);
    Value::list([
        ("seats", seats(&now.seats)),
        ("state", state_word(&now).into()),
        ("tasks", tasks(now.tasks)),
    ])
}

/// The same with `objects`: what these tasks are made of, for C_tq_objects.
fn rs_queue_objects(queue: &Queue) -> Value {
    let now = queue.snapshot(Detail::Objects);
    Value::list([
        ("seats", seats(&now.seats)),
        ("state", state_word(&now).into()),
        ("tasks", tasks(now.tasks)),
        ("objects", objects::hold_all(now.objects)),
    ])
}

/// `list(state, failure, counts, seats)`: the word for the queue's state; why the pool has failed, if it has; how many
/// tasks wait, run and are done; and the columns of the table of workers, by number.
fn rs_queue_seats(queue: &Queue) -> Value {
    let now = queue.snapshot(Detail::Seats);
    Value::list([
        ("state", state_word(&now).into()),
        ("failure", now.failure.as_ref().map(start_failure).into()),
        ("counts", counts(&now)),
        ("seats", seats(&now.seats)),
    ])
}

/// `list(state, counts, totals)`: what the queue is now, and what it has done in all its life.
fn rs_queue_totals(queue: &Queue) -> Value {
    let now = queue.snapshot(Detail::Sums);
    let totals = &now.totals;
    let all = Value::list([
        ("submitted", (totals.submitted as f64).into()),
        ("taken", (totals.taken as f64).into()),
        ("success", (totals.success as f64).into()),
        ("error", ((totals.error + totals.no_worker) as f64).into()),
        ("crash", (totals.crash as f64).into()),
        ("timeout", (totals.timeout as f64).into()),
        ("cancelled", (totals.cancelled as f64).into()),
        ("skipped", (totals.skipped as f64).into()),
        ("retries", (totals.retries as f64).into()),
        ("sessions_ready", (totals.sessions_ready as f64).into()),
        ("sessions_died", (totals.sessions_died as f64).into()),
        (
            "sessions_recycled",
            (totals.sessions_recycled as f64).into(),
        ),
        ("attempts", (totals.attempts as f64).into()),
        ("begun", (totals.begun as f64).into()),
        ("run_time", totals.run_time.as_secs_f64().into()),
        ("wait_time", totals.wait_time.as_secs_f64().into()),
    ]);
    Value::list([
        ("state", state_word(&now).into()),
        ("counts", counts(&now)),
        ("totals", all),
    ])
}

fn counts(now: &QueueSnapshot) -> Value {
    let counts = &now.counts;
    Value::integers([counts.waiting, counts.running, counts.done].map(Some))
}

/// The names go into the table as they are: a table may have a million of them.
fn tasks(mut rows: Vec<TaskRow>) -> Value {
    let labels: Vec<String> = rows
        .iter_mut()
        .map(|row| std::mem::take(&mut row.label))
        .collect();
    let tags: Vec<Option<String>> = rows.iter_mut().map(|row| row.tag.take()).collect();
    let doubles = |cell: fn(&TaskRow) -> Option<f64>| Value::doubles(rows.iter().map(cell));
    let words = |cell: fn(&TaskRow) -> Option<&'static str>| Value::strings(rows.iter().map(cell));
    let progress = rows.iter().map(|row| row.progress.as_ref());
    Value::list([
        ("serial", doubles(|row| Some(row.id.0 as f64))),
        ("id", labels.into()),
        ("state", words(|row| Some(row.phase.state().word()))),
        ("worker", Value::integers(rows.iter().map(|row| row.pid))),
        ("tag", Value::strings(tags)),
        (
            "priority",
            Value::integers(rows.iter().map(|row| Some(row.priority))),
        ),
        (
            "progress",
            Value::doubles(
                progress
                    .clone()
                    .map(|told| told.map(|told| fraction(told.fraction))),
            ),
        ),
        (
            "message",
            Value::strings(progress.map(|told| told.and_then(|told| message(&told.message)))),
        ),
        (
            "status",
            words(|row| row.outcome.map(|outcome| outcome.status().word())),
        ),
        (
            "tries",
            Value::integers(rows.iter().map(|row| Some(row.tries))),
        ),
        ("queued", doubles(|row| Some(row.queued))),
        ("started", doubles(|row| row.started)),
        ("finished", doubles(|row| row.finished)),
    ])
}

fn seats(rows: &[SeatRow]) -> Value {
    let usage: Vec<_> = rows
        .iter()
        .map(|row| row.pid.and_then(taskq_sys::process::usage))
        .collect();
    let usage = usage.iter();
    let doubles = |cell: fn(&SeatRow) -> Option<f64>| Value::doubles(rows.iter().map(cell));
    let words = |cell: fn(WorkerState) -> &'static str| {
        Value::strings(rows.iter().map(|row| Some(cell(row.state.state()))))
    };
    Value::list([
        (
            "seat",
            Value::integers(rows.iter().map(|row| Some(row.seat))),
        ),
        ("state", words(WorkerState::idle_row)),
        ("worker", Value::integers(rows.iter().map(|row| row.pid))),
        (
            "task",
            Value::strings(rows.iter().map(|row| row.task.clone())),
        ),
        ("tasks_done", doubles(|row| Some(row.tasks_done as f64))),
        ("started", doubles(|row| row.started)),
        (
            "rss",
            Value::doubles(
                usage
                    .clone()
                    .map(|usage| usage.map(|usage| usage.rss as f64)),
            ),
        ),
        (
            "cpu",
            Value::doubles(usage.map(|usage| usage.map(|usage| usage.cpu_us as f64 / 1e6))),
        ),
        ("activity", words(WorkerState::word)),
    ])
}

pub(super) fn state_word(now: &QueueSnapshot) -> &'static str {
    now.state.word_when(now.is_paused)
}

entries! {
    rs_queue_tasks(queue),
    rs_queue_objects(queue),
    rs_queue_seats(queue),
    rs_queue_totals(queue),
}
