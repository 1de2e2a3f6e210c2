//! A map on its way through a queue: its elements go out in batches, each a claimed task, and come back in any order.
//!
//! Which elements go together, for how long, and which are taken back when, is decided in [`taskq_core::batches`]; this
//! keeps what was decided together with the tasks that carry it. What elements are, and how they are evaluated, only
//! the sessions know.
//!
//! The owner goes round: [`plan`](Map::plan) and [`push`](Map::push) until nothing is to be sent, [`wait`](Map::wait),
//! [`settle`](Map::settle), until [`wait`](Map::wait) says [`Empty`](MapOutcome::Empty).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use taskq_core::batches::{steal, Batch, BatchProgress, Batches, Steal, Took, MOST_ELEMENTS};
use taskq_core::id::{AttemptId, TaskId, Time};
use taskq_core::{Submission, TaskPhase};
use taskq_payload::payload::Payload;
use taskq_wire::board::{elements, Board};

use super::claims::{ClaimOutcome, Claims};
use super::Queue;
use crate::clock::now;
use crate::door::Look;
use crate::error::PushError;
use crate::function::Function;
use crate::state::TaskPayload;

/// A map. Dropping it cancels what is under way.
#[derive(Debug)]
pub struct Map {
    claims: Claims,
    number: TaskId,
    /// Which of the queue's maps it is, from 1.
    serial: u64,
    batches: Batches,
    work: Arc<Function>,
    under_way: HashMap<TaskId, Batch>,
    planned: Option<Batch>,
}

/// Why a wait for a map ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapOutcome {
    /// This batch is done.
    Done(TaskId),
    /// There are elements to send.
    More,
    /// Nothing is under way.
    Empty,
    /// See [`WaitOutcome::Failed`](super::WaitOutcome::Failed).
    Failed,
    /// See [`WaitOutcome::Signalled`](super::WaitOutcome::Signalled).
    Signalled,
    /// The time is over.
    TimedOut,
}

impl Map {
    /// A map of `length` elements. `work`: the function and what all elements have in common; `fixed`: how many
    /// elements each batch has, or as many as are worth while.
    ///
    /// # Errors
    /// [`PushError`] when the queue takes no tasks.
    pub fn new(
        queue: &Arc<Queue>,
        work: Arc<Function>,
        length: u64,
        fixed: Option<u64>,
    ) -> Result<Map, PushError> {
        let (claims, serial, number) = Claims::new(queue)?;
        let batches = Batches::new(length, fixed);
        let is_tried_again = queue.default_options().tries > 1;
        Ok(Map {
            claims,
            number,
            serial,
            batches: if is_tried_again {
                batches.kept_whole()
            } else {
                batches
            },
            work,
            under_way: HashMap::new(),
            planned: None,
        })
    }

    /// The number of the task that the map counts as.
    #[must_use]
    pub fn number(&self) -> TaskId {
        self.number
    }

