//! When a waiting task will be begun, as far as can be said.
//!
//! Only reads, and only estimates: nothing in the scheduler depends on it. Tasks that come later,
//! with a higher priority or in the turn of another tag, are not foreseen.

use std::time::Duration;

use taskq_record::{TaskId, Time, WorkerId};

use crate::task::Phase;
use crate::timers::Timer;
use crate::view::{Outlook, Wait};
use crate::worker::{Line, Stage};

use super::machine::Scheduler;

impl Scheduler {
    /// When this task will be begun; nothing for one that is done, or that is not there.
    ///
    /// What lies ahead at a worker comes first, then what no session has. A task that is held counts as
    /// if it waited from now on. It waits until enough of the tasks before it have ended that there
    /// is a worker for it, each after the mean run time of the last ones, and no less than its delay
    /// before a try. O(a thousandth of the number of tasks, + the number of workers).
    #[must_use]
    pub fn outlook(&self, now: Time, id: TaskId) -> Option<Outlook> {
        let task = self.tasks.get(id)?;
        let (position, ends, workers) = match task.phase {
            Phase::Done(_) => return None,
            Phase::Running { .. } => {
                let (position, wait) = (0, Wait::About(Duration::ZERO));
                return Some(Outlook { position, wait });
            }
            Phase::Ahead { worker, .. } => {
                let (position, depth) = self.place_in_lines(id, worker);
                (position, depth, 1)
            }
            Phase::Held(_) | Phase::Waiting => {
                let before = self
                    .lines()
                    .map(|(_, line)| line.len().saturating_sub(1))
                    .sum::<usize>();
                let position = before + self.tasks.waiting().ahead_of(id, task) + 1;
                let workers = self.capacity();
                let free = workers.saturating_sub(self.pool.busy());
                (position, position.saturating_sub(free), workers)
            }
        };
        let run_time = self.mean_run_time.of(ends as u64);
        let wait = if self.paused || workers == 0 {
            Wait::Forever
        } else if let Some(run_time) = run_time {
            let held = self.timers.get(Timer::Retry(id));
            let held = held.map_or(Duration::ZERO, |until| until.since(now));
            let workers = u32::try_from(workers).unwrap_or(u32::MAX);
            Wait::About((run_time / workers).max(held))
        } else {
            Wait::Unknown
        };
        Some(Outlook { position, wait })
    }

    /// The place of a task among all that lie ahead, and how deep it lies in its own line.
    fn place_in_lines(&self, id: TaskId, at: WorkerId) -> (usize, usize) {
        let depth_in = |line: &Line| line.attempts().position(|attempt| attempt.task == id);
        let own = self.lines().find(|&(worker, _)| worker == at);
        let depth = own.and_then(|(_, line)| depth_in(line)).unwrap_or(0);
        let mut place = 1;
        for (worker, line) in self.lines() {
            // Of its depth, those at the workers before its own.
            let deepest = depth.saturating_sub(usize::from(worker >= at));
            place += deepest.min(line.len().saturating_sub(1));
        }
        (place, depth)
    }

    fn lines(&self) -> impl Iterator<Item = (WorkerId, &Line)> {
        self.pool
            .workers()
            .filter_map(|(id, worker)| match &worker.stage {
                Stage::Busy { line, .. } => Some((id, line)),
                Stage::Starting { .. } | Stage::Idle { .. } | Stage::Gone => None,
            })
    }
}
