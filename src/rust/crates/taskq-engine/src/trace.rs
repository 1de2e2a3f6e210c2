//! A [`Timeline`] as a file in the trace event format of Chrome, which <https://ui.perfetto.dev> shows.
//!
//! The format is that of "Trace Event Format" (Google, 2016), as one object in JSON. One process stands for the queue,
//! a thread for each worker. Times are microseconds since the queue was made; `otherData` has the date of that.
//!
//! | events                             | `ph` | `tid`  | `args`                                          |
//! |------------------------------------|------|--------|-------------------------------------------------|
//! | names and order                    | `M`  | all    | `name`, `sort_index`                            |
//! | an attempt that began              | `X`  | worker | `id`, `tag`, `status`, `outcome`, `try`, `pid`, |
//! |                                    |      |        | `waited_ms`                                     |
//! | a session that comes up            | `X`  | worker | `pid`                                           |
//! | a session that died, or was killed | `i`  | worker | `pid`, `how`, `code`                            |
//! | a task that ended unbegun          | `i`  | 0      | as those of an attempt                          |
//! | how many tasks wait                | `C`  | 0      | `tasks`                                         |
//!
//! What runs lasts until now. Nothing in a thread overlaps.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use taskq_core::id::Time;
use taskq_record::words::Asked;
use taskq_sys::{process, signals};

use crate::queue::Timeline;
use crate::replace;
use crate::state::{Bar, Life, LifeEnd};

/// The count of waiting tasks is told so often at most: more than any screen shows.
const COUNTS: u64 = 20_000;

/// The thread of what is no worker's.
const NO_WORKER: u32 = 0;

/// Writes `timeline` of the queue of this name to `path`, of which nothing is changed until all of it is there.
///
/// # Errors
/// The file cannot be written or replaced; the one that was there is whole then.
pub fn write(timeline: &Timeline, name: &str, is_inline: bool, path: &Path) -> io::Result<()> {
    signals::without_file_size_signal(|| {
        replace::write(path, |file| {
            serde_json::to_writer(&mut *file, &document(timeline, name, is_inline))?;
            file.write_all(b"\n")
        })
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    display_time_unit: &'static str,
    other_data: About<'a>,
    trace_events: Vec<Event<'a>>,
}

#[derive(Serialize)]
struct About<'a> {
    queue: &'a str,
    /// When the queue was made, in seconds since 1970.
    origin: f64,
    /// Until when, in microseconds, attempts that ended are missing.
    forgotten_until: Option<f64>,
}

#[derive(Serialize)]
struct Event<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cat: &'a str,
    ph: &'static str,
    ts: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    pid: i32,
    tid: u32,
    /// Of an instant: how much of the picture it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    args: Args<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Args<'a> {
    Name {
        name: String,
    },
    Order {
        sort_index: u32,
    },
    Task {
        id: &'a str,
        tag: Option<&'a str>,
        status: &'static str,
        /// What an attempt came to, also one that is tried again.
        outcome: Option<&'static str>,
        #[serde(rename = "try")]
        tries: u32,
        pid: Option<i32>,
        waited_ms: f64,
    },
    Session {
        pid: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        how: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
    },
    Count {
        tasks: i64,
    },
}

/// What all events have in common.
struct Frame<'a> {
    timeline: &'a Timeline,
    pid: i32,
}

fn document<'a>(timeline: &'a Timeline, name: &'a str, is_inline: bool) -> Document<'a> {
    let pid = process::own_pid();
    let frame = Frame { timeline, pid };
    let mut events = frame.names(name, is_inline);
    events.extend(timeline.bars.iter().filter_map(|bar| frame.bar(bar)));
    events.extend(
        timeline
            .sessions
            .iter()
            .flat_map(|life| [Some(frame.start(life)), frame.death(life)])
            .flatten(),
    );
    events.extend(frame.counts());
    Document {
        display_time_unit: "ms",
        other_data: About {
            queue: name,
            origin: timeline.calendar(timeline.origin),
            forgotten_until: timeline.forgotten_until.map(|time| frame.micros(time)),
        },
        trace_events: events,
    }
}

