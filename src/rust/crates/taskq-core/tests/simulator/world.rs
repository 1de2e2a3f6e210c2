//! The world around a scheduler: a clock, a nursery, sessions, messages under way.
//!
//! Keeps the contract of the driver: messages of one channel keep their order; all that a session
//! said is handed in before its end; the ends of all sessions before the end of their nursery.
//! Everything else is up to chance.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use taskq_core::{
    Action, AttemptId, Begun, Config, GoneCause, Input, Scheduler, TaskId, Time, Verdict, WorkerId,
};

use crate::random::Random;
use crate::session::{Nature, Session};
use crate::truth::Truth;

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
    /// The scheduler learns this, if the nursery is still the same.
    Nursery(u32, Input),
    Run(WorkerId, AttemptId),
    Recall(WorkerId, Vec<AttemptId>),
    Interrupt(WorkerId, AttemptId),
    Retire(WorkerId),
    Kill(WorkerId),
    /// The run of an attempt ends so.
    Ends(WorkerId, AttemptId, Fate),
    StartDies(WorkerId),
    NurseryDies(u32),
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
    climate: Climate,
    config: Config,
    sessions: BTreeMap<WorkerId, Session>,
    /// Sessions of whose end the scheduler knows.
    buried: BTreeSet<WorkerId>,
    nursery: Option<u32>,
    nurseries: u32,
    events: BTreeMap<(Time, u64), Event>,
    serial: u64,
    steps: u64,
    /// Since when a task has lain ahead on a session while another was idle.
    stranded: BTreeMap<TaskId, Time>,
}

impl World {
    pub(crate) fn new(config: Config, climate: Climate, random: Random) -> Self {
        let mut world = World {
            scheduler: Scheduler::new(config),
            now: Time(1_000_000_000),
            random,
            truth: Truth::default(),
            climate,
            config,
            sessions: BTreeMap::new(),
            buried: BTreeSet::new(),
            nursery: None,
            nurseries: 0,
            events: BTreeMap::new(),
            serial: 0,
            steps: 0,
            stranded: BTreeMap::new(),
        };
        world.obey();
        world
    }

