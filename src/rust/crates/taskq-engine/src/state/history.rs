//! A bounded record of what ran, for pictures of it: which session ran what and when, and how it ended.
//!
//! Owns the ends of attempts and the lives of sessions, as it is told of them ([`Fact`]). Decides nothing, and nothing
//! depends on it: what waits or runs now stands in the scheduler alone. Under the lock of the queue, so an entry costs
//! no more than a look-up and two shared names.
//!
//! | a session is | told by                                      |
//! |--------------|----------------------------------------------|
//! | launched     | `Action::Launch`: from now on it has a seat  |
//! | a process    | the supervisor                                  |
//! | ready        | itself                                       |
//! | asked to end | `Action::Retire`, `KillWorker`, `Shutdown` … |
//! | gone         | whatever makes an `Input::WorkerGone`        |
//!
//! The end of its attempts has to be noted before a session is gone, because with it goes on which seat they ran. A
//! queue without sessions has one seat, and no lives.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use taskq_core::id::{Time, WorkerId};
use taskq_core::{Ended, GoneCause, Outcome};
use taskq_record::{words::Asked, words::AttemptState};

use super::observer::{Fact, Observer};

/// How many attempts are kept, and how many sessions that are gone: a few for each pixel that a picture is wide, about
/// 200 bytes each with its label, and so 2 MB at most that a queue keeps of what its user has popped.
pub(crate) const ENTRIES: usize = 10_000;

/// An attempt that is over, or a task that runs or waits.
#[derive(Clone, Debug)]
pub struct Bar {
    /// The user's name of the task; of a part of a map, its title.
    pub name: Arc<str>,
    /// The name that it shares with others.
    pub tag: Option<Arc<str>>,
    /// The number of the worker that it ran on, from 1; none when it did not begin.
    pub seat: Option<u32>,
    /// The process id of its session.
    pub pid: Option<i32>,
    /// How often the task had begun, this time included.
    pub tries: u32,
    /// Since when it had waited.
    pub queued: Time,
    /// When it began.
    pub began: Option<Time>,
    /// When it ended.
    pub ended: Option<Time>,
    /// What became of it.
    pub state: BarState,
}

/// What became of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarState {
    /// It has not begun.
    Waiting,
    /// It runs.
    Running,
    /// It has ended so, and the task is tried again.
    Retried(Outcome),
    /// It has ended so.
    Ended(Outcome),
}

/// A session, from its launch to its end.
#[derive(Clone, Debug)]
pub struct Life {
    /// The number of the worker, from 1.
    pub seat: u32,
    /// Its process id, once there is one.
    pub pid: Option<i32>,
    /// When it was launched.
    pub launched: Time,
    /// When it was ready for tasks.
    pub ready: Option<Time>,
    /// When it was gone, and how it ended.
    pub end: Option<(Time, LifeEnd)>,
    /// What it was asked last.
    asked: Option<Asked>,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeEnd {
    /// As it was asked to.
    Asked(Asked),
    /// By itself.
    Died(GoneCause),
}

impl BarState {
    /// The word for it: that of an attempt which has not ended for good, or a result's `status`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            BarState::Waiting => AttemptState::Waiting.word(),
            BarState::Running => AttemptState::Running.word(),
            BarState::Retried(_) => AttemptState::Retried.word(),
            BarState::Ended(outcome) => outcome.status().word(),
        }
    }

    /// What it came to, also when it is tried again.
    #[must_use]
    pub fn outcome_word(&self) -> Option<&'static str> {
        match self {
            BarState::Waiting | BarState::Running => None,
            BarState::Retried(outcome) | BarState::Ended(outcome) => Some(outcome.status().word()),
        }
    }
}

impl LifeEnd {
    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            LifeEnd::Asked(asked) => asked.word(),
            LifeEnd::Died(cause) => cause.cause().word(),
        }
    }

    /// The exit status, the signal or the error that goes with it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self {
            LifeEnd::Asked(_) => None,
            LifeEnd::Died(cause) => cause.number(),
        }
    }
}

