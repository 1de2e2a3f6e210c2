//! What is known of a queue: its scheduler, what its tasks consist of and came to, and what ran. Private to this
//! module; the [door](crate::door) is the way in.
//!
//! What has happened comes in by the methods of `event`, what the R thread wants by those of `requests`. Either becomes
//! an input of the scheduler, whose actions [`settle`](State::settle) hands on to the [`Effects`]. What has been born,
//! or has ended, is told to the [observers](observer). Does no I/O and waits for nothing.

mod broadcasts;
mod conditions;
mod event;
mod history;
mod log;
mod observer;
mod record;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use taskq_core::id::{TaskId, Time};
use taskq_core::{Action, Counts, Outcome, QueueState, Scheduler, TaskPhase};
use taskq_record::words::Asked;
use taskq_record::StartCause;
use taskq_sys::process;

use crate::config::EventLoop;
use crate::effects::{Effects, Run};
use crate::error::StartFailure;

pub use broadcasts::BroadcastEnd;
pub use conditions::Relayed;
pub(crate) use event::Gone;
pub use history::{Bar, BarState, Life, LifeEnd};
pub(crate) use history::{History, ENTRIES};
pub(crate) use record::Record;
pub use record::{DoneTask, Ending, Given, TaskPayload};

use conditions::Conditions;
pub(crate) use log::Log;
use observer::{Fact, Observer};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct State {
    /// Decides everything.
    sched: Scheduler,
    /// Payload and ending of every task that has not been taken.
    records: HashMap<TaskId, Record>,
    /// The tasks that are done and promised, by their loops.
    kept: BTreeSet<(EventLoop, TaskId)>,
    /// The loops that are to hear of it.
    to_wake: BTreeSet<EventLoop>,
    /// What tasks have signalled and the R thread has not.
    conditions: Conditions,
    /// What is not needed any more, to be freed without the lock.
    freed: Vec<Record>,
    /// What every session runs.
    broadcasts: broadcasts::Broadcasts,
    /// What ran.
    history: History,
    /// What is told of it.
    log: Log,
    /// The last reason why a session did not start.
    failure: Option<StartFailure>,
    /// Whether the R thread has heard of it.
    failure_is_told: bool,
    /// A fault of ours that stopped the driver.
    fault: Option<String>,
    /// What the R thread waits for.
    wanted: Wanted,
}

/// What the R thread waits for, so that it is not woken for anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// It does not wait.
    Nothing,
    /// That a task is done, or that none can be.
    Done,
    /// That a task is done that nobody was told of, or that none can be.
    News,
    /// That no task waits or runs.
    Quiet,
    /// Room for this number of tasks more.
    Room(usize),
    /// That this task is done, or gone.
    This(TaskId),
    /// That any task is done which was not.
    Change,
    /// That this broadcast is open no more.
    Broadcast(u64),
}

impl State {
    pub(crate) fn new(sched: Scheduler, is_inline: bool) -> State {
        State {
            sched,
            records: HashMap::new(),
            kept: BTreeSet::new(),
            to_wake: BTreeSet::new(),
            conditions: Conditions::default(),
            freed: Vec::new(),
            broadcasts: broadcasts::Broadcasts::default(),
            history: if is_inline {
                History::alone(process::own_pid())
            } else {
                History::default()
            },
            log: Log::default(),
            failure: None,
            failure_is_told: false,
            fault: None,
            wanted: Wanted::Nothing,
        }
    }

