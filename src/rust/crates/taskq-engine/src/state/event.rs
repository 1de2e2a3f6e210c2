//! What has happened outside, and what becomes of it: inputs of the scheduler, and what is kept of what came along.

use std::sync::Arc;

use taskq_core::id::{AttemptId, TaskId, Time, WorkerId};
use taskq_core::{Begun, GoneCause, Input, QueueState, Scheduler};
use taskq_payload::payload::Payload;

use super::observer::Fact;
use super::record::Ending;
use super::State;
use crate::error::StartFailure;
use crate::session::{FinishedTask, News};

/// A session that is gone.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) worker: WorkerId,
    pub(crate) cause: GoneCause,
    /// What it has said at last.
    pub(crate) news: Vec<News>,
    /// Why it did not come up, if it did not.
    pub(crate) why: Option<StartFailure>,
    pub(crate) begun: Option<Begun>,
    /// What it left of the attempt that had `begun`, or counts as begun.
    pub(crate) ending: Ending,
}

impl Gone {
    /// A session that never was a process.
    pub(crate) fn unborn(worker: WorkerId, cause: GoneCause, why: Option<StartFailure>) -> Gone {
        Gone {
            worker,
            cause,
            news: Vec::new(),
            why,
            begun: None,
            ending: Ending::default(),
        }
    }
}

impl State {
    /// Tells the scheduler something.
    pub(crate) fn input(&mut self, input: Input, now: Time) {
        self.log.input(&input, now);
        self.sched.handle(now, input);
    }

    /// A deadline may be over.
    pub(crate) fn tick(&mut self, now: Time) {
        if self.sched.next_wakeup().is_some_and(|at| at <= now) {
            self.input(Input::Tick, now);
        }
    }

    /// The supervisor is gone, or could not be made. `reported`: as in [`Input::SupervisorGone`].
    pub(crate) fn supervisor_gone(&mut self, reported: bool, why: Option<StartFailure>, now: Time) {
        self.note_failure(why, now);
        self.input(Input::SupervisorGone { reported }, now);
    }

    /// A session is this process.
    pub(crate) fn is_process(&mut self, worker: WorkerId, pid: i32, now: Time) {
        self.tell(Fact::Process(worker, pid), now);
    }

    /// A session's news become inputs of the scheduler, what it gives back first.
    pub(crate) fn hear_session(&mut self, worker: WorkerId, mut news: Vec<News>, now: Time) {
        for item in &mut news {
            if let News::Returned(attempts) = item {
                let attempts = std::mem::take(attempts);
                self.input(Input::Returned { worker, attempts }, now);
            }
        }
        for item in news {
            match item {
                News::Ready { pid } => {
                    if self.history.place_of(worker).1.is_none() {
                        self.is_process(worker, pid, now);
                    }
                    self.tell(Fact::Ready(worker), now);
                    self.input(Input::WorkerReady { worker }, now);
                }
                News::StartFailed(failure) => {
                    self.note_failure(Some(failure), now);
                    self.input(Input::StartFailed { worker }, now);
                }
                News::Ran(value) => self.ran(worker, value, now),
                News::Finished(task) => self.finish(worker, *task, now),
                News::Signalled(attempt, condition) => self.signalled(attempt, condition),
                News::Returned(_) => {}
            }
        }
    }

    /// An attempt has signalled a condition, which is of no interest when it has ended. Its event loop, if it has one,
    /// shall see it.
    fn signalled(&mut self, attempt: AttemptId, condition: Box<Payload>) {
        let view = self.sched.task(attempt.task);
        if !view.is_some_and(|view| view.attempt == Some(attempt) && view.outcome.is_none()) {
            return;
        }
        self.conditions.add(condition);
        let record = self.records.get(&attempt.task);
        let event_loop = record.and_then(|record| record.promised_to);
        self.to_wake.extend(event_loop);
    }

    /// An attempt has ended by itself.
    fn finish(&mut self, worker: WorkerId, task: FinishedTask, now: Time) {
        let FinishedTask {
            finished,
            mut ending,
            memory,
            running,
        } = task;
        let attempt = finished.attempt;
        let record = self.records.get(&attempt.task);
        if !record.is_some_and(|record| record.is_wanted()) {
            ending.retire();
        }
        let input = Input::Finished {
            worker,
            attempt,
            verdict: finished.verdict,
            began: finished.began,
            ended: finished.ended,
            memory,
            running,
        };
        self.end_attempt(attempt.task, ending, input, now);
    }

    /// A session is gone.
    pub(crate) fn reap(&mut self, gone: Gone, now: Time) {
        let (worker, cause, begun) = (gone.worker, gone.cause, gone.begun);
        self.hear_session(worker, gone.news, now);
        self.note_failure(gone.why, now);
        let attempt = begun.map(|begun| begun.attempt);
        let attempt = attempt.or_else(|| self.sched.unheard(worker));
        let input = Input::WorkerGone {
            worker,
            cause,
            begun,
        };
        match attempt {
            Some(attempt) => self.end_attempt(attempt.task, gone.ending, input, now),
            None => self.input(input, now),
        }
        self.note_ended(now);
        self.tell(Fact::Gone(worker, cause), now);
    }

    /// Tells the machine `input`, and keeps what the attempt left if that has ended the task. Whether it does is for
    /// the machine to say: the message may be stale. A task that was ended before its session was dead has nothing yet.
    pub(crate) fn end_attempt(&mut self, task: TaskId, ending: Ending, input: Input, now: Time) {
        let is_done =
            |sched: &Scheduler| sched.task(task).is_some_and(|view| view.outcome.is_some());
        let was_done = is_done(&self.sched);
        self.input(input, now);
        let is_late = was_done && ending.outcome.is_none();
        if is_late || (!was_done && is_done(&self.sched)) {
            if let Some(record) = self.records.get_mut(&task) {
                record.ending.get_or_insert_with(|| Arc::new(ending));
            }
        }
    }

    /// The driver has come to its end. Should it have been a fault, nothing runs any more, so no call may wait for it.
    pub(crate) fn end_driver(&mut self, fault: Option<String>, now: Time) {
        self.tell(Fact::AllGone, now);
        self.log.driver_ended(fault.as_deref(), now);
        // First of all, because the scheduler may be what has the fault.
        self.fault = fault;
        if self.fault.is_some() {
            self.input(Input::Kill, now);
            self.input(Input::SupervisorGone { reported: false }, now);
        }
    }

    /// Keeps the reason why a session or a supervisor did not start, to be shown when the pool gives up; once it has,
    /// what ends afterwards is no reason any more.
    fn note_failure(&mut self, failure: Option<StartFailure>, now: Time) {
        if let Some(failure) = failure.filter(|_| self.sched.state() == QueueState::Open) {
            self.log.failed(&failure, now);
            self.failure = Some(failure);
        }
    }
}
