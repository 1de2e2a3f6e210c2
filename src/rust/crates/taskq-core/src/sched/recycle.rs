//! Sessions that are well, but are to be replaced.
//!
//! Owns when a session has served enough: it has run as many tasks as it may, it has grown too
//! large, its task was one that shares a session with no other, or such a task waits for a seat. It
//! is told to leave when its line is empty, and its seat gets a new one.

use taskq_record::WorkerId;

use super::machine::Scheduler;

impl Scheduler {
    /// A session is to run nothing more than what it is running.
    pub(super) fn wear_out(&mut self, worker: WorkerId) {
        self.pool.set_spent(worker);
        self.recall(worker);
    }

    /// Sends a session without a task away; its seat is vacant.
    pub(super) fn recycle(&mut self, worker: WorkerId) {
        self.pool.detach(worker);
        self.retire(worker);
        self.totals.sessions_recycled += 1;
    }
}
