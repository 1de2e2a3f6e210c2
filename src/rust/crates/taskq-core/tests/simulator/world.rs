//! The world around a scheduler: a clock, messages under way, and in the files beside it supervisors and sessions.
//!
//! Keeps the contract of the driver: messages of one channel keep their order; all that a session
//! said is handed in before its end; the ends of all sessions before the end of their supervisor.
//! Everything else is up to chance.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use taskq_core::{
    Action, AttemptId, GoneCause, Input, Scheduler, SchedulerConfig, TaskId, Time, Verdict,
    WorkerId,
};

use crate::random::Random;
use crate::record::Record;
use crate::session::Session;
use crate::truth::Truth;

mod sessions;
mod supervisor;
mod watch;

/// No message takes longer.
pub(crate) const LATENCY_US: u64 = 300;
/// No tick comes later.
pub(crate) const LATENESS_US: u64 = 200;

/// How bad things are: chances in a thousand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Climate {
    pub(crate) crash: u64,
    pub(crate) hang: u64,
    pub(crate) deaf: u64,
    pub(crate) bad_start: u64,
    pub(crate) bad_boot: u64,
    pub(crate) obstinate: u64,
    pub(crate) echo: u64,
    /// The longest run time of a usual task.
    pub(crate) long_us: u64,
}

/// Something that will happen.
#[derive(Clone, Debug)]
enum Event {
    /// The scheduler learns this.
    Host(Input),
    /// The scheduler learns this, if the supervisor is still the same.
    Supervisor(u32, Input),
    Run(WorkerId, AttemptId),
    RunBroadcast(WorkerId, u64),
    Recall(WorkerId, Vec<AttemptId>),
    Interrupt(WorkerId, AttemptId),
    Retire(WorkerId),
    Kill(WorkerId),
    /// The run of an attempt ends so.
    Ends(WorkerId, AttemptId, Fate),
    StartDies(WorkerId),
    SupervisorDies(u32),
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Verdict(Verdict),
    Crash,
}

pub(crate) struct World {
    pub(crate) scheduler: Scheduler,
    pub(crate) now: Time,
    pub(crate) random: Random,
    pub(crate) truth: Truth,
    record: Record,
    climate: Climate,
    config: SchedulerConfig,
    sessions: BTreeMap<WorkerId, Session>,
    /// Sessions of whose end the scheduler knows.
    reaped: BTreeSet<WorkerId>,
    supervisor: Option<u32>,
    supervisors: u32,
    events: BTreeMap<(Time, u64), Event>,
    serial: u64,
    /// How many broadcasts there are that every session is to run.
    broadcasts: u64,
    steps: u64,
    /// Since when a task has lain ahead on a session while another was idle.
    stranded: BTreeMap<TaskId, Time>,
}

impl World {
    pub(crate) fn new(config: SchedulerConfig, climate: Climate, random: Random) -> Self {
        let mut world = World {
            scheduler: Scheduler::new(config),
            now: Time(1_000_000_000),
            random,
            truth: Truth::default(),
            record: Record::default(),
            climate,
            config,
            sessions: BTreeMap::new(),
            reaped: BTreeSet::new(),
            supervisor: None,
            supervisors: 0,
            events: BTreeMap::new(),
            serial: 0,
            broadcasts: 0,
            steps: 0,
            stranded: BTreeMap::new(),
        };
        world.obey();
        world
    }

    pub(crate) fn input(&mut self, input: Input) {
        if let Input::WorkerGone { worker, .. } = input {
            self.reaped.insert(worker);
        }
        self.scheduler.handle(self.now, input);
        self.obey();
    }

    /// Has every session run a broadcast, or takes the last one back.
    pub(crate) fn run_everywhere(&mut self) {
        if self.serial % 4 == 0 {
            let broadcast = self.broadcasts;
            return self.input(Input::Withdraw { broadcast });
        }
        if let Ok(broadcast) = self.scheduler.run_everywhere(self.now) {
            self.broadcasts += 1;
            assert_eq!(broadcast, self.broadcasts);
        }
        self.obey();
    }

