//! The handle of a queue: everything the R thread can do with it.
//!
//! Every method tells the truth of now and returns at once, except those of `watch` that wait, no longer than they are
//! told. The caller waits in short turns and looks after its own interrupts in between; nothing of
//! the queue is half done at that moment.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use taskq_core::id::TaskId;
use taskq_core::{
    Counts, Input, QueueState, Scheduler, SeatState, SeatView, Submission, TaskOptions,
};
use taskq_record::TaskResult;
use taskq_sys::{address_space, fds, process};
use taskq_wire::message::NoFork;

use crate::config::Config;
use crate::door::Door;
use crate::driver::Driver;
use crate::error::{PushError, StartFailure};
use crate::lead::Lead;
use crate::state::{DoneTask, Given, State, TaskPayload};

mod claims;
mod find;
mod inline;
mod map;
mod output;
mod promises;
mod steer;
mod tables;
mod thread;
mod timeline;
mod watch;

pub use inline::{InlineStep, InlineTask};
pub use map::{Map, MapOutcome};
pub use output::{OutputNews, Stretch};
pub use tables::{Detail, QueueSnapshot, SeatRow, TaskObjects, TaskRow};
pub use timeline::Timeline;
pub use watch::{Awaited, WaitOutcome};

/// What must be left for a queue to be made: nearly twice what starting it and running small tasks were seen to take.
const LEAST_MEMORY: usize = 12 << 20;

/// A queue. Dropping it ends the queue without waiting for the end.
#[derive(Debug)]
pub struct Queue {
    door: Arc<Door>,
    /// Who listens; none where the caller runs the tasks itself.
    lead: Option<Arc<Lead>>,
    driver: Mutex<Option<JoinHandle<()>>>,
    is_inline: bool,
    /// The process that made the queue; in a fork of it there is no driver, and the lock may be held for ever.
    owner: i32,
}

impl Queue {
    /// Makes a queue and returns at once; its sessions come up in the background.
    ///
    /// # Errors
    /// When the operating system refuses the driver thread or one of the descriptors it needs.
    pub fn start(config: Config) -> io::Result<Queue> {
        let scheduler = &config.scheduler;
        // Where memory ends in the midst of a queue, Rust can only end the process.
        address_space::be_sparing();
        address_space::has_room(LEAST_MEMORY)?;
        fds::occupy_standard();
        make_room_for_sessions(scheduler.workers.max(scheduler.max_workers));
        let sched = Scheduler::new(config.scheduler);
        let door = Arc::new(Door::new(sched, false, config));
        let (driver, waker) = Driver::new(Arc::clone(&door))?;
        door.set_driver(waker);
        let lead = Arc::new(Lead::new(driver));
        let thread = std::thread::Builder::new()
            .name("taskq-driver".to_owned())
            .spawn({
                let (door, lead) = (Arc::clone(&door), Arc::clone(&lead));
                move || thread::drive(&lead, &door)
            })?;
        Ok(Queue::of(door, Some((lead, thread))))
    }

    fn of(door: Arc<Door>, driver: Option<(Arc<Lead>, JoinHandle<()>)>) -> Queue {
        let (lead, driver) = driver.unzip();
        Queue {
            door,
            is_inline: lead.is_none(),
            lead,
            driver: Mutex::new(driver),
            owner: process::own_pid(),
        }
    }

