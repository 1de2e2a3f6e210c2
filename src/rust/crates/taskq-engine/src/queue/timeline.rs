//! What ran, runs and waits, at one instant, for pictures of it.

use std::sync::Arc;

use taskq_core::id::{TaskId, Time};
use taskq_core::{Action, QueueState, TaskPhase, TaskView};
use taskq_record::words::Asked;

use super::Queue;
use crate::clock::{now, Epoch};
use crate::history::{Bar, BarState, Life, ENTRIES};
use crate::state::State;

/// What ran, runs and waits.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Attempts that are over, in the order in which they ended, then what runs, then what waits, by the order of
    /// pushes. Not more than a limit of the first, the oldest being left out, nor of the last, the youngest being left
    /// out.
    pub bars: Vec<Bar>,
    /// All sessions, by worker and launch. Likewise limited.
    pub sessions: Vec<Life>,
    /// Since when those wait that were left out.
    pub unlisted: Vec<Time>,
    /// Until when ends are missing, if any are.
    pub forgotten_until: Option<Time>,
    /// When the queue was made.
    pub origin: Time,
    /// When this was so.
    pub now: Time,
    /// The date of an instant.
    epoch: Epoch,
}

impl Timeline {
    /// An instant in seconds since 1970.
    #[must_use]
    pub fn calendar(&self, time: Time) -> f64 {
        self.epoch.calendar(time)
    }
}

impl Queue {
    /// What ran, runs and waits now.
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        let state = self.shared.lock();
        let mut timeline = Timeline {
            bars: state.history.bars().cloned().collect(),
            sessions: state.history.lives().cloned().collect(),
            unlisted: Vec::new(),
            forgotten_until: state.history.forgotten_until(),
            origin: self.shared.epoch.origin(),
            now: now(),
            epoch: self.shared.epoch,
        };
        let mut waiting = Vec::new();
        for view in state.sched.tasks() {
            match view.phase {
                TaskPhase::Done => {}
                TaskPhase::Running { .. } => timeline.bars.extend(state.live_bar(&view)),
                TaskPhase::Waiting if waiting.len() < ENTRIES => {
                    waiting.extend(state.live_bar(&view));
                }
                TaskPhase::Waiting => timeline.unlisted.push(view.waits_since),
            }
        }
        drop(state);
        timeline.bars.append(&mut waiting);
        timeline
            .sessions
            .sort_by_key(|life| (life.seat, life.launched));
        timeline
    }
}

impl State {
    fn live_bar(&self, view: &TaskView<'_>) -> Option<Bar> {
        let (label, tag) = self.sched.names_of(view.id)?;
        let title = self.title_of(view.id, view.claimed);
        let (seat, pid) = match view.worker {
            Some(worker) => self.history.place_of(worker),
            None => (None, None),
        };
        Some(Bar {
            name: title.unwrap_or(label),
            tag,
            seat,
            pid,
            tries: view.tries,
            queued: view.waits_since,
            began: view.started,
            ended: None,
            state: match view.phase {
                TaskPhase::Running { .. } => BarState::Running,
                TaskPhase::Waiting | TaskPhase::Done => BarState::Waiting,
            },
        })
    }

    /// What a part of a map shows instead of its label.
    pub(crate) fn title_of(&self, task: TaskId, is_claimed: bool) -> Option<Arc<str>> {
        let record = self.records.get(&task).filter(|_| is_claimed)?;
        record.title.clone()
    }

    /// Notes what has ended. To be done before a session is forgotten that may have run it.
    pub(crate) fn write_history(&mut self) {
        while let Some(ended) = self.sched.next_ended() {
            let title = self.title_of(ended.task, ended.claimed);
            self.history.note(ended, title);
        }
    }

    /// Notes what is about to be done with sessions.
    pub(crate) fn note_action(&mut self, action: &Action) {
        if self.inline.is_some() {
            return;
        }
        match *action {
            Action::Launch { worker } => {
                // Without a seat it is to be killed before anything of it is there.
                if let Some(seat) = self.sched.seat_of(worker) {
                    self.history.launched(worker, seat, now());
                }
            }
            Action::Retire { worker } => self.history.ask(worker, Asked::Retired),
            Action::KillWorker { worker } => self.history.ask(worker, Asked::Killed),
            Action::Shutdown => self.history.ask_all(Asked::Closed),
            Action::KillNursery if self.sched.state() != QueueState::Open => {
                self.history.ask_all(Asked::Closed);
            }
            _ => {}
        }
    }
}
