//! What the lock guards, and what either thread does under it.
//!
//! A caller changes the scheduler inside [`Shared::step`]; the actions that follow are carried out there at once when they are
//! writes that cannot block, and left as errands for the driver when they need more. Nothing here waits.

mod outgoing;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use taskq_core::id::{AttemptId, TaskId, Time, WorkerId};
use taskq_core::Action;
use taskq_core::{Begun, GoneCause, Input};
use taskq_core::{Outcome, QueueState, Scheduler};
use taskq_record::StartCause;
use taskq_sys::process;
use taskq_wire::message::{NoFork, ToControl};

use crate::clock::{now, Epoch};
use crate::config::{Config, EventLoop};
use crate::error::StartFailure;
use crate::history::History;
use crate::record::{Ending, Record, TaskPayload};
use crate::session::FinishedTask;
use crate::wanted::Wanted;

pub(crate) use outgoing::Outgoing;

/// What the threads of a queue share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Guards everything that changes.
    state: Mutex<State>,
    /// A wake-up for the R thread; capacity one, so that many become one.
    pub(crate) wake_up: Sender<()>,
    /// Its other end.
    pub(crate) woken: Receiver<()>,
    /// Ties the monotonic clock to the calendar.
    pub(crate) epoch: Epoch,
    /// Something that the user should know of, told once in the life of the queue.
    notice: OnceLock<NoFork>,
    /// Whether the R thread has yet to tell it.
    has_notice: AtomicBool,
    /// What the queue was made from.
    pub(crate) config: Config,
}

/// What changes.
#[derive(Debug)]
pub(crate) struct State {
    /// Decides everything.
    pub(crate) sched: Scheduler,
    /// Payload and ending of every task that has not been taken.
    pub(crate) records: HashMap<TaskId, Record>,
    /// The sending half of every session.
    pub(crate) outgoing: HashMap<WorkerId, Outgoing>,
    /// Actions that only the driver can carry out.
    pub(crate) errands: Vec<Action>,
    /// Sessions to which the kernel would not pass on more descriptors. No event tells when it will.
    pub(crate) stalled: BTreeSet<WorkerId>,
    /// Payloads that nobody needs any more, to be freed without the lock.
    pub(crate) spent: Vec<TaskPayload>,
    /// The same of tasks that nobody will ask for.
    forgotten: Vec<Record>,
    /// The tasks that are done and promised, by their loops.
    pub(crate) kept: BTreeSet<(EventLoop, TaskId)>,
    /// The loops that are to hear of it, without the lock.
    pub(crate) to_ring: BTreeSet<EventLoop>,
    /// Where attempts go when there is no driver.
    pub(crate) inline: Option<VecDeque<AttemptId>>,
    /// What ran.
    pub(crate) history: History,
    /// The last reason why a session did not start.
    pub(crate) failure: Option<StartFailure>,
    /// Whether the R thread has heard of it.
    pub(crate) failure_is_told: bool,
    /// What the R thread waits for.
    pub(crate) wanted: Wanted,
    /// Wakes the driver; `None` when there is none (any more).
    pub(crate) driver: Option<Arc<mio::Waker>>,
    /// When the driver will wake up by itself.
    pub(crate) driver_wakes_at: Option<Time>,
    /// A fault of ours that stopped the driver.
    pub(crate) fault: Option<String>,
}

impl Shared {
    pub(crate) fn new(state: State, config: Config) -> Shared {
        let (wake_up, woken) = crossbeam_channel::bounded(1);
        Shared {
            state: Mutex::new(state),
            wake_up,
            woken,
            epoch: Epoch::now(),
            notice: OnceLock::new(),
            has_notice: AtomicBool::new(false),
            config,
        }
    }

    /// The state. A panic of another holder is no reason to refuse it: the machine is consistent between its own steps, and
    /// the fault is reported on its own way.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the lock can be had, within `limit`. It cannot if this thread holds it itself.
    pub(crate) fn is_free(&self, limit: Duration) -> bool {
        // Nothing tells when a lock is free, but for waiting for it without an end.
        const PAUSE: Duration = Duration::from_millis(1);
        let deadline = Instant::now() + limit;
        while let Err(TryLockError::WouldBlock) = self.state.try_lock() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }

