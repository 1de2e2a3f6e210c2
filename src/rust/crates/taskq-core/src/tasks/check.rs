//! What always holds about the table of tasks. Only reads, and panics.

use super::Tasks;
use crate::task::{Claim, Hold, Phase};

impl Tasks {
    /// Panics unless the sets, counts, labels and keys agree with the table.
    pub(crate) fn check(&self) {
        let mut counts = (0, 0, 0, 0);
        let mut sent = 0;
        let mut keyed = 0;
        for (&id, task) in &self.table {
            assert_eq!(self.labels.get(&task.label), Some(&id), "label of {id:?}");
            let waits = matches!(task.phase, Phase::Waiting);
            let done = matches!(task.phase, Phase::Done(_));
            let what = format!("{id:?} {task:?}");
            let right = self.waiting.is_right_about(id, task, waits);
            assert!(right, "{what} in the waiting sets");
            let open = task.claim() == Claim::Open;
            let listed = self.done.contains(&id);
            assert_eq!(listed, done && open, "{what} in the done set");
            let dropped = done && task.claim() == Claim::Disowned;
            assert!(!dropped, "{what} is kept for nobody");
            let held = matches!(task.phase, Phase::Held(Hold::After));
            assert_eq!(self.dependencies.is_held(id), held, "{what} is held");
            counts.0 += usize::from(waits);
            counts.1 += usize::from(listed);
            counts.3 += usize::from(done && !open);
            counts.2 += usize::from(matches!(task.phase, Phase::Running { .. }));
            sent += usize::from(task.phase.sent().is_some());
            assert!(
                task.tries <= task.sends,
                "{what} was begun more often than sent"
            );
            let part = id.0.checked_sub(super::PARTS);
            let given = part.map_or(id.0 <= self.last_id, |part| part <= self.last_part);
            assert!(given, "{what} was never given out");
            if let Some(key) = task.key().filter(|_| !done) {
                let has_it = self.keyed(key) == Some(id);
                let stops = matches!(task.phase.sent(), Some((_, Some(_))));
                assert!(has_it || stops, "{what} has lost its key");
                keyed += usize::from(has_it);
            }
        }
        assert_eq!(self.labels.len(), self.table.len(), "labels without a task");
        assert_eq!(self.keys.len(), keyed, "keys without an unfinished task");
        let sets = (self.waiting.len(), self.done.len(), self.running, self.kept);
        assert_eq!(counts, sets, "waiting, done, running, kept");
        assert!(self.news().is_subset(&self.done), "what is news is done");
        self.waiting.check(sent);
        self.dependencies.check();
        for (task, until) in self.dependencies.pairs() {
            let unfinished = self.table.contains_key(&until) && !self.is_done(until);
            assert!(unfinished, "{task:?} is held by {until:?}, which has ended");
        }
    }
}