    /// Has all that the scheduler wants done. Not to be called but by the door, which does so after every change.
    pub(crate) fn settle(&mut self, effects: &mut impl Effects, now: Time) {
        let mut is_done = false;
        let mut has_failed = false;
        self.note_ended(now);
        while let Some(action) = self.sched.next_action() {
            self.log.action(&action, now);
            match action {
                Action::Send { worker, attempt } => {
                    if let Some(run) = self.run(attempt) {
                        effects.send(worker, run);
                    }
                }
                Action::RunBroadcast { worker, broadcast } => {
                    if let Some(call) = self.broadcasts.call(broadcast) {
                        effects.run_broadcast(worker, broadcast, call);
                    }
                }
                Action::Done { task } => {
                    self.set_done(task);
                    is_done = true;
                }
                Action::Forget { task } => self.forget(task),
                Action::Failed => has_failed = true,
                action => {
                    self.note_action(&action, now);
                    effects.act(action);
                }
            }
        }
        let wakes = effects.wakes();
        wakes.r_thread |= has_failed || self.has_come(is_done);
        wakes.loops.append(&mut self.to_wake);
        let is_over = self.sched.state() == QueueState::Closed;
        effects.finish(if is_over {
            Some(now)
        } else {
            self.sched.next_wakeup()
        });
    }