    /// Changes the state by `change`, carries out what follows, and wakes whom it concerns. For the R thread.
    pub(crate) fn step<T>(&self, change: impl FnOnce(&mut State, Time) -> T) -> T {
        let mut state = self.lock();
        let answer = change(&mut state, now());
        let tell = state.settle();
        let driver = if state.driver_is_needed() {
            state.driver.clone()
        } else {
            None
        };
        self.release(state);
        if let Some(driver) = driver {
            // Writing to an event descriptor of ours does not fail while the driver lives, and needs not when it does not.
            let _ = driver.wake();
        }
        if tell {
            self.tell();
        }
        answer
    }

    /// Has the driver's thread look up.
    pub(crate) fn wake_driver(&self) {
        let driver = self.lock().driver.clone();
        if let Some(driver) = driver {
            // As above.
            let _ = driver.wake();
        }
    }

    /// Lets go of the lock, and does what is done without it: frees what nobody needs, and rings.
    pub(crate) fn release(&self, mut state: MutexGuard<'_, State>) {
        let spent = std::mem::take(&mut state.spent);
        let forgotten = std::mem::take(&mut state.forgotten);
        let to_ring = std::mem::take(&mut state.to_ring);
        drop(state);
        drop((spent, forgotten));
        to_ring.into_iter().for_each(self.config.bell);
    }

    /// Leaves word for the user of why sessions are not forked, unless there was one before.
    pub(crate) fn notify(&self, notice: NoFork) {
        if self.notice.set(notice).is_ok() {
            self.has_notice.store(true, Ordering::Release);
        }
    }

    /// Whether there is a word for the user; true once.
    pub(crate) fn take_notice(&self) -> bool {
        // The usual case is one load, on the way of every push.
        self.has_notice.load(Ordering::Relaxed) && self.has_notice.swap(false, Ordering::AcqRel)
    }

    /// Why sessions are not forked.
    pub(crate) fn no_fork(&self) -> Option<&NoFork> {
        self.notice.get()
    }

    /// Wakes the R thread, should it wait.
    pub(crate) fn tell(&self) {
        // A full channel means that a wake-up is already there.
        let _ = self.wake_up.try_send(());
    }
}

impl State {
    pub(crate) fn new(sched: Scheduler, inline: bool) -> State {
        let history = if inline {
            History::alone(process::own_pid())
        } else {
            History::default()
        };
        State {
            sched,
            records: HashMap::new(),
            outgoing: HashMap::new(),
            errands: Vec::new(),
            stalled: BTreeSet::new(),
            spent: Vec::new(),
            forgotten: Vec::new(),
            kept: BTreeSet::new(),
            to_ring: BTreeSet::new(),
            inline: inline.then(VecDeque::new),
            history,
            failure: None,
            failure_is_told: false,
            wanted: Wanted::Nothing,
            driver: None,
            driver_wakes_at: None,
            fault: None,
        }
    }

    /// Carries out the scheduler's actions; returns whether the R thread should hear of it.
    pub(crate) fn settle(&mut self) -> bool {
        let mut is_done = false;
        let mut has_failed = false;
        let mut written: Vec<WorkerId> = Vec::new();
        self.write_history();
        while let Some(action) = self.sched.next_action() {
            self.note_action(&action);
            match action {
                Action::Send { worker, attempt } => {
                    self.send(worker, attempt);
                    if !written.contains(&worker) {
                        written.push(worker);
                    }
                }
                Action::Retire { .. } if self.inline.is_some() => self.errands.push(action),
                Action::Retire { worker } => {
                    self.retire(worker);
                    if !written.contains(&worker) {
                        written.push(worker);
                    }
                }
                Action::Recall { worker, attempts } => {
                    self.control(worker, &ToControl::Recall { attempts });
                }
                Action::Interrupt { worker, attempt } => {
                    self.control(worker, &ToControl::Interrupt { attempt });
                }
                Action::Done { task } => {
                    let skipped_after = self.name_of_cause(task);
                    if let Some(record) = self.records.get_mut(&task) {
                        self.spent.extend(record.settle());
                        record.skipped_after = skipped_after;
                        if record.promised_to.is_some() {
                            self.keep(task);
                        }
                    }
                    is_done = true;
                }
                Action::Forget { task } => {
                    let record = self.forget(task);
                    self.forgotten.extend(record);
                }
                Action::Failed => has_failed = true,
                Action::Boot
                | Action::Launch { .. }
                | Action::KillWorker { .. }
                | Action::KillNursery
                | Action::Shutdown => self.errands.push(action),
            }
        }
        for worker in written {
            self.flush(worker);
        }
        has_failed || self.has_come(is_done)
    }

