//! The state alone: what it does to the world is noted down, and a test that has not looked at all of it fails.

use std::sync::Arc;

use taskq_core::id::{AttemptId, WorkerId};
use taskq_core::{Begun, GoneCause, Input, QueueState, Submission, Verdict};
use taskq_payload::payload::Payload;
use taskq_record::{Measured, StartCause};
use taskq_wire::message::{Finished, Part};

use super::*;
use crate::effects::Wakes;
use crate::session::{FinishedTask, News};

/// Notes down what is wanted of the world.
#[derive(Debug, Default)]
struct Noted {
    effects: Vec<String>,
    wakes: Wakes,
}

impl Effects for Noted {
    fn send(&mut self, worker: WorkerId, run: Run<'_>) {
        let (label, tries) = (run.label, run.tries);
        self.effects
            .push(format!("send {label} to {}, try {tries}", worker.0));
    }

    fn run_broadcast(&mut self, worker: WorkerId, broadcast: u64, _: &Arc<Payload>) {
        self.effects
            .push(format!("run broadcast {broadcast} on {}", worker.0));
    }

    fn act(&mut self, action: Action) {
        self.effects.push(format!("{action:?}"));
    }

    fn wakes(&mut self) -> &mut Wakes {
        &mut self.wakes
    }

    fn finish(&mut self, _: Option<Time>) {}
}

impl Drop for Noted {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.effects, [""; 0]);
            assert_eq!(self.wakes, Wakes::default());
        }
    }
}

struct Fixture {
    state: State,
    noted: Noted,
    now: Time,
}

impl Fixture {
    fn new(config: taskq_core::SchedulerConfig) -> Fixture {
        let mut fixture = Fixture {
            state: State::new(Scheduler::new(config), false),
            noted: Noted::default(),
            now: Time(1),
        };
        fixture.step(|_, _| ());
        fixture.expect(&["Boot"]);
        fixture
    }

    /// One session, which waits for a task.
    fn up() -> Fixture {
        let mut fixture = Fixture::new(taskq_core::SchedulerConfig {
            workers: 1,
            max_workers: 1,
            ..taskq_core::SchedulerConfig::default()
        });
        fixture.step(|state, now| state.input(Input::SupervisorUp, now));
        fixture.expect(&["Launch { worker: w1 }"]);
        fixture.tell(1, vec![News::Ready { pid: 7 }]);
        fixture.expect(&[]);
        fixture
    }

    fn step<T>(&mut self, change: impl FnOnce(&mut State, Time) -> T) -> T {
        self.now = Time(self.now.0 + 1000);
        let answer = change(&mut self.state, self.now);
        self.state.settle(&mut self.noted, self.now);
        answer
    }

    fn tell(&mut self, worker: u64, news: Vec<News>) {
        self.step(|state, now| state.hear_session(WorkerId(worker), news, now));
    }

    fn push(&mut self) -> TaskId {
        let payload = TaskPayload {
            fun: Default::default(),
            call: Default::default(),
        };
        self.step(|state, now| state.submit(Submission::default(), payload, None, now))
            .expect("taken")
    }

    fn expect(&mut self, effects: &[&str]) {
        assert_eq!(std::mem::take(&mut self.noted.effects), effects);
    }

    fn woken(&mut self) -> Wakes {
        std::mem::take(&mut self.noted.wakes)
    }

    fn attempt(&self, task: TaskId) -> AttemptId {
        let view = self.state.sched().task(task).expect("there");
        view.attempt.expect("sent")
    }

    fn finished(&self, task: TaskId) -> Vec<News> {
        let finished = Finished {
            attempt: self.attempt(task),
            verdict: Verdict::Success,
            began: self.now,
            ended: self.now,
            measured: Measured::default(),
            stdout_end: 0,
            stderr_end: 0,
            outcome: Part::default(),
        };
        let ending = Ending {
            outcome: Some(Default::default()),
            pid: Some(7),
            ..Ending::default()
        };
        vec![News::Finished(Box::new(FinishedTask {
            finished,
            ending,
            memory: None,
            running: None,
        }))]
    }

