//! Following tasks: waiting for them, and looking at what they tell while they run.

use std::time::{Duration, Instant};

use taskq_core::id::TaskId;
use taskq_core::{Counts, Outlook, TaskPhase};
use taskq_payload::payload::Payload;
use taskq_wire::board::progress::Progress;

use super::Queue;
use crate::clock::now;
use crate::door::Look;
use crate::state::{Relayed, State, Wanted};

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitOutcome {
    /// What was waited for is there.
    Done,
    /// It can not come any more: no task is left that could become done.
    Empty,
    /// The pool has failed, and [`Queue::tell_failure`] has not been asked why. There may be done tasks all the same.
    Failed,
    /// It is not there, but there are [conditions](Queue::next_condition) to signal.
    Signalled,
    /// The time is over.
    TimedOut,
}

/// Which tasks are waited for.
#[derive(Clone, Debug)]
pub enum Awaited {
    /// All that are in the queue.
    All,
    /// These. The first `done` are done already, which is not looked at again.
    These {
        /// The tasks.
        tasks: Vec<TaskId>,
        /// How many from the start are known to be done.
        done: usize,
    },
}

impl Awaited {
    fn are_done(&mut self, state: &State) -> bool {
        match self {
            Awaited::All => {
                let counts = state.sched().counts();
                counts.waiting + counts.running == 0
            }
            Awaited::These { tasks, done } => {
                *done += tasks[*done..]
                    .iter()
                    .take_while(|task| state.is_over(**task))
                    .count();
                *done == tasks.len()
            }
        }
    }
}

impl Queue {
    /// Waits until there is a done task or none can come, but no longer than `timeout`.
    #[must_use]
    pub fn wait_for_done(&self, timeout: Duration) -> WaitOutcome {
        self.wait(Wanted::Done, timeout, |state| {
            let Counts {
                waiting,
                running,
                done,
            } = state.sched().counts();
            if done > 0 {
                Some(WaitOutcome::Done)
            } else {
                (waiting + running == 0).then_some(WaitOutcome::Empty)
            }
        })
    }

    /// Waits until there is a done task that was not [told](Queue::tell) of, or none can come, but no longer than
    /// `timeout`.
    #[must_use]
    pub fn wait_for_news(&self, timeout: Duration) -> WaitOutcome {
        self.wait(Wanted::News, timeout, |state| {
            let Counts {
                waiting, running, ..
            } = state.sched().counts();
            if state.sched().has_news() {
                Some(WaitOutcome::Done)
            } else {
                (waiting + running == 0).then_some(WaitOutcome::Empty)
            }
        })
    }

    /// Waits until this task is done or gone, but no longer than `timeout`.
    #[must_use]
    pub fn wait_for_task(&self, task: TaskId, timeout: Duration) -> WaitOutcome {
        self.wait(Wanted::This(task), timeout, |state| {
            state.is_over(task).then_some(WaitOutcome::Done)
        })
    }

    /// Waits until these tasks are done or gone, but no longer than `timeout`. Each is looked at a few times, however
    /// many tasks become done meanwhile.
    #[must_use]
    pub fn wait_for_all(&self, awaited: &mut Awaited, timeout: Duration) -> WaitOutcome {
        let wanted = match awaited {
            Awaited::All => Wanted::Quiet,
            Awaited::These { .. } => Wanted::Change,
        };
        self.wait(wanted, timeout, |state| {
            awaited.are_done(state).then_some(WaitOutcome::Done)
        })
    }

    /// Waits until the queue takes `count` tasks more, or will never, but no longer than `timeout`.
    #[must_use]
    pub fn wait_for_room(&self, count: usize, timeout: Duration) -> WaitOutcome {
        self.wait(Wanted::Room(count), timeout, |state| {
            state.sched().has_room(count).then_some(WaitOutcome::Done)
        })
    }