    /// An attempt as it is sent.
    fn run(&self, attempt: taskq_core::AttemptId) -> Option<Run<'_>> {
        let task = self.sched.task(attempt.task)?;
        let record = self.records.get(&attempt.task)?;
        Some(Run {
            attempt,
            label: task.label,
            // While it runs, the present try is counted already.
            tries: match task.phase {
                TaskPhase::Running { .. } => task.tries,
                TaskPhase::Waiting | TaskPhase::Done => task.tries.saturating_add(1),
            },
            payload: record.payload.as_ref()?,
            given: &record.given,
        })
    }

    /// A task is done: what only running it needed can go, and who was promised it hears of it.
    fn set_done(&mut self, task: TaskId) {
        let skipped_after = self.name_of_cause(task);
        if let Some(record) = self.records.get_mut(&task) {
            self.freed.extend(record.settle());
            record.skipped_after = skipped_after;
            let takers = std::mem::take(&mut record.takers);
            for taker in takers {
                self.give(taker);
            }
            self.keep(task);
        }
    }

    /// Hands a task the values that it is given and that are there.
    fn give(&mut self, taker: TaskId) {
        let Some(record) = self.records.get_mut(&taker) else {
            return;
        };
        let mut given = std::mem::take(&mut record.given);
        for one in given.iter_mut().filter(|one| one.outcome.is_none()) {
            match self.records.get_mut(&one.of) {
                Some(other) if other.ending.is_some() => {
                    let ending = other.ending.as_ref();
                    one.outcome = ending.and_then(|ending| ending.outcome.clone());
                }
                Some(other) if !other.takers.contains(&taker) => other.takers.push(taker),
                _ => {}
            }
        }
        if let Some(record) = self.records.get_mut(&taker) {
            record.given = given;
        }
    }

    /// The user's name of the task because of which this one was skipped. It is in the queue still: nothing is taken
    /// between the end of one and of the other.
    fn name_of_cause(&self, task: TaskId) -> Option<String> {
        match self.sched.task(task)?.outcome? {
            Outcome::Skipped { after } => Some(self.sched.task(*after)?.label.to_owned()),
            _ => None,
        }
    }

    /// If a task that is done was promised, its loop shall hear of it.
    fn keep(&mut self, task: TaskId) {
        let record = self.records.get(&task);
        if let Some(event_loop) = record.and_then(|record| record.promised_to) {
            self.kept.insert((event_loop, task));
            self.to_wake.insert(event_loop);
        }
    }

    /// A task has left the queue.
    fn forget(&mut self, task: TaskId) {
        let Some(record) = self.records.remove(&task) else {
            return;
        };
        if let Some(event_loop) = record.promised_to {
            self.kept.remove(&(event_loop, task));
        }
        self.freed.push(record);
    }

    /// What is to be told to the log, without the lock.
    pub(crate) fn take_log(&mut self) -> Log {
        self.log.take()
    }

    /// What is to be freed, without the lock.
    pub(crate) fn take_freed(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.freed)
    }

    /// Whether the R thread has to look. `is_done`: a task is, that was not before.
    fn has_come(&self, is_done: bool) -> bool {
        let is_quiet = |counts: Counts| counts.waiting + counts.running == 0;
        match self.wanted {
            Wanted::Nothing => false,
            _ if self.num_conditions() > 0 => true,
            Wanted::Done => {
                let counts = self.sched.counts();
                counts.done > 0 || is_quiet(counts)
            }
            Wanted::News => self.sched.has_news() || is_quiet(self.sched.counts()),
            Wanted::Quiet => is_quiet(self.sched.counts()),
            Wanted::Room(count) => self.sched.has_room(count),
            Wanted::This(task) => self.is_over(task),
            Wanted::Change => is_done,
            Wanted::Broadcast(broadcast) => !self.is_open(broadcast),
        }
    }

    /// Tells all who keep a record of what is born and what ends.
    fn tell(&mut self, fact: Fact<'_>, now: Time) {
        let observers: [&mut dyn Observer; 2] = [&mut self.history, &mut self.log];
        for observer in observers {
            observer.note(&fact, now);
        }
    }

    /// Tells what has ended. To be done before a session is gone that may have run it.
    fn note_ended(&mut self, now: Time) {
        while let Some(ended) = self.sched.next_ended() {
            let title = self.title_of(ended.task, ended.claimed);
            self.tell(Fact::Ended(&ended, title), now);
        }
    }

    /// Tells what is about to be done with sessions.
    fn note_action(&mut self, action: &Action, now: Time) {
        let fact = match *action {
            // Without a seat it is to be killed before anything of it is there.
            Action::Launch { worker } => match self.sched.seat_of(worker) {
                Some(seat) => Fact::Launched(worker, seat),
                None => return,
            },
            Action::Retire { worker } => Fact::Asked(Some(worker), Asked::Retired),
            Action::KillWorker { worker } => Fact::Asked(Some(worker), Asked::Killed),
            Action::Shutdown => Fact::Asked(None, Asked::Closed),
            Action::KillSupervisor if self.sched.state() != QueueState::Open => {
                Fact::Asked(None, Asked::Closed)
            }
            _ => return,
        };
        self.tell(fact, now);
    }

    /// The scheduler, to be looked at.
    pub(crate) fn sched(&self) -> &Scheduler {
        &self.sched
    }

    /// Whether a task is done or gone.
    pub(crate) fn is_over(&self, task: TaskId) -> bool {
        let view = self.sched.task(task);
        view.map_or(true, |view| view.phase == TaskPhase::Done)
    }

    /// How many conditions the R thread is to signal.
    pub(crate) fn num_conditions(&self) -> usize {
        self.conditions.count()
    }

    /// What is kept of a task.
    pub(crate) fn record(&self, task: TaskId) -> Option<&Record> {
        self.records.get(&task)
    }

    /// What ran.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// What a part of a map shows instead of its label.
    pub(crate) fn title_of(&self, task: TaskId, is_claimed: bool) -> Option<std::sync::Arc<str>> {
        let record = self.records.get(&task).filter(|_| is_claimed)?;
        record.title.clone()
    }

    /// The oldest task that is done and was promised to this loop.
    pub(crate) fn oldest_kept(&self, event_loop: EventLoop) -> Option<TaskId> {
        let all = (event_loop, TaskId(0))..=(event_loop, TaskId(u64::MAX));
        self.kept.range(all).next().map(|&(_, task)| task)
    }

    /// Why nothing can run any more, if so.
    pub(crate) fn reason(&self) -> Option<StartFailure> {
        if let Some(fault) = &self.fault {
            let message = format!("a fault in taskq itself, please report it: {fault}");
            return Some(StartFailure {
                cause: StartCause::Fault,
                message,
                ..StartFailure::default()
            });
        }
        let has_failed = self.sched.state() == QueueState::Failed;
        self.failure.clone().filter(|_| has_failed)
    }

    /// Whether nothing can run any more, and the R thread has not heard why.
    pub(crate) fn has_news_of_failure(&self) -> bool {
        !self.failure_is_told && self.reason().is_some()
    }

    /// Whether the driver has stopped by a fault of ours.
    pub(crate) fn has_fault(&self) -> bool {
        self.fault.is_some()
    }
}
