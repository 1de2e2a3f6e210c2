//! The end of a queue, polite or not.
//!
//! A queue is Closed when its supervisor, and so every process of it, is gone. Nothing gets an outcome
//! after that, because everything has one; what is done can be seen and taken for ever.

use taskq_record::{Outcome, TaskId, Time, WorkerId};

use crate::action::Action;
use crate::task::{End, Phase};
use crate::timers::Timer;

use super::machine::{Mode, Scheduler, Supervisor};

impl Scheduler {
    /// The user wants no more than what is in the queue, and only until the deadline.
    pub(super) fn close(&mut self, deadline: Time) {
        if self.mode == Mode::Closed {
            return;
        }
        self.mode = Mode::Closing;
        self.paused = false;
        if self.supervisor == (Supervisor::Ending { killed: true }) && self.tasks.unfinished() == 0
        {
            return;
        }
        let earlier = self
            .timers
            .get(Timer::Close)
            .map_or(deadline, |before| before.min(deadline));
        self.timers.set(Timer::Close, earlier);
    }

    /// Everything ends now.
    pub(super) fn kill(&mut self) {
        if self.mode == Mode::Closed {
            return;
        }
        self.mode = Mode::Closing;
        self.paused = false;
        self.timers.clear_all();
        self.kill_supervisor();
        self.tasks.forget_dependencies();
        let unfinished: Vec<(TaskId, Option<(WorkerId, Time)>)> = self
            .tasks
            .iter()
            .filter_map(|(id, task)| match task.phase {
                Phase::Done(_) => None,
                Phase::Held(_) | Phase::Waiting | Phase::Ahead { .. } => Some((id, None)),
                Phase::Running { worker, since, .. } => Some((id, Some((worker, since)))),
            })
            .collect();
        for (task, ran) in unfinished {
            let (outcome, finished) = (Outcome::Cancelled, self.now);
            if let Some((_, since)) = ran {
                self.count_attempt(task, (since, finished));
            }
            self.conclude(
                task,
                End {
                    outcome,
                    finished,
                    ran,
                },
            );
        }
        self.abandon_seats();
    }

    /// Ends the supervisor when nothing is left for it to do, and the queue when it is gone.
    pub(super) fn wind_down(&mut self) {
        let over = match self.mode {
            Mode::Closed => return,
            Mode::Closing => self.tasks.unfinished() == 0,
            Mode::Open => self.starts.given_up && self.pool.busy() == 0,
        };
        if !over {
            return;
        }
        match self.supervisor {
            Supervisor::Booting | Supervisor::Up | Supervisor::Lost => {
                self.supervisor = Supervisor::Ending { killed: false };
                self.act(Action::Shutdown);
                let patience = self.now.after(self.config.kill_patience);
                self.timers.set(Timer::Supervisor, patience);
            }
            Supervisor::Ending { .. } => {}
            Supervisor::Down if self.mode == Mode::Closing => {
                self.mode = Mode::Closed;
                self.timers.clear_all();
            }
            Supervisor::Down => {}
        }
        self.abandon_seats();
    }

    /// Gives all seats up, with nothing but the end of the supervisor to wait for.
    fn abandon_seats(&mut self) {
        let seats: Vec<u32> = self.pool.seats().map(|(number, _)| number).collect();
        for seat in seats {
            self.pool.drop_seat(seat);
        }
        self.timers.clear(Timer::Idle);
        let workers: Vec<WorkerId> = self.pool.workers().map(|(id, _)| id).collect();
        for worker in workers {
            self.timers.clear(Timer::Recall(worker));
            self.timers.clear(Timer::Leave(worker));
        }
    }
}