impl<'a> Frame<'a> {
    fn names(&self, name: &str, is_inline: bool) -> Vec<Event<'a>> {
        let meta = |name: &'static str, tid: u32, args: Args<'a>| Event {
            name,
            cat: "",
            ph: "M",
            ts: 0.0,
            dur: None,
            pid: self.pid,
            tid,
            s: None,
            args,
        };
        let of_bars = self.timeline.bars.iter().filter_map(|bar| bar.seat);
        let of_sessions = self.timeline.sessions.iter().map(|life| life.seat);
        let mut threads: Vec<u32> = of_bars.chain(of_sessions).collect();
        threads.sort_unstable();
        threads.dedup();
        let process = Args::Name {
            name: name.to_owned(),
        };
        let mut events = vec![meta("process_name", NO_WORKER, process)];
        let unbegun = |bar: &Bar| bar.began.is_none() && bar.ended.is_some();
        if self.timeline.bars.iter().any(unbegun) {
            threads.push(NO_WORKER);
        }
        for (place, tid) in threads.into_iter().enumerate() {
            let name = match tid {
                NO_WORKER => "never begun".to_owned(),
                _ if is_inline => "this session".to_owned(),
                _ => format!("worker {tid}"),
            };
            events.push(meta("thread_name", tid, Args::Name { name }));
            let sort_index = u32::try_from(place).unwrap_or(u32::MAX);
            events.push(meta("thread_sort_index", tid, Args::Order { sort_index }));
        }
        events
    }

    /// None for a task that waits.
    fn bar(&self, bar: &'a Bar) -> Option<Event<'a>> {
        let ended = bar.ended.unwrap_or(self.timeline.now);
        let status = bar.state.word();
        let args = Args::Task {
            id: &bar.name,
            tag: bar.tag.as_deref(),
            status,
            outcome: bar.state.outcome_word(),
            tries: bar.tries,
            pid: bar.pid,
            waited_ms: bar.began.unwrap_or(ended).since(bar.queued).as_nanos() as f64 / 1e6,
        };
        let event = |ph, at, dur, tid, s| Event {
            name: &bar.name,
            cat: status,
            ph,
            ts: self.micros(at),
            dur,
            pid: self.pid,
            tid,
            s,
            args,
        };
        match (bar.began, bar.ended) {
            (Some(began), _) => {
                // As a difference of rounded times, so that the next one does not begin before.
                let dur = self.micros(ended) - self.micros(began);
                let tid = bar.seat.unwrap_or(NO_WORKER);
                Some(event("X", began, Some(round(dur.max(0.0))), tid, None))
            }
            (None, Some(_)) => Some(event("i", ended, None, NO_WORKER, Some("t"))),
            (None, None) => None,
        }
    }

    fn start(&self, life: &Life) -> Event<'a> {
        let until = life.ready.or(life.end.map(|(at, _)| at));
        let until = until.unwrap_or(self.timeline.now);
        let dur = self.micros(until) - self.micros(life.launched);
        Event {
            name: "session start",
            cat: "session",
            ph: "X",
            ts: self.micros(life.launched),
            dur: Some(round(dur.max(0.0))),
            pid: self.pid,
            tid: life.seat,
            s: None,
            args: Args::Session {
                pid: life.pid,
                how: None,
                code: None,
            },
        }
    }

    fn death(&self, life: &Life) -> Option<Event<'a>> {
        let (at, end) = life.end?;
        let name = match end {
            LifeEnd::Died(_) => "session died",
            LifeEnd::Asked(Asked::Killed) => "session killed",
            LifeEnd::Asked(_) => return None,
        };
        Some(Event {
            name,
            cat: "session",
            ph: "i",
            ts: self.micros(at),
            dur: None,
            pid: self.pid,
            tid: life.seat,
            s: Some("t"),
            args: Args::Session {
                pid: life.pid,
                how: Some(end.word()),
                code: end.code(),
            },
        })
    }

    /// How many tasks wait, whenever that changes.
    fn counts(&self) -> Vec<Event<'a>> {
        let timeline = self.timeline;
        let mut changes: Vec<(Time, i64)> = Vec::new();
        for bar in &timeline.bars {
            changes.push((bar.queued, 1));
            changes.extend(bar.began.or(bar.ended).map(|at| (at, -1)));
        }
        changes.extend(timeline.unlisted.iter().map(|&at| (at, 1)));
        changes.sort_unstable();
        let Some(&(first, _)) = changes.first() else {
            return Vec::new();
        };
        let apart = timeline.now.since(first) / u32::try_from(COUNTS).unwrap_or(u32::MAX);
        let mut tasks = 0;
        let mut events: Vec<(Time, i64)> = Vec::new();
        for (at, change) in changes {
            tasks += change;
            match events.last_mut() {
                Some((since, last)) if at.since(*since) <= apart => *last = tasks,
                _ => events.push((at, tasks)),
            }
        }
        let count = |(at, tasks)| Event {
            name: "waiting",
            cat: "",
            ph: "C",
            ts: self.micros(at),
            dur: None,
            pid: self.pid,
            tid: NO_WORKER,
            s: None,
            args: Args::Count { tasks },
        };
        events.into_iter().map(count).collect()
    }

    /// Microseconds since the queue was made.
    fn micros(&self, time: Time) -> f64 {
        time.since(self.timeline.origin).as_nanos() as f64 / 1e3
    }
}

/// To a whole number of nanoseconds, in microseconds.
fn round(micros: f64) -> f64 {
    (micros * 1e3).round() / 1e3
}
