//! What holds of a queue after every call.

use std::collections::{BTreeMap, BTreeSet};

use taskq_record::{TaskId, TaskState};

use crate::store::{Answer, Query, Store, TaskCounts};
use crate::task::{Claim, End, State, Task};

/// What was seen of tasks.
#[derive(Clone, Debug, Default)]
pub struct Invariants {
    ends: BTreeMap<TaskId, End>,
    tries: BTreeMap<TaskId, u32>,
}

impl Invariants {
    /// Looks at a store, and panics when something does not hold, by itself or with what was seen before.
    pub fn look<S: Store>(&mut self, store: &mut S) -> Vec<Task> {
        let all = Query::Tasks {
            above: TaskId(0),
            limit: usize::MAX,
        };
        let (Ok(Answer::Tasks(tasks)), Ok(Answer::Counts(counts))) =
            (store.ask(&all), store.ask(&Query::Counts))
        else {
            panic!("the store does not answer");
        };
        let mut ids = BTreeSet::new();
        let mut counted = TaskCounts::default();
        for task in &tasks {
            assert!(ids.insert(&task.id), "two tasks have the id {:?}", task.id);
            match task.state_word() {
                TaskState::Waiting => counted.waiting += 1,
                TaskState::Running => counted.running += 1,
                TaskState::Done => counted.done += 1,
            }
            self.see(task);
        }
        assert_eq!(counts, counted, "the counts are those of the tasks");
        tasks
    }

    fn see(&mut self, task: &Task) {
        let tries = task.options.task.tries.max(1);
        assert!(task.tries <= tries, "has begun too often: {task:?}");
        let before = self.tries.insert(task.serial, task.tries);
        assert!(before <= Some(task.tries), "has lost a try: {task:?}");
        let is_held = match &task.state {
            State::Staged { .. } => return,
            State::Held => true,
            State::Claimed(Claim { begun, .. }) => {
                assert!(begun.is_none() || task.tries > 0, "not counted: {task:?}");
                false
            }
            State::Delayed | State::Ready | State::Done(_) => false,
        };
        assert_eq!(is_held, !task.held_by.is_empty(), "{task:?}");
        let had = self.ends.get(&task.serial);
        let end = task.done().map(|done| done.end);
        if let Some(had) = had {
            assert_eq!(Some(*had), end, "a second outcome: {task:?}");
        }
        if let Some(end) = end {
            self.ends.insert(task.serial, end);
        }
    }
}
