//! The worker side in virtual time: the processes of a queue, what they have been sent and have said, and what the
//! kernel does when one of them ends. Each move is one that a process of `taskq-worker` makes, or that befalls it.

use std::collections::VecDeque;

use taskq_core::{Action, AttemptId, Input, Submission, Time, WorkerId};
use taskq_record::ProcessEnd;
use taskq_wire::message::{FromSupervisor, FromZygote, ToSupervisor};

use super::machine::Machine;

/// What happens when it is up to chance.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Climate {
    /// How many processes crash, are stopped, or cannot be made.
    pub(super) faults: u8,
    /// There is a zygote already, which is that of other queues, too.
    pub(super) has_zygote: bool,
    /// The kernel has no process descriptors: zygotes do not fork, and no event tells of a death.
    pub(super) lacks_pidfds: bool,
}

/// What the user does, in this order, at any time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    Push,
    Close,
    Kill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The zygote's program starts.
    ZygoteStarts,
    /// The zygote waits for requests and for its forks' ends.
    ZygoteServes,
    /// The zygote has forked, and has not told.
    ZygoteHasForked(usize),
    /// It has told, and the fork waits for it still.
    ZygoteHasTold(usize),
    /// The supervisor was forked this moment.
    Forked,
    /// It dies with its zygote.
    Guarded,
    /// It carries the queue's token.
    Settled,
    /// It serves its host, and does not need its zygote any more.
    Serves,
    SessionStarts(WorkerId),
    SessionServes(WorkerId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Runs,
    Stopped,
    /// It was killed; the kernel has not ended it.
    Killed,
    Zombie,
    Reaped,
}

#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) stage: Stage,
    pub(super) state: State,
    /// Its parent, if that is not the host.
    pub(super) parent: Option<usize>,
    /// To which start of a supervisor it belongs.
    pub(super) start: usize,
    pub(super) dies_with_parent: bool,
    pub(super) has_token: bool,
}

impl Process {
    pub(super) fn is_dead(&self) -> bool {
        matches!(self.state, State::Zombie | State::Reaped)
    }
}

/// The sockets of one start of a supervisor, and which processes it is made of.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) zygote: usize,
    /// What the zygote has been asked for, and has not taken.
    pub(super) is_asked: bool,
    /// The process that was forked, if any.
    pub(super) fork: Option<usize>,
    pub(super) report: VecDeque<FromZygote>,
    pub(super) from_supervisor: VecDeque<FromSupervisor>,
    pub(super) to_supervisor: VecDeque<ToSupervisor>,
    /// The host has closed its ends.
    pub(super) is_closed: bool,
    /// The poller tells of the fork's death.
    pub(super) watches_fork: bool,
}

/// What a process does, or what befalls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    ComesUp,
    Forks,
    BecomesTheSupervisor,
    CannotFork,
    Tells,
    LetsTheForkGoOn,
    Reaps(usize),
    AsksToDieWithItsZygote,
    TakesTheToken,
    Serves,
    Refuses,
    Obeys,
    Leaves,
    IsReady,
    Finishes(AttemptId),
    Crashes,
    IsStopped,
    Dies,
}

/// Everything but the driver.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: Time,
    pub(super) machine: Machine,
    /// What the driver has to do.
    pub(super) actions: VecDeque<Action>,
    pub(super) wishes: VecDeque<Wish>,
    /// The poller has something to tell.
    pub(super) has_event: bool,
    pub(super) processes: Vec<Process>,
    pub(super) starts: Vec<Start>,
    /// What sessions have said.
    pub(super) from_sessions: VecDeque<Input>,
    /// What sessions were sent.
    pub(super) sent: Vec<(WorkerId, AttemptId)>,
    pub(super) climate: Climate,
}

