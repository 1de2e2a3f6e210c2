//! What sessions say about the attempts they were sent.
//!
//! Owns how an attempt leaves a line and what its worker does next. An attempt that is not in the
//! line of the worker that speaks of it is over: the message is stale. Answers come on two channels,
//! but what was given back is heard before the end of any attempt that began after that. So only the
//! head of a line can have ended. What is said of the others is made up: it is not believed, and the
//! session is replaced. What is given back and was not asked back stays where it is: the session
//! will run it.

use taskq_record::{AttemptId, GoneCause, Outcome, TaskId, Time, Verdict, WorkerId};

use crate::run_time::plausible;
use crate::task::{End, Stopping};
use crate::timers::Timer;
use crate::view::Stop;
use crate::worker::Line;

use super::machine::Scheduler;

impl Scheduler {
    /// Whether a session says of an attempt in its line that it has ended, although it cannot have.
    pub(super) fn is_made_up(
        &self,
        worker: WorkerId,
        attempt: AttemptId,
        running: Option<TaskId>,
    ) -> bool {
        let is_possible = |line: &Line| {
            let is_there = |task| line.attempts().any(|other| other.task == task);
            line.head() == Some(attempt) && running.map_or(true, is_there)
        };
        let line = self.pool.line(worker);
        line.is_some_and(|line| !is_possible(line) && line.has(attempt))
    }

    /// Something in a session makes up what it says. It is sent nothing more, and has to be gone soon.
    /// Until then it is heard: what it has begun meanwhile runs nowhere else.
    pub(super) fn distrust(&mut self, worker: WorkerId) {
        self.stale += 1;
        self.wear_out(worker);
        self.expect_end(worker, self.config.kill_patience);
    }

    /// An attempt has ended by itself.
    pub(super) fn finished(
        &mut self,
        worker: WorkerId,
        attempt: AttemptId,
        verdict: Verdict,
        (began, ended): (Time, Time),
        memory: Option<u64>,
    ) {
        let task = attempt.task;
        let queued = self.tasks.get(task).map(|task| task.queued);
        let Some(queued) = queued.filter(|_| self.pool.pull(worker, attempt)) else {
            self.stale += 1;
            return;
        };
        let (began, ended) = plausible(began, ended, queued, self.now);
        self.mean_run_time.learn(ended.since(began));
        self.starts.young_deaths = 0;
        self.pool.count_task(worker);
        let outcome = self.outcome_of(task, verdict, ended);
        self.attempt_is_over(task, worker, outcome, (began, ended));
        if memory.is_some_and(|bytes| bytes > self.config.max_memory) {
            self.wear_out(worker);
        }
        self.advance_line(worker);
    }

    /// Attempts have not begun, and never will.
    pub(super) fn returned(&mut self, worker: WorkerId, attempts: &[AttemptId]) {
        let mut shortened = false;
        for &attempt in attempts {
            let line = self.pool.line(worker);
            let was_asked = line.is_some_and(|line| line.is_asked_back(attempt));
            if was_asked && self.pool.pull(worker, attempt) {
                shortened = true;
                self.not_begun(attempt.task);
            } else {
                self.stale += 1;
            }
        }
        if shortened {
            self.advance_line(worker);
        }
    }

    /// A task that was sent has not begun: it waits again, unless its end was asked for or nothing
    /// can run it.
    pub(super) fn not_begun(&mut self, task: TaskId) {
        let outcome = match self.stopping(task) {
            Some(stopping) => stopped(stopping),
            None if self.starts.given_up => Outcome::NoWorker,
            None => {
                self.clear_timers_of(task);
                self.tasks.give_back(task);
                return;
            }
        };
        self.conclude_now(task, outcome);
    }

    /// A session died in a task, which it had begun at this time at the latest.
    pub(super) fn died(&mut self, task: TaskId, worker: WorkerId, cause: GoneCause, at: Time) {
        let outcome = match self.stopping(task) {
            Some(stopping) => stopped(stopping),
            None => Outcome::Crash { cause },
        };
        let queued = self.tasks.get(task).map_or(at, |task| task.queued);
        let times = plausible(at, self.now, queued, self.now);
        self.attempt_is_over(task, worker, outcome, times);
    }

    /// Why and since when a task that was sent is asked to end, if it is.
    pub(super) fn stopping(&self, task: TaskId) -> Option<Stopping> {
        self.tasks.get(task)?.phase.sent()?.1
    }

    /// Counts an attempt that had begun.
    pub(super) fn count_attempt(&mut self, task: TaskId, (began, ended): (Time, Time)) {
        self.totals.attempts += 1;
        self.totals.run_time += ended.since(began);
        let queued = self.tasks.get(task).map_or(began, |task| task.queued);
        if self.tasks.count_try(task) {
            self.totals.begun += 1;
            self.totals.wait_time += began.since(queued);
        }
    }

    /// What an attempt that has ended by itself, or because it was interrupted, means for its task.
    fn outcome_of(&self, task: TaskId, verdict: Verdict, ended: Time) -> Outcome {
        let stopping = self.stopping(task);
        let in_time = stopping.map_or(true, |stopping| ended <= stopping.asked);
        match (verdict, stopping) {
            (Verdict::Interrupted, Some(stopping)) => stopped(stopping),
            (_, Some(stopping)) if !in_time => stopped(stopping),
            (Verdict::Success, _) => Outcome::Success,
            (Verdict::Error | Verdict::Interrupted, _) => Outcome::Error,
        }
    }

    /// An attempt that had begun is at its session no more: the task is done, or tried again.
    fn attempt_is_over(
        &mut self,
        task: TaskId,
        worker: WorkerId,
        outcome: Outcome,
        times: (Time, Time),
    ) {
        self.count_attempt(task, times);
        let (began, finished) = times;
        let ran = (worker, began);
        let end = End {
            outcome,
            finished,
            ran: Some(ran),
        };
        if self.is_retried(task, &outcome) {
            self.note_end(task, &end, true);
            self.retry(task, ran, finished);
            return;
        }
        self.conclude(task, end);
    }

    /// Lets the line of a worker, from which something was taken, go on.
    fn advance_line(&mut self, worker: WorkerId) {
        let Some(head) = self.pool.head(worker) else {
            self.line_is_empty(worker);
            return;
        };
        if self.tasks.promote(head.task, self.now) {
            self.pool.unbar(worker);
            self.watch_run(head.task);
            if self.stopping(head.task).is_some() {
                self.recall(worker);
            }
        }
        self.watch_line(worker);
    }

    fn line_is_empty(&mut self, worker: WorkerId) {
        self.timers.clear(Timer::Recall(worker));
        let Some((number, seat)) = self.pool.seat_of(worker) else {
            return;
        };
        let leaving = seat.leaving;
        if self.pool.is_killed(worker) {
            // It is about to die: nothing more is expected of it, its seat gets a new session.
            self.pool.detach(worker);
        } else if leaving {
            self.pool.detach(worker);
            self.retire(worker);
        } else if self.pool.is_spent(worker) {
            self.recycle(worker);
        } else {
            self.pool.set_idle(worker, self.now);
            self.run_next_broadcast(worker);
            return;
        }
        if leaving {
            self.pool.drop_seat(number);
        }
    }
}

/// What a task is whose end was asked for, and has come.
fn stopped(stopping: Stopping) -> Outcome {
    match stopping.why {
        Stop::Cancel => Outcome::Cancelled,
        Stop::Timeout => Outcome::Timeout,
    }
}