    /// A task has left the queue. What was kept of it is to be freed without the lock.
    #[must_use]
    pub(crate) fn forget(&mut self, task: TaskId) -> Option<Record> {
        let record = self.records.remove(&task)?;
        if let Some(event_loop) = record.promised_to {
            self.kept.remove(&(event_loop, task));
        }
        Some(record)
    }

    /// The user's name of the task because of which this one was skipped. It is in the queue still: nothing is taken between
    /// the end of one and of the other.
    fn name_of_cause(&self, task: TaskId) -> Option<String> {
        match self.sched.task(task)?.outcome? {
            Outcome::Skipped { after } => Some(self.sched.task(*after)?.label.to_owned()),
            _ => None,
        }
    }

    /// Whether the driver has something to do that it does not know of.
    fn driver_is_needed(&self) -> bool {
        let earlier = match (self.sched.next_wakeup(), self.driver_wakes_at) {
            (Some(wanted), Some(planned)) => wanted < planned,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let is_over = self.sched.state() == QueueState::Closed;
        earlier || is_over || !self.errands.is_empty() || !self.stalled.is_empty()
    }

    /// Keeps the reason why a session or a nursery did not start, to be shown when the pool gives up; once it has, what
    /// ends afterwards is no reason any more.
    pub(crate) fn note_failure(&mut self, failure: StartFailure) {
        if self.sched.state() == QueueState::Open {
            self.failure = Some(failure);
        }
    }

    /// Ends everything where there is no driver (any more) to say that it is done.
    pub(crate) fn end_without_driver(&mut self) {
        self.sched.handle(now(), Input::Kill);
        self.settle();
        self.errands.clear();
        self.sched
            .handle(now(), Input::NurseryGone { reported: false });
        self.settle();
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

    /// An attempt has ended by itself.
    pub(crate) fn finish(&mut self, worker: WorkerId, news: FinishedTask, now: Time) {
        let FinishedTask {
            finished,
            outcome,
            stdout,
            stderr,
            progress,
            memory,
            running,
        } = news;
        let pid = self
            .outgoing
            .get(&worker)
            .and_then(|outgoing| outgoing.link.pid());
        let ending = Ending {
            outcome: Some(Arc::new(outcome)),
            stdout: Arc::new(stdout),
            stderr: Arc::new(stderr),
            stderr_tail: Vec::new(),
            pid,
            measured: finished.measured,
            progress,
            elements: 0,
            oom: false,
        };
        let attempt = finished.attempt;
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

    /// A session is gone; `ending` is what it left of the attempt that had `begun`, or counts as begun.
    pub(crate) fn bury(
        &mut self,
        worker: WorkerId,
        cause: GoneCause,
        begun: Option<Begun>,
        ending: Ending,
        now: Time,
    ) {
        let input = Input::WorkerGone {
            worker,
            cause,
            begun,
        };
        let attempt = begun.map(|begun| begun.attempt);
        match attempt.or_else(|| self.sched.unheard(worker)) {
            Some(attempt) => self.end_attempt(attempt.task, ending, input, now),
            None => self.sched.handle(now, input),
        }
        self.write_history();
        self.history.gone(worker, cause, now);
    }

    /// A session is gone that was never there.
    pub(crate) fn bury_unborn(&mut self, worker: WorkerId, cause: GoneCause, now: Time) {
        let begun = None;
        let input = Input::WorkerGone {
            worker,
            cause,
            begun,
        };
        self.sched.handle(now, input);
        self.write_history();
        self.history.gone(worker, cause, now);
    }

    /// Tells the machine `input`, and keeps what the attempt left if that has ended the task. Whether it does is for the machine
    /// to say: the message may be stale. A task that was ended before its session was dead has nothing yet.
    pub(crate) fn end_attempt(&mut self, task: TaskId, ending: Ending, input: Input, now: Time) {
        let is_done =
            |sched: &Scheduler| sched.task(task).is_some_and(|view| view.outcome.is_some());
        let was_done = is_done(&self.sched);
        self.sched.handle(now, input);
        let is_late = was_done && ending.outcome.is_none();
        if is_late || (!was_done && is_done(&self.sched)) {
            if let Some(record) = self.records.get_mut(&task) {
                record.ending.get_or_insert_with(|| Arc::new(ending));
            }
        }
    }
}