impl World {
    pub(super) fn new(climate: Climate, wishes: &[Wish]) -> World {
        let config = taskq_core::SchedulerConfig {
            workers: 1,
            start_limit: 2,
            ..taskq_core::SchedulerConfig::default()
        };
        let mut world = World {
            now: Time(1_000_000_000),
            machine: Machine::new(config),
            actions: VecDeque::new(),
            wishes: wishes.iter().copied().collect(),
            has_event: false,
            processes: Vec::new(),
            starts: Vec::new(),
            from_sessions: VecDeque::new(),
            sent: Vec::new(),
            climate,
        };
        if climate.has_zygote {
            world.add(Stage::ZygoteServes, None, usize::MAX);
        }
        world.settle();
        world
    }

    pub(super) fn add(&mut self, stage: Stage, parent: Option<usize>, start: usize) -> usize {
        self.processes.push(Process {
            stage,
            state: State::Runs,
            parent,
            start,
            dies_with_parent: false,
            has_token: false,
        });
        self.processes.len() - 1
    }

    /// As `Shared::step` and `State::settle`: what is not done at once is left for the driver.
    pub(super) fn settle(&mut self) {
        while let Some(action) = self.machine.scheduler.next_action() {
            match action {
                Action::Send { worker, attempt } => self.sent.push((worker, attempt)),
                Action::Boot
                | Action::Launch { .. }
                | Action::KillWorker { .. }
                | Action::KillSupervisor
                | Action::Shutdown => self.actions.push_back(action),
                _ => {}
            }
        }
        while self.machine.scheduler.next_ended().is_some() {}
        self.machine.note_change();
    }

    pub(super) fn input(&mut self, input: Input) {
        self.machine.scheduler.handle(self.now, input);
        self.settle();
    }

    /// The user's next step, which is the R thread's.
    pub(super) fn wish(&mut self) {
        match self.wishes.pop_front() {
            Some(Wish::Push) => {
                // Refused by a pool that has failed.
                let _ = self
                    .machine
                    .scheduler
                    .submit(self.now, Submission::default());
                self.settle();
            }
            Some(Wish::Close) => {
                let deadline = self.now.after(std::time::Duration::from_secs(60));
                self.input(Input::Close { deadline });
            }
            Some(Wish::Kill) => self.input(Input::Kill),
            None => {}
        }
    }

    /// All that can happen next.
    pub(super) fn moves(&self) -> Vec<(usize, Move)> {
        let mut moves = Vec::new();
        for (number, process) in self.processes.iter().enumerate() {
            let mut can = |what| moves.push((number, what));
            match process.state {
                State::Killed => can(Move::Dies),
                State::Runs => self.moves_of(number, process, can),
                State::Stopped | State::Zombie | State::Reaped => {}
            }
        }
        moves
    }

    fn moves_of(&self, number: usize, process: &Process, mut can: impl FnMut(Move)) {
        let start = self.starts.get(process.start);
        match process.stage {
            Stage::ZygoteStarts => can(Move::ComesUp),
            Stage::ZygoteServes => {
                let asked = self.starts.last();
                if asked.is_some_and(|start| start.zygote == number && start.is_asked) {
                    if self.climate.lacks_pidfds {
                        can(Move::BecomesTheSupervisor);
                    } else {
                        can(Move::Forks);
                        if self.climate.faults > 0 {
                            can(Move::CannotFork);
                        }
                    }
                }
            }
            Stage::ZygoteHasForked(_) => can(Move::Tells),
            Stage::ZygoteHasTold(_) => can(Move::LetsTheForkGoOn),
            Stage::Forked => can(Move::AsksToDieWithItsZygote),
            Stage::Guarded => {
                let forked = [Stage::ZygoteHasForked(number), Stage::ZygoteHasTold(number)];
                let waits = |stage| forked.contains(&stage);
                let parent = process.parent.and_then(|parent| self.processes.get(parent));
                if !parent.is_some_and(|parent| waits(parent.stage) && !parent.is_dead()) {
                    can(Move::TakesTheToken);
                }
            }
            Stage::Settled => {
                can(Move::Serves);
                if self.climate.faults > 0 {
                    can(Move::Refuses);
                }
            }
            Stage::Serves => {
                if start.is_some_and(|start| !start.to_supervisor.is_empty()) {
                    can(Move::Obeys);
                } else if start.is_some_and(|start| start.is_closed) {
                    can(Move::Leaves);
                }
            }
            Stage::SessionStarts(_) => can(Move::IsReady),
            Stage::SessionServes(worker) => {
                let attempt = self.sent.iter().find(|(to, _)| *to == worker);
                if let Some((_, attempt)) = attempt {
                    can(Move::Finishes(*attempt));
                }
            }
        }
        for (child, other) in self.processes.iter().enumerate() {
            if other.parent == Some(number) && other.state == State::Zombie {
                can(Move::Reaps(child));
            }
        }
        if self.climate.faults > 0 {
            can(Move::Crashes);
            can(Move::IsStopped);
        }
    }

