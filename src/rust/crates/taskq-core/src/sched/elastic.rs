//! How the number of seats follows the load.
//!
//! Owns when a seat comes because tasks wait, and when one goes because its session has nothing to
//! do. Between `workers` and `max_workers` only: the user decides those.
//!
//! A seat comes for each waiting task for which no session is starting; a task that is held does not
//! count, and neither does one that lies ahead, because it will not wait for long. The session that
//! has been idle for longest goes first, `idle_timeout` after its last task.

use crate::timers::Timer;

use super::machine::{Mode, Scheduler, Supervisor};

impl Scheduler {
    /// How many seats there are at least, and at most.
    pub(super) fn seats_wanted(&self) -> (usize, usize) {
        let (least, most) = (self.config.workers, self.config.max_workers);
        (least as usize, most.max(least) as usize)
    }

    /// Adds seats for the tasks that no worker will take.
    pub(super) fn meet_demand(&mut self) {
        let serves = matches!(self.supervisor, Supervisor::Up | Supervisor::Booting);
        if self.paused || !serves || self.starts.given_up {
            return;
        }
        let (_, most) = self.seats_wanted();
        loop {
            let room = most.saturating_sub(self.pool.staying());
            let waiting = self.tasks.waiting().len();
            let wanted = waiting.saturating_sub(self.pool.coming()).min(room);
            if wanted == 0 {
                return;
            }
            // Some of these may be seats that were leaving: their workers are busy, and more is
            // wanted.
            self.grow(u32::try_from(wanted).unwrap_or(u32::MAX));
        }
    }

    /// Sets the idle timer when a session is idle that may go. It is left alone when that session
    /// is sent a task, so that a busy queue does not set it again and again: it is only looked at
    /// when it runs out.
    pub(super) fn watch_idle(&mut self) {
        if self.seats_above_minimum() == 0 {
            self.timers.clear(Timer::Idle);
        } else if self.timers.get(Timer::Idle).is_none() {
            if let Some((since, _)) = self.pool.idle().min() {
                self.timers
                    .set(Timer::Idle, since.after(self.config.idle_timeout));
            }
        }
    }

    /// Lets the sessions go that have been idle for too long.
    pub(super) fn idle_is_over(&mut self) {
        let timeout = self.config.idle_timeout;
        let mut idle: Vec<_> = self.pool.idle().collect();
        idle.retain(|(since, _)| since.after(timeout) <= self.now);
        idle.sort_unstable();
        for (_, worker) in idle.into_iter().take(self.seats_above_minimum()) {
            if let Some((number, _)) = self.pool.seat_of(worker) {
                self.remove_seat(number);
            }
        }
    }

    /// How many seats may go when they are not needed.
    pub(super) fn seats_above_minimum(&self) -> usize {
        if self.mode == Mode::Closed {
            return 0;
        }
        let (least, _) = self.seats_wanted();
        self.pool.staying().saturating_sub(least)
    }
}
