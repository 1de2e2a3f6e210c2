//! What the R thread waits for, and whether it has come: so that it is woken for that, and for nothing else.

use taskq_core::Counts;

use crate::state::State;

/// What the R thread waits for, so that it is not woken for anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// It does not wait.
    Nothing,
    /// That a task is done, or that none can be.
    Done,
    /// That no task waits or runs.
    Quiet,
    /// Room for so many tasks more.
    Room(usize),
    /// That any task is done which was not.
    Change,
}

impl State {
    /// Whether the R thread has to look. `is_done`: a task is, that was not before.
    pub(crate) fn has_come(&self, is_done: bool) -> bool {
        let is_quiet = |counts: Counts| counts.waiting + counts.running == 0;
        match self.wanted {
            Wanted::Nothing => false,
            Wanted::Done => {
                let counts = self.sched.counts();
                counts.done > 0 || is_quiet(counts)
            }
            Wanted::Quiet => is_quiet(self.sched.counts()),
            Wanted::Room(count) => self.sched.has_room(count),
            Wanted::Change => is_done,
        }
    }
}
