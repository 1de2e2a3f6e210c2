//! The state of the machine, and the way in and out.
//!
//! Every [`Input`] goes through [`Scheduler::handle`]: first its own answer, then, the same for all,
//! what can now be launched, sent or wound down. Tasks come in, are claimed and leave by methods of
//! their own, in `submit`. Time never runs backwards in here.

use std::collections::VecDeque;

use taskq_record::{Ended, Time};

use crate::action::Action;
use crate::config::SchedulerConfig;
use crate::input::Input;
use crate::pool::Pool;
use crate::run_time::MeanRunTime;
use crate::tasks::Tasks;
use crate::timers::Timers;
use crate::totals::Totals;
use crate::view::BroadcastState;

/// The scheduler of one queue.
///
/// After each call of [`submit`](Scheduler::submit) or [`handle`](Scheduler::handle), drain
/// [`next_action`](Scheduler::next_action) and [`next_ended`](Scheduler::next_ended) until they give
/// none, and arrange for an [`Input::Tick`] at [`next_wakeup`](Scheduler::next_wakeup).
///
/// ```
/// use taskq_core::{Action, SchedulerConfig, Input, Outcome, Scheduler, Submission, Time, Verdict};
///
/// let mut scheduler = Scheduler::new(SchedulerConfig { workers: 1, ..SchedulerConfig::default() });
/// assert_eq!(scheduler.next_action(), Some(Action::Boot));
/// scheduler.handle(Time(1), Input::SupervisorUp);
/// let Some(Action::Launch { worker }) = scheduler.next_action() else { panic!() };
/// scheduler.handle(Time(2), Input::WorkerReady { worker });
///
/// let task = scheduler.submit(Time(3), Submission::labelled("fit")).unwrap();
/// let Some(Action::Send { attempt, .. }) = scheduler.next_action() else { panic!() };
/// let (verdict, began, ended) = (Verdict::Success, Time(4), Time(8));
/// let (memory, running) = (None, None);
/// let input = Input::Finished { worker, attempt, verdict, began, ended, memory, running };
/// scheduler.handle(Time(9), input);
///
/// assert_eq!(scheduler.next_action(), Some(Action::Done { task }));
/// assert_eq!(scheduler.task(task).unwrap().outcome, Some(&Outcome::Success));
/// assert!(scheduler.take(task));
/// ```
#[derive(Clone, Debug)]
pub struct Scheduler {
    pub(super) config: SchedulerConfig,
    pub(super) now: Time,
    pub(super) mode: Mode,
    pub(super) paused: bool,
    pub(super) tasks: Tasks,
    pub(super) pool: Pool,
    pub(super) supervisor: Supervisor,
    pub(super) starts: Starts,
    pub(super) timers: Timers,
    pub(super) mean_run_time: MeanRunTime,
    pub(super) actions: VecDeque<Action>,
    pub(super) ended: VecDeque<Ended>,
    pub(super) stale: u64,
    pub(super) totals: Totals,
    /// The broadcasts, by their numbers less one.
    pub(super) broadcasts: Vec<BroadcastState>,
}

/// Whether the queue takes tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Open,
    Closing,
    Closed,
}

/// The process that launches sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supervisor {
    /// It was asked for.
    Booting,
    /// It launches sessions.
    Up,
    /// A session told that it died; its own end has not been reported.
    Lost,
    /// It was told to end, politely or by a kill, and is not gone.
    Ending { killed: bool },
    /// There is none, and none is coming.
    Down,
}

/// What is known about starting.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Starts {
    /// How many failed since a session was last ready.
    pub(super) failures: u32,
    /// How many sessions died right after they became ready since a task was last finished.
    pub(super) young_deaths: u32,
    /// The worker launched last when such a death was last counted: deaths of older ones are part of
    /// it.
    pub(super) deaths_counted_up_to: u64,
    /// The worker launched last when a failure was last counted: failures of older ones are part of
    /// it.
    pub(super) counted_up_to: u64,
    /// A session was ever ready.
    pub(super) any_ready: bool,
    /// A session of the present supervisor was ever ready.
    pub(super) supervisor_bore: bool,
    /// The pool has failed.
    pub(super) given_up: bool,
}

impl Scheduler {
    /// A scheduler that asks for a supervisor at once.
    #[must_use]
    pub fn new(config: SchedulerConfig) -> Self {
        let mut pool = Pool::new(config.max_tasks);
        pool.add_seats(config.workers);
        Scheduler {
            config,
            now: Time::default(),
            mode: Mode::Open,
            paused: false,
            tasks: Tasks::new(config.fair),
            pool,
            supervisor: Supervisor::Booting,
            starts: Starts::default(),
            timers: Timers::default(),
            mean_run_time: MeanRunTime::default(),
            actions: VecDeque::from([Action::Boot]),
            ended: VecDeque::new(),
            stale: 0,
            totals: Totals::default(),
            broadcasts: Vec::new(),
        }
    }

    /// Takes in what happened. Defined for every input in every state; O(log n) in the number of
    /// tasks, apart from the end of the pool or of the queue.
    ///
    /// A `now` earlier than one before counts as that one.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.advance_clock(now);
        match input {
            Input::SupervisorUp => self.supervisor_up(),
            Input::SupervisorGone { reported } => self.supervisor_gone(reported),
            Input::WorkerReady { worker } => self.worker_ready(worker, 0),
            Input::Ran { worker, broadcast } => self.worker_ready(worker, broadcast),
            Input::StartFailed { worker } => self.start_failed(worker),
            Input::WorkerGone {
                worker,
                cause,
                begun,
            } => self.worker_gone(worker, cause, begun),
            Input::Finished {
                worker,
                attempt,
                verdict,
                began,
                ended,
                memory,
                running,
            } => {
                if self.is_made_up(worker, attempt, running) {
                    self.distrust(worker);
                } else {
                    self.finished(worker, attempt, verdict, (began, ended), memory);
                }
            }
            Input::Unheard { worker } => self.lose_words(worker),
            Input::HungUp { worker } => self.hung_up(worker),
            Input::Returned { worker, attempts } => self.returned(worker, &attempts),
            Input::Cancel { tasks, grace } => self.cancel(tasks, grace),
            Input::Resize {
                workers,
                max_workers,
            } => self.resize(workers, max_workers),
            Input::Withdraw { broadcast } => self.withdraw(broadcast),
            Input::Pause => self.pause(),
            Input::Resume => self.resume(),
            Input::Close { deadline } => self.close(deadline),
            Input::Kill => self.kill(),
            Input::Tick => self.tick(),
        }
        self.go_on();
        self.wind_down();
    }

    /// The next thing to do, in the order in which they are to be done.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next attempt that is over, in the order in which they ended here. Kept until it is fetched.
    pub fn next_ended(&mut self) -> Option<Ended> {
        self.ended.pop_front()
    }

    /// When the next [`Input::Tick`] is needed; none when nothing can run out.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Time> {
        self.timers.next()
    }

    /// What can now be launched and sent, whatever has happened.
    pub(super) fn go_on(&mut self) {
        self.launch();
        self.dispatch();
        self.meet_demand();
        self.launch();
        self.watch_idle();
        self.keep_broadcasts();
    }

    pub(super) fn advance_clock(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }
}
