//! The order of a queue without turns: higher priority first, then the older push, so that a task
//! that was given back has its place again.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{Order, Rank};
use crate::id::TaskId;
use crate::task::Task;

/// The tasks that can be sent: those that may share a session, those that may not.
#[derive(Debug, Default)]
pub(crate) struct ByAge {
    ranks: [BTreeSet<(Reverse<i32>, TaskId)>; 2],
}

impl Order for ByAge {
    fn insert(&mut self, id: TaskId, task: &Task) {
        self.ranks[usize::from(task.isolate())].insert(rank(id, task));
    }

    fn remove(&mut self, id: TaskId, task: &Task) {
        self.ranks[usize::from(task.isolate())].remove(&rank(id, task));
    }

    fn send(&mut self, id: TaskId, task: &Task) {
        self.remove(id, task);
    }

    fn give_back(&mut self, id: TaskId, task: &Task) {
        self.insert(id, task);
    }

    fn settle(&mut self, _: TaskId) {}

    fn first(&self, isolated: bool) -> Option<Rank> {
        let &(priority, id) = self.ranks[usize::from(isolated)].first()?;
        Some((priority, 0, id))
    }

    fn more_isolated(&self, than: usize, before: Option<Rank>) -> bool {
        let isolated = &self.ranks[1];
        match before {
            None => isolated.len() > than,
            Some((priority, _, id)) => isolated.range(..(priority, id)).nth(than).is_some(),
        }
    }

    fn ahead_of(&self, id: TaskId, task: &Task) -> usize {
        let rank = rank(id, task);
        self.ranks
            .iter()
            .map(|ranks| ranks.range(..rank).count())
            .sum()
    }

    fn len(&self, isolated: bool) -> usize {
        self.ranks[usize::from(isolated)].len()
    }

    fn contains(&self, isolated: bool, id: TaskId, task: &Task) -> bool {
        self.ranks[usize::from(isolated)].contains(&rank(id, task))
    }

    fn check(&self, _: usize) {}
}

fn rank(id: TaskId, task: &Task) -> (Reverse<i32>, TaskId) {
    (Reverse(task.priority()), id)
}