    pub(crate) fn input(&mut self, input: Input) {
        if let Input::WorkerGone { worker, .. } = input {
            self.buried.insert(worker);
        }
        self.scheduler.handle(self.now, input);
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

    /// Kills a random session from outside.
    pub(crate) fn strike_session(&mut self) {
        let alive = self.sessions.iter().filter(|(_, session)| session.alive);
        let alive: Vec<WorkerId> = alive.map(|(&worker, _)| worker).collect();
        if let Some(worker) = self.random.pick(&alive) {
            self.die(worker, GoneCause::Signaled { signal: 15 });
        }
    }

    /// Kills the nursery from outside.
    pub(crate) fn strike_nursery(&mut self) {
        if let Some(nursery) = self.nursery {
            self.nursery_dies(nursery, false);
        }
    }

    pub(crate) fn anybody_alive(&self) -> bool {
        self.nursery.is_some() || self.sessions.values().any(|session| session.alive)
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
                let at = self.channel(worker, |session| &mut session.task_in);
                self.plan(at, Event::Run(worker, attempt));
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
            Action::KillNursery => {
                if let Some(nursery) = self.nursery {
                    self.soon(Event::NurseryDies(nursery));
                }
            }
            Action::Shutdown => {
                let obeys = !self.random.permille(self.climate.obstinate);
                if let Some(nursery) = self.nursery.filter(|_| obeys) {
                    self.soon(Event::NurseryDies(nursery));
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
            Event::Host(input) => {
                // Only a nursery has no name by which an old message of it is known.
                let named = !matches!(input, Input::NurseryGone { .. });
                if named && self.random.permille(self.climate.echo) {
                    let at = self.now.after(self.random.micros(1, 20_000));
                    self.plan(at, Event::Host(input.clone()));
                }
                self.input(input);
            }
            Event::Nursery(nursery, input) => {
                if self.nursery == Some(nursery) {
                    self.input(input);
                }
            }
            Event::Run(worker, attempt) => {
                if self.living(worker) {
                    self.session(worker).queue.push_back(attempt);
                    self.go_on(worker);
                }
            }
            Event::Recall(worker, attempts) => {
                if self.living(worker) {
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
                if self.living(worker) && !self.session(worker).nature.stays {
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
            Event::NurseryDies(nursery) => {
                if self.nursery == Some(nursery) {
                    self.nursery_dies(nursery, false);
                }
            }
        }
    }

    fn boot(&mut self) {
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

    fn launch(&mut self, worker: WorkerId) {
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

    fn go_on(&mut self, worker: WorkerId) {
        let now = self.now;
        let session = self.session(worker);
        if session.current.is_some() {
            return;
        }
        let Some(attempt) = session.next() else {
            return;
        };
        let Climate {
            crash,
            hang,
            deaf,
            long_us,
            ..
        } = self.climate;
        if self.random.permille(crash / 2) {
            // While it is read, before it is noted as begun.
            self.die(worker, GoneCause::Signaled { signal: 11 });
            return;
        }
        let is_deaf = self.random.permille(deaf);
        let session = self.session(worker);
        session.current = Some((attempt, now));
        session.begun = Some(Begun { attempt, at: now });
        session.deaf = is_deaf;
        session.begins += 1;
        let begins = session.begins;
        assert!(
            begins <= self.config.max_tasks.max(1),
            "{worker:?} begins {begins} tasks"
        );
        self.truth.begun(attempt.task);
        if self.random.permille(hang) {
            return;
        }
        let bound = if self.random.permille(50) {
            long_us * 50
        } else {
            long_us
        };
        let at = now.after(self.random.micros(1, bound));
        let fate = if self.random.permille(crash) {
            Fate::Crash
        } else if self.random.permille(100) {
            Fate::Verdict(Verdict::Error)
        } else {
            Fate::Verdict(Verdict::Success)
        };
        self.plan(at, Event::Ends(worker, attempt, fate));
    }

    fn ends(&mut self, worker: WorkerId, attempt: AttemptId, fate: Fate) {
        if !self.living(worker) {
            return;
        }
        let Some((current, began)) = self.session(worker).current else {
            return;
        };
        if current != attempt {
            return;
        }
        let Fate::Verdict(verdict) = fate else {
            self.die(worker, GoneCause::Signaled { signal: 11 });
            return;
        };
        let session = self.session(worker);
        session.current = None;
        session.over.insert(attempt);
        self.truth.ended(attempt.task, verdict);
        let ended = self.now;
        let known = self.random.permille(800);
        let memory = known.then(|| self.random.below(1000));
        let at = self.channel(worker, |session| &mut session.task_out);
        self.plan(
            at,
            Event::Host(Input::Finished {
                worker,
                attempt,
                verdict,
                began,
                ended,
                memory,
            }),
        );
        self.go_on(worker);
    }

    fn interrupt(&mut self, worker: WorkerId, attempt: AttemptId) {
        if !self.living(worker) {
            return;
        }
        let session = self.session(worker);
        if session
            .current
            .is_some_and(|(current, _)| current == attempt)
        {
            if !session.deaf {
                let bound = if self.random.permille(100) {
                    700_000
                } else {
                    500
                };
                let at = self.now.after(self.random.micros(1, bound));
                let fate = Fate::Verdict(Verdict::Interrupted);
                self.plan(at, Event::Ends(worker, attempt, fate));
            }
        } else if session.give_back(attempt) {
            self.give_back(worker, vec![attempt]);
        }
    }

    fn give_back(&mut self, worker: WorkerId, attempts: Vec<AttemptId>) {
        let at = self.channel(worker, |session| &mut session.control_out);
        self.plan(at, Event::Host(Input::Returned { worker, attempts }));
    }

    fn die(&mut self, worker: WorkerId, cause: GoneCause) {
        let at = self.now.after(self.latency());
        let session = self.session(worker);
        session.alive = false;
        let begun = session.begun;
        let at = at.max(session.task_out).max(session.control_out);
        session.task_out = at;
        if let Some((attempt, _)) = session.current {
            self.truth.died_in(attempt.task);
        }
        self.plan(
            at,
            Event::Host(Input::WorkerGone {
                worker,
                cause,
                begun,
            }),
        );
    }

    /// The nursery dies, and it with all its sessions; their last messages come first.
    fn nursery_dies(&mut self, nursery: u32, reported: bool) {
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

    /// When the next message of a channel arrives: not before those that were sent earlier.
    fn channel(&mut self, worker: WorkerId, of: impl Fn(&mut Session) -> &mut Time) -> Time {
        let at = self.now.after(self.latency());
        let last = of(self.session(worker));
        *last = at.max(*last);
        *last
    }

    fn living(&self, worker: WorkerId) -> bool {
        self.sessions
            .get(&worker)
            .is_some_and(|session| session.alive)
    }

    /// A session that the scheduler may still speak of.
    fn session(&mut self, worker: WorkerId) -> &mut Session {
        let nature = Nature {
            stays: false,
            unkillable: false,
        };
        let ghost = || Session {
            alive: false,
            ..Session::new(nature)
        };
        self.sessions.entry(worker).or_insert_with(ghost)
    }
}
