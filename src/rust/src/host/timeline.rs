//! What ran, runs and waits: as columns for R's pictures, and as a file for others.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use extendr_api::prelude::*;
use taskq_engine::{trace, Bar, Life, Timeline};

use super::with;
use crate::reply::failure;

/// The columns of `tq_timeline()` in R/queue-timeline.R, which describes them.
#[extendr]
fn rs_queue_timeline(handle: Robj) -> Robj {
    with(&handle, |queue| {
        let timeline = queue.timeline();
        let date = |time| timeline.calendar(time);
        let unlisted = timeline.unlisted.iter();
        list!(
            bars = bars(&timeline),
            sessions = sessions(&timeline),
            unlisted = unlisted
                .map(|&time| Rfloat::from(date(time)))
                .collect::<Doubles>(),
            forgotten_until = Rfloat::from(timeline.forgotten_until.map(date)),
            origin = date(timeline.origin),
            now = date(timeline.now),
            inline = queue.is_inline()
        )
        .into()
    })
}

/// Writes the same as a trace to the file with these bytes as its path; NULL, or a failure.
#[extendr]
fn rs_queue_trace(handle: Robj, name: &str, path: Raw) -> Robj {
    with(&handle, |queue| {
        let path = Path::new(OsStr::from_bytes(path.as_slice()));
        match trace::write(&queue.timeline(), name, queue.is_inline(), path) {
            Ok(()) => ().into(),
            Err(error) => {
                let path = path.to_string_lossy();
                let message = format!("cannot write the trace to '{path}': {error}");
                failure("system", &message, &[("path", path.as_ref().into())])
            }
        }
    })
}

fn bars(timeline: &Timeline) -> List {
    let rows = &timeline.bars;
    let date = |time: Option<_>| Rfloat::from(time.map(|time| timeline.calendar(time)));
    let whole = |number: Option<u32>| Rint::from(number.and_then(|n| i32::try_from(n).ok()));
    let word = |word: Option<&str>| word.map_or_else(Rstr::na, Rstr::from);
    let words = |cell: fn(&Bar) -> Option<&str>| {
        let cells = rows.iter().map(|bar| word(cell(bar)));
        cells.collect::<Strings>()
    };
    list!(
        id = words(|bar| Some(&*bar.name)),
        tag = words(|bar| bar.tag.as_deref()),
        lane = rows.iter().map(|bar| whole(bar.seat)).collect::<Integers>(),
        worker = rows
            .iter()
            .map(|bar| Rint::from(bar.pid))
            .collect::<Integers>(),
        tries = rows
            .iter()
            .map(|bar| whole(Some(bar.tries)))
            .collect::<Integers>(),
        queued = rows
            .iter()
            .map(|bar| date(Some(bar.queued)))
            .collect::<Doubles>(),
        began = rows.iter().map(|bar| date(bar.began)).collect::<Doubles>(),
        ended = rows.iter().map(|bar| date(bar.ended)).collect::<Doubles>(),
        status = words(|bar| Some(bar.state.word())),
        outcome = words(|bar| bar.state.outcome_word())
    )
}

fn sessions(timeline: &Timeline) -> List {
    let rows = &timeline.sessions;
    let date = |time: Option<_>| Rfloat::from(time.map(|time| timeline.calendar(time)));
    let doubles = |cell: fn(&Life) -> Option<_>| {
        let cells = rows.iter().map(|life| date(cell(life)));
        cells.collect::<Doubles>()
    };
    list!(
        lane = rows
            .iter()
            .map(|life| Rint::from(i32::try_from(life.seat).ok()))
            .collect::<Integers>(),
        worker = rows
            .iter()
            .map(|life| Rint::from(life.pid))
            .collect::<Integers>(),
        launched = doubles(|life| Some(life.launched)),
        ready = doubles(|life| life.ready),
        ended = doubles(|life| life.end.map(|(at, _)| at)),
        how = rows
            .iter()
            .map(|life| life.end.map_or_else(Rstr::na, |(_, end)| end.word().into()))
            .collect::<Strings>(),
        code = rows
            .iter()
            .map(|life| Rint::from(life.end.and_then(|(_, end)| end.code())))
            .collect::<Integers>()
    )
}

extendr_module! {
    mod timeline;
    fn rs_queue_timeline;
    fn rs_queue_trace;
}
