//! The driver: the one loop of a queue, a turn at a time. What the operating system tells becomes an input of the
//! scheduler; what the scheduler wants, and the R thread could not do at once, is done here. It has a thread of its
//! own, which lends the [lead](crate::lead) to the R thread.
//!
//! It sleeps in the poller until an event or the next deadline, and holds the lock only while it steps the machine,
//! never while it reads, spawns or waits.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use taskq_core::id::{Time, WorkerId};
use taskq_core::Action;
use taskq_core::Input;
use taskq_core::QueueState;
use taskq_sys::{oom, process};
use taskq_wire::message::FromSupervisor;

use crate::clock::now;
use crate::door::{Door, Inside};
use crate::session::{News, Readiness, Round, Session};
use crate::supervisor::{News as SupervisorNews, Supervisor};

mod births;
mod deaths;

const WAKER: Token = Token(0);
const SUPERVISOR_CONTROL: Token = Token(1);
const SUPERVISOR_PIDFD: Token = Token(2);
const SUPERVISOR_OUTPUT: Token = Token(3);
const SUPERVISOR_REPORT: Token = Token(4);
/// Tokens of a session's descriptors: this, plus four times its number, plus which of the four it is.
const SESSIONS: usize = 16;

/// Answers of sessions that have more to do may wait for each other for so long.
const GATHER_MOST: Duration = Duration::from_micros(100);
/// A shorter pause is not worth the system call.
const GATHER_LEAST: Duration = Duration::from_micros(10);
/// How often something that nothing announces is looked for: a death that is to come where the kernel has no process
/// descriptors, and room for descriptors in its sockets where there was none. (A try in vain makes the socket writable
/// for the poller, each time anew: that is no reason to try again.)
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How often an unexpected death is looked for where the kernel has no process descriptors.
const LOOK_FOR_DEATH: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(crate) struct Driver {
    door: Arc<Door>,
    poll: Poll,
    events: Events,
    supervisor: Option<Supervisor>,
    /// Whether the supervisor has said that it is up.
    supervisor_is_up: bool,
    /// Whether the supervisor has said or done something.
    supervisor_is_ready: bool,
    /// Whether the poller tells of its death.
    supervisor_is_watched: bool,
    sessions: BTreeMap<WorkerId, Session>,
    /// Sessions with something to read.
    ready: BTreeMap<WorkerId, Readiness>,
    /// Sessions that are to be launched as soon as the supervisor's socket has room.
    births: births::Births,
    /// Whether the kernel has killed for want of memory.
    oom: oom::Watch,
    /// The driver's own deadlines.
    deadlines: BTreeMap<Deadline, Time>,
    /// Whether actions wait: the R thread listens, or others are being run.
    actions_wait: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deadline {
    /// Has the supervisor died?
    LookForDeath,
    /// The kernel would not pass on more descriptors; will it now?
    LookForRoom,
}

impl Driver {
    /// A driver, and what wakes it.
    pub(crate) fn new(door: Arc<Door>) -> io::Result<(Driver, mio::Waker)> {
        let poll = Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKER)?;
        let driver = Driver {
            door,
            poll,
            events: Events::with_capacity(256),
            supervisor: None,
            supervisor_is_up: false,
            supervisor_is_ready: false,
            supervisor_is_watched: false,
            sessions: BTreeMap::new(),
            ready: BTreeMap::new(),
            births: births::Births::default(),
            oom: oom::Watch::new(),
            deadlines: BTreeMap::new(),
            actions_wait: false,
        };
        Ok((driver, waker))
    }

    /// Does what was wanted before there was a driver.
    pub(crate) fn begin(&mut self) {
        self.run_actions();
    }

    /// One turn of the loop: sleeps until something is to be done, and does it.
    pub(crate) fn turn(&mut self) -> io::Result<()> {
        let timeout = self.plan();
        self.listen(timeout)?;
        if std::mem::take(&mut self.supervisor_is_ready) {
            self.attend_supervisor();
        }
        let has_news = self.read_sessions();
        self.meet_deadlines();
        self.input(|inside, now| inside.state.tick(now));
        if has_news {
            gather(self.door.look().sched().slack());
        }
        Ok(())
    }

    /// One turn of a guest, no longer than `limit`: hears sessions, and nothing else. Whether there is more to do,
    /// which is left as it is for the driver's thread.
    pub(crate) fn turn_of_guest(&mut self, limit: Option<Duration>) -> io::Result<bool> {
        let planned = self.plan();
        self.listen(planned.into_iter().chain(limit).min())?;
        self.actions_wait = true;
        self.read_sessions();
        self.actions_wait = false;
        let now = now();
        let look = self.door.look();
        let is_due = |at: Time| at <= now;
        Ok(self.supervisor_is_ready
            || self.deadlines.values().copied().any(is_due)
            || look.sessions().has_actions()
            || look.sched().next_wakeup().is_some_and(is_due))
    }

    /// Sleeps until an event, and notes what has come.
    fn listen(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let listened = self.poll.poll(&mut events, timeout);
        if listened.is_ok() {
            for event in &events {
                self.note(event);
            }
        }
        self.events = events;
        match listened {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    /// Ends everything at once: the driver has a fault.
    pub(crate) fn abandon(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            supervisor.end();
        }
        self.sessions.clear();
    }

    /// Whether the queue is closed and nothing of it is left.
    pub(crate) fn is_over(&self) -> bool {
        self.supervisor.is_none() && self.door.look().sched().state() == QueueState::Closed
    }

    /// When to wake up without an event. What the R thread has left meanwhile is found here, or has written to the
    /// waker.
    fn plan(&mut self) -> Option<Duration> {
        if self.births.are_stalled() || self.door.look().sessions().are_stalled() {
            self.deadlines
                .entry(Deadline::LookForRoom)
                .or_insert_with(|| now().after(LOOK_AGAIN));
        }
        let next = self.door.plan(self.deadlines.values().copied().min());
        if self.supervisor_is_ready || !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        next.map(|at| at.since(now()))
    }

    /// Sorts an event to where it will be looked after.
    fn note(&mut self, event: &mio::event::Event) {
        let Token(number) = event.token();
        if number < SESSIONS {
            self.supervisor_is_ready |= event.token() != WAKER;
            return;
        }
        let worker = WorkerId(((number - SESSIONS) / 4) as u64);
        if event.is_writable() {
            self.door.input(|inside, _| inside.sessions.go_on(worker));
        }
        let ready = self.ready.entry(worker).or_default();
        ready.add((number - SESSIONS) % 4);
    }

    /// Tells the scheduler what has happened, and runs the actions that follow, which may ask for more of both.
    fn input(&mut self, hear: impl FnOnce(&mut Inside, Time)) {
        self.door.input(hear);
        self.run_actions();
    }

    /// The same, where nothing came along.
    fn tell_machine(&mut self, input: Input) {
        self.input(|inside, now| inside.state.input(input, now));
    }

    fn run_actions(&mut self) {
        if std::mem::replace(&mut self.actions_wait, true) {
            return;
        }
        loop {
            let actions = self.door.actions();
            if actions.is_empty() {
                break;
            }
            for action in actions {
                self.run_action(action);
            }
        }
        self.actions_wait = false;
    }

    fn run_action(&mut self, action: Action) {
        match action {
            Action::Boot => self.boot(),
            Action::Launch { worker } => {
                self.births.wait(worker);
                self.launch_waiting();
            }
            Action::KillWorker { worker } => self.kill_worker(worker),
            Action::Shutdown => self.say_farewell(),
            // The scheduler's second means, when killing a worker does not help.
            Action::KillSupervisor if taskq_sys::fault::is_on("no-kill") => {}
            Action::KillSupervisor => match &mut self.supervisor {
                Some(supervisor) => supervisor.kill(),
                None => self.supervisor_is_gone(false, None),
            },
            // The others are done under the lock.
            _ => {}
        }
    }

    fn watch(&self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        self.poll
            .registry()
            .register(&mut SourceFd(&fd.as_raw_fd()), token, interest)
    }

    /// Closing a descriptor is not enough when somebody else still holds it: a fork of the host, or another queue.
    fn unwatch(&self, fd: BorrowedFd<'_>) {
        let _ = self
            .poll
            .registry()
            .deregister(&mut SourceFd(&fd.as_raw_fd()));
    }

    /// Attends to the supervisor: what it has said, and whether it is born, or dead.
    fn attend_supervisor(&mut self) {
        let Some(supervisor) = &mut self.supervisor else {
            return;
        };
        for news in supervisor.attend() {
            match news {
                SupervisorNews::Born => self.supervisor_is_born(),
                SupervisorNews::Says(message) => self.hear_supervisor(message),
                SupervisorNews::Nonsense(error) => {
                    if let Some(supervisor) = &mut self.supervisor {
                        supervisor.refusal = Some((None, error.to_string()));
                    }
                }
                SupervisorNews::Gone(end) => self.reap_supervisor(end),
            }
        }
        self.launch_waiting();
        self.look_again();
    }

    fn hear_supervisor(&mut self, message: FromSupervisor) {
        match message {
            FromSupervisor::Up { refusal } => {
                if let Some(why) = refusal {
                    let _ = self.door.notice.set(why);
                }
                // Told again when a supervisor stops forking; the machine knows by then.
                if !std::mem::replace(&mut self.supervisor_is_up, true) {
                    self.tell_machine(Input::SupervisorUp);
                }
            }
            FromSupervisor::Failed { phase, message } => {
                if let Some(supervisor) = &mut self.supervisor {
                    supervisor.refusal = Some((Some(phase), message));
                }
            }
            FromSupervisor::Launched { worker, pid } => {
                self.births.arrived();
                if let Some(session) = self.sessions.get(&worker) {
                    session.link.set_pid(pid);
                    self.door
                        .input(|inside, now| inside.state.is_process(worker, pid, now));
                }
            }
            FromSupervisor::LaunchFailed { worker, errno } => {
                self.births.arrived();
                self.reap_unborn(worker, errno);
            }
            FromSupervisor::Exited {
                worker,
                end,
                max_rss,
            } => {
                self.reap_session(worker, end.into(), Some(end), Some(max_rss));
            }
        }
    }

    /// Hears all sessions that have something to say; whether one had.
    fn read_sessions(&mut self) -> bool {
        let mut has_news = false;
        for (worker, ready) in std::mem::take(&mut self.ready) {
            let Some(session) = self.sessions.get_mut(&worker) else {
                continue;
            };
            let mut news = Vec::new();
            let door = &self.door;
            let owes_answer = || door.look().sched().awaits_answer(worker);
            let round = session.pump(ready, owes_answer, &mut news);
            if self.door.config.scheduler.max_memory < u64::MAX {
                let usage = session.link.pid().and_then(process::usage);
                for item in &mut news {
                    if let News::Finished(task) = item {
                        task.memory = usage.map(|usage| usage.rss);
                    }
                }
            }
            if !news.is_empty() {
                has_news = true;
                self.input(|inside, now| inside.state.hear_session(worker, news, now));
            }
            match round {
                Round::Drained => {}
                Round::More => {
                    self.ready.insert(worker, Readiness::ALL);
                }
                Round::Broken => {
                    self.tell_machine(Input::Unheard { worker });
                }
                Round::Closed => {
                    self.tell_machine(Input::HungUp { worker });
                }
            }
        }
        has_news
    }

    fn meet_deadlines(&mut self) {
        let now = now();
        let mut due = Vec::new();
        self.deadlines.retain(|&deadline, &mut at| {
            let is_due = at <= now;
            due.extend(is_due.then_some(deadline));
            !is_due
        });
        for deadline in due {
            match deadline {
                Deadline::LookForDeath => self.attend_supervisor(),
                Deadline::LookForRoom => {
                    self.door.input(|inside, _| inside.sessions.flush_stalled());
                    self.births.go_on();
                    self.launch_waiting();
                }
            }
        }
    }
}

/// Lets answers gather, that one turn of the loop may take them all: a wake-up costs more than most of what it brings.
/// Only while every session has more to do than this takes, so none waits for it.
fn gather(slack: Duration) {
    let pause = (slack / 2).min(GATHER_MOST);
    if pause >= GATHER_LEAST {
        std::thread::sleep(pause);
    }
}
