//! What befalls supervisors: they boot, launch sessions and die, and their sessions with them.

use taskq_core::{GoneCause, Input, WorkerId};

use super::{Event, World};
use crate::session::{Nature, Session};

impl World {
    /// Kills the supervisor from outside.
    pub(crate) fn strike_supervisor(&mut self) {
        if let Some(supervisor) = self.supervisor {
            self.supervisor_dies(supervisor, false);
        }
    }

    pub(super) fn boot(&mut self) {
        assert_eq!(self.supervisor, None, "a second supervisor");
        self.supervisors += 1;
        let supervisor = self.supervisors;
        self.supervisor = Some(supervisor);
        let at = self.now.after(self.random.micros(1000, 100_000));
        if self.random.permille(self.climate.bad_boot) {
            self.plan(at, Event::SupervisorDies(supervisor));
        } else {
            self.plan(at, Event::Supervisor(supervisor, Input::SupervisorUp));
        }
    }

    pub(super) fn launch(&mut self, worker: WorkerId) {
        if self.supervisor.is_none() {
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

    /// The supervisor dies, and it with all its sessions; their last messages come first.
    pub(super) fn supervisor_dies(&mut self, supervisor: u32, reported: bool) {
        let workers: Vec<WorkerId> = self.sessions.keys().copied().collect();
        let mut at = self.now.after(self.latency());
        for worker in workers {
            if self.living(worker) {
                self.die(worker, GoneCause::SupervisorLost);
            }
            at = at.max(self.session(worker).task_out);
        }
        assert_eq!(self.supervisor, Some(supervisor));
        self.supervisor = None;
        self.plan(at, Event::Host(Input::SupervisorGone { reported }));
    }
}
