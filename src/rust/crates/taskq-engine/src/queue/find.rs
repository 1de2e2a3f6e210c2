//! Which tasks there are: by name, by tag, and by being done. One look each, of which nothing is kept.

use taskq_core::id::TaskId;

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

    /// The done tasks that were not [told](Queue::tell) of, and their names, oldest push first.
    #[must_use]
    pub fn news(&self) -> (Vec<TaskId>, Vec<String>) {
        let look = self.door.look();
        let named = |task| Some((task, look.sched().task(task)?.label.to_owned()));
        look.sched().news().filter_map(named).unzip()
    }

    /// These done tasks were told of. False, and no change, when that is so already, or one is gone or claimed.
    pub fn tell(&self, tasks: &[TaskId]) -> bool {
        self.door.ask(|state, _| state.tell_of(tasks))
    }

    /// How many of these tasks are done or gone.
    #[must_use]
    pub fn count_done(&self, tasks: impl IntoIterator<Item = TaskId>) -> usize {
        let look = self.door.look();
        tasks.into_iter().filter(|&task| look.is_over(task)).count()
    }
}
