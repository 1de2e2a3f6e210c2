//! What ran, runs and waits: as columns for R's pictures, and as a file for others.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use taskq_core::id::Time;
use taskq_engine::{trace, Bar, Life, Queue, Timeline};

use crate::entries::entries;
use crate::r::{Answer, Stop};
use crate::reply::failure_with;
use crate::value::Value;

/// The columns of `tq_timeline()` in R/queue-timeline.R, which describes them.
fn rs_queue_timeline(queue: &Queue) -> Value {
    let timeline = queue.timeline();
    let date = |time| timeline.calendar(time);
    let unlisted = timeline.unlisted.iter().map(|&time| Some(date(time)));
    Value::list([
        ("bars", bars(&timeline)),
        ("sessions", sessions(&timeline)),
        ("unlisted", Value::doubles(unlisted)),
        (
            "forgotten_until",
            Value::doubles([timeline.forgotten_until.map(date)]),
        ),
        ("origin", date(timeline.origin).into()),
        ("now", date(timeline.now).into()),
        ("inline", queue.is_inline().into()),
    ])
}

/// Writes the same as a trace to the file with these bytes as its path; NULL, or a failure.
fn rs_queue_trace(queue: &Queue, name: Cow<'_, str>, path: &[u8]) -> Answer<()> {
    let path = Path::new(OsStr::from_bytes(path));
    trace::write(&queue.timeline(), &name, queue.is_inline(), path).map_err(|error| {
        let path = path.to_string_lossy();
        let message = format!("cannot write the trace to '{path}': {error}");
        let fields = vec![("path", path.into_owned().into())];
        Stop::Failure(failure_with("system", &message, fields))
    })
}

fn bars(timeline: &Timeline) -> Value {
    let rows = &timeline.bars;
    let dates = |cell: fn(&Bar) -> Option<Time>| {
        Value::doubles(
            rows.iter()
                .map(|bar| cell(bar).map(|time| timeline.calendar(time))),
        )
    };
    let whole = |cell: fn(&Bar) -> Option<u32>| Value::integers(rows.iter().map(cell));
    let words = |cell: fn(&Bar) -> Option<&'static str>| Value::strings(rows.iter().map(cell));
    Value::list([
        (
            "id",
            Value::strings(rows.iter().map(|bar| Some(bar.name.to_string()))),
        ),
        (
            "tag",
            Value::strings(rows.iter().map(|bar| bar.tag.as_deref().map(str::to_owned))),
        ),
        ("lane", whole(|bar| bar.seat)),
        ("worker", Value::integers(rows.iter().map(|bar| bar.pid))),
        ("tries", whole(|bar| Some(bar.tries))),
        ("queued", dates(|bar| Some(bar.queued))),
        ("began", dates(|bar| bar.began)),
        ("ended", dates(|bar| bar.ended)),
        ("status", words(|bar| Some(bar.state.word()))),
        ("outcome", words(|bar| bar.state.outcome_word())),
    ])
}

fn sessions(timeline: &Timeline) -> Value {
    let rows = &timeline.sessions;
    let dates = |cell: fn(&Life) -> Option<Time>| {
        Value::doubles(
            rows.iter()
                .map(|life| cell(life).map(|time| timeline.calendar(time))),
        )
    };
    let whole = |cell: fn(&Life) -> Option<i32>| Value::integers(rows.iter().map(cell));
    let how = rows.iter().map(|life| life.end.map(|(_, end)| end.word()));
    Value::list([
        ("lane", whole(|life| i32::try_from(life.seat).ok())),
        ("worker", whole(|life| life.pid)),
        ("launched", dates(|life| Some(life.launched))),
        ("ready", dates(|life| life.ready)),
        ("ended", dates(|life| life.end.map(|(at, _)| at))),
        ("how", Value::strings(how)),
        (
            "code",
            whole(|life| life.end.and_then(|(_, end)| end.code())),
        ),
    ])
}

entries! {
    rs_queue_timeline(queue),
    rs_queue_trace(queue, name, path),
}
