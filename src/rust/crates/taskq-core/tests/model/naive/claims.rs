//! Tasks whose results belong to one claimant.

use taskq_core::TaskId;

use super::{Model, State, Task, GRACE};

impl Model {
    pub(crate) fn promise(&mut self, id: TaskId) -> bool {
        let open = |task: &&mut Task| task.id == id && !task.claimed;
        let found = self.tasks.iter_mut().find(open);
        found.map(|task| task.claimed = true).is_some()
    }

    pub(crate) fn disown(&mut self, id: TaskId) {
        let claimed = self
            .tasks
            .iter_mut()
            .find(|task| task.id == id && task.claimed);
        if let Some(task) = claimed {
            task.disowned = true;
            self.cancel(&[id], GRACE);
        }
    }

    /// What is done and nobody wants is not there.
    pub(crate) fn sweep(&mut self) {
        let dropped = |task: &Task| task.disowned && matches!(task.state, State::Done(_));
        self.tasks.retain(|task| !dropped(task));
    }
}