    /// Whether this process made the queue. Nothing else of it may be called in a fork.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.owner == process::own_pid()
    }

    /// Whether there are no sessions, ever: the caller runs the tasks itself.
    #[must_use]
    pub fn is_inline(&self) -> bool {
        self.is_inline
    }

    /// The process that made the queue.
    #[must_use]
    pub fn owner(&self) -> i32 {
        self.owner
    }

    /// Names for tasks that are about to be pushed with them, and which no other task gets that brings none: for a
    /// caller that needs a name before there is a task, because nothing may fail once it is queued.
    pub fn reserve_names<'a>(&self, names: impl Iterator<Item = &'a mut Option<Box<str>>>) {
        self.door
            .ask(|state, _| names.for_each(|name| *name = Some(state.reserve_label())));
    }

    /// The last `count` names that were [reserved](Queue::reserve_names) are not needed.
    pub fn release_names(&self, count: usize) {
        self.door.ask(|state, _| state.release_labels(count));
    }

    /// Queues a task and returns the user's name of it: its label, or an automatic one.
    ///
    /// # Errors
    /// [`PushError`] when the task is not taken; nothing has changed then.
    pub fn push(&self, task: Submission, payload: TaskPayload) -> Result<String, PushError> {
        self.door.ask(|state, now| {
            let task = state.submit(task, payload, None, now)?;
            let label = state.sched().task(task).map(|view| view.label.to_owned());
            Ok(label.unwrap_or_default())
        })
    }

    /// Queues tasks, all or none.
    ///
    /// # Errors
    /// As [`push`](Queue::push).
    pub fn push_many(&self, tasks: Vec<(Submission, TaskPayload)>) -> Result<(), PushError> {
        Ok(self.door.ask(|state, now| state.submit_all(tasks, now))?)
    }

    /// The oldest done task, which stays in the queue until it is [taken](Queue::take).
    #[must_use]
    pub fn oldest_done(&self) -> Option<DoneTask> {
        let look = self.door.look();
        self.describe_done(&look, look.sched().oldest_done()?)
    }

    /// A done task by its number.
    #[must_use]
    pub fn done_task(&self, task: TaskId) -> Option<DoneTask> {
        self.describe_done(&self.door.look(), task)
    }

    /// Removes a done task for good; false when it is not there or not done. For its claimant, if it has one.
    pub fn take(&self, task: TaskId) -> bool {
        self.door.ask(|state, now| state.take(&[task], now))
    }

    /// The same; false, too, for a task that somebody has claimed.
    pub fn take_open(&self, task: TaskId) -> bool {
        self.take_all(&[task])
    }

    /// Removes these done tasks for good; none, and false, when one of them is not there, not done, or claimed.
    pub fn take_all(&self, tasks: &[TaskId]) -> bool {
        self.door.ask(|state, now| state.take_open(tasks, now))
    }

    /// What a task is pushed with unless its user says otherwise.
    #[must_use]
    pub fn default_options(&self) -> &TaskOptions {
        &self.door.config.task_defaults
    }

    /// How many sessions there will be at once when there is enough to do.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.door.look().sched().capacity()
    }

    /// How many sessions have nothing to do.
    #[must_use]
    pub fn num_idle(&self) -> usize {
        if self.is_inline {
            return 0;
        }
        let is_idle = |seat: &SeatView| seat.state == SeatState::Idle;
        self.door.look().sched().seats().filter(is_idle).count()
    }

    /// How many tasks wait, run and are done.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.door.look().sched().counts()
    }

    /// The state of the queue as a whole.
    #[must_use]
    pub fn state(&self) -> QueueState {
        self.door.look().sched().state()
    }

    /// Why the pool has failed, if it has.
    #[must_use]
    pub fn failure(&self) -> Option<StartFailure> {
        self.door.look().reason()
    }

    /// Why the pool has failed, if it has. Waiting does not report it again.
    pub fn tell_failure(&self) -> Option<StartFailure> {
        self.door.ask(|state, _| {
            state.set_failure_told();
            state.reason()
        })
    }

    /// Whether the user is to be told of [`no_fork`](Queue::no_fork), and was not yet.
    #[must_use]
    pub fn has_notice(&self) -> bool {
        self.door.has_notice()
    }

    /// The user is told now.
    pub fn notice_is_told(&self) {
        self.door.notice_is_told();
    }

    /// Why sessions are not forked. `None` when they are, and as long as it is not known.
    #[must_use]
    pub fn no_fork(&self) -> Option<&NoFork> {
        self.door.notice.get()
    }

    /// What a task consists of, unless it is gone or was freed.
    #[must_use]
    pub fn payload(&self, task: TaskId) -> Option<TaskPayload> {
        self.door.look().record(task)?.payload.clone()
    }

    /// The values of other tasks that a task is given.
    #[must_use]
    pub fn given(&self, task: TaskId) -> Vec<Given> {
        let look = self.door.look();
        let record = look.record(task);
        record.map_or_else(Vec::new, |record| record.given.clone())
    }

    /// Refuses new tasks from now on, lets the others finish for as long as `grace`, then ends what is left. Does not
    /// wait.
    pub fn close(&self, grace: Duration) {
        self.door.ask(|state, now| {
            let deadline = now.after(grace);
            state.input(Input::Close { deadline }, now);
        });
        if self.is_inline {
            // There is no driver to say that nothing is left.
            self.kill();
        }
    }

    /// Ends everything now. Does not wait.
    pub fn kill(&self) {
        self.input(Input::Kill);
    }

    /// [`kill`](Queue::kill), for a thread that may have been stopped in the midst of another call, as in the handler
    /// of a signal: false if it holds the queue's lock, or does not get it within `limit`. Nothing is done then.
    #[must_use]
    pub fn kill_within(&self, limit: Duration) -> bool {
        let is_free = self.door.is_free(limit);
        if is_free {
            self.kill();
        }
        is_free
    }

    /// The same, and frees what cannot be asked for any more. What was promised can be asked for.
    #[must_use]
    pub fn abandon_within(&self, limit: Duration) -> bool {
        let is_killed = self.kill_within(limit);
        if is_killed {
            self.door.ask(|state, _| state.abandon());
        }
        is_killed
    }

    /// Whether nothing of the queue runs any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let look = self.door.look();
        let is_closed = look.sched().state() == QueueState::Closed;
        !look.has_driver() && (is_closed || look.has_fault())
    }

    /// Tells the scheduler what the user wants.
    fn input(&self, input: Input) {
        self.door.ask(|state, now| state.input(input, now));
    }

    fn describe_done(&self, state: &State, task: TaskId) -> Option<DoneTask> {
        let view = state.sched().task(task)?;
        let record = state.record(task)?;
        let ending = record.ending.clone().unwrap_or_default();
        // One that ended while it waited for its next try has waited since it ran last.
        let began = view.started.filter(|began| *began >= view.waits_since);
        Some(DoneTask {
            result: TaskResult {
                task,
                label: view.label.to_owned(),
                outcome: *view.outcome?,
                oom: ending.oom,
                skipped_after: record.skipped_after.clone(),
                tries: view.tries,
                pid: ending.pid,
                queued: self.door.epoch.calendar(view.queued),
                started: view.started.map(|at| self.door.epoch.calendar(at)),
                finished: self.door.epoch.calendar(view.finished?),
                waited: began.map(|began| began.since(view.waits_since).as_secs_f64()),
                measured: ending.measured,
            },
            ending,
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

/// Every session needs four descriptors in the host; what does not fit is reported when one is launched.
fn make_room_for_sessions(workers: u32) {
    const OTHERS: u64 = 256;
    fds::make_room(OTHERS + 4 * u64::from(workers));
}

#[cfg(test)]
mod tests {
    use super::*;
    use taskq_core::TaskOptions;

    #[test]
    fn a_thread_that_holds_the_lock_is_told_so_instead_of_waiting_for_itself() {
        let queue = Queue::start_inline(Config {
            command: Vec::new(),
            env: Vec::new(),
            working_dir: std::env::temp_dir(),
            late_variables: Vec::new(),
            startup_files: Vec::new(),
            temp_dirs: Vec::new(),
            setup: Vec::new(),
            output_limit: Config::OUTPUT_LIMIT,
            stderr_tail: Config::STDERR_TAIL,
            charset: crate::Charset::default(),
            task_defaults: TaskOptions::default(),
            waker: |_| (),
            scheduler: taskq_core::SchedulerConfig::default(),
        })
        .expect("a queue");
        let brief = Duration::from_millis(5);
        // As where R ends in the handler of a signal that came in the midst of a call.
        let held = queue.door.look();
        assert!(!queue.kill_within(brief) && !queue.abandon_within(brief));
        drop(held);
        assert!(!queue.is_over());
        assert!(queue.abandon_within(Duration::from_secs(10)) && queue.is_over());
    }
}
