//! One session and its host in every order in which they can act: a task socket, a control socket and the status board
//! between them, a recall and a cancel at any time. An honest session is never taken for a liar, and of one that lies
//! nothing is believed that did not happen.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::time::Duration;

use taskq_core::{
    Action, AttemptId, Input, Outcome, Scheduler, SchedulerConfig, Submission, TaskId, Time,
    Verdict, WorkerId,
};

const WORKER: WorkerId = WorkerId(1);
const RECALL_AFTER: Duration = Duration::from_millis(4);
/// The first has told how long tasks are.
const TASKS: std::ops::RangeInclusive<u64> = 2..=4;

#[derive(Clone, Debug)]
enum Wish {
    Recall(Vec<AttemptId>),
    Interrupt(AttemptId),
}

/// Something that is said on the task socket, and on the control socket.
#[derive(Clone, Debug, Default)]
struct Channels {
    run: VecDeque<AttemptId>,
    wishes: VecDeque<Wish>,
    finished: VecDeque<AttemptId>,
    returned: VecDeque<Vec<AttemptId>>,
}

#[derive(Clone, Debug)]
struct World {
    scheduler: Scheduler,
    now: Time,
    channels: Channels,
    /// The session's main thread: what it runs, and what stands on the board.
    current: Option<AttemptId>,
    board: Option<TaskId>,
    over: BTreeSet<AttemptId>,
    refused: BTreeSet<AttemptId>,
    /// What the driver has read from the task socket, with what stood on the board, before it reads the control socket.
    heard: Vec<(AttemptId, Option<TaskId>)>,
    may_recall: bool,
    may_cancel: bool,
    may_lie: bool,
    /// It was told to leave.
    is_ending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Begin,
    Finish,
    Wipe,
    Answer,
    Lie,
    Read,
    HandIn,
    Recall,
    Cancel(u64),
}

const MOVES: [Move; 10] = [
    Move::Begin,
    Move::Finish,
    Move::Wipe,
    Move::Answer,
    Move::Lie,
    Move::Read,
    Move::HandIn,
    Move::Recall,
    Move::Cancel(3),
    Move::Cancel(4),
];

impl World {
    fn new(lies: bool) -> World {
        let config = SchedulerConfig {
            workers: 1,
            recall_after: RECALL_AFTER,
            ..SchedulerConfig::default()
        };
        let mut world = World {
            scheduler: Scheduler::new(config),
            now: Time(1_000_000_000),
            channels: Channels::default(),
            current: None,
            board: None,
            over: BTreeSet::new(),
            refused: BTreeSet::new(),
            heard: Vec::new(),
            may_recall: true,
            may_cancel: true,
            may_lie: lies,
            is_ending: false,
        };
        world.input(Input::SupervisorUp);
        world.input(Input::WorkerReady { worker: WORKER });
        world.push();
        for step in [
            Move::Begin,
            Move::Finish,
            Move::Wipe,
            Move::Read,
            Move::HandIn,
        ] {
            assert!(world.act(step), "{step:?}");
        }
        for _ in TASKS {
            world.push();
        }
        assert_eq!(world.channels.run.len(), TASKS.count(), "sent ahead");
        world
    }

    fn push(&mut self) {
        let pushed = self.scheduler.submit(self.now, Submission::default());
        pushed.expect("an open queue");
        self.obey();
    }

    fn input(&mut self, input: Input) {
        self.scheduler.handle(self.now, input);
        self.obey();
    }

    fn obey(&mut self) {
        while let Some(action) = self.scheduler.next_action() {
            match action {
                Action::Send { attempt, .. } => self.channels.run.push_back(attempt),
                Action::Recall { attempts, .. } => {
                    self.channels.wishes.push_back(Wish::Recall(attempts));
                }
                Action::Interrupt { attempt, .. } => {
                    self.channels.wishes.push_back(Wish::Interrupt(attempt));
                }
                Action::Retire { .. } | Action::KillWorker { .. } => self.is_ending = true,
                _ => {}
            }
        }
        while self.scheduler.next_ended().is_some() {}
        self.scheduler.check_invariants();
    }

