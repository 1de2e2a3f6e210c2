//! What stands for the world outside in a queue without sessions: attempts wait for the caller, who runs them, and
//! sessions and supervisor are answered for. A new session is ready at once, and one that is to leave is gone.

use std::collections::VecDeque;
use std::sync::Arc;

use taskq_core::id::{AttemptId, Time, WorkerId};
use taskq_core::{Action, GoneCause, Input};

use taskq_payload::payload::Payload;

use crate::effects::{Effects, Run, Wakes};

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Inline {
    attempts: VecDeque<AttemptId>,
    answers: VecDeque<Input>,
    wakes: Wakes,
}

impl Inline {
    /// The next attempt, for the caller.
    pub(crate) fn hand_out(&mut self) -> Option<AttemptId> {
        self.attempts.pop_front()
    }

    /// The caller cannot run it: it is the next one again.
    pub(crate) fn put_back(&mut self, attempt: AttemptId) {
        self.attempts.push_front(attempt);
    }

    /// What the sessions would say that are not there.
    pub(crate) fn answer(&mut self) -> Option<Input> {
        self.answers.pop_front()
    }
}

impl Effects for Inline {
    fn send(&mut self, _: WorkerId, run: Run<'_>) {
        self.attempts.push_back(run.attempt);
    }

    // The caller has run it itself.
    fn run_broadcast(&mut self, worker: WorkerId, broadcast: u64, _: &Arc<Payload>) {
        self.answers.push_back(Input::Ran { worker, broadcast });
    }

    fn act(&mut self, action: Action) {
        self.answers.push_back(match action {
            Action::Boot => Input::SupervisorUp,
            Action::Launch { worker } => Input::WorkerReady { worker },
            Action::Retire { worker } | Action::KillWorker { worker } => Input::WorkerGone {
                worker,
                cause: GoneCause::Exited { code: 0 },
                begun: None,
            },
            Action::Shutdown | Action::KillSupervisor => Input::SupervisorGone { reported: false },
            // The caller interrupts what it runs itself.
            _ => return,
        });
    }

    fn wakes(&mut self) -> &mut Wakes {
        &mut self.wakes
    }

    fn finish(&mut self, _: Option<Time>) {}
}
