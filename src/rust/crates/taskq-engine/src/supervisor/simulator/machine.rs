//! The scheduler as a part of a simulated world.

use std::fmt;

use taskq_core::{Scheduler, SchedulerConfig};

use super::choices::fingerprint;

/// The scheduler, which prints as the fingerprint of all that it prints: it is looked at far more often than changed.
#[derive(Clone)]
pub(super) struct Machine {
    pub(super) scheduler: Scheduler,
    print: u64,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print.fmt(f)
    }
}

impl Machine {
    pub(super) fn new(config: SchedulerConfig) -> Machine {
        Machine {
            scheduler: Scheduler::new(config),
            print: 0,
        }
    }

    /// The scheduler was changed.
    pub(super) fn note_change(&mut self) {
        self.print = fingerprint(&self.scheduler);
    }
}
