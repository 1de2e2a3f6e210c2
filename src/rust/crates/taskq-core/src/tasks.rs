//! The tasks of a queue and every change of their state.
//!
//! Owns the table of tasks, the labels, the keys, and the sets of those which wait, which are held
//! and which are done. Knows nothing of workers beyond their names. No other module changes a task.
//!
//! | from                | by          | to                | when                                    |
//! |---------------------|-------------|-------------------|-----------------------------------------|
//! | -                   | `add`       | Waiting           | submitted                               |
//! | -                   | `add`       | Held(After)       | submitted, to run after unfinished ones |
//! | Held                | `release`   | Waiting           | the others succeeded; the delay is over |
//! | Waiting             | `send`      | Running           | sent to an idle worker                  |
//! | Waiting             | `send`      | Ahead             | sent to a busy worker                   |
//! | Ahead               | `promote`   | Running           | it became the head of its line          |
//! | Ahead, Running      | `give_back` | Waiting           | its session did not begin it            |
//! | Ahead, Running      | `again`     | Held(Backoff)     | it failed, and is to be tried again     |
//! | Ahead, Running      | `stop`      | same, stopping    | its end is asked for                    |
//! | any but Done        | `finish`    | Done              | it has an outcome                       |
//! | Done                | `remove`    | -                 | taken; disowned                         |
//!
//! An Ahead task becomes Done without having been Running when it was cancelled and given back, when
//! its session died in it, and when its `Finished` overtook the `Returned` of the task before it.
//!
//! Invariants: `waiting` holds exactly the tasks of this phase, `done` those of this phase that
//! were not claimed, `news` some of `done`, and `kept` counts the others of these; none that is disowned is done;
//! `running` counts the Running ones; labels and tasks are one to one; a key names the youngest task that has it
//! until that has ended, and older ones are asked to end; a task is held by others exactly when it
//! is Held(After). Memory of a waiting task: less than 300 bytes and its label; with options, 150
//! bytes more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use taskq_record::{AttemptId, TaskId, Time, WorkerId};

use crate::dependencies::Dependencies;
use crate::error::SubmitError;
use crate::submission::Submission;
use crate::task::{Claim, End, Extras, Hold, Phase, Stopping, Task};
use crate::view::Counts;
use crate::waiting::Waiting;

mod check;

/// Labels that begin so are the names of seats.
const RESERVED: &str = ".idle-";

/// The numbers of parts begin above this: far from the others, also modulo 2^32, by which the random
/// numbers of tasks differ, and such that floating point numbers still tell them apart.
const PARTS: u64 = (1 << 52) + (1 << 31);

/// The table of tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    table: BTreeMap<TaskId, Task>,
    labels: HashMap<Arc<str>, TaskId>,
    keys: HashMap<Arc<str>, TaskId>,
    waiting: Waiting,
    dependencies: Dependencies,
    done: BTreeSet<TaskId>,
    /// Those of them that were not told of; kept account of from the first time on that some were.
    news: Option<BTreeSet<TaskId>>,
    /// How many are done and claimed.
    kept: usize,
    running: usize,
    last_id: u64,
    last_part: u64,
    last_automatic: u64,
    last_part_label: u64,
}

impl Tasks {
    /// No tasks; tags are to take turns, or not.
    pub(crate) fn new(fair: bool) -> Self {
        Tasks {
            waiting: Waiting::new(fair),
            ..Tasks::default()
        }
    }

    /// Whether a task can be added; what it is to run after.
    pub(crate) fn admit(&self, task: &Submission) -> Result<Vec<TaskId>, SubmitError> {
        if let Some(label) = task.label.as_ref() {
            if label.starts_with(RESERVED) {
                let label = label.clone();
                return Err(SubmitError::Reserved { label });
            }
            if self.labels.contains_key(&**label) {
                let label = label.clone();
                return Err(SubmitError::Duplicate { label });
            }
        }
        let find = |label: &str| {
            let unknown = || SubmitError::Unknown {
                label: label.into(),
            };
            let found = self.find(label).filter(|id| id.0 <= PARTS);
            found.ok_or_else(unknown)
        };
        task.after.iter().map(|label| find(label)).collect()
    }

    /// Adds a task that was admitted. It waits, or is held until all of `after` have ended.
    pub(crate) fn add(&mut self, now: Time, task: Submission, after: &[TaskId]) -> TaskId {
        let label: Arc<str> = match task.label {
            Some(label) => label.into(),
            None => self.automatic_label(task.part, |_| false).into(),
        };
        let id = if task.part {
            self.last_part += 1;
            TaskId(PARTS + self.last_part)
        } else {
            self.number()
        };
        let claim = if task.claimed {
            Claim::Claimed
        } else {
            Claim::Open
        };
        self.labels.insert(Arc::clone(&label), id);
        let key: Option<Arc<str>> = task.key.map(Into::into);
        if let Some(key) = &key {
            self.keys.insert(Arc::clone(key), id);
        }
        for &other in after {
            if !self.is_done(other) {
                self.dependencies.add(id, other);
            }
        }
        let held = self.dependencies.is_held(id);
        let task = Task {
            label,
            queued: now,
            sends: 0,
            tries: 0,
            phase: if held {
                Phase::Held(Hold::After)
            } else {
                Phase::Waiting
            },
            extras: Extras::of(task.options, task.tag, key, claim),
        };
        if !held {
            self.waiting.insert(id, &task);
        }
        self.table.insert(id, task);
        id
    }

