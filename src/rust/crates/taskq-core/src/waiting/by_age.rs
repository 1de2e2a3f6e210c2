//! The order of a queue without turns: higher priority first, then the older push, so that a task
//! that was given back has its place again.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use taskq_record::TaskId;

use super::blocks::Blocks;
use super::{Order, Rank};
use crate::task::Task;

/// The tasks that can be sent: those that may share a session, those that may not.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByAge {
    ranks: [BTreeSet<(Reverse<i32>, TaskId)>; 2],
    /// How many of both there are, by priority and number.
    blocks: Blocks<Reverse<i32>>,
}

impl Order for ByAge {
    fn insert(&mut self, id: TaskId, task: &Task) {
        if self.ranks[usize::from(task.isolate())].insert(rank(id, task)) {
            self.blocks.add(Reverse(task.priority()), id.0);
        }
    }

    fn remove(&mut self, id: TaskId, task: &Task) {
        if self.ranks[usize::from(task.isolate())].remove(&rank(id, task)) {
            self.blocks.remove(Reverse(task.priority()), id.0);
        }
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
        let (first, below) = self.blocks.below(rank.0, id.0);
        let block = (rank.0, TaskId(first))..rank;
        let near = self
            .ranks
            .iter()
            .map(|ranks| ranks.range(block.clone()).count());
        self.blocks.before(rank.0) + below + near.sum::<usize>()
    }

    fn len(&self, isolated: bool) -> usize {
        self.ranks[usize::from(isolated)].len()
    }

    fn contains(&self, isolated: bool, id: TaskId, task: &Task) -> bool {
        self.ranks[usize::from(isolated)].contains(&rank(id, task))
    }

    fn check(&self, _: usize) {
        let [plain, isolated] = &self.ranks;
        assert_eq!(
            self.blocks.len(),
            plain.len() + isolated.len(),
            "tasks in blocks"
        );
    }
}

fn rank(id: TaskId, task: &Task) -> (Reverse<i32>, TaskId) {
    (Reverse(task.priority()), id)
}
