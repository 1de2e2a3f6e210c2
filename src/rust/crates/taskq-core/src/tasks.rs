//! The tasks of a queue and every change of their state.
//!
//! Owns the table of tasks, the labels, and the sets of those which wait and which are done. Knows
//! nothing of workers beyond their names. No other module changes a task.
//!
//! | from                | by          | to                | when                                    |
//! |---------------------|-------------|-------------------|-----------------------------------------|
//! | -                   | `add`       | Waiting           | submitted                               |
//! | Waiting             | `send`      | Running           | sent to an idle worker                  |
//! | Waiting             | `send`      | Ahead             | sent to a busy worker                   |
//! | Ahead               | `promote`   | Running           | it became the head of its line          |
//! | Ahead, Running      | `give_back` | Waiting           | its session did not begin it            |
//! | Ahead, Running      | `cancel`    | same, cancelling  | the user wants its end                  |
//! | any but Done        | `finish`    | Done              | it has an outcome                       |
//! | Done                | `remove`    | -                 | taken                                   |
//!
//! An Ahead task becomes Done without having been Running when it was cancelled and given back, when
//! its session died in it, and when its `Finished` overtook the `Returned` of the task before it.
//!
//! Invariants: `waiting` and `done` hold exactly the tasks of these phases; `running` counts the
//! Running ones; labels and tasks are one to one. Memory of a waiting task: less than 300 bytes and
//! its label.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::error::SubmitError;
use crate::id::{AttemptId, TaskId, Time, WorkerId};
use crate::submission::Submission;
use crate::task::{End, Extras, Phase, Task};
use crate::view::Counts;

/// Labels that begin so are the names of seats.
const RESERVED: &str = ".idle-";

/// The table of tasks.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    table: BTreeMap<TaskId, Task>,
    labels: HashMap<Arc<str>, TaskId>,
    /// In the order in which they are to be sent. A priority would go in front of the id.
    waiting: BTreeSet<TaskId>,
    done: BTreeSet<TaskId>,
    running: usize,
    last_id: u64,
    last_automatic: u64,
}

impl Tasks {
    /// Adds a waiting task. Changes nothing when the label is refused.
    pub(crate) fn add(&mut self, now: Time, task: Submission) -> Result<TaskId, SubmitError> {
        let label: Arc<str> = match task.label {
            Some(label) if label.starts_with(RESERVED) => {
                return Err(SubmitError::Reserved { label })
            }
            Some(label) if self.labels.contains_key(&*label) => {
                return Err(SubmitError::Duplicate { label })
            }
            Some(label) => label.into(),
            None => self.automatic_label(),
        };
        self.last_id += 1;
        let id = TaskId(self.last_id);
        self.labels.insert(Arc::clone(&label), id);
        let task = Task {
            label,
            queued: now,
            sends: 0,
            tries: 0,
            phase: Phase::Waiting,
            extras: Extras::of(task.options, task.tag),
        };
        self.table.insert(id, task);
        self.waiting.insert(id);
        Ok(id)
    }

    /// Sends a waiting task, as the head of a line or behind others.
    pub(crate) fn send(
        &mut self,
        id: TaskId,
        worker: WorkerId,
        head: bool,
        now: Time,
    ) -> AttemptId {
        self.waiting.remove(&id);
        let Some(task) = self.table.get_mut(&id) else {
            return AttemptId {
                task: id,
                number: 0,
            };
        };
        debug_assert!(
            matches!(task.phase, Phase::Waiting),
            "{id:?} is sent but does not wait"
        );
        task.sends = task.sends.saturating_add(1);
        task.phase = if head {
            self.running += 1;
            Phase::Running {
                worker,
                since: now,
                cancelling: false,
            }
        } else {
            Phase::Ahead {
                worker,
                cancelling: false,
            }
        };
        AttemptId {
            task: id,
            number: task.sends,
        }
    }

    /// Lets a task that was sent ahead be the head of its line; false when it is already.
    pub(crate) fn promote(&mut self, id: TaskId, now: Time) -> bool {
        let Some(Task { phase, .. }) = self.table.get_mut(&id) else {
            return false;
        };
        let Phase::Ahead { worker, cancelling } = *phase else {
            return false;
        };
        *phase = Phase::Running {
            worker,
            since: now,
            cancelling,
        };
        self.running += 1;
        true
    }

