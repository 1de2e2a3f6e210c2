//! The driver's thread in the simulated system: the glue of `driver.rs` around the real [`Lifecycle`] and the real
//! scheduler. Before each call of the system anything else may happen.

use std::collections::BTreeSet;
use std::time::Duration;

use taskq_core::{Action, GoneCause, Input, QueueState, WorkerId};
use taskq_record::ProcessEnd;
use taskq_wire::message::{FromSupervisor, FromZygote, ToSupervisor};
use taskq_wire::WireError;

use super::choices::Choices;
use super::world::{Stage, Start, State, World};
use crate::supervisor::lifecycle::{Lifecycle, News, SupervisorIo};

/// What the driver remembers between two turns.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    pub(super) life: Option<Lifecycle>,
    is_up: bool,
    has_refused: bool,
    pub(super) is_watched: bool,
    sessions: BTreeSet<WorkerId>,
}

/// The driver's thread, in a turn.
pub(super) struct Turn<'a> {
    pub(super) host: &'a mut Host,
    pub(super) system: System<'a>,
}

/// The system that it calls.
pub(super) struct System<'a> {
    pub(super) world: &'a mut World,
    pub(super) choices: &'a mut Choices,
}

impl System<'_> {
    /// Lets happen what can happen before a call. What it then answers is noted by the caller.
    fn meanwhile(&mut self) {
        loop {
            let moves = self.world.moves();
            let wishes = usize::from(!self.world.wishes.is_empty());
            let choice = self.choices.choose(1 + moves.len() + wishes, self.world);
            match choice.checked_sub(1) {
                None => return,
                Some(number) => match moves.get(number) {
                    Some(&(process, what)) => {
                        let stage = self.world.processes[process].stage;
                        self.choices
                            .tell(|| format!("  {process} ({stage:?}) {what:?}"));
                        self.world.make(process, what);
                    }
                    None => {
                        let wish = self.world.wishes.front().copied();
                        self.choices.tell(|| format!("  the user: {wish:?}"));
                        self.world.wish();
                    }
                },
            }
        }
    }

    fn start(&mut self) -> &mut Start {
        self.world
            .starts
            .last_mut()
            .expect("a supervisor was started")
    }

    fn answer<T: std::fmt::Debug>(&mut self, call: &str, answer: T) -> T {
        self.choices.note(&format!("{call}: {answer:?}"));
        answer
    }
}

impl SupervisorIo for System<'_> {
    fn next_of_zygote(&mut self) -> Option<FromZygote> {
        self.meanwhile();
        let message = self.start().report.pop_front();
        self.answer("next_of_zygote", message)
    }

    fn next_of_supervisor(&mut self) -> Option<Result<FromSupervisor, WireError>> {
        self.meanwhile();
        let message = self.start().from_supervisor.pop_front();
        self.answer("next_of_supervisor", message.map(Ok))
    }

    fn zygote_end(&mut self) -> Option<ProcessEnd> {
        self.meanwhile();
        let zygote = self.start().zygote;
        let zygote = &mut self.world.processes[zygote];
        let end = zygote.is_dead().then(|| {
            zygote.state = State::Reaped;
            ProcessEnd::Unknown
        });
        self.answer("zygote_end", end)
    }

    fn fork_is_dead(&mut self) -> bool {
        self.meanwhile();
        let fork = self.start().fork;
        let is_dead = fork.map_or(true, |fork| self.world.processes[fork].is_dead());
        self.answer("fork_is_dead", is_dead)
    }

    fn wait_for_zygote(&mut self, _limit: Duration) {
        self.meanwhile();
        self.answer("wait_for_zygote", ());
    }

    fn kill_zygote(&mut self) {
        self.meanwhile();
        let zygote = self.start().zygote;
        self.world.kill(zygote);
        self.answer("kill_zygote", ());
    }

    fn kill_fork(&mut self) {
        self.meanwhile();
        if let Some(fork) = self.start().fork {
            self.world.kill(fork);
        }
        self.answer("kill_fork", ());
    }
}

