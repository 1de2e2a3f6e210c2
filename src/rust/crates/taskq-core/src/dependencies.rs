//! Which task is held until which others have ended.
//!
//! Owns the pairs, in both directions, and nothing else: what an end means for those that were held
//! is the `sched` module's. A pair exists exactly as long as both of its tasks have not ended.

use std::collections::BTreeSet;

use taskq_record::TaskId;
const FIRST: TaskId = TaskId(0);
const LAST: TaskId = TaskId(u64::MAX);

/// Who is held by whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dependencies {
    /// (held, until the end of)
    held: BTreeSet<(TaskId, TaskId)>,
    /// The same pairs, the other way round.
    holding: BTreeSet<(TaskId, TaskId)>,
}

impl Dependencies {
    /// One task is held until the other has ended.
    pub(crate) fn add(&mut self, task: TaskId, until: TaskId) {
        self.held.insert((task, until));
        self.holding.insert((until, task));
    }

    /// Whether anything holds this task.
    pub(crate) fn is_held(&self, task: TaskId) -> bool {
        self.held
            .range((task, FIRST)..=(task, LAST))
            .next()
            .is_some()
    }

    /// A task has ended: it holds none any more. Returns those that it held.
    pub(crate) fn release(&mut self, until: TaskId) -> Vec<TaskId> {
        let pairs = self.holding.range((until, FIRST)..=(until, LAST));
        let tasks: Vec<TaskId> = pairs.map(|&(_, task)| task).collect();
        for &task in &tasks {
            self.holding.remove(&(until, task));
            self.held.remove(&(task, until));
        }
        tasks
    }

    /// A task that was held has ended: nothing holds it any more.
    pub(crate) fn forget(&mut self, task: TaskId) {
        let pairs = self.held.range((task, FIRST)..=(task, LAST));
        let untils: Vec<TaskId> = pairs.map(|&(_, until)| until).collect();
        for until in untils {
            self.held.remove(&(task, until));
            self.holding.remove(&(until, task));
        }
    }

    /// Nothing is held any more.
    pub(crate) fn clear(&mut self) {
        *self = Dependencies::default();
    }

    /// All pairs: who is held, and by whom.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (TaskId, TaskId)> + '_ {
        self.held.iter().copied()
    }

    /// Panics unless both directions agree.
    pub(crate) fn check(&self) {
        assert_eq!(self.held.len(), self.holding.len(), "pairs of tasks");
        for &(task, until) in &self.held {
            assert!(
                self.holding.contains(&(until, task)),
                "{until:?} holds {task:?}"
            );
        }
    }
}
