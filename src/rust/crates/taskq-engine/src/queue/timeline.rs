//! What ran, runs and waits, at one instant, for pictures of it.

use taskq_core::id::Time;
use taskq_core::{TaskPhase, TaskView};

use super::Queue;
use crate::clock::{now, Epoch};
use crate::state::{Bar, BarState, Life, State, ENTRIES};

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
        let look = self.door.look();
        let mut timeline = Timeline {
            bars: look.history().bars().cloned().collect(),
            sessions: look.history().lives().cloned().collect(),
            unlisted: Vec::new(),
            forgotten_until: look.history().forgotten_until(),
            origin: self.door.epoch.origin(),
            now: now(),
            epoch: self.door.epoch,
        };
        let mut waiting = Vec::new();
        for view in look.sched().tasks() {
            match view.phase {
                TaskPhase::Done => {}
                TaskPhase::Running { .. } => timeline.bars.extend(live_bar(&look, &view)),
                TaskPhase::Waiting if waiting.len() < ENTRIES => {
                    waiting.extend(live_bar(&look, &view));
                }
                TaskPhase::Waiting => timeline.unlisted.push(view.waits_since),
            }
        }
        drop(look);
        timeline.bars.append(&mut waiting);
        timeline
            .sessions
            .sort_by_key(|life| (life.seat, life.launched));
        timeline
    }
}

fn live_bar(state: &State, view: &TaskView<'_>) -> Option<Bar> {
    let (label, tag) = state.sched().names_of(view.id)?;
    let title = state.title_of(view.id, view.claimed);
    let (seat, pid) = match view.worker {
        Some(worker) => state.history().place_of(worker),
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
