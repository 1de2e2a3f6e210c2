//! How many tasks may wait, and tasks that share a tag.

mod common;

use std::sync::Arc;

use common::{after_these, plain, us, Driver};
use taskq_core::{Input, Outcome, SchedulerConfig, Submission, SubmitError};

fn at_most(max_waiting: usize) -> SchedulerConfig {
    SchedulerConfig {
        max_waiting,
        ..plain(1)
    }
}

#[test]
fn when_as_many_wait_as_may_the_next_is_refused_until_one_runs() {
    let (mut driver, _) = Driver::ready(at_most(2));
    driver.push();
    let (worker, attempt) = driver.sent();
    driver.push();
    assert!(driver.scheduler.has_room(1));
    driver.push();
    assert!(!driver.scheduler.has_room(1));
    let refused = driver
        .scheduler
        .submit(driver.now, Submission::labelled("a"));
    assert_eq!(refused, Err(SubmitError::Full));
    driver.assert_counts(2, 1, 0);
    driver.finish(worker, attempt);
    driver.done(attempt.task, Outcome::Success);
    driver.sent();
    assert!(driver.scheduler.has_room(1));
    driver.push_labelled("a");
}

#[test]
fn what_may_exceed_the_limit_waits_in_its_turn_and_there_is_no_room_for_others_meanwhile() {
    let (mut driver, _) = Driver::ready(at_most(1));
    driver.push();
    let (worker, first) = driver.sent();
    driver.push();
    let beyond = Submission {
        may_exceed: true,
        ..Submission::labelled("beyond")
    };
    let beyond = driver.scheduler.submit(driver.now, beyond).expect("taken");
    driver.assert_counts(2, 1, 0);
    assert!(!driver.scheduler.has_room(1));
    driver.finish(worker, first);
    driver.done(first.task, Outcome::Success);
    let (worker, second) = driver.sent();
    assert!(
        !driver.scheduler.has_room(1),
        "one waits, which came before"
    );
    driver.finish(worker, second);
    driver.done(second.task, Outcome::Success);
    assert_eq!(driver.sent().1.task, beyond);
    assert!(driver.scheduler.has_room(1));
}

#[test]
fn what_lies_ahead_and_what_is_held_waits_too() {
    let config = SchedulerConfig {
        max_waiting: 2,
        workers: 1,
        ..SchedulerConfig::default()
    };
    let (mut driver, _) = Driver::with_run_time(config, us(10));
    driver.push_labelled("a");
    driver.sent();
    driver.push();
    driver.sent();
    driver.push_after("b", &["a"]);
    assert!(!driver.scheduler.has_room(1));
}

#[test]
fn a_full_queue_says_so_before_it_looks_at_the_label() {
    let mut driver = Driver::new(at_most(0));
    for submission in [
        Submission::labelled(".idle-1"),
        after_these("a", &["nothing"]),
    ] {
        let refused = driver.scheduler.submit(driver.now, submission);
        assert_eq!(refused, Err(SubmitError::Full));
    }
    driver.input(Input::SupervisorGone { reported: true });
    driver.next_action();
    let refused = driver.scheduler.submit(driver.now, Submission::default());
    assert_eq!(refused, Err(SubmitError::Failed));
    driver.input(Input::Kill);
    let refused = driver.scheduler.submit(driver.now, Submission::default());
    assert_eq!(refused, Err(SubmitError::Closed));
}

#[test]
fn the_unfinished_tasks_of_a_tag_are_found() {
    let (mut driver, _) = Driver::ready(plain(1));
    let tag: Arc<str> = "session".into();
    let tagged = || Submission {
        tag: Some(Arc::clone(&tag)),
        ..Submission::default()
    };
    let first = driver.submit(tagged());
    let (worker, attempt) = driver.sent();
    driver.push();
    let third = driver.submit(tagged());
    assert_eq!(driver.scheduler.tagged("session"), [first, third]);
    assert_eq!(driver.scheduler.tagged("sessio"), []);
    assert_eq!(driver.scheduler.task(third).unwrap().tag, Some("session"));
    driver.finish(worker, attempt);
    driver.done(first, Outcome::Success);
    driver.sent();
    assert_eq!(driver.scheduler.tagged("session"), [third]);
}
