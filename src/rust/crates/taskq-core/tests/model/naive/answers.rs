//! What sessions say, and what becomes of tasks then.

use taskq_core::{
    AttemptId, GoneCause, Outcome, QueueState, Stop, TaskId, Time, Verdict, WorkerId,
};

use super::{Model, Seat, State, Stopping, Task};

impl Model {
    pub(super) fn finished(&mut self, place: usize, verdict: Verdict, ended: Time) {
        let ended = ended.min(self.now).max(self.tasks[place].queued);
        let asked = self
            .stopping(place)
            .filter(|stopping| ended > stopping.asked || verdict == Verdict::Interrupted);
        let outcome = match (asked, verdict) {
            (Some(stopping), _) => stopped(stopping.why),
            (None, Verdict::Success) => Outcome::Success,
            (None, Verdict::Error | Verdict::Interrupted) => Outcome::Error,
        };
        self.tried(place, outcome);
    }

    /// An attempt that had begun has ended so.
    fn tried(&mut self, place: usize, outcome: Outcome) {
        let cancelled = self
            .stopping(place)
            .is_some_and(|stopping| stopping.why == Stop::Cancel);
        let task = &mut self.tasks[place];
        task.tries += 1;
        let named = match outcome {
            Outcome::Crash { .. } => task.options.retry_on.crash,
            Outcome::Timeout => task.options.retry_on.timeout,
            Outcome::Error => task.options.retry_on.error,
            _ => false,
        };
        if named && !cancelled && task.tries < task.options.tries {
            self.wait(place, None);
        } else {
            self.end(place, outcome);
        }
    }

    pub(super) fn end(&mut self, place: usize, outcome: Outcome) {
        let after = self.tasks[place].id;
        self.tasks[place].state = State::Done(outcome);
        let held = |task: &Task| task.state == State::Held && task.after.contains(&after);
        if outcome != Outcome::Success {
            for other in (0..self.tasks.len()).rev() {
                if held(&self.tasks[other]) {
                    self.end(other, Outcome::Skipped { after });
                }
            }
            return;
        }
        for other in 0..self.tasks.len() {
            if held(&self.tasks[other]) {
                self.tasks[other].after.retain(|&id| id != after);
                if self.tasks[other].after.is_empty() {
                    self.wait(other, None);
                }
            }
        }
    }

    pub(super) fn supervisor_gone(&mut self) {
        if self.state == QueueState::Closed {
            self.stale += 1;
            return;
        }
        // The older session first.
        let mut seats = self.seats;
        seats.sort_by_key(Seat::worker);
        for seat in seats {
            let begun = match seat {
                Seat::Busy(_, task) => Some(AttemptId {
                    task,
                    number: self.tasks[self.place(task)].sends,
                }),
                _ => None,
            };
            if let Some(worker) = seat.worker() {
                self.worker_gone(worker, GoneCause::SupervisorLost, begun);
            }
        }
        self.leaving.clear();
        self.killed.clear();
        self.supervisor_up = false;
        if self.state == QueueState::Closing {
            self.state = QueueState::Closed;
        }
    }

    pub(super) fn worker_gone(
        &mut self,
        worker: WorkerId,
        cause: GoneCause,
        begun: Option<AttemptId>,
    ) {
        self.killed.retain(|&other| other != worker);
        if self.leaving.contains(&worker) {
            self.leaving.retain(|&other| other != worker);
            return;
        }
        let sits = |seat: &Seat| seat.worker() == Some(worker);
        let Some(place) = self.seats.iter().position(sits) else {
            self.stale += 1;
            return;
        };
        if let Seat::Busy(_, task) = self.seats[place] {
            let at = self.place(task);
            let number = self.tasks[at].sends;
            if begun == Some(AttemptId { task, number }) {
                let stopping = self.stopping(at);
                let crash = Outcome::Crash { cause };
                self.tried(at, stopping.map_or(crash, |stopping| stopped(stopping.why)));
            } else {
                self.not_begun(at);
            }
        }
        self.seats[place] = Seat::Vacant;
    }

    pub(super) fn not_begun(&mut self, place: usize) {
        match self.stopping(place) {
            Some(stopping) => self.end(place, stopped(stopping.why)),
            None => self.wait(place, Some(self.tasks[place].ticket)),
        }
    }

    pub(super) fn stopping(&self, place: usize) -> Option<Stopping> {
        match self.tasks[place].state {
            State::Running { stopping, .. } => stopping,
            _ => None,
        }
    }

    /// The task that this attempt is running now on this worker.
    pub(super) fn current(&self, worker: WorkerId, attempt: AttemptId) -> Option<usize> {
        self.tasks.iter().position(|task| {
            let runs = matches!(task.state, State::Running { worker: w, .. } if w == worker);
            task.id == attempt.task && task.sends == attempt.number && runs
        })
    }

    pub(super) fn free(&mut self, worker: WorkerId, task: TaskId) {
        let isolate = self.tasks[self.place(task)].options.isolate;
        for seat in &mut self.seats {
            if seat.worker() != Some(worker) {
                continue;
            }
            let fresh = false;
            *seat = Seat::Idle { worker, fresh };
            if isolate || self.killed.contains(&worker) {
                *seat = Seat::Vacant;
                self.leaving.push(worker);
            }
        }
    }
}

fn stopped(why: Stop) -> Outcome {
    match why {
        Stop::Cancel => Outcome::Cancelled,
        Stop::Timeout => Outcome::Timeout,
    }
}