/// The record.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// In the order in which they ended.
    bars: VecDeque<Bar>,
    /// When the last of those had ended that had to go.
    forgotten_until: Option<Time>,
    /// Sessions that are there.
    lives: HashMap<WorkerId, Life>,
    /// Sessions that are gone.
    past: VecDeque<Life>,
    /// The process that runs everything itself, and since when its only seat is free.
    alone: Option<(i32, Time)>,
    /// How many maps there were.
    maps: u64,
}

impl History {
    /// The record of a queue whose tasks all run in this process.
    pub(crate) fn alone(pid: i32) -> History {
        History {
            alone: Some((pid, Time::default())),
            ..History::default()
        }
    }

    /// An attempt is over; `title` is what it shows instead of its label.
    fn note_ended(&mut self, ended: &Ended, title: Option<&Arc<str>>) {
        let mut began = ended.ran.map(|(_, began)| began);
        let (seat, pid) = match ended.ran {
            Some((worker, _)) => self.place_of(worker),
            None => (None, None),
        };
        if let (Some((_, free)), Some(began)) = (&mut self.alone, &mut began) {
            // R's clock, by which its user's tasks are measured, is coarser than ours.
            *began = (*free).max(*began).min(ended.ended);
            *free = ended.ended;
        }
        if self.bars.len() == ENTRIES {
            let oldest = self.bars.pop_front().and_then(|bar| bar.ended);
            self.forgotten_until = self.forgotten_until.max(oldest);
        }
        self.bars.push_back(Bar {
            name: Arc::clone(title.unwrap_or(&ended.label)),
            tag: ended.tag.clone(),
            seat,
            pid,
            tries: ended.tries,
            queued: ended.queued,
            began,
            ended: Some(ended.ended),
            state: if ended.retried {
                BarState::Retried(ended.outcome)
            } else {
                BarState::Ended(ended.outcome)
            },
        });
    }

    fn change(&mut self, worker: WorkerId, change: impl FnOnce(&mut Life)) {
        self.lives.get_mut(&worker).map(change);
    }

    /// A session has ended.
    fn end(&mut self, worker: WorkerId, cause: GoneCause, now: Time) {
        let Some(mut life) = self.lives.remove(&worker) else {
            return;
        };
        let end = life.asked.map_or(LifeEnd::Died(cause), LifeEnd::Asked);
        life.end = Some((now, end));
        if self.past.len() == ENTRIES {
            self.past.pop_front();
        }
        self.past.push_back(life);
    }

    /// The number of a new map, from 1.
    pub(crate) fn next_map(&mut self) -> u64 {
        self.maps += 1;
        self.maps
    }

    /// Where a session is: its seat and its process.
    pub(crate) fn place_of(&self, worker: WorkerId) -> (Option<u32>, Option<i32>) {
        if let Some((pid, _)) = self.alone {
            return (Some(1), Some(pid));
        }
        match self.lives.get(&worker) {
            Some(life) => (Some(life.seat), life.pid),
            None => (None, None),
        }
    }

    /// The attempts that are over, in the order in which they ended.
    pub(crate) fn bars(&self) -> impl Iterator<Item = &Bar> {
        self.bars.iter()
    }

    /// All sessions, those that are gone first.
    pub(crate) fn lives(&self) -> impl Iterator<Item = &Life> {
        self.past.iter().chain(self.lives.values())
    }

    /// Until when ends are missing, if any are: all that ended later, is here.
    pub(crate) fn forgotten_until(&self) -> Option<Time> {
        self.forgotten_until
    }
}

