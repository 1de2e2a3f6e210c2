//! Tasks that run after others.

mod common;

use common::{after_these, ms, plain, Driver, CRASH};
use taskq_core::{Action, Input, Outcome, SubmitError, TaskId, TaskOptions, TaskPhase, Verdict};

#[test]
fn a_task_is_held_until_all_that_it_is_to_run_after_have_succeeded() {
    let (mut driver, _) = Driver::ready(plain(3));
    let (a, b) = (driver.push_labelled("a"), driver.push_labelled("b"));
    let sent = [driver.sent(), driver.sent()];
    let c = driver.push_after("c", &["a", "b", "a"]);
    driver.expect_nothing();
    assert_eq!(driver.phase(c), TaskPhase::Waiting);
    driver.assert_counts(1, 2, 0);
    driver.finish(sent[0].0, sent[0].1);
    driver.done(a, Outcome::Success);
    driver.expect_nothing();
    driver.finish(sent[1].0, sent[1].1);
    driver.done(b, Outcome::Success);
    assert_eq!(driver.sent().1.task, c);
}

#[test]
fn what_has_succeeded_already_holds_nothing_even_if_it_is_taken_later() {
    let (mut driver, _) = Driver::ready(plain(1));
    let a = driver.push_labelled("a");
    let (worker, attempt) = driver.sent();
    driver.finish(worker, attempt);
    driver.done(a, Outcome::Success);
    let b = driver.push_after("b", &["a"]);
    assert_eq!(driver.sent().1.task, b);
}

#[test]
fn a_task_that_was_taken_while_it_held_nothing_is_forgotten() {
    let (mut driver, _) = Driver::ready(plain(2));
    let (a, _) = (driver.push_labelled("a"), driver.push_labelled("b"));
    let (first, second) = (driver.sent(), driver.sent());
    let c = driver.push_after("c", &["a", "b"]);
    driver.finish(first.0, first.1);
    driver.done(a, Outcome::Success);
    assert!(driver.scheduler.take(a));
    driver.finish(second.0, second.1);
    driver.done(second.1.task, Outcome::Success);
    assert_eq!(driver.sent().1.task, c);
}

#[test]
fn what_follows_a_failure_is_skipped_and_so_is_what_follows_that() {
    let (mut driver, _) = Driver::ready(plain(2));
    let a = driver.push_labelled("a");
    let (worker, attempt) = driver.sent();
    let b = driver.push_after("b", &["a"]);
    let c = driver.push_after("c", &["b"]);
    let d = driver.push_after("d", &["a", "c"]);
    driver.wait(ms(5));
    driver.finish_with(worker, attempt, Verdict::Error);
    driver.done(a, Outcome::Error);
    let mut ended = [b, c, d].map(|task| driver.outcome(task));
    ended[2] = None;
    assert_eq!(
        ended,
        [
            Some(Outcome::Skipped { after: a }),
            Some(Outcome::Skipped { after: b }),
            None
        ]
    );
    assert!(matches!(driver.outcome(d), Some(Outcome::Skipped { .. })));
    let view = driver.scheduler.task(c).unwrap();
    assert_eq!((view.tries, view.started), (0, None));
    assert_eq!(view.finished, Some(driver.now));
    for _ in 0..3 {
        assert!(matches!(driver.next_action(), Some(Action::Done { .. })));
    }
    driver.assert_counts(0, 0, 4);
}

#[test]
fn every_end_but_success_skips() {
    let ends: [fn(&mut Driver, TaskId); 3] = [
        |driver, task| {
            driver.cancel(task);
            let (worker, attempt) = (driver.worker_of(task), driver.attempt_of(task));
            driver.expect(Action::Interrupt { worker, attempt });
            driver.wait(ms(1));
            driver.finish(worker, attempt);
        },
        |driver, task| {
            let (worker, attempt) = (driver.worker_of(task), driver.attempt_of(task));
            driver.dies_in(worker, attempt);
        },
        |driver, task| {
            let (worker, attempt) = (driver.worker_of(task), driver.attempt_of(task));
            driver.finish_with(worker, attempt, Verdict::Error);
        },
    ];
    for end in ends {
        let (mut driver, _) = Driver::ready(plain(1));
        let a = driver.push_labelled("a");
        driver.sent();
        let b = driver.push_after("b", &["a"]);
        end(&mut driver, a);
        driver.expect(Action::Done { task: a });
        driver.done(b, Outcome::Skipped { after: a });
        while driver.next_action().is_some() {}
    }
}

#[test]
fn what_is_to_run_after_a_failure_is_skipped_when_it_is_submitted() {
    let (mut driver, _) = Driver::ready(plain(1));
    let a = driver.push_labelled("a");
    let (worker, attempt) = driver.sent();
    driver.dies_in(worker, attempt);
    driver.done(a, Outcome::Crash { cause: CRASH });
    let replacement = driver.launched();
    driver.push_labelled("other");
    let b = driver.push_after("b", &["other", "a"]);
    driver.done(b, Outcome::Skipped { after: a });
    driver.input(Input::WorkerReady {
        worker: replacement,
    });
    driver.sent();
}