    pub(super) fn make(&mut self, number: usize, what: Move) {
        let stage = self.processes[number].stage;
        match what {
            Move::ComesUp => self.processes[number].stage = Stage::ZygoteServes,
            Move::Forks => {
                let start = self.taken();
                let fork = self.add(Stage::Forked, Some(number), start);
                self.starts[start].fork = Some(fork);
                self.processes[number].stage = Stage::ZygoteHasForked(fork);
            }
            Move::BecomesTheSupervisor => {
                let start = self.taken();
                self.report(start, FromZygote::Became);
                self.processes[number].stage = Stage::Settled;
                self.processes[number].has_token = true;
            }
            Move::CannotFork => {
                self.climate.faults -= 1;
                let start = self.taken();
                self.report(start, FromZygote::Failed { errno: 11 });
            }
            Move::Tells => {
                if let Stage::ZygoteHasForked(fork) = stage {
                    self.processes[number].stage = Stage::ZygoteHasTold(fork);
                    let pid = i32::try_from(fork).expect("a small number");
                    self.report(self.processes[fork].start, FromZygote::Forked { pid });
                }
            }
            Move::LetsTheForkGoOn => self.processes[number].stage = Stage::ZygoteServes,
            Move::Reaps(child) => self.reap(child),
            Move::AsksToDieWithItsZygote => {
                let parent = self.processes[number].parent.expect("a fork has one");
                if self.processes[parent].is_dead() {
                    self.die(number);
                } else {
                    self.processes[number].dies_with_parent = true;
                    self.processes[number].stage = Stage::Guarded;
                }
            }
            Move::TakesTheToken => {
                self.processes[number].has_token = true;
                self.processes[number].stage = Stage::Settled;
            }
            Move::Serves => {
                self.processes[number].dies_with_parent = false;
                self.processes[number].stage = Stage::Serves;
                self.say(number, FromSupervisor::Up { refusal: None });
            }
            Move::Refuses => {
                self.climate.faults -= 1;
                let phase = taskq_record::StartPhase::Preload;
                let message = String::new();
                self.say(number, FromSupervisor::Failed { phase, message });
                self.die(number);
            }
            Move::Obeys => {
                let start = self.processes[number].start;
                match self.starts[start].to_supervisor.pop_front() {
                    Some(ToSupervisor::Launch { worker, .. }) => {
                        let session = self.add(Stage::SessionStarts(worker), Some(number), start);
                        self.processes[session].has_token = true;
                        let pid = i32::try_from(session).expect("a small number");
                        self.say(number, FromSupervisor::Launched { worker, pid });
                    }
                    Some(ToSupervisor::Kill { worker }) => {
                        let stages = [Stage::SessionStarts(worker), Stage::SessionServes(worker)];
                        let is_it = |process: &Process| stages.contains(&process.stage);
                        if let Some(session) = self.processes.iter().position(is_it) {
                            self.die(session);
                        }
                    }
                    Some(ToSupervisor::Shutdown) | None => self.leave(number),
                }
            }
            Move::Leaves => self.leave(number),
            Move::IsReady => {
                if let Stage::SessionStarts(worker) = stage {
                    self.processes[number].stage = Stage::SessionServes(worker);
                    self.from_sessions.push_back(Input::WorkerReady { worker });
                    self.has_event = true;
                }
            }
            Move::Finishes(attempt) => {
                if let Stage::SessionServes(worker) = stage {
                    self.sent.retain(|(_, sent)| *sent != attempt);
                    self.from_sessions.push_back(Input::Finished {
                        worker,
                        attempt,
                        verdict: taskq_core::Verdict::Success,
                        began: self.now,
                        ended: self.now,
                        memory: None,
                        running: None,
                    });
                    self.has_event = true;
                }
            }
            Move::Crashes => {
                self.climate.faults -= 1;
                self.die(number);
            }
            Move::IsStopped => {
                self.climate.faults -= 1;
                self.processes[number].state = State::Stopped;
            }
            Move::Dies => self.die(number),
        }
    }

