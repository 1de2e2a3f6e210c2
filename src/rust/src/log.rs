//! The log: where the lines of `tracing` go, from this process and the queues in it, or the session that it is. Off
//! until [`rs_log`] switches it on.
//!
//! Each line is one write to a file that is opened for it. So no descriptor is kept, which a fork or a task may close,
//! lines of all processes of a queue go into one file, and who moves the file away gets a new one.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{OnceLock, PoisonError, RwLock};

use taskq_sys::{process, signals};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{fmt::layer, reload, Registry};

use crate::entries::entries;
use crate::r::{Answer, Stop};
use crate::reply::failure;

/// The file, or none for standard error.
static FILE: RwLock<Option<PathBuf>> = RwLock::new(None);
static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Writes the log at this level ("off" to "debug") from now on, to the end of this file, or to standard error if the
/// path is empty.
fn rs_log(level: Cow<'_, str>, path: &[u8]) -> Answer<()> {
    let level: LevelFilter = level
        .parse()
        .map_err(|_| Stop::Fault(format!("there is no level {level:?}")))?;
    if LEVEL.get().is_none() && level == LevelFilter::OFF {
        return Ok(());
    }
    let path = (!path.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(path)));
    if let Some(path) = path.as_ref().filter(|_| level > LevelFilter::OFF) {
        open(path).map_err(|error| {
            let path = path.display();
            Stop::Failure(failure(
                "system",
                &format!("cannot write the log to '{path}': {error}"),
            ))
        })?;
    }
    *FILE.write().unwrap_or_else(PoisonError::into_inner) = path;
    let handle = LEVEL.get_or_init(|| {
        let (filter, handle) = reload::Layer::new(LevelFilter::OFF);
        let lines = layer().event_format(Line).with_writer(|| Destination);
        // It fails where somebody else in this process logs by the same library, which no other package can.
        let _ =
            tracing::subscriber::set_global_default(Registry::default().with(filter).with(lines));
        handle
    });
    let _ = handle.reload(level);
    Ok(())
}

fn open(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Where a line goes. One that cannot be written is lost: nothing depends on it.
struct Destination;

impl Write for Destination {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let file = FILE.read().unwrap_or_else(PoisonError::into_inner).clone();
        signals::without_file_size_signal(|| match file {
            Some(path) => open(&path)?.write_all(line),
            None => io::stderr().write_all(line),
        })?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `2026-11-30T21:40:00.123456Z  INFO 4711 taskq: ready w1 queue=1 at=0.31`: date, level, process, part, what has
/// happened.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        SystemTime.format_time(&mut line)?;
        let (about, pid) = (event.metadata(), process::own_pid());
        write!(line, " {:>5} {pid} {}: ", about.level(), about.target())?;
        context.format_fields(line.by_ref(), event)?;
        writeln!(line)
    }
}

entries! {
    rs_log(level, path),
}
