//! The handle of a queue: everything the R thread can do with it.
//!
//! Every method tells the truth of now and returns at once, except [`Queue::wait_for_done`] and [`Queue::wait_for_end`], which
//! wait no longer than they are told. The caller waits in short turns and looks after its own interrupts in between; nothing of
//! the queue is half done at that moment.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, panic};

use taskq_core::id::{TaskId, Time, WorkerId};
use taskq_core::Outcome;
use taskq_core::Submission;
use taskq_core::{Counts, QueueState, Scheduler};
use taskq_core::{Input, Verdict};
use taskq_core::{SeatState, TaskPhase, TaskView};
use taskq_sys::board::Board;
use taskq_sys::signals;

use crate::config::Config;
use crate::driver::Driver;
use crate::error::{PushError, StartFailure};
use crate::record::{DoneTask, Ending, Record, TaskPayload};
use crate::state::{now, Shared, State};

/// A queue. Dropping it ends the queue without waiting for the end.
#[derive(Debug)]
pub struct Queue {
    shared: Arc<Shared>,
    driver: Mutex<Option<JoinHandle<()>>>,
    /// The process that made the queue; in a fork of it there is no driver, and the lock may be held for ever.
    owner: u32,
}

/// Why a wait for a done task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitOutcome {
    /// There is a done task.
    Done,
    /// No task is left that could become done.
    Empty,
    /// The pool has failed, and [`Queue::tell_failure`] has not been asked why. There may be done tasks all the same.
    Failed,
    /// The time is over.
    TimedOut,
}

/// A row of the table of tasks.
#[derive(Clone, Debug)]
pub struct TaskRow {
    /// The task.
    pub id: TaskId,
    /// The user's name of it.
    pub label: String,
    /// What it does.
    pub phase: TaskPhase,
    /// What came of it, once it is done.
    pub outcome: Option<Outcome>,
    /// Attempts that have begun.
    pub tries: u32,
    /// The process id of its session, while it runs.
    pub pid: Option<i32>,
    /// When it was pushed, in seconds since 1970; likewise the next two.
    pub queued: f64,
    /// When it began.
    pub started: Option<f64>,
    /// When it was done.
    pub finished: Option<f64>,
}

/// A row of the table of workers.
#[derive(Clone, Debug)]
pub struct SeatRow {
    /// The number of the worker, from 1.
    pub seat: u32,
    /// What it does.
    pub state: SeatState,
    /// The user's name of the task it runs.
    pub task: Option<String>,
    /// The process id of its session.
    pub pid: Option<i32>,
    /// How many tasks its session has finished.
    pub tasks_done: u64,
    /// When its session was launched, in seconds since 1970.
    pub started: Option<f64>,
}

/// A task that is to be run by the caller itself, because the queue has no sessions.
#[derive(Clone, Debug)]
pub struct InlineTask {
    /// The task.
    pub id: TaskId,
    /// The user's name of it.
    pub label: String,
    /// What to run.
    pub payload: TaskPayload,
}