    /// Waits until no process of the queue is left, but no longer than `timeout`; whether that is so.
    #[must_use]
    pub fn wait_for_end(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        while !self.is_over() {
            if !self.door.sleep(deadline) {
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

    /// When a task will be begun; nothing for one that is done or gone. Counts the tasks before it.
    #[must_use]
    pub fn outlook(&self, task: TaskId) -> Option<Outlook> {
        self.door.look().sched().outlook(now(), task)
    }

    /// What a task has last told of its progress, with the time in seconds since 1970.
    #[must_use]
    pub fn progress(&self, task: TaskId) -> Option<(Progress, f64)> {
        let progress = self.progress_in(&self.door.look(), task)?;
        let at = self
            .door
            .epoch
            .calendar(taskq_core::id::Time(progress.at_ns));
        Some((progress, at))
    }

    pub(super) fn progress_in(&self, look: &Look<'_>, task: TaskId) -> Option<Progress> {
        let view = look.sched().task(task)?;
        match view.phase {
            TaskPhase::Waiting => None,
            TaskPhase::Done => look.record(task)?.ending.as_ref()?.progress.clone(),
            TaskPhase::Running { worker, .. } => {
                let progress = look.sessions().get(worker)?.link.board.progress()?;
                (Some(progress.attempt) == view.attempt).then_some(progress)
            }
        }
    }

    /// How many conditions there are that tasks have signalled and that were not [taken](Queue::next_condition).
    #[must_use]
    pub fn num_conditions(&self) -> usize {
        self.door.look().num_conditions()
    }

    /// Takes the oldest of them out, for the R thread to signal it. All that a task has signalled comes before it is
    /// done.
    #[must_use]
    pub fn next_condition(&self) -> Option<Relayed> {
        self.door.ask(|state, _| state.next_condition())
    }

    /// Puts the one that was taken last back: it could not be read now.
    pub fn put_condition_back(&self, condition: Box<Payload>) {
        self.door
            .ask(|state, _| state.put_condition_back(condition));
    }

    /// Waits until `is_there` answers, or the pool has failed and this was not told, or there are conditions.
    pub(super) fn wait(
        &self,
        wanted: Wanted,
        timeout: Duration,
        mut is_there: impl FnMut(&State) -> Option<WaitOutcome>,
    ) -> WaitOutcome {
        let mut look = |wanted: Wanted| {
            self.door.seek(wanted, |state| {
                let has_failed = state.has_news_of_failure();
                let failed = has_failed.then_some(WaitOutcome::Failed);
                let answer = failed.or_else(|| is_there(state));
                let has_conditions = state.num_conditions() > 0;
                answer.or_else(|| has_conditions.then_some(WaitOutcome::Signalled))
            })
        };
        if let Some(outcome) = look(Wanted::Nothing) {
            return outcome;
        }
        let began = Instant::now();
        let deadline = began.checked_add(timeout);
        let outcome = loop {
            if let Some(outcome) = self.listen(deadline, || look(Wanted::Nothing)) {
                break outcome;
            }
            if let Some(outcome) = look(wanted) {
                break outcome;
            }
            if !self.door.sleep(deadline) {
                self.door.seek(Wanted::Nothing, |_| None::<()>);
                break WaitOutcome::TimedOut;
            }
        };
        if let Some(lead) = &self.lead {
            lead.note_wait(began.elapsed());
        }
        outcome
    }

    /// Listens to the sessions until what is looked for has come or the time is over; nothing when that is the driver's
    /// thread's business, now or altogether.
    fn listen(
        &self,
        deadline: Option<Instant>,
        mut look: impl FnMut() -> Option<WaitOutcome>,
    ) -> Option<WaitOutcome> {
        let lead = self.lead.as_ref()?;
        let Some(mut leading) = lead.take() else {
            if lead.wants_it() {
                self.door.wake_driver();
            }
            return None;
        };
        // What came before it had the lead is never told to the poller again.
        let mut outcome = look();
        while outcome.is_none() {
            let limit = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let goes_on = leading.turn(limit);
            outcome = look();
            if !goes_on {
                break;
            }
            if limit.is_some_and(|limit| limit.is_zero()) {
                return outcome.or(Some(WaitOutcome::TimedOut));
            }
        }
        outcome
    }
}