    /// False when that is not possible now.
    fn act(&mut self, step: Move) -> bool {
        match step {
            Move::Begin if self.current.is_none() && self.board.is_none() => {
                let Some(attempt) = self.channels.run.pop_front() else {
                    return false;
                };
                if !self.refused.contains(&attempt) {
                    self.current = Some(attempt);
                    self.board = Some(attempt.task);
                }
            }
            Move::Finish => {
                let Some(attempt) = self.current.take() else {
                    return false;
                };
                self.over.insert(attempt);
                self.channels.finished.push_back(attempt);
            }
            Move::Wipe if self.current.is_none() && self.board.is_some() => self.board = None,
            Move::Answer => {
                let Some(wish) = self.channels.wishes.pop_front() else {
                    return false;
                };
                self.answer(wish);
            }
            Move::Lie if self.may_lie && self.current.is_some() => {
                self.may_lie = false;
                self.channels.finished.extend(&self.channels.run);
            }
            Move::Read if !self.channels.finished.is_empty() => {
                let board = self.board;
                let finished = self.channels.finished.drain(..);
                self.heard.extend(finished.map(|attempt| (attempt, board)));
            }
            Move::HandIn if !self.heard.is_empty() || !self.channels.returned.is_empty() => {
                self.hand_in();
            }
            Move::Recall if self.may_recall => {
                self.may_recall = false;
                self.now = self.now.after(RECALL_AFTER);
                self.input(Input::Tick);
            }
            Move::Cancel(task) if self.may_cancel => {
                self.may_cancel = false;
                let tasks = vec![TaskId(task)];
                self.input(Input::Cancel { tasks, grace: None });
            }
            _ => return false,
        }
        true
    }

    /// The control thread: gives back and tells in one step.
    fn answer(&mut self, wish: Wish) {
        let has_begun = |world: &World, attempt: &AttemptId| {
            world.current == Some(*attempt) || world.over.contains(attempt)
        };
        let attempts = match wish {
            Wish::Recall(mut attempts) => {
                attempts.retain(|attempt| !has_begun(self, attempt));
                attempts
            }
            Wish::Interrupt(attempt) => {
                if has_begun(self, &attempt) || self.refused.contains(&attempt) {
                    return;
                }
                vec![attempt]
            }
        };
        self.refused.extend(&attempts);
        self.channels.returned.push_back(attempts);
    }

    /// The driver: what was given back first, then what has ended.
    fn hand_in(&mut self) {
        let worker = WORKER;
        for attempts in std::mem::take(&mut self.channels.returned) {
            self.input(Input::Returned { worker, attempts });
        }
        let heard = std::mem::take(&mut self.heard);
        for (attempt, running) in heard {
            self.input(Input::Finished {
                worker,
                attempt,
                verdict: Verdict::Success,
                began: self.now,
                ended: self.now,
                memory: None,
                running,
            });
        }
    }

    fn check(&self, is_honest: bool) {
        if is_honest {
            assert_eq!(self.scheduler.stale(), 0, "{self:?}");
            assert!(!self.is_ending, "{self:?}");
        }
        for task in self.scheduler.tasks() {
            let happened = self.over.iter().any(|attempt| attempt.task == task.id);
            let is_success = task.outcome == Some(&Outcome::Success);
            assert!(happened || !is_success, "{:?} in {self:?}", task.id);
        }
    }
}

/// Tries all orders; how many states there are.
fn explore(lies: bool) -> usize {
    let mut seen = HashSet::new();
    let mut left = vec![World::new(lies)];
    while let Some(world) = left.pop() {
        if !seen.insert(format!("{world:?}")) {
            continue;
        }
        world.check(!lies);
        let before = left.len();
        for step in MOVES {
            let mut next = world.clone();
            if !next.is_ending && next.act(step) {
                left.push(next);
            }
        }
        if left.len() == before && !world.is_ending {
            // Nothing can happen any more: all have ended.
            let unfinished = |task: &taskq_core::TaskView<'_>| task.outcome.is_none();
            assert!(
                !world.scheduler.tasks().any(|task| unfinished(&task)),
                "{world:?}"
            );
        }
    }
    seen.len()
}

#[test]
fn an_honest_session_is_believed_in_every_order_of_events() {
    assert!(explore(false) > 1000);
}

#[test]
fn a_lie_about_what_has_not_begun_is_believed_in_no_order_of_events() {
    assert!(explore(true) > 1000);
}