impl Queue {
    /// Makes a queue and returns at once; its sessions come up in the background.
    ///
    /// # Errors
    /// When the operating system refuses the driver thread or one of the descriptors it needs.
    pub fn start(config: Config) -> io::Result<Queue> {
        make_room_for_descriptors(config.scheduler.workers);
        let (board, board_file) = Board::create()?;
        let sched = Scheduler::new(config.scheduler);
        let shared = Arc::new(Shared::new(State::new(sched, false), board, config));
        let (driver, waker) = Driver::new(Arc::clone(&shared), board_file)?;
        shared.lock().driver = Some(Arc::new(waker));
        let thread = thread::Builder::new()
            .name("taskq-driver".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || drive(driver, &shared)
            })?;
        Ok(Queue::of(shared, Some(thread)))
    }

    /// Makes a queue without sessions: the caller runs what [`next_inline`](Queue::next_inline) hands out.
    ///
    /// # Errors
    /// When the operating system refuses memory.
    pub fn start_inline(config: Config) -> io::Result<Queue> {
        let (board, _) = Board::create()?;
        let scheduler = taskq_core::Config {
            workers: 1,
            ..config.scheduler
        };
        let mut state = State::new(Scheduler::new(scheduler), true);
        state.settle();
        state.errands.clear();
        state.sched.handle(now(), Input::NurseryUp);
        state.settle();
        for action in std::mem::take(&mut state.errands) {
            if let taskq_core::Action::Launch { worker } = action {
                state.sched.handle(now(), Input::WorkerReady { worker });
            }
        }
        Ok(Queue::of(Arc::new(Shared::new(state, board, config)), None))
    }

    fn of(shared: Arc<Shared>, driver: Option<JoinHandle<()>>) -> Queue {
        Queue {
            shared,
            driver: Mutex::new(driver),
            owner: std::process::id(),
        }
    }

    /// Whether this process made the queue. Nothing else of it may be called in a fork.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.owner == std::process::id()
    }

    /// The process that made the queue.
    #[must_use]
    pub fn owner(&self) -> u32 {
        self.owner
    }

    /// Queues a task and returns the user's name of it: `label`, or an automatic one.
    ///
    /// # Errors
    /// [`PushError`] when the task is not taken; nothing has changed then.
    pub fn push(&self, label: Option<&str>, payload: TaskPayload) -> Result<String, PushError> {
        self.shared.step(|state, now| {
            let task = state.sched.submit(
                now,
                Submission {
                    label: label.map(Into::into),
                },
            )?;
            state.records.insert(task, Record::new(payload));
            let label = state.sched.task(task).map(|view| view.label.to_owned());
            Ok(label.unwrap_or_default())
        })
    }

    /// Waits until there is a done task or none can come, but no longer than `timeout`.
    #[must_use]
    pub fn wait_for_done(&self, timeout: Duration) -> WaitOutcome {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            {
                let state = self.shared.lock();
                if !state.failure_is_told && state.reason().is_some() {
                    return WaitOutcome::Failed;
                }
                let Counts {
                    waiting,
                    running,
                    done,
                } = state.sched.counts();
                if done > 0 {
                    return WaitOutcome::Done;
                }
                if waiting + running == 0 {
                    return WaitOutcome::Empty;
                }
            }
            if !self.sleep_until(deadline) {
                return WaitOutcome::TimedOut;
            }
        }
    }

    /// Waits until no process of the queue is left, but no longer than `timeout`; whether that is so.
    #[must_use]
    pub fn wait_for_end(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        while !self.is_over() {
            if !self.sleep_until(deadline) {
                return self.is_over();
            }
        }
        // The thread has nothing more to do than to return.
        if let Ok(mut driver) = self.driver.lock() {
            if let Some(thread) = driver.take() {
                let _ = thread.join();
            }
        }
        true
    }

    /// The names of all done tasks, oldest push first.
    #[must_use]
    pub fn done(&self) -> Vec<String> {
        let state = self.shared.lock();
        let label = |task| state.sched.task(task).map(|view| view.label.to_owned());
        state.sched.done().filter_map(label).collect()
    }

    /// The oldest done task, which stays in the queue until it is [taken](Queue::take).
    #[must_use]
    pub fn oldest_done(&self) -> Option<DoneTask> {
        let state = self.shared.lock();
        state
            .sched
            .oldest_done()
            .and_then(|task| self.describe_done(&state, task))
    }

    /// A done task by its number.
    #[must_use]
    pub fn done_task(&self, task: TaskId) -> Option<DoneTask> {
        self.describe_done(&self.shared.lock(), task)
    }

    /// Removes a done task for good; false when it is not there or not done.
    pub fn take(&self, task: TaskId) -> bool {
        let (taken, record) = self.shared.step(|state, _| {
            let taken = state.sched.take(task);
            (
                taken,
                if taken {
                    state.records.remove(&task)
                } else {
                    None
                },
            )
        });
        // Large payloads are freed without the lock.
        drop(record);
        taken
    }

    /// How many tasks wait, run and are done.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.lock().sched.counts()
    }

    /// The state of the queue as a whole.
    #[must_use]
    pub fn state(&self) -> QueueState {
        self.shared.lock().sched.state()
    }

    /// Why the pool has failed, if it has.
    #[must_use]
    pub fn failure(&self) -> Option<StartFailure> {
        self.shared.lock().reason()
    }

    /// Why the pool has failed, if it has. Waiting does not report it again.
    pub fn tell_failure(&self) -> Option<StartFailure> {
        let mut state = self.shared.lock();
        state.failure_is_told = true;
        state.reason()
    }

    /// Something that the user should know of; each such word is given once.
    #[must_use]
    pub fn take_notice(&self) -> Option<&str> {
        self.shared.take_notice()
    }

    /// All tasks, oldest push first.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskRow> {
        let state = self.shared.lock();
        let row = |view: TaskView<'_>| TaskRow {
            id: view.id,
            label: view.label.to_owned(),
            phase: view.phase,
            outcome: view.outcome.copied(),
            tries: view.tries,
            pid: view
                .worker
                .filter(|_| view.outcome.is_none())
                .and_then(|w| pid_of(&state, w)),
            queued: self.shared.epoch.calendar(view.queued),
            started: view.started.map(|at| self.shared.epoch.calendar(at)),
            finished: view.finished.map(|at| self.shared.epoch.calendar(at)),
        };
        state.sched.tasks().map(row).collect()
    }

    /// All workers, by number. A queue without sessions has none.
    #[must_use]
    pub fn seats(&self) -> Vec<SeatRow> {
        let state = self.shared.lock();
        if state.inline.is_some() {
            return Vec::new();
        }
        let row = |view: taskq_core::SeatView| SeatRow {
            seat: view.seat,
            state: view.state,
            task: match view.state {
                SeatState::Busy(attempt) | SeatState::Leaving(attempt) => state
                    .sched
                    .task(attempt.task)
                    .map(|task| task.label.to_owned()),
                SeatState::Starting | SeatState::Idle => None,
            },
            pid: view.worker.and_then(|worker| pid_of(&state, worker)),
            tasks_done: view.tasks_done,
            started: view.started.map(|at| self.shared.epoch.calendar(at)),
        };
        state.sched.seats().map(row).collect()
    }

    /// What a task consists of, unless it is gone or was freed.
    #[must_use]
    pub fn payload(&self, task: TaskId) -> Option<TaskPayload> {
        self.shared
            .lock()
            .records
            .get(&task)
            .and_then(|record| record.payload.clone())
    }

    /// Refuses new tasks from now on, lets the others finish for as long as `grace`, then ends what is left. Does not wait.
    pub fn close(&self, grace: Duration) {
        self.shared.step(|state, now| {
            state.sched.handle(
                now,
                Input::Close {
                    deadline: now.after(grace),
                },
            );
        });
        self.end_inline();
    }

    /// Ends everything now. Does not wait.
    pub fn kill(&self) {
        self.shared
            .step(|state, now| state.sched.handle(now, Input::Kill));
        self.end_inline();
    }

    /// Ends everything now, and frees what nobody can ask for any more. Does not wait.
    pub fn abandon(&self) {
        self.kill();
        // Freed without the lock.
        let records = std::mem::take(&mut self.shared.lock().records);
        drop(records);
    }

    /// The next task that the caller is to run itself.
    #[must_use]
    pub fn next_inline(&self) -> Option<InlineTask> {
        let state = self.shared.lock();
        let attempt = *state.inline.as_ref()?.front()?;
        let payload = state.records.get(&attempt.task)?.payload.clone()?;
        let label = state.sched.task(attempt.task)?.label.to_owned();
        Some(InlineTask {
            id: attempt.task,
            label,
            payload,
        })
    }

    /// The caller has run the task that [`next_inline`](Queue::next_inline) handed out; `seconds` ago it began.
    pub fn finish_inline(&self, task: TaskId, verdict: Verdict, ending: Ending, took: Duration) {
        self.shared.step(|state, now| {
            let attempt = state.inline.as_mut().and_then(|queue| {
                queue.front().filter(|attempt| attempt.task == task)?;
                queue.pop_front()
            });
            let worker = state.sched.task(task).and_then(|view| view.worker);
            let (Some(attempt), Some(worker)) = (attempt, worker) else {
                return;
            };
            let began = Time(
                now.0
                    .saturating_sub(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
            );
            let input = Input::Finished {
                worker,
                attempt,
                verdict,
                began,
                ended: now,
            };
            state.end_attempt(task, ending, input, now);
        });
    }

    /// Where there is no driver, nobody else says that nothing is left.
    fn end_inline(&self) {
        self.shared.step(|state, _| {
            if state.inline.is_some() {
                state.end_without_driver();
            }
        });
    }

    /// Whether nothing of the queue runs any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let state = self.shared.lock();
        state.driver.is_none()
            && (state.sched.state() == QueueState::Closed || state.fault.is_some())
    }

    /// Sleeps until something has happened; false when the time was over before.
    fn sleep_until(&self, deadline: Option<Instant>) -> bool {
        match deadline {
            Some(deadline) => self.shared.woken.recv_deadline(deadline).is_ok(),
            None => self.shared.woken.recv().is_ok(),
        }
    }

    fn describe_done(&self, state: &State, task: TaskId) -> Option<DoneTask> {
        let view = state.sched.task(task)?;
        let record = state.records.get(&task)?;
        Some(DoneTask {
            id: task,
            label: view.label.to_owned(),
            outcome: *view.outcome?,
            tries: view.tries,
            ending: record.ending.clone().unwrap_or_default(),
            queued: self.shared.epoch.calendar(view.queued),
            started: view.started.map(|at| self.shared.epoch.calendar(at)),
            finished: self.shared.epoch.calendar(view.finished?),
        })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if self.is_ours() {
            self.kill();
        }
    }
}