#[test]
fn what_is_not_in_the_queue_cannot_be_waited_for() {
    let (mut driver, _) = Driver::ready(plain(1));
    let unknown = |driver: &mut Driver, label: &str, after: &str| {
        let before = driver.scheduler.counts();
        let refused = driver
            .scheduler
            .submit(driver.now, after_these(label, &[after]));
        let label = after.into();
        assert_eq!(refused, Err(SubmitError::Unknown { label }));
        assert_eq!(driver.scheduler.counts(), before);
        driver.expect_nothing();
    };
    unknown(&mut driver, "a", "b");
    unknown(&mut driver, "a", "a");
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    assert!(driver.scheduler.take(task));
    unknown(&mut driver, "a", ".1");
    // A refused task has used up no number.
    let next = driver.push();
    assert_eq!(next, TaskId(2));
    assert_eq!(driver.scheduler.task(next).unwrap().label, ".2");
    driver.sent();
}

#[test]
fn a_held_task_is_cancelled_at_once_and_nothing_is_left_of_it() {
    let (mut driver, _) = Driver::ready(plain(1));
    let a = driver.push_labelled("a");
    let (worker, attempt) = driver.sent();
    let b = driver.push_after("b", &["a"]);
    let c = driver.push_after("c", &["b"]);
    driver.cancel(b);
    driver.done(b, Outcome::Cancelled);
    driver.done(c, Outcome::Skipped { after: b });
    driver.finish(worker, attempt);
    driver.done(a, Outcome::Success);
    driver.expect_nothing();
}

#[test]
fn a_held_task_does_not_hold_up_a_worker_and_keeps_its_place() {
    let (mut driver, _) = Driver::ready(plain(2));
    let a = driver.push_labelled("a");
    let first = driver.sent();
    let b = driver.push_after("b", &["a"]);
    let c = driver.push();
    let second = driver.sent();
    assert_eq!(second.1.task, c);
    let d = driver.push();
    driver.finish(first.0, first.1);
    driver.done(a, Outcome::Success);
    assert_eq!(driver.sent().1.task, b, "it was pushed before the others");
    driver.finish(second.0, second.1);
    driver.done(c, Outcome::Success);
    assert_eq!(driver.sent().1.task, d);
}

#[test]
fn a_chain_may_be_longer_than_the_stack_is_deep() {
    const LENGTH: usize = 100_000;
    for killed in [false, true] {
        let mut driver = Driver::new(plain(1));
        let first = driver.push_labelled("0");
        for link in 1..LENGTH {
            let submission = after_these(&link.to_string(), &[&(link - 1).to_string()]);
            driver.scheduler.submit(driver.now, submission).unwrap();
        }
        if killed {
            driver.scheduler.handle(driver.now, Input::Kill);
        } else {
            driver.scheduler.handle(
                driver.now,
                Input::Cancel {
                    tasks: vec![first],
                    grace: None,
                },
            );
        }
        let mut done = 0;
        while let Some(action) = driver.scheduler.next_action() {
            done += usize::from(matches!(action, Action::Done { .. }));
        }
        assert_eq!(done, LENGTH);
        driver.scheduler.check_invariants();
        let last = driver.scheduler.find(&(LENGTH - 1).to_string()).unwrap();
        let expected = if killed {
            Outcome::Cancelled
        } else {
            Outcome::Skipped {
                after: TaskId(LENGTH as u64 - 1),
            }
        };
        assert_eq!(driver.outcome(last), Some(expected));
    }
}

#[test]
fn held_tasks_end_with_the_queue() {
    let (mut driver, _) = Driver::ready(plain(1));
    let a = driver.push_labelled("a");
    let (worker, attempt) = driver.sent();
    let b = driver.push_after("b", &["a"]);
    let deadline = driver.now.after(ms(100));
    driver.input(Input::Close { deadline });
    driver.finish(worker, attempt);
    driver.done(a, Outcome::Success);
    let attempt = driver.sent().1;
    assert_eq!(attempt.task, b, "a closing queue finishes what it has");
    driver.wait(ms(100));
    driver.expect(Action::KillSupervisor);
    driver.done(b, Outcome::Cancelled);
}

#[test]
fn when_the_pool_fails_held_tasks_find_no_worker() {
    let mut driver = Driver::new(plain(1));
    let a = driver.push_labelled("a");
    let b = driver.push_after("b", &["a"]);
    let c = driver.push_after("c", &["b"]);
    driver.input(Input::SupervisorGone { reported: true });
    for task in [a, b, c] {
        driver.done(task, Outcome::NoWorker);
    }
    driver.expect(Action::Failed);
}

#[test]
fn priorities_hold_for_what_was_held() {
    let (mut driver, _) = Driver::ready(plain(1));
    let a = driver.push_labelled("a");
    let (worker, attempt) = driver.sent();
    driver.push_after("b", &["a"]);
    let mut urgent = after_these("c", &["a"]);
    urgent.options = TaskOptions {
        priority: 1,
        ..TaskOptions::default()
    };
    let urgent = driver.submit(urgent);
    driver.finish(worker, attempt);
    driver.done(a, Outcome::Success);
    assert_eq!(driver.sent().1.task, urgent);
}