    /// The queue that it goes through.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        self.claims.queue()
    }

    /// Plans the next batch, which is to be pushed before the next is planned; none when there is none, for now or
    /// ever.
    pub fn plan(&mut self) -> Option<Batch> {
        let workers = self.queue().capacity();
        self.planned = self.batches.send(workers);
        self.planned
    }

    /// Pushes the planned batch, whose elements are in `call`.
    ///
    /// # Errors
    /// [`PushError`] when it is not taken; the map cannot go on then.
    pub fn push(&mut self, call: Payload) -> Result<(), PushError> {
        let Some(batch) = self.planned.take() else {
            return Ok(());
        };
        self.batches.weigh(batch.count, call.size() as u64);
        let mut options = self.queue().default_options().clone();
        options.timeout = options.timeout.map(|each| batch.time_limit(each));
        let task = Submission {
            options,
            ..Submission::default()
        };
        let payload = TaskPayload {
            fun: Arc::clone(&self.work),
            call: Arc::new(call),
        };
        let title = title_of(self.serial, &batch);
        let task = self.claims.push(task, payload, &title)?;
        self.under_way.insert(task, batch);
        Ok(())
    }

    /// Waits until a batch is done or there are elements to send, but no longer than `timeout`, which should be short:
    /// elements are taken back only at the begin of a wait, and it ends early when some can be taken back then that
    /// cannot yet.
    pub fn wait(&mut self, timeout: Duration) -> MapOutcome {
        let (has_more, look_again) = self.balance();
        if has_more {
            return MapOutcome::More;
        }
        let timeout = look_again.map_or(timeout, |again| again.min(timeout));
        match self.claims.wait(timeout) {
            ClaimOutcome::Done(task) => MapOutcome::Done(task),
            ClaimOutcome::Empty => MapOutcome::Empty,
            ClaimOutcome::Failed => MapOutcome::Failed,
            ClaimOutcome::Signalled => MapOutcome::Signalled,
            ClaimOutcome::TimedOut => MapOutcome::TimedOut,
        }
    }

    /// The batch that this task is.
    #[must_use]
    pub fn batch(&self, task: TaskId) -> Option<Batch> {
        self.under_way.get(&task).copied()
    }

    /// How many elements a batch had begun whose session died in it.
    #[must_use]
    pub fn begun(&self, task: TaskId) -> u64 {
        let look = self.queue().door.look();
        let ending = look.record(task).and_then(|record| record.ending.as_ref());
        ending.map_or(0, |ending| ending.elements)
    }

    /// Takes a batch that is done: the first `settled` of its elements are settled, the others are sent again.
    /// `took`: how long these took, where that is known.
    pub fn settle(&mut self, task: TaskId, settled: u64, took: Option<Took>) {
        if let Some(batch) = self.under_way.remove(&task) {
            self.batches.settle(batch, settled, took);
            self.claims.take(task);
        }
    }

    /// When a worker has nothing to do, takes elements back from another one. Whether there are some to send; when to
    /// look again.
    fn balance(&mut self) -> (bool, Option<Duration>) {
        if !self.batches.are_short(self.queue().capacity()) {
            return (false, None);
        }
        let mut running = self.progress();
        loop {
            match steal(running.iter().map(|(&task, &progress)| (task, progress))) {
                Steal::From(task) => {
                    let left = take_back(self.claims.queue(), task);
                    if let Some((left, batch)) = left.zip(self.under_way.get_mut(&task)) {
                        self.batches.take_back(batch, left);
                        return (true, None);
                    }
                    // Its session has not begun it, or was quicker.
                    running.remove(&task);
                }
                Steal::Later(time) => return (false, Some(time)),
                Steal::Never => return (false, None),
            }
        }
    }

    /// How far the batches are that sessions evaluate now.
    fn progress(&self) -> BTreeMap<TaskId, BatchProgress> {
        let queue = self.queue();
        let look = queue.door.look();
        let now = now();
        let progress = |task: TaskId, batch: &Batch| {
            let (since, _, board) = running(&look, task)?;
            Some(BatchProgress {
                ran: now.since(since),
                begun: board.elements().begun(),
                count: batch.count,
            })
        };
        let under_way = self.under_way.iter();
        under_way
            .filter_map(|(&task, batch)| Some((task, progress(task, batch)?)))
            .collect()
    }
}

/// What pictures call a batch: the elements that it was sent with, as R counts them.
fn title_of(map: u64, batch: &Batch) -> String {
    let (first, last) = (batch.first + 1, batch.first + batch.count);
    if first == last {
        format!("map {map}: {first}")
    } else {
        format!("map {map}: {first}-{last}")
    }
}

/// Since when a task has run, if it does; its attempt, and the board of the session that runs it.
fn running<'a>(look: &'a Look<'_>, task: TaskId) -> Option<(Time, AttemptId, &'a Board)> {
    let view = look.sched().task(task)?;
    let TaskPhase::Running { worker, since } = view.phase else {
        return None;
    };
    let board = &look.sessions().get(worker)?.link.board;
    Some((since, view.attempt?, board))
}

/// What the scheduler plans as one batch, a session can count.
const _: () = assert!(MOST_ELEMENTS <= elements::MOST);

/// Takes elements back from a batch, see [`taskq_wire::board::elements`]. How many are left to its session;
/// none when there was nothing to take.
fn take_back(queue: &Queue, task: TaskId) -> Option<u64> {
    let look = queue.door.look();
    let (_, attempt, board) = running(&look, task)?;
    board.elements().take_back(attempt)
}