    fn gone(&self, worker: u64, begun: Option<AttemptId>) -> Gone {
        let at = self.now;
        Gone {
            begun: begun.map(|attempt| Begun { attempt, at }),
            ..Gone::unborn(WorkerId(worker), GoneCause::Signaled { signal: 9 }, None)
        }
    }
}

fn r_thread() -> Wakes {
    Wakes {
        r_thread: true,
        ..Wakes::default()
    }
}

#[test]
fn a_task_is_sent_wakes_who_waits_for_it_and_is_freed_when_it_was_taken() {
    let mut queue = Fixture::up();
    let task = queue.push();
    queue.expect(&["send .1 to 1, try 1"]);
    queue.state.want(Wanted::Done);
    let news = queue.finished(task);
    queue.tell(1, news);
    queue.expect(&[]);
    assert_eq!(queue.woken(), r_thread());
    let ending = queue
        .state
        .record(task)
        .and_then(|record| record.ending.clone());
    assert_eq!(ending.expect("kept").pid, Some(7));
    queue.state.want(Wanted::Nothing);
    assert!(queue.step(|state, now| state.take(&[task], now)));
    assert!(!queue.step(|state, now| state.take(&[task], now)));
    queue.expect(&[]);
    assert_eq!(queue.state.take_freed().len(), 1);
    assert!(queue.state.record(task).is_none());
}

#[test]
fn a_value_is_kept_for_the_task_that_is_given_it_until_that_is_done() {
    let mut queue = Fixture::up();
    let load = queue.push();
    let payload = TaskPayload {
        fun: Default::default(),
        call: Default::default(),
    };
    let task = Submission {
        after: vec![".1".into()],
        given: vec![("x".into(), ".1".into())],
        ..Submission::default()
    };
    let taker = queue.step(|state, now| state.submit(task, payload, None, now));
    let taker = taker.expect("taken");
    let known = |queue: &Fixture| {
        let given = &queue.state.record(taker).expect("there").given;
        given.iter().filter_map(Given::known).count()
    };
    queue.expect(&["send .1 to 1, try 1"]);
    assert_eq!(known(&queue), 0);
    let news = queue.finished(load);
    queue.tell(1, news);
    queue.expect(&["send .2 to 1, try 1"]);
    assert!(queue.step(|state, now| state.take(&[load], now)));
    queue.state.take_freed();
    assert_eq!(known(&queue), 1);
    let news = queue.finished(taker);
    queue.tell(1, news);
    assert_eq!(known(&queue), 0);
    assert_eq!(queue.state.take_freed().len(), 1);
    queue.expect(&[]);
}

#[test]
fn nobody_is_woken_who_does_not_wait_but_the_loop_that_was_promised_the_task() {
    let mut queue = Fixture::up();
    let task = queue.push();
    queue.expect(&["send .1 to 1, try 1"]);
    assert!(queue.step(|state, _| state.promise(task, 3)));
    assert!(!queue.step(|state, _| state.promise(task, 4)));
    assert_eq!(queue.woken(), Wakes::default());
    let news = queue.finished(task);
    queue.tell(1, news);
    let waking = Wakes {
        loops: [3].into(),
        ..Wakes::default()
    };
    assert_eq!(queue.woken(), waking);
    assert_eq!(queue.state.oldest_kept(3), Some(task));
    queue.step(|state, _| state.abandon());
    assert!(queue.state.record(task).is_some());
}

