//! What happens when a timer runs out.
//!
//! Each timer that is due is looked at once per tick, also when its time of grace or patience is
//! zero; what it stood for may be over by then, so every answer checks again.

use crate::timers::Timer;

use super::machine::Scheduler;

impl Scheduler {
    /// Time has passed.
    pub(super) fn tick(&mut self) {
        for timer in self.timers.take_due(self.now) {
            match timer {
                Timer::Recall(worker) => {
                    if self.pool.ahead_since(worker).is_some() {
                        self.recall(worker);
                    }
                }
                Timer::Timeout(task) => self.run_is_over(task),
                Timer::Grace(task) => self.grace_is_over(task),
                Timer::Retry(task) => self.tasks.release(task),
                Timer::Leave(worker) => self.end_is_overdue(worker),
                Timer::Idle => self.idle_is_over(),
                Timer::Supervisor => self.kill_supervisor(),
                Timer::Close => self.kill(),
            }
        }
    }
}
