//! A task as it is handed in.
//!
//! Only data. What the options mean is decided in the `sched` module; no combination is an error.

use std::sync::Arc;

use taskq_record::{TaskOptions, TaskRequest};
/// A task as it is handed in.
///
/// Make it with [`Submission::default`] or [`Submission::labelled`], and change what is to be
/// different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submission {
    /// The user's name for the task; without one it gets the next free of `.1`, `.2`, ...
    pub label: Option<Box<str>>,
    /// How it is to be run.
    pub options: TaskOptions,
    /// The labels of the tasks that must have succeeded before it is sent; one that appears twice
    /// counts once.
    pub after: Vec<Box<str>>,
    /// Arguments, and the labels of those of these whose values they are: for who keeps the values.
    pub given: Vec<(Box<str>, Box<str>)>,
    /// It takes the place of the unfinished task that was submitted with the same key, which is
    /// cancelled.
    pub key: Option<Box<str>>,
    /// A name that it shares with others, see [`Scheduler::tagged`](crate::Scheduler::tagged), and in a
    /// [fair](crate::SchedulerConfig::fair) queue its turns, too.
    pub tag: Option<Arc<str>>,
    /// Its result is for the one who submits it, and for no other: when it is done it is not
    /// among the [done tasks](crate::Scheduler::done) and does not count as one. Its claimant looks
    /// at it and takes it by its number, or [disowns](crate::Scheduler::disown) it.
    pub claimed: bool,
    /// It is a part of something that counts as one task, see
    /// [`Scheduler::number`](crate::Scheduler::number): it takes no number from those that count, nor
    /// an automatic label (but the next free of `.part-1`, `.part-2`, ...), ranks behind those of its
    /// priority (in a fair queue: and tag), and there is always room for it. Who submits parts limits their number. No
    /// task can be to run after a part: it would be older than that.
    pub part: bool,
    /// There is always room for it: it waits in a full queue, too, which has room for others only when fewer than
    /// [`max_waiting`](crate::SchedulerConfig::max_waiting) wait. For a task whose submitter must not wait for room.
    pub may_exceed: bool,
}

impl Submission {
    /// A task with a name of the user's choice.
    pub fn labelled(label: impl Into<Box<str>>) -> Self {
        Submission {
            label: Some(label.into()),
            ..Submission::default()
        }
    }

    /// What is asked for a task, in a queue with these defaults.
    #[must_use]
    pub fn of(request: TaskRequest, defaults: &TaskOptions) -> Self {
        let given = request.given.iter().zip(&request.after);
        let given = given.filter(|(argument, _)| !argument.is_empty());
        Submission {
            options: request.options(defaults),
            given: given
                .map(|(argument, label)| (argument.clone(), label.clone()))
                .collect(),
            after: request.after,
            key: request.replace,
            tag: request.tag.map(Arc::from),
            may_exceed: request.may_exceed,
            ..Submission::default()
        }
    }

    /// Whether it is taken only where there is room.
    pub(crate) fn needs_room(&self) -> bool {
        !(self.part || self.may_exceed)
    }
}