    /// Lets everything happen that happens within this time.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let until = self.now.after(duration);
        while self.step(until) {}
        self.now = until;
    }

    /// Lets one thing happen, if one does before `until`.
    pub(crate) fn step(&mut self, until: Time) -> bool {
        self.steps += 1;
        assert!(self.steps < 20_000, "the queue does not come to rest");
        let event = self.events.first_key_value().map(|(&key, _)| key);
        let wakeup = self.scheduler.next_wakeup();
        if let Some(wakeup) = wakeup {
            let late = self.random.micros(0, LATENESS_US);
            let at = wakeup.max(self.now).after(late);
            if at <= until && event.map_or(true, |(next, _)| at <= next) {
                self.now = at;
                self.input(Input::Tick);
                return true;
            }
        }
        let Some(key) = event.filter(|&(at, _)| at <= until) else {
            return wakeup.is_some_and(|at| at.after(Duration::from_micros(LATENESS_US)) <= until);
        };
        let event = self.events.remove(&key);
        self.now = self.now.max(key.0);
        if let Some(event) = event {
            self.happen(event);
        }
        true
    }

    pub(crate) fn anybody_alive(&self) -> bool {
        self.supervisor.is_some() || self.sessions.values().any(|session| session.alive)
    }

    pub(crate) fn latency(&mut self) -> Duration {
        self.random.micros(5, LATENCY_US)
    }

    fn plan(&mut self, at: Time, event: Event) {
        self.serial += 1;
        self.events.insert((at, self.serial), event);
    }

    fn soon(&mut self, event: Event) {
        let at = self.now.after(self.latency());
        self.plan(at, event);
    }

    fn obey(&mut self) {
        let mut actions = VecDeque::new();
        while let Some(action) = self.scheduler.next_action() {
            actions.push_back(action);
        }
        while let Some(ended) = self.scheduler.next_ended() {
            self.record.note(&ended);
        }
        self.record.check(self.scheduler.totals());
        self.scheduler.check_invariants();
        for action in actions {
            self.perform(action);
        }
        self.check_stranded();
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Boot => self.boot(),
            Action::Launch { worker } => self.launch(worker),
            Action::Send { worker, attempt } => {
                let session = self.session(worker);
                let killed = session.retiring;
                assert!(
                    !killed,
                    "{attempt:?} is sent to {worker:?}, which was told to leave"
                );
                self.check_alone(worker, attempt);
                self.check_broadcasts(worker);
                self.session(worker).sent.insert(attempt);
                let at = self.channel(worker, |session| &mut session.task_in);
                self.plan(at, Event::Run(worker, attempt));
            }
            Action::RunBroadcast { worker, broadcast } => {
                let session = self.session(worker);
                assert!(
                    session.broadcasts.last() < Some(&broadcast),
                    "in their order"
                );
                session.broadcasts.insert(broadcast);
                let at = self.channel(worker, |session| &mut session.task_in);
                self.plan(at, Event::RunBroadcast(worker, broadcast));
            }
            Action::Recall { worker, attempts } => {
                assert!(!attempts.is_empty());
                let at = self.channel(worker, |session| &mut session.control_in);
                self.plan(at, Event::Recall(worker, attempts));
            }
            Action::Interrupt { worker, attempt } => {
                let at = self.channel(worker, |session| &mut session.control_in);
                self.plan(at, Event::Interrupt(worker, attempt));
            }
            Action::Retire { worker } => {
                self.session(worker).retiring = true;
                let at = self.channel(worker, |session| &mut session.task_in);
                self.plan(at, Event::Retire(worker));
            }
            Action::KillWorker { worker } => {
                self.session(worker).retiring = true;
                self.soon(Event::Kill(worker));
            }
            Action::KillSupervisor => {
                if let Some(supervisor) = self.supervisor {
                    self.soon(Event::SupervisorDies(supervisor));
                }
            }
            Action::Shutdown => {
                let obeys = !self.random.permille(self.climate.obstinate);
                if let Some(supervisor) = self.supervisor.filter(|_| obeys) {
                    self.soon(Event::SupervisorDies(supervisor));
                }
            }
            Action::Done { task } => {
                let view = self.scheduler.task(task);
                let view = view.unwrap_or_else(|| panic!("{task:?} is done and not there"));
                self.truth.done(&view, self.scheduler.state());
            }
            Action::Forget { task } => {
                assert!(
                    self.scheduler.task(task).is_none(),
                    "{task:?} is still there"
                );
                self.truth.forgotten(task);
            }
            Action::Failed => self.truth.pool_failed(),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Host(mut input) => {
                if let Input::Finished {
                    worker, running, ..
                } = &mut input
                {
                    let current = self.session(*worker).current;
                    *running = current.map(|(attempt, _)| attempt.task);
                }
                // Only a supervisor has no name by which an old message of it is known.
                let named = !matches!(input, Input::SupervisorGone { .. });
                if named && self.random.permille(self.climate.echo) {
                    let at = self.now.after(self.random.micros(1, 20_000));
                    self.plan(at, Event::Host(input.clone()));
                }
                self.input(input);
            }
            Event::Supervisor(supervisor, input) => {
                if self.supervisor == Some(supervisor) {
                    self.input(input);
                }
            }
            Event::Run(worker, attempt) => {
                if self.living(worker) {
                    self.session(worker).queue.push_back(attempt);
                    self.go_on(worker);
                }
            }
            Event::RunBroadcast(worker, broadcast) => self.run_broadcast(worker, broadcast),
            Event::Recall(worker, attempts) => {
                if self.listens(worker) {
                    let session = self.session(worker);
                    let back = attempts
                        .into_iter()
                        .filter(|&a| session.give_back(a))
                        .collect();
                    self.give_back(worker, back);
                }
            }
            Event::Interrupt(worker, attempt) => self.interrupt(worker, attempt),
            Event::Retire(worker) => {
                if self.listens(worker) && !self.session(worker).nature.stays {
                    self.die(worker, GoneCause::Exited { code: 0 });
                }
            }
            Event::Kill(worker) => {
                if self.living(worker) && !self.session(worker).nature.unkillable {
                    self.die(worker, GoneCause::Signaled { signal: 9 });
                }
            }
            Event::Ends(worker, attempt, fate) => self.ends(worker, attempt, fate),
            Event::StartDies(worker) => {
                if self.living(worker) {
                    self.die(worker, GoneCause::Exited { code: 1 });
                }
            }
            Event::SupervisorDies(supervisor) => {
                if self.supervisor == Some(supervisor) {
                    self.supervisor_dies(supervisor, false);
                }
            }
        }
    }
}
