//! What befalls nurseries: they boot, launch sessions and die, and their sessions with them.

use taskq_core::{GoneCause, Input, WorkerId};

use super::{Event, World};
use crate::session::{Nature, Session};

impl World {
    /// Kills the nursery from outside.
    pub(crate) fn strike_nursery(&mut self) {
        if let Some(nursery) = self.nursery {
            self.nursery_dies(nursery, false);
        }
    }

    pub(super) fn boot(&mut self) {
        assert_eq!(self.nursery, None, "a second nursery");
        self.nurseries += 1;
        let nursery = self.nurseries;
        self.nursery = Some(nursery);
        let at = self.now.after(self.random.micros(1000, 100_000));
        if self.random.permille(self.climate.bad_boot) {
            self.plan(at, Event::NurseryDies(nursery));
        } else {
            self.plan(at, Event::Nursery(nursery, Input::NurseryUp));
        }
    }

    pub(super) fn launch(&mut self, worker: WorkerId) {
        if self.nursery.is_none() {
            // It died, and the scheduler does not know: no session comes to be.
            return;
        }
        let nature = Nature {
            stays: self.random.permille(self.climate.obstinate),
            unkillable: self.random.permille(self.climate.obstinate),
        };
        let before = self.sessions.insert(worker, Session::new(nature));
        assert!(before.is_none(), "{worker:?} is launched twice");
        let at = self.now.after(self.random.micros(100, 5000));
        if self.random.permille(self.climate.bad_start) {
            if self.random.permille(300) {
                self.session(worker).task_out = at;
                self.plan(at, Event::Host(Input::StartFailed { worker }));
            }
            self.plan(at, Event::StartDies(worker));
        } else if !self.random.permille(self.climate.hang) {
            self.session(worker).task_out = at;
            self.plan(at, Event::Host(Input::WorkerReady { worker }));
        }
    }

    /// The nursery dies, and it with all its sessions; their last messages come first.
    pub(super) fn nursery_dies(&mut self, nursery: u32, reported: bool) {
        let workers: Vec<WorkerId> = self.sessions.keys().copied().collect();
        let mut at = self.now.after(self.latency());
        for worker in workers {
            if self.living(worker) {
                self.die(worker, GoneCause::NurseryLost);
            }
            at = at.max(self.session(worker).task_out);
        }
        assert_eq!(self.nursery, Some(nursery));
        self.nursery = None;
        self.plan(at, Event::Host(Input::NurseryGone { reported }));
    }
}
