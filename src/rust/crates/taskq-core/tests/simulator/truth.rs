//! What really happened to each task, and whether its outcome says so.

use std::collections::BTreeMap;

use taskq_core::{Outcome, QueueState, TaskId, TaskOptions, TaskView, Verdict};

#[derive(Debug)]
struct Fact {
    options: TaskOptions,
    after: Vec<TaskId>,
    key: Option<u64>,
    begun: u32,
    verdict: Option<Verdict>,
    died: bool,
    cancelled: bool,
    claimed: bool,
    disowned: bool,
    outcome: Option<Outcome>,
    taken: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Truth {
    facts: BTreeMap<TaskId, Fact>,
    failed: bool,
}

impl Truth {
    pub(crate) fn pushed(
        &mut self,
        task: TaskId,
        options: TaskOptions,
        after: Vec<TaskId>,
        key: Option<u64>,
        claimed: bool,
    ) {
        for fact in self.facts.values_mut() {
            // It has been replaced.
            fact.cancelled |= key.is_some() && fact.key == key;
        }
        let fact = Fact {
            options,
            after,
            key,
            begun: 0,
            verdict: None,
            died: false,
            cancelled: false,
            claimed,
            disowned: false,
            outcome: None,
            taken: false,
        };
        let before = self.facts.insert(task, fact);
        assert!(before.is_none(), "{task:?} was given out twice");
    }

    pub(crate) fn cancelled(&mut self, task: TaskId) {
        self.fact(task).cancelled = true;
    }

    /// Its claimant does not want it any more, or gives it up although nobody has claimed it.
    pub(crate) fn disowned(&mut self, task: TaskId) {
        let fact = self.fact(task);
        fact.disowned |= fact.claimed;
        fact.cancelled |= fact.claimed;
    }

    /// It was done, and has left the queue for good.
    pub(crate) fn forgotten(&mut self, task: TaskId) {
        let fact = self.fact(task);
        assert!(fact.disowned && !fact.taken, "{task:?} has got lost");
        fact.outcome.get_or_insert(Outcome::Cancelled);
        fact.taken = true;
    }

    pub(crate) fn is_isolated(&self, task: TaskId) -> bool {
        self.facts
            .get(&task)
            .is_some_and(|fact| fact.options.isolate)
    }

    pub(crate) fn begun(&mut self, task: TaskId) {
        let fact = self.fact(task);
        fact.begun += 1;
        fact.verdict = None;
        fact.died = false;
        let (begun, tries) = (fact.begun, fact.options.tries.max(1));
        assert!(begun <= tries, "{task:?} is begun {begun} times of {tries}");
        for before in fact.after.clone() {
            let outcome = self.fact(before).outcome;
            let succeeded = outcome == Some(Outcome::Success);
            assert!(
                succeeded,
                "{task:?} is begun, but {before:?} is {outcome:?}"
            );
        }
    }

    pub(crate) fn ended(&mut self, task: TaskId, verdict: Verdict) {
        self.fact(task).verdict = Some(verdict);
    }

    pub(crate) fn died_in(&mut self, task: TaskId) {
        self.fact(task).died = true;
    }

    pub(crate) fn pool_failed(&mut self) {
        assert!(!self.failed, "the pool failed twice");
        self.failed = true;
    }

    /// The scheduler says that a task is done.
    pub(crate) fn done(&mut self, view: &TaskView<'_>, state: QueueState) {
        let task = view.id;
        let outcome = *view
            .outcome
            .unwrap_or_else(|| panic!("{task:?} has no outcome"));
        let closing = matches!(state, QueueState::Closing | QueueState::Closed);
        let gave_up = self.failed || state == QueueState::Failed || closing;
        let skipped = match outcome {
            Outcome::Skipped { after } => self.fact(after).outcome,
            _ => None,
        };
        let failed = self.failed;
        let fact = self.fact(task);
        assert_eq!(fact.outcome, None, "{task:?} has a second outcome");
        assert!(!fact.disowned, "{task:?} is done for nobody");
        assert_eq!(view.claimed, fact.claimed, "whose {task:?} is");
        fact.outcome = Some(outcome);
        let truthful = match outcome {
            Outcome::Success => fact.verdict == Some(Verdict::Success),
            Outcome::Error => fact.verdict == Some(Verdict::Error),
            Outcome::Crash { .. } => fact.died,
            Outcome::Cancelled => fact.cancelled || closing,
            Outcome::NoWorker => gave_up,
            Outcome::Timeout => fact.options.timeout.is_some(),
            Outcome::Skipped { after } => {
                let failed = skipped.is_some() && skipped != Some(Outcome::Success);
                failed && fact.after.contains(&after) && !fact.cancelled
            }
        };
        let minds = match outcome {
            Outcome::Error => fact.options.retry_on.error,
            Outcome::Crash { .. } => fact.options.retry_on.crash,
            _ => false,
        };
        let tried = fact.begun >= fact.options.tries || fact.cancelled || failed;
        assert!(
            tried || !minds,
            "{task:?} is {outcome:?}, and not tried again: {fact:?}"
        );
        assert!(truthful, "{task:?} is said to be {outcome:?}, but {fact:?}");
        let times = (Some(view.queued), view.started, view.finished);
        assert!(times.1.is_none() || times.0 <= times.1, "{view:?}");
        assert!(times.1.is_none() || times.1 <= times.2, "{view:?}");
        assert!(times.0 <= times.2, "{view:?}");
    }

    pub(crate) fn taken(&mut self, view: &TaskView<'_>) {
        let fact = self.fact(view.id);
        assert_eq!(
            fact.outcome.as_ref(),
            view.outcome,
            "an outcome has changed"
        );
        assert!(!fact.taken, "{:?} was taken twice", view.id);
        fact.taken = true;
    }

    /// Nothing can happen any more.
    pub(crate) fn check_end(&self) {
        for (task, fact) in &self.facts {
            assert!(fact.outcome.is_some(), "{task:?} has no outcome: {fact:?}");
            assert!(fact.taken, "{task:?} was never taken");
        }
    }

    fn fact(&mut self, task: TaskId) -> &mut Fact {
        self.facts
            .get_mut(&task)
            .unwrap_or_else(|| panic!("{task:?} was never pushed"))
    }
}