    /// The next number; a task that gets none of its own may stand for it.
    pub(crate) fn number(&mut self) -> TaskId {
        self.last_id += 1;
        TaskId(self.last_id)
    }

    /// Lets a held task wait.
    pub(crate) fn release(&mut self, id: TaskId) {
        if let Some(task) = self.table.get_mut(&id) {
            if matches!(task.phase, Phase::Held(_)) && !self.dependencies.is_held(id) {
                task.phase = Phase::Waiting;
                self.waiting.insert(id, task);
            }
        }
    }

    /// Sends a waiting task, as the head of a line or behind others.
    pub(crate) fn send(
        &mut self,
        id: TaskId,
        worker: WorkerId,
        head: bool,
        now: Time,
    ) -> AttemptId {
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
        self.waiting.send(id, task);
        task.sends = task.sends.saturating_add(1);
        let (since, stopping) = (now, None);
        task.phase = if head {
            self.running += 1;
            Phase::Running {
                worker,
                since,
                stopping,
            }
        } else {
            Phase::Ahead { worker, stopping }
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
        let Phase::Ahead { worker, stopping } = *phase else {
            return false;
        };
        *phase = Phase::Running {
            worker,
            since: now,
            stopping,
        };
        self.running += 1;
        true
    }

    /// Puts a task that was sent, and was not begun, back to its place.
    pub(crate) fn give_back(&mut self, id: TaskId) {
        if self.leave_line(id, Phase::Waiting) {
            if let Some(task) = self.table.get(&id) {
                self.waiting.give_back(id, task);
            }
        }
    }

    /// Holds a task that failed, until it is tried again.
    pub(crate) fn again(&mut self, id: TaskId, ran: (WorkerId, Time), until: Time) {
        if self.leave_line(id, Phase::Held(Hold::Backoff)) {
            self.waiting.settle(id);
        }
        if let Some(Task { extras, .. }) = self.table.get_mut(&id) {
            let extras = extras.get_or_insert_with(Box::default);
            extras.ran = Some(ran);
            extras.ran_until = Some(until);
        }
    }

    /// Notes that the end of a task that was sent is asked for.
    pub(crate) fn stop(&mut self, id: TaskId, why: Stopping) {
        match self.table.get_mut(&id).map(|task| &mut task.phase) {
            Some(Phase::Ahead { stopping, .. } | Phase::Running { stopping, .. }) => {
                *stopping = Some(why);
            }
            Some(Phase::Held(_) | Phase::Waiting | Phase::Done(_)) | None => {}
        }
    }

    /// Notes that a task had begun; true when it was for the first time.
    pub(crate) fn count_try(&mut self, id: TaskId) -> bool {
        let Some(task) = self.table.get_mut(&id) else {
            return false;
        };
        task.tries = task.tries.saturating_add(1);
        task.tries == 1
    }

    /// From now on the result of this task is one claimant's. False, and no change, when it is already.
    pub(crate) fn claim(&mut self, id: TaskId) -> bool {
        let Some(task) = self.table.get_mut(&id) else {
            return false;
        };
        if task.claim() != Claim::Open {
            return false;
        }
        task.extras.get_or_insert_with(Box::default).claim = Claim::Claimed;
        if self.leave_done(id) {
            self.kept += 1;
        }
        true
    }

    /// The result of this task is not wanted any more. False, and no change, when it was not claimed.
    pub(crate) fn disown(&mut self, id: TaskId) -> bool {
        let extras = self
            .table
            .get_mut(&id)
            .and_then(|task| task.extras.as_mut());
        let claim = extras.map(|extras| &mut extras.claim);
        match claim {
            Some(claim) if *claim != Claim::Open => {
                *claim = Claim::Disowned;
                true
            }
            _ => false,
        }
    }

    /// Gives a task its outcome. False, and no change, when it has one.
    pub(crate) fn finish(&mut self, id: TaskId, mut end: End) -> bool {
        let Some(task) = self.table.get_mut(&id) else {
            return false;
        };
        match task.phase {
            Phase::Held(_) => self.dependencies.forget(id),
            Phase::Waiting => self.waiting.remove(id, task),
            Phase::Ahead { .. } => self.waiting.settle(id),
            Phase::Running { .. } => {
                self.waiting.settle(id);
                self.running -= 1;
            }
            Phase::Done(_) => return false,
        }
        let before = task.extras.as_ref().and_then(|extras| extras.ran);
        end.ran = end.ran.or(before);
        task.phase = Phase::Done(end);
        match task.claim() {
            Claim::Open => {
                self.done.insert(id);
                self.news.as_mut().map(|news| news.insert(id));
            }
            Claim::Claimed | Claim::Disowned => self.kept += 1,
        }
        if let Some(key) = task.key() {
            if self.keys.get(key) == Some(&id) {
                self.keys.remove(key);
            }
        }
        true
    }

    /// Those that were held until this task, which is done, had ended.
    pub(crate) fn held_by(&mut self, id: TaskId) -> Vec<TaskId> {
        self.dependencies.release(id)
    }

    /// No task is held by others any more: all that are held will be given their outcomes.
    pub(crate) fn forget_dependencies(&mut self) {
        self.dependencies.clear();
    }

    /// Removes a done task, whose label is free from then on. False when it is not done.
    pub(crate) fn remove(&mut self, id: TaskId) -> bool {
        if !self.is_done(id) {
            return false;
        }
        if !self.leave_done(id) {
            self.kept -= 1;
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

    /// The task with this label, unless it is disowned: that may be gone at any time.
    pub(crate) fn find(&self, label: &str) -> Option<TaskId> {
        let id = self.labels.get(label).copied()?;
        let claim = self.table.get(&id).map(Task::claim);
        (claim != Some(Claim::Disowned)).then_some(id)
    }

    /// The unfinished task that was last submitted with this key.
    pub(crate) fn keyed(&self, key: &str) -> Option<TaskId> {
        self.keys.get(key).copied()
    }

    /// All tasks, oldest push first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.table.iter().map(|(&id, task)| (id, task))
    }

    /// The tasks that are done, oldest push first.
    pub(crate) fn done(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.done.iter().copied()
    }

    /// Those of the done tasks that nobody was told of.
    pub(crate) fn news(&self) -> &BTreeSet<TaskId> {
        self.news.as_ref().unwrap_or(&self.done)
    }

    /// These were told of, and are news no more. False, and no change, when one of them is none.
    pub(crate) fn tell(&mut self, ids: &[TaskId]) -> bool {
        let are_news = ids.iter().all(|id| self.news().contains(id));
        if are_news {
            let news = self.news.get_or_insert_with(|| self.done.clone());
            for id in ids {
                news.remove(id);
            }
        }
        are_news
    }

    /// The tasks that can be sent.
    pub(crate) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// The tasks that no session has, oldest push first. O(n).
    pub(crate) fn not_sent(&self) -> impl Iterator<Item = TaskId> + '_ {
        let not_sent = |phase: &Phase| matches!(phase, Phase::Held(_) | Phase::Waiting);
        let tasks = self.iter();
        tasks.filter_map(move |(id, task)| not_sent(&task.phase).then_some(id))
    }

    /// How many tasks have no outcome.
    pub(crate) fn unfinished(&self) -> usize {
        self.table.len() - self.done.len() - self.kept
    }

    /// How many there are in each of the states that users see.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            waiting: self.unfinished() - self.running,
            running: self.running,
            done: self.done.len(),
        }
    }

    /// A task is done no more, or not for everybody. False when it was not.
    fn leave_done(&mut self, id: TaskId) -> bool {
        self.news.as_mut().map(|news| news.remove(&id));
        self.done.remove(&id)
    }

    fn is_done(&self, id: TaskId) -> bool {
        let phase = self.table.get(&id).map(|task| &task.phase);
        matches!(phase, Some(Phase::Done(_)))
    }

    /// A task that was sent is at no session any more. False when it was not sent.
    fn leave_line(&mut self, id: TaskId, phase: Phase) -> bool {
        let Some(task) = self.table.get_mut(&id) else {
            return false;
        };
        match task.phase {
            Phase::Held(_) | Phase::Waiting | Phase::Done(_) => return false,
            Phase::Ahead { .. } => {}
            Phase::Running { .. } => self.running -= 1,
        }
        task.phase = phase;
        true
    }

    /// The next label, for a part or not, that neither a task has nor `is_taken` says is another's.
    pub(crate) fn automatic_label(
        &mut self,
        part: bool,
        is_taken: impl Fn(&str) -> bool,
    ) -> Box<str> {
        loop {
            let label = if part {
                self.last_part_label += 1;
                format!(".part-{}", self.last_part_label)
            } else {
                self.last_automatic += 1;
                format!(".{}", self.last_automatic)
            };
            if !self.labels.contains_key(label.as_str()) && !is_taken(&label) {
                return label.into();
            }
        }
    }

    /// The last `count` automatic labels, not for parts, went to no task: they may be given again.
    pub(crate) fn release_labels(&mut self, count: usize) {
        self.last_automatic = self.last_automatic.saturating_sub(count as u64);
    }
}
