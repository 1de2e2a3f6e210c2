//! A driver in virtual time: hands inputs in, and makes a test look at every action.
//!
//! After each step the invariants are checked; a test that leaves an action unexamined fails.

// Every test file uses a part of this.
#![allow(dead_code)]

use std::collections::VecDeque;
use std::time::Duration;

use taskq_core::{
    Action, AttemptId, Begun, Counts, Ended, GoneCause, Input, LookAhead, Outcome, QueueState,
    Scheduler, SchedulerConfig, SeatState, Submission, TaskId, TaskOptions, TaskPhase, Time,
    Verdict, WorkerId,
};

pub(crate) const CRASH: GoneCause = GoneCause::Signaled { signal: 11 };

/// So many workers, without look-ahead.
pub(crate) fn plain(workers: u32) -> SchedulerConfig {
    SchedulerConfig {
        workers,
        look_ahead: LookAhead::OFF,
        ..SchedulerConfig::default()
    }
}

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn us(n: u64) -> Duration {
    Duration::from_micros(n)
}

pub(crate) fn after_these(label: &str, after: &[&str]) -> Submission {
    Submission {
        after: after.iter().map(|&label| label.into()).collect(),
        ..Submission::labelled(label)
    }
}

pub(crate) struct Driver {
    pub(crate) scheduler: Scheduler,
    pub(crate) now: Time,
    actions: VecDeque<Action>,
    /// Every attempt that is over.
    pub(crate) ended: Vec<Ended>,
}

impl Driver {
    /// A new queue, whose supervisor boots.
    pub(crate) fn new(config: SchedulerConfig) -> Self {
        let mut driver = Driver {
            scheduler: Scheduler::new(config),
            now: Time(1_000_000),
            actions: VecDeque::new(),
            ended: Vec::new(),
        };
        driver.drain();
        driver.expect(Action::Boot);
        driver
    }

    /// A queue whose sessions are all ready.
    pub(crate) fn ready(config: SchedulerConfig) -> (Self, Vec<WorkerId>) {
        let mut driver = Driver::new(config);
        driver.input(Input::SupervisorUp);
        let workers: Vec<WorkerId> = (0..config.workers).map(|_| driver.launched()).collect();
        for &worker in &workers {
            driver.input(Input::WorkerReady { worker });
        }
        (driver, workers)
    }

    /// A queue of one ready worker, where tasks are known to take so long.
    pub(crate) fn with_run_time(config: SchedulerConfig, run_time: Duration) -> (Self, WorkerId) {
        let (mut driver, workers) = Driver::ready(config);
        let task = driver.push();
        let (worker, attempt) = driver.sent();
        driver.wait(run_time);
        driver.finish(worker, attempt);
        driver.done(task, Outcome::Success);
        assert!(driver.scheduler.take(task));
        (driver, workers[0])
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.scheduler.handle(self.now, input);
        self.drain();
    }