fn pid_of(state: &State, worker: WorkerId) -> Option<i32> {
    state
        .outgoing
        .get(&worker)
        .and_then(|outgoing| outgoing.link.pid())
}

/// The driver thread.
fn drive(mut driver: Driver, shared: &Shared) {
    let _ = signals::block_async();
    let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| driver.run()));
    let fault = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(payload) => Some(panic_message(payload.as_ref())),
    };
    if fault.is_some() {
        // The state of the driver is in doubt, but not the pid and the name of what has to go.
        let _ = panic::catch_unwind(panic::AssertUnwindSafe(|| driver.abandon()));
    }
    drop(driver);
    let mut state = shared.lock();
    state.outgoing.clear();
    state.driver = None;
    state.fault = fault;
    if state.fault.is_some() {
        // Nothing runs any more, so nobody may wait for it.
        let _ = panic::catch_unwind(panic::AssertUnwindSafe(|| state.end_without_driver()));
    }
    drop(state);
    shared.tell();
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_owned())
}

/// Every session needs four descriptors in the host. Where the soft limit is too low for that and the hard one is not, it is
/// raised; what still does not fit is reported when a session is launched.
fn make_room_for_descriptors(workers: u32) {
    use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
    const OTHERS: u64 = 256;
    let needed = OTHERS + 4 * u64::from(workers);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        let current = Some(limit.maximum.map_or(needed, |maximum| needed.min(maximum)));
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current,
                maximum: limit.maximum,
            },
        );
    }
}