    /// Puts a task that was sent, and was not begun, back to its place.
    pub(crate) fn give_back(&mut self, id: TaskId) {
        let Some(task) = self.table.get_mut(&id) else {
            return;
        };
        match task.phase {
            Phase::Waiting | Phase::Done(_) => return,
            Phase::Ahead { .. } => {}
            Phase::Running { .. } => self.running -= 1,
        }
        task.phase = Phase::Waiting;
        self.waiting.insert(id);
    }

    /// Marks a task that was sent: its end is asked for. False when it is marked already.
    pub(crate) fn cancel(&mut self, id: TaskId) -> bool {
        match self.table.get_mut(&id).map(|task| &mut task.phase) {
            Some(Phase::Ahead { cancelling, .. } | Phase::Running { cancelling, .. }) => {
                !std::mem::replace(cancelling, true)
            }
            Some(Phase::Waiting | Phase::Done(_)) | None => false,
        }
    }

    /// Notes that a task had begun.
    pub(crate) fn count_try(&mut self, id: TaskId) {
        if let Some(task) = self.table.get_mut(&id) {
            task.tries = task.tries.saturating_add(1);
        }
    }

    /// Gives a task its outcome. False, and no change, when it has one.
    pub(crate) fn finish(&mut self, id: TaskId, end: End) -> bool {
        let Some(task) = self.table.get_mut(&id) else {
            return false;
        };
        match task.phase {
            Phase::Waiting => {
                self.waiting.remove(&id);
            }
            Phase::Ahead { .. } => {}
            Phase::Running { .. } => self.running -= 1,
            Phase::Done(_) => return false,
        }
        task.phase = Phase::Done(end);
        self.done.insert(id);
        true
    }

    /// Removes a done task, whose label is free from then on. False when it is not done.
    pub(crate) fn remove(&mut self, id: TaskId) -> bool {
        if !self.done.remove(&id) {
            return false;
        }
        if let Some(task) = self.table.remove(&id) {
            self.labels.remove(&task.label);
        }
        true
    }

    /// One task.
    pub(crate) fn get(&self, id: TaskId) -> Option<&Task> {
        self.table.get(&id)
    }

    /// The task with this label.
    pub(crate) fn find(&self, label: &str) -> Option<TaskId> {
        self.labels.get(label).copied()
    }

    /// All tasks, oldest push first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.table.iter().map(|(&id, task)| (id, task))
    }

    /// The tasks that are done, oldest push first.
    pub(crate) fn done(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.done.iter().copied()
    }

    /// The task that is to be sent next.
    pub(crate) fn next_waiting(&self) -> Option<TaskId> {
        self.waiting.first().copied()
    }

    /// The tasks that nobody has, in the order in which they are to be sent.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.waiting.iter().copied()
    }

    /// How many tasks have no outcome.
    pub(crate) fn unfinished(&self) -> usize {
        self.table.len() - self.done.len()
    }

    /// How many there are in each of the states that users see.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            waiting: self.unfinished() - self.running,
            running: self.running,
            done: self.done.len(),
        }
    }

    /// Panics unless the sets, counts and labels agree with the table.
    pub(crate) fn check(&self) {
        let mut counts = (0, 0, 0);
        for (id, task) in &self.table {
            assert_eq!(self.labels.get(&task.label), Some(id), "label of {id:?}");
            let (waiting, done) = match task.phase {
                Phase::Waiting => (true, false),
                Phase::Done(_) => (false, true),
                Phase::Ahead { .. } => (false, false),
                Phase::Running { .. } => {
                    counts.2 += 1;
                    (false, false)
                }
            };
            assert_eq!(
                self.waiting.contains(id),
                waiting,
                "{id:?} {task:?} in the waiting set"
            );
            assert_eq!(
                self.done.contains(id),
                done,
                "{id:?} {task:?} in the done set"
            );
            counts.0 += usize::from(waiting);
            counts.1 += usize::from(done);
            assert!(
                task.tries <= task.sends,
                "{id:?} was begun more often than sent"
            );
            assert!(id.0 <= self.last_id, "{id:?} was never given out");
        }
        assert_eq!(self.labels.len(), self.table.len(), "labels without a task");
        let sets = (self.waiting.len(), self.done.len(), self.running);
        assert_eq!(counts, sets, "waiting, done, running");
    }

    fn automatic_label(&mut self) -> Arc<str> {
        loop {
            self.last_automatic += 1;
            let label = format!(".{}", self.last_automatic);
            if !self.labels.contains_key(label.as_str()) {
                return label.into();
            }
        }
    }
}