    /// Lets time pass, and stops at each wake-up in between.
    pub(crate) fn wait(&mut self, duration: Duration) {
        let until = self.now.after(duration);
        while let Some(at) = self.scheduler.next_wakeup().filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.input(Input::Tick);
        }
        self.now = until;
        self.input(Input::Tick);
    }

    pub(crate) fn push(&mut self) -> TaskId {
        self.submit(Submission::default())
    }

    pub(crate) fn push_labelled(&mut self, label: &str) -> TaskId {
        self.submit(Submission::labelled(label))
    }

    /// With these options.
    pub(crate) fn push_with(&mut self, options: TaskOptions) -> TaskId {
        self.submit(Submission {
            options,
            ..Submission::default()
        })
    }

    /// After the tasks with these labels.
    pub(crate) fn push_after(&mut self, label: &str, after: &[&str]) -> TaskId {
        self.submit(after_these(label, after))
    }

    pub(crate) fn submit(&mut self, submission: Submission) -> TaskId {
        let task = self.scheduler.submit(self.now, submission).unwrap();
        self.drain();
        task
    }

    pub(crate) fn submit_all(&mut self, submissions: Vec<Submission>) -> Vec<TaskId> {
        let tasks = self.scheduler.submit_all(self.now, submissions).unwrap();
        self.drain();
        tasks
    }

    /// The attempt succeeds; it has run since it was sent.
    pub(crate) fn finish(&mut self, worker: WorkerId, attempt: AttemptId) {
        self.finish_with(worker, attempt, Verdict::Success);
    }

    pub(crate) fn finish_with(&mut self, worker: WorkerId, attempt: AttemptId, verdict: Verdict) {
        self.finish_at(worker, attempt, verdict, self.now);
    }

    /// The attempt has ended then.
    pub(crate) fn finish_at(
        &mut self,
        worker: WorkerId,
        attempt: AttemptId,
        verdict: Verdict,
        ended: Time,
    ) {
        let view = self.scheduler.task(attempt.task);
        let began = view.and_then(|view| view.started).unwrap_or(ended);
        self.input(Input::Finished {
            worker,
            attempt,
            verdict,
            began,
            ended,
            memory: None,
            running: None,
        });
    }

    pub(crate) fn returned(&mut self, worker: WorkerId, attempts: &[AttemptId]) {
        let attempts = attempts.to_vec();
        self.input(Input::Returned { worker, attempts });
    }

    /// The session dies; it had noted the begin of this attempt.
    pub(crate) fn dies_in(&mut self, worker: WorkerId, attempt: AttemptId) {
        let begun = Some(Begun {
            attempt,
            at: self.now,
        });
        self.gone(worker, CRASH, begun);
    }

    /// The session dies without having begun anything.
    pub(crate) fn dies(&mut self, worker: WorkerId) {
        self.gone(worker, CRASH, None);
    }

    pub(crate) fn gone(&mut self, worker: WorkerId, cause: GoneCause, begun: Option<Begun>) {
        self.input(Input::WorkerGone {
            worker,
            cause,
            begun,
        });
    }

    pub(crate) fn cancel(&mut self, task: TaskId) {
        self.cancel_all(&[task]);
    }

    pub(crate) fn cancel_all(&mut self, tasks: &[TaskId]) {
        self.cancel_within(tasks, None);
    }

    pub(crate) fn cancel_within(&mut self, tasks: &[TaskId], grace: Option<Duration>) {
        let tasks = tasks.to_vec();
        self.input(Input::Cancel { tasks, grace });
    }

    /// The next action is this one.
    pub(crate) fn disown(&mut self, task: TaskId) {
        self.scheduler.disown(self.now, task);
        self.drain();
    }

    pub(crate) fn expect(&mut self, action: Action) {
        assert_eq!(self.actions.pop_front(), Some(action));
    }

    pub(crate) fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// There is no action that was not looked at.
    pub(crate) fn expect_nothing(&self) {
        assert!(self.actions.is_empty(), "unexamined: {:?}", self.actions);
    }

    pub(crate) fn sent(&mut self) -> (WorkerId, AttemptId) {
        match self.actions.pop_front() {
            Some(Action::Send { worker, attempt }) => (worker, attempt),
            other => panic!("expected a send, not {other:?}"),
        }
    }

    pub(crate) fn launched(&mut self) -> WorkerId {
        match self.actions.pop_front() {
            Some(Action::Launch { worker }) => worker,
            other => panic!("expected a launch, not {other:?}"),
        }
    }

    /// The next action says that this task is done, and this is how.
    pub(crate) fn done(&mut self, task: TaskId, outcome: Outcome) {
        self.expect(Action::Done { task });
        assert_eq!(self.outcome(task), Some(outcome));
    }

    pub(crate) fn outcome(&self, task: TaskId) -> Option<Outcome> {
        self.scheduler.task(task).unwrap().outcome.copied()
    }

    /// Where it runs.
    pub(crate) fn worker_of(&self, task: TaskId) -> WorkerId {
        self.scheduler.task(task).unwrap().worker.unwrap()
    }

    /// What of it was sent.
    pub(crate) fn attempt_of(&self, task: TaskId) -> AttemptId {
        self.scheduler.task(task).unwrap().attempt.unwrap()
    }

    pub(crate) fn phase(&self, task: TaskId) -> TaskPhase {
        self.scheduler.task(task).unwrap().phase
    }

    pub(crate) fn is_running(&self, task: TaskId) -> bool {
        matches!(self.phase(task), TaskPhase::Running { .. })
    }

    pub(crate) fn state(&self) -> QueueState {
        self.scheduler.state()
    }

    pub(crate) fn seat_states(&self) -> Vec<SeatState> {
        self.scheduler.seats().map(|seat| seat.state).collect()
    }

    pub(crate) fn seat_numbers(&self) -> Vec<u32> {
        self.scheduler.seats().map(|seat| seat.seat).collect()
    }

    #[track_caller]
    pub(crate) fn assert_counts(&self, waiting: usize, running: usize, done: usize) {
        let expected = Counts {
            waiting,
            running,
            done,
        };
        assert_eq!(self.scheduler.counts(), expected);
    }

    fn drain(&mut self) {
        while let Some(action) = self.scheduler.next_action() {
            self.actions.push_back(action);
        }
        self.ended
            .extend(std::iter::from_fn(|| self.scheduler.next_ended()));
        self.scheduler.check_invariants();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.expect_nothing();
        }
    }
}
