//! One session as the pool sees it, and the line of what it was sent.
//!
//! Owns the order of a line and what of it was asked back. Which stage follows which stands in the
//! table of `pool`, the only module that changes a worker.

use std::collections::VecDeque;

use taskq_record::{AttemptId, Time};
/// One session.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub(crate) stage: Stage,
    pub(crate) killed: bool,
    /// What it has told is lost.
    pub(crate) unheard: bool,
    /// It had not been told to end when it closed its socket.
    pub(crate) hung_up: bool,
    /// It is to be sent nothing more, and to leave when its line is empty.
    pub(crate) spent: bool,
    pub(crate) launched: Time,
    pub(crate) ready: Option<Time>,
    pub(crate) tasks_done: u64,
    /// It was sent a task.
    pub(crate) worn: bool,
    /// The last broadcast that it has run, or runs while it is Starting; 0 before the first.
    pub(crate) broadcast: u64,
    /// The length under which it stands in the pool's set of open workers.
    pub(crate) open: Option<usize>,
}

/// What a session is doing.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// It was launched, or runs a broadcast.
    Starting { seat: u32 },
    /// It is ready and has nothing to do.
    Idle { seat: u32, since: Time },
    /// It was sent what is in the line.
    Busy { seat: u32, line: Line },
    /// Nothing is expected of it but its end.
    Gone,
}

/// What a session was sent and has not answered, in this order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    entries: VecDeque<Entry>,
    /// Nothing more is sent behind the present head.
    pub(crate) barred: bool,
    /// How many entries were asked back.
    asked: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    attempt: AttemptId,
    sent: Time,
    /// It was asked back, by a recall or an interrupt.
    asked: bool,
}

impl Worker {
    /// Whether it was ready, and was not told to end before it did, or closed its socket.
    pub(crate) fn ends_unasked(&self) -> bool {
        let is_ready = matches!(self.stage, Stage::Idle { .. } | Stage::Busy { .. });
        self.hung_up || (is_ready && !self.killed)
    }
}

impl Line {
    /// Adds an attempt at the end.
    pub(crate) fn push(&mut self, attempt: AttemptId, now: Time) {
        self.entries.push_back(Entry {
            attempt,
            sent: now,
            asked: false,
        });
    }

    /// Takes an attempt out; false when it is not there.
    pub(crate) fn pull(&mut self, attempt: AttemptId) -> bool {
        let place = self
            .entries
            .iter()
            .position(|entry| entry.attempt == attempt);
        let pulled = place.and_then(|place| self.entries.remove(place));
        self.asked -= usize::from(pulled.as_ref().is_some_and(|entry| entry.asked));
        pulled.is_some()
    }

    /// Whether an attempt is there.
    pub(crate) fn has(&self, attempt: AttemptId) -> bool {
        self.attempts().any(|other| other == attempt)
    }

    /// Whether an attempt is there and was asked back.
    pub(crate) fn is_asked_back(&self, attempt: AttemptId) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.attempt == attempt && entry.asked)
    }

    /// Whether something that was asked back is here still.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.asked > 0
    }

    /// Marks all behind the head as asked back; returns those that were not yet.
    pub(crate) fn ask_back(&mut self) -> Vec<AttemptId> {
        let behind = self.entries.iter_mut().skip(1).filter(|entry| !entry.asked);
        let asked = behind.map(|entry| {
            entry.asked = true;
            entry.attempt
        });
        let asked: Vec<AttemptId> = asked.collect();
        self.asked += asked.len();
        asked
    }

    /// Marks one attempt as asked back.
    pub(crate) fn ask_one_back(&mut self, attempt: AttemptId) {
        let mut entries = self.entries.iter_mut();
        if let Some(entry) = entries.find(|entry| entry.attempt == attempt && !entry.asked) {
            entry.asked = true;
            self.asked += 1;
        }
    }

    /// Whether more may be sent. Not as long as something was asked back and is still here: it would come after what is
    /// sent now, though it is older.
    pub(crate) fn is_open(&self) -> bool {
        !self.barred && self.asked == 0
    }

    /// When the oldest of those behind the head that were not asked back was sent.
    pub(crate) fn ahead_since(&self) -> Option<Time> {
        let mut behind = self.entries.iter().skip(1);
        let oldest = behind.find(|entry| !entry.asked);
        oldest.map(|entry| entry.sent)
    }

    /// The attempt that runs.
    pub(crate) fn head(&self) -> Option<AttemptId> {
        self.entries.front().map(|entry| entry.attempt)
    }

    /// How many attempts there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The attempts, the head first.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = AttemptId> + '_ {
        self.entries.iter().map(|entry| entry.attempt)
    }
}