impl Observer for History {
    fn note(&mut self, fact: &Fact<'_>, now: Time) {
        match *fact {
            Fact::Launched(worker, seat) if self.alone.is_none() => {
                let life = Life {
                    seat,
                    pid: None,
                    launched: now,
                    ready: None,
                    end: None,
                    asked: None,
                };
                self.lives.insert(worker, life);
            }
            Fact::Process(worker, pid) => self.change(worker, |life| life.pid = Some(pid)),
            Fact::Ready(worker) => self.change(worker, |life| life.ready = Some(now)),
            Fact::Asked(Some(worker), asked) => {
                self.change(worker, |life| life.asked = Some(asked));
            }
            Fact::Asked(None, asked) => {
                for life in self.lives.values_mut() {
                    life.asked.get_or_insert(asked);
                }
            }
            Fact::Ended(ended, ref title) => self.note_ended(ended, title.as_ref()),
            Fact::Gone(worker, cause) => self.end(worker, cause, now),
            Fact::AllGone => {
                let workers: Vec<WorkerId> = self.lives.keys().copied().collect();
                for worker in workers {
                    self.end(worker, GoneCause::Unknown, now);
                }
            }
            Fact::Launched(..) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use taskq_core::TaskId;

    use super::*;

    const WORKER: WorkerId = WorkerId(3);

    fn ended(task: u64, ran: Option<(WorkerId, Time)>) -> Ended {
        Ended {
            task: TaskId(task),
            label: format!(".{task}").into(),
            tag: None,
            claimed: false,
            tries: u32::from(ran.is_some()),
            queued: Time(task),
            ran,
            ended: Time(10 * task),
            outcome: Outcome::Success,
            retried: false,
        }
    }

    #[test]
    fn the_oldest_ends_go_and_it_is_known_until_when() {
        let mut history = History::default();
        let most = ENTRIES as u64;
        for task in 1..=most {
            history.note(&Fact::Ended(&ended(task, None), None), Time(0));
        }
        assert_eq!(history.forgotten_until(), None);
        for task in most + 1..=most + 5 {
            history.note(&Fact::Ended(&ended(task, None), None), Time(0));
        }
        assert_eq!(history.forgotten_until(), Some(Time(50)));
        let names: Vec<_> = history.bars().map(|bar| &*bar.name).collect();
        assert_eq!((names.len(), names[0]), (ENTRIES, ".6"));
    }

    #[test]
    fn the_lives_of_sessions_are_bounded_too() {
        let mut history = History::default();
        for worker in 0..=ENTRIES as u64 {
            history.note(&Fact::Launched(WorkerId(worker), 1), Time(worker));
            history.note(
                &Fact::Gone(WorkerId(worker), GoneCause::Unknown),
                Time(worker),
            );
        }
        assert_eq!(history.lives().count(), ENTRIES);
        assert!(history.lives.is_empty());
    }

    #[test]
    fn an_attempt_has_the_seat_and_the_process_of_its_session() {
        let mut history = History::default();
        history.note(&Fact::Launched(WORKER, 7), Time(1));
        history.note(&Fact::Process(WORKER, 99), Time(1));
        let (one, title) = (ended(1, Some((WORKER, Time(5)))), "a title");
        history.note(&Fact::Ended(&one, Some(title.into())), Time(0));
        let bar = history.bars().next().expect("one");
        assert_eq!(
            (bar.seat, bar.pid, &*bar.name),
            (Some(7), Some(99), "a title")
        );
    }

    #[test]
    fn a_session_ends_as_it_was_asked_or_by_itself() {
        let cause = GoneCause::Signaled { signal: 9 };
        let mut history = History::default();
        for worker in 1..=4 {
            history.note(&Fact::Launched(WorkerId(worker), 1), Time(worker));
        }
        history.note(&Fact::Asked(Some(WorkerId(1)), Asked::Retired), Time(9));
        history.note(&Fact::Gone(WorkerId(2), cause), Time(9));
        history.note(&Fact::Asked(Some(WorkerId(3)), Asked::Killed), Time(9));
        history.note(&Fact::Asked(None, Asked::Closed), Time(9));
        for worker in [1, 3, 4] {
            history.note(&Fact::Gone(WorkerId(worker), cause), Time(9));
        }
        let words: Vec<_> = history
            .lives()
            .map(|life| life.end.expect("gone").1.word())
            .collect();
        assert_eq!(words, ["signal", "retired", "killed", "closed"]);
    }

    #[test]
    fn attempts_on_the_only_seat_of_a_queue_without_sessions_do_not_overlap() {
        let mut history = History::alone(5);
        history.note(
            &Fact::Ended(&ended(1, Some((WORKER, Time(2)))), None),
            Time(0),
        );
        history.note(
            &Fact::Ended(&ended(2, Some((WORKER, Time(8)))), None),
            Time(0),
        );
        let times: Vec<_> = history.bars().map(|bar| (bar.began, bar.seat)).collect();
        assert_eq!(times, [(Some(Time(2)), Some(1)), (Some(Time(10)), Some(1))]);
    }
}