impl Turn<'_> {
    /// `Driver::turn`. The event and what is due are taken first.
    pub(super) fn run(&mut self, attends: bool, ticks: bool) {
        if attends {
            self.attend();
        }
        while let Some(input) = self.system.world.from_sessions.pop_front() {
            self.system.world.input(input);
        }
        if ticks {
            self.system.world.input(Input::Tick);
        }
        self.run_actions();
    }

    /// `Driver::attend_supervisor`.
    fn attend(&mut self) {
        let Some(life) = &mut self.host.life else {
            return;
        };
        for news in life.attend(&mut self.system) {
            match news {
                News::Born => self.watch_fork(),
                News::Says(FromSupervisor::Up { .. }) => {
                    if !std::mem::replace(&mut self.host.is_up, true) {
                        self.system.world.input(Input::SupervisorUp);
                        self.run_actions();
                    }
                }
                News::Says(FromSupervisor::Failed { .. }) | News::Nonsense(_) => {
                    self.host.has_refused = true;
                }
                News::Says(FromSupervisor::Exited { worker, .. }) => {
                    self.reap_session(worker, GoneCause::Unknown);
                    self.run_actions();
                }
                News::Says(_) => {}
                News::Gone(_) => self.reap_supervisor(),
            }
        }
    }

    fn watch_fork(&mut self) {
        self.system.meanwhile();
        self.host.is_watched = true;
        let start = self.system.start();
        start.watches_fork = true;
        let fork = start.fork;
        // What has happened is told when it begins to be watched.
        let is_dead = fork.is_some_and(|fork| self.system.world.processes[fork].is_dead());
        self.system.world.has_event |= is_dead;
    }

    fn reap_session(&mut self, worker: WorkerId, cause: GoneCause) {
        if self.host.sessions.remove(&worker) {
            let begun = None;
            let input = Input::WorkerGone {
                worker,
                cause,
                begun,
            };
            self.system.world.input(input);
        }
    }

    /// `Driver::reap_supervisor`.
    fn reap_supervisor(&mut self) {
        self.system.meanwhile();
        self.host.life = None;
        self.clear_away();
        for worker in self.host.sessions.clone() {
            self.reap_session(worker, GoneCause::SupervisorLost);
        }
        let reported = self.host.has_refused;
        self.system.world.input(Input::SupervisorGone { reported });
        self.run_actions();
    }

    /// `Supervisor::reap`, and what follows when it is dropped: what carries the token is killed, the zygote that
    /// nothing else needs, and what carries the zygote's token.
    fn clear_away(&mut self) {
        let world = &mut *self.system.world;
        let Some(number) = world.starts.len().checked_sub(1) else {
            return;
        };
        world.starts[number].is_closed = true;
        let zygote = world.starts[number].zygote;
        let is_shared = world.processes[zygote].start != number;
        for process in 0..world.processes.len() {
            let found = &world.processes[process];
            let is_ours = found.start == number && (found.has_token || !is_shared);
            if is_ours && !found.is_dead() {
                world.die(process);
            }
        }
    }

    fn run_actions(&mut self) {
        while let Some(action) = self.system.world.actions.pop_front() {
            self.system
                .choices
                .tell(|| format!(" the driver: {action:?}"));
            match action {
                Action::Boot => self.boot(),
                Action::Launch { worker } => {
                    self.host.sessions.insert(worker);
                    self.send(World::launch(worker));
                }
                Action::KillWorker { worker } => self.send(ToSupervisor::Kill { worker }),
                Action::Shutdown => match &self.host.life {
                    Some(_) => self.send(ToSupervisor::Shutdown),
                    None => self
                        .system
                        .world
                        .input(Input::SupervisorGone { reported: false }),
                },
                Action::KillSupervisor => match &mut self.host.life {
                    Some(life) => life.kill(&mut self.system),
                    None => self
                        .system
                        .world
                        .input(Input::SupervisorGone { reported: false }),
                },
                _ => {}
            }
        }
    }

    /// Where the other end is closed, the supervisor is of no use any more.
    fn send(&mut self, message: ToSupervisor) {
        self.system.meanwhile();
        let start = self.system.start();
        let (zygote, fork) = (start.zygote, start.fork);
        let holder = fork.unwrap_or(zygote);
        if self.system.world.processes[holder].is_dead() {
            if let Some(life) = &mut self.host.life {
                life.kill(&mut self.system);
            }
        } else {
            self.system.start().to_supervisor.push_back(message);
        }
    }

    /// `Driver::boot` and `Supervisor::start`.
    fn boot(&mut self) {
        *self.host = Host::default();
        let has_zygote = self.system.world.climate.has_zygote;
        let is_up = |world: &World| {
            world.processes[0].stage == Stage::ZygoteServes && !world.processes[0].is_dead()
        };
        if has_zygote && is_up(self.system.world) {
            self.open(Some(0));
            let mut life = Lifecycle::default();
            if life.await_birth(&mut self.system).is_ok() {
                self.host.life = Some(life);
                return self.watch();
            }
            self.clear_away();
        }
        self.system.meanwhile();
        self.open(None);
        self.host.life = Some(Lifecycle::default());
        self.watch();
    }

    fn open(&mut self, zygote: Option<usize>) {
        let world = &mut *self.system.world;
        let start = world.starts.len();
        let zygote = zygote.unwrap_or_else(|| world.add(Stage::ZygoteStarts, None, start));
        world.starts.push(Start {
            zygote,
            is_asked: true,
            fork: None,
            report: Default::default(),
            from_supervisor: Default::default(),
            to_supervisor: Default::default(),
            is_closed: false,
            watches_fork: false,
        });
    }

    fn watch(&mut self) {
        self.system.meanwhile();
        let lacks_pidfds = self.system.world.climate.lacks_pidfds;
        self.host.is_watched = !lacks_pidfds;
        let start = self.system.start();
        start.watches_fork = start.fork.is_some();
        let has_said = !start.report.is_empty() || !start.from_supervisor.is_empty();
        let watched = [Some(start.zygote), start.fork];
        let world = &mut *self.system.world;
        let is_dead = |number: &usize| world.processes[*number].is_dead();
        world.has_event |= has_said || (!lacks_pidfds && watched.iter().flatten().any(is_dead));
    }

    pub(super) fn is_over(host: &Host, world: &World) -> bool {
        host.life.is_none() && world.machine.scheduler.state() == QueueState::Closed
    }
}
