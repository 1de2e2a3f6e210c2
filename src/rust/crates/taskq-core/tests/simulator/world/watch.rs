//! What must never be seen in the world, whatever befalls it.

use std::collections::BTreeSet;
use std::time::Duration;

use taskq_core::{AttemptId, SeatState, TaskId, TaskPhase, WorkerId};

use super::{World, LATENCY_US, LATENESS_US};

impl World {
    /// A task that is to be alone is, and no other comes to its session.
    pub(super) fn check_alone(&mut self, worker: WorkerId, attempt: AttemptId) {
        let alone = self.truth.is_isolated(attempt.task);
        let session = self.session(worker);
        assert!(
            !session.isolated,
            "{attempt:?} is sent to {worker:?}, where another is to be alone"
        );
        assert!(
            !alone || session.sends == 0,
            "{attempt:?} is to be alone, and sent to {worker:?}, which is worn"
        );
        session.isolated = alone;
        session.sends += 1;
    }

    /// No task lies ahead for long while a session is idle, unless it would have to be given back by one that has hung
    /// up.
    pub(super) fn check_stranded(&mut self) {
        let idle = self
            .scheduler
            .seats()
            .any(|seat| seat.state == SeatState::Idle);
        if !idle || self.scheduler.is_paused() || self.supervisor.is_none() {
            self.stranded.clear();
            return;
        }
        let ahead: BTreeSet<TaskId> = self
            .scheduler
            .tasks()
            .filter(|task| task.phase == TaskPhase::Waiting)
            .filter(|task| task.stopping.is_none())
            .filter(|task| task.attempt.is_some_and(|attempt| !self.is_held(attempt)))
            .map(|task| task.id)
            .collect();
        self.stranded.retain(|task, _| ahead.contains(task));
        let longest =
            self.config.recall_after + Duration::from_micros(LATENESS_US + 3 * LATENCY_US);
        for task in ahead {
            let since = *self.stranded.entry(task).or_insert(self.now);
            let waited = self.now.since(since);
            assert!(
                waited <= longest,
                "{task:?} lay ahead for {waited:?} with a session idle"
            );
        }
    }

    fn is_held(&self, attempt: AttemptId) -> bool {
        let mut hung_up = self.sessions.values().filter(|session| session.hung_up);
        hung_up.any(|session| session.sent.contains(&attempt))
    }
}