    /// The start for which a zygote makes a supervisor now.
    fn taken(&mut self) -> usize {
        let start = self.starts.len() - 1;
        self.starts[start].is_asked = false;
        start
    }

    fn report(&mut self, start: usize, message: FromZygote) {
        if !self.starts[start].is_closed {
            self.starts[start].report.push_back(message);
            self.has_event = true;
        }
    }

    fn say(&mut self, supervisor: usize, message: FromSupervisor) {
        let start = self.processes[supervisor].start;
        if !self.starts[start].is_closed {
            self.starts[start].from_supervisor.push_back(message);
            self.has_event = true;
        }
    }

    /// A supervisor kills its sessions before it leaves.
    fn leave(&mut self, supervisor: usize) {
        for number in 0..self.processes.len() {
            if self.processes[number].parent == Some(supervisor)
                && !self.processes[number].is_dead()
            {
                self.die(number);
            }
        }
        self.die(supervisor);
    }

    fn reap(&mut self, child: usize) {
        self.processes[child].state = State::Reaped;
        let end = ProcessEnd::Exited { code: 0 };
        match self.processes[child].stage {
            Stage::SessionStarts(worker) | Stage::SessionServes(worker) => {
                let supervisor = self.processes[child].parent.expect("a session has one");
                let max_rss = 0;
                let message = FromSupervisor::Exited {
                    worker,
                    end,
                    max_rss,
                };
                self.say(supervisor, message);
            }
            _ => self.report(self.processes[child].start, FromZygote::Ended { end }),
        }
    }

    /// A signal that cannot be caught is sent.
    pub(super) fn kill(&mut self, number: usize) {
        if !self.processes[number].is_dead() {
            self.processes[number].state = State::Killed;
        }
    }

    /// The kernel ends a process. Streams that close then are no event here: another process may hold them open.
    pub(super) fn die(&mut self, number: usize) {
        let parent = self.processes[number].parent;
        let is_orphan = parent.is_some_and(|parent| self.processes[parent].is_dead());
        self.processes[number].state = if is_orphan {
            State::Reaped
        } else {
            State::Zombie
        };
        if let Some(start) = self.starts.last().filter(|start| !start.is_closed) {
            let is_watched =
                number == start.zygote || (start.fork == Some(number) && start.watches_fork);
            self.has_event |= is_watched && !self.climate.lacks_pidfds;
        }
        for child in 0..self.processes.len() {
            if self.processes[child].parent != Some(number) {
                continue;
            }
            let is_session = matches!(
                self.processes[child].stage,
                Stage::SessionStarts(_) | Stage::SessionServes(_)
            );
            if self.processes[child].dies_with_parent || is_session {
                self.kill(child);
            }
            if self.processes[child].state == State::Zombie {
                self.processes[child].state = State::Reaped;
            }
        }
    }

    /// Those that are not dead, but for a zygote that is not this queue's.
    pub(super) fn alive(&self) -> Vec<&Process> {
        let of_others = usize::from(self.climate.has_zygote);
        let own = self.processes.iter().skip(of_others);
        own.filter(|process| !process.is_dead()).collect()
    }

    pub(super) fn launch(worker: WorkerId) -> ToSupervisor {
        ToSupervisor::Launch { worker }
    }
}