#[test]
fn a_condition_wakes_who_waits_and_the_loop_of_its_task_while_its_attempt_runs() {
    let mut queue = Fixture::up();
    let task = queue.push();
    queue.expect(&["send .1 to 1, try 1"]);
    let attempt = queue.attempt(task);
    let tell = |queue: &mut Fixture, number| {
        let attempt = AttemptId { number, ..attempt };
        queue.tell(1, vec![News::Signalled(attempt, Default::default())]);
        (queue.woken(), queue.state.num_conditions())
    };
    queue.state.want(Wanted::Quiet);
    let number = attempt.number;
    assert_eq!(tell(&mut queue, number + 1), (Wakes::default(), 0));
    assert_eq!(tell(&mut queue, number), (r_thread(), 1));
    queue.state.want(Wanted::Nothing);
    let waking = Wakes {
        loops: [3].into(),
        ..Wakes::default()
    };
    // Also for what came before.
    assert!(queue.step(|state, _| state.promise(task, 3)));
    assert_eq!(queue.woken(), waking);
    assert_eq!(tell(&mut queue, number), (waking, 2));
    let news = queue.finished(task);
    queue.tell(1, news);
    queue.woken();
    assert_eq!(tell(&mut queue, number), (Wakes::default(), 2));
    for left in [1, 0] {
        assert!(queue.step(|state, _| state.next_condition()).is_some());
        assert_eq!(queue.state.num_conditions(), left);
    }
    assert!(queue.step(|state, _| state.next_condition()).is_none());
}

#[test]
fn a_death_ends_the_task_that_had_begun_and_is_known_with_its_process() {
    let mut queue = Fixture::up();
    let task = queue.push();
    queue.expect(&["send .1 to 1, try 1"]);
    let gone = queue.gone(1, Some(queue.attempt(task)));
    queue.state.want(Wanted::Change);
    queue.step(|state, now| state.reap(gone, now));
    queue.expect(&["Launch { worker: w2 }"]);
    assert_eq!(queue.woken(), r_thread());
    let view = queue.state.sched().task(task).expect("there");
    assert!(matches!(view.outcome, Some(Outcome::Crash { .. })));
    let bar = queue.state.history().bars().next().expect("one");
    assert_eq!((bar.seat, bar.pid), (Some(1), Some(7)));
    let life = queue.state.history().lives().next().expect("two");
    let cause = GoneCause::Signaled { signal: 9 };
    assert_eq!(life.end.expect("gone").1, LifeEnd::Died(cause));
}

#[test]
fn a_task_that_a_dead_session_had_not_begun_is_sent_to_the_next_one() {
    let mut queue = Fixture::up();
    let task = queue.push();
    queue.expect(&["send .1 to 1, try 1"]);
    let gone = queue.gone(1, None);
    queue.step(|state, now| state.reap(gone, now));
    queue.expect(&["Launch { worker: w2 }"]);
    queue.tell(2, vec![News::Ready { pid: 8 }]);
    queue.expect(&["send .1 to 2, try 1"]);
    let answer = queue.step(|state, now| {
        let input = Input::Cancel {
            tasks: vec![task],
            grace: None,
        };
        state.cancel(&[task], input, now)
    });
    assert_eq!(answer, [(".1".to_owned(), true)]);
    let attempt = queue.attempt(task);
    let interrupt = Action::Interrupt {
        worker: WorkerId(2),
        attempt,
    };
    queue.expect(&[&format!("{interrupt:?}")]);
}

#[test]
fn a_fault_of_the_driver_ends_the_queue_and_is_told_instead_of_waited_for() {
    let mut queue = Fixture::up();
    let task = queue.push();
    queue.expect(&["send .1 to 1, try 1"]);
    queue.state.want(Wanted::Done);
    queue.step(|state, now| state.end_driver(Some("oops".to_owned()), now));
    queue.expect(&["KillSupervisor"]);
    assert_eq!(queue.woken(), r_thread());
    let sched = queue.state.sched();
    assert_eq!(sched.state(), QueueState::Closed);
    assert_eq!(
        sched.task(task).and_then(|view| view.outcome),
        Some(&Outcome::Cancelled)
    );
    assert!(queue.state.has_news_of_failure());
    let reason = queue.state.reason().expect("a fault");
    assert_eq!(reason.cause, StartCause::Fault);
}
