//! What a queue tells the log (`tracing`), when one is switched on: what was born and what has ended, and at the level
//! `debug` all that goes in at the door and all that the scheduler wants. No payload, output or message of an error.
//!
//! Writing may block, so a line is kept while the lock is held, with its time, and [written](Log::write) without it.

use std::sync::atomic::{AtomicU64, Ordering};

use taskq_core::id::{TaskId, Time};
use taskq_core::{Action, Input, Outcome, Scheduler};
use tracing::level_filters::LevelFilter;
use tracing::{debug, info, warn};

use super::observer::{Fact, Observer};
use crate::clock::Epoch;
use crate::error::StartFailure;

/// Lines that are still to be written. Nothing costs more than a look at one number while no log is on.
#[derive(Debug)]
pub(crate) struct Log {
    /// Which queue of this process it is, from 1.
    queue: u64,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    level: LevelFilter,
    at: Time,
    text: String,
}

impl Default for Log {
    fn default() -> Log {
        static QUEUES: AtomicU64 = AtomicU64::new(1);
        Log {
            queue: QUEUES.fetch_add(1, Ordering::Relaxed),
            lines: Vec::new(),
        }
    }
}

impl Log {
    /// Something goes in at the door.
    pub(crate) fn input(&mut self, input: &Input, at: Time) {
        let level = match input {
            Input::SupervisorUp
            | Input::SupervisorGone { .. }
            | Input::Resize { .. }
            | Input::Pause
            | Input::Resume
            | Input::Close { .. }
            | Input::Kill => LevelFilter::INFO,
            Input::StartFailed { .. } | Input::Unheard { .. } => LevelFilter::WARN,
            _ => LevelFilter::DEBUG,
        };
        self.note(level, at, || format!("input {input:?}"));
    }

    /// The scheduler wants something.
    pub(crate) fn action(&mut self, action: &Action, at: Time) {
        self.note(LevelFilter::DEBUG, at, || format!("action {action:?}"));
    }

    /// A task comes in.
    pub(crate) fn submitted(&mut self, task: TaskId, sched: &Scheduler, at: Time) {
        self.note(LevelFilter::DEBUG, at, || {
            let label = sched.task(task).map(|view| view.label);
            format!("submitted {task:?}, id {:?}", label.unwrap_or_default())
        });
    }

    /// A task leaves the queue.
    pub(crate) fn popped(&mut self, task: TaskId, at: Time) {
        self.note(LevelFilter::DEBUG, at, || format!("popped {task:?}"));
    }

    /// A session or a supervisor did not start. What its user's code has said is not told.
    pub(crate) fn failed(&mut self, why: &StartFailure, at: Time) {
        let StartFailure {
            cause, phase, end, ..
        } = why;
        self.note(LevelFilter::WARN, at, || {
            format!("start failed: {cause:?}, phase {phase:?}, end {end:?}")
        });
    }

    /// The driver has come to its end.
    pub(crate) fn driver_ended(&mut self, fault: Option<&str>, at: Time) {
        match fault {
            None => self.note(LevelFilter::INFO, at, || "over".to_owned()),
            Some(fault) => self.note(LevelFilter::ERROR, at, || format!("fault {fault:?}")),
        }
    }

    fn note(&mut self, level: LevelFilter, at: Time, text: impl FnOnce() -> String) {
        if level <= LevelFilter::current() {
            let text = text();
            self.lines.push(Line { level, at, text });
        }
    }

    /// What is to be written when the lock is free.
    pub(crate) fn take(&mut self) -> Log {
        Log {
            queue: self.queue,
            lines: std::mem::take(&mut self.lines),
        }
    }

    /// Writes it. The time is that since the queue was made: threads may write in another order.
    pub(crate) fn write(self, epoch: &Epoch) {
        let queue = self.queue;
        for Line { level, at, text } in self.lines {
            let at = format!("{:.6}", at.since(epoch.origin()).as_secs_f64());
            match level {
                LevelFilter::DEBUG => debug!(target: "taskq", queue, at = %at, "{text}"),
                LevelFilter::INFO => info!(target: "taskq", queue, at = %at, "{text}"),
                LevelFilter::WARN => warn!(target: "taskq", queue, at = %at, "{text}"),
                _ => tracing::error!(target: "taskq", queue, at = %at, "{text}"),
            }
        }
    }
}

impl Observer for Log {
    fn note(&mut self, fact: &Fact<'_>, now: Time) {
        let level = match fact {
            Fact::Ended(ended, _) => match ended.outcome {
                Outcome::Crash { .. } | Outcome::Timeout => LevelFilter::WARN,
                _ => LevelFilter::DEBUG,
            },
            _ => LevelFilter::INFO,
        };
        Log::note(self, level, now, || match fact {
            Fact::Launched(worker, seat) => format!("launched {worker:?} on seat {seat}"),
            Fact::Process(worker, pid) => format!("process of {worker:?} is {pid}"),
            Fact::Ready(worker) => format!("ready {worker:?}"),
            Fact::Asked(Some(worker), asked) => {
                format!("asked {worker:?} to end: {}", asked.word())
            }
            Fact::Asked(None, asked) => format!("asked all to end: {}", asked.word()),
            Fact::Ended(ended, _) => {
                let ran = ended.ran.map_or(0.0, |(_, began)| {
                    ended.ended.since(began).as_secs_f64() * 1e3
                });
                format!(
                    "ended {:?}, id {:?}, {}, try {}, ran {ran:.3} ms",
                    ended.task,
                    ended.label,
                    ended.outcome.status().word(),
                    ended.tries
                )
            }
            Fact::Gone(worker, cause) => format!("gone {worker:?}: {cause:?}"),
            Fact::AllGone => "all sessions are gone".to_owned(),
        });
    }
}
