//! Which tasks there are: by name, by tag, and by being done. One look each, of which nothing is kept.

use taskq_core::id::TaskId;
use taskq_core::TaskPhase;

use super::Queue;

impl Queue {
    /// The tasks with these names; or the names that no task has.
    ///
    /// # Errors
    /// The names that are not in the queue.
    pub fn find<'a>(
        &self,
        labels: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<TaskId>, Vec<String>> {
        let look = self.door.look();
        let mut unknown = Vec::new();
        let mut found = Vec::new();
        for label in labels {
            match look.sched().find(label) {
                Some(task) => found.push(task),
                None => unknown.push(label.to_owned()),
            }
        }
        if unknown.is_empty() {
            Ok(found)
        } else {
            Err(unknown)
        }
    }

    /// The tasks with this tag that are not done, oldest push first.
    #[must_use]
    pub fn tagged(&self, tag: &str) -> Vec<TaskId> {
        self.door.look().sched().tagged(tag)
    }

    /// The done tasks, oldest push first.
    #[must_use]
    pub fn done_tasks(&self) -> Vec<TaskId> {
        self.door.look().sched().done().collect()
    }

    /// The names of all done tasks, oldest push first.
    #[must_use]
    pub fn done(&self) -> Vec<String> {
        let look = self.door.look();
        let label = |task| look.sched().task(task).map(|view| view.label.to_owned());
        look.sched().done().filter_map(label).collect()
    }

    /// How many of these tasks are done or gone.
    #[must_use]
    pub fn count_done(&self, tasks: impl IntoIterator<Item = TaskId>) -> usize {
        let look = self.door.look();
        let is_done = |task: &TaskId| {
            let view = look.sched().task(*task);
            view.map_or(true, |view| view.phase == TaskPhase::Done)
        };
        tasks.into_iter().filter(is_done).count()
    }
}
