//! Many tasks at once: all of them or none.

mod common;

use common::{after_these, ms, plain, Driver};
use taskq_core::{Action, Input, Outcome, SchedulerConfig, Submission, SubmitError, TaskOptions};

fn labelled(labels: &[&str]) -> Vec<Submission> {
    labels
        .iter()
        .map(|&label| Submission::labelled(label))
        .collect()
}

fn with_key(label: &str, key: &str) -> Submission {
    Submission {
        key: Some(key.into()),
        ..Submission::labelled(label)
    }
}

/// Refused, and nothing has changed.
fn refused(driver: &mut Driver, tasks: Vec<Submission>) -> SubmitError {
    let before = (driver.scheduler.counts(), *driver.scheduler.totals());
    let refusal = driver.scheduler.submit_all(driver.now, tasks).unwrap_err();
    driver.input(Input::Tick);
    assert_eq!(
        before,
        (driver.scheduler.counts(), *driver.scheduler.totals())
    );
    refusal
}

#[test]
fn they_are_sent_in_their_order_and_to_all_that_are_idle() {
    let (mut driver, _) = Driver::ready(plain(2));
    let tasks = driver.submit_all(labelled(&["a", "b", "c"]));
    let (worker, first) = driver.sent();
    assert_eq!(first.task, tasks[0]);
    assert_eq!(driver.sent().1.task, tasks[1]);
    driver.assert_counts(1, 2, 0);
    driver.finish(worker, first);
    driver.done(first.task, Outcome::Success);
    assert_eq!(driver.sent().1.task, tasks[2]);
}

#[test]
fn one_that_cannot_be_keeps_all_of_them_out() {
    let mut driver = Driver::new(plain(1));
    driver.push_labelled("here");
    let duplicate = |label: &str| SubmitError::Duplicate {
        label: label.into(),
    };
    assert_eq!(
        refused(&mut driver, labelled(&["a", "here"])),
        duplicate("here")
    );
    assert_eq!(
        refused(&mut driver, labelled(&["a", "b", "a"])),
        duplicate("a")
    );
    let reserved = refused(&mut driver, labelled(&["a", ".idle-1"]));
    assert!(matches!(reserved, SubmitError::Reserved { .. }));
    // What another one of them is does not count.
    let unknown = refused(
        &mut driver,
        vec![Submission::labelled("a"), after_these("b", &["a"])],
    );
    assert_eq!(unknown, SubmitError::Unknown { label: "a".into() });
    let tasks = driver.submit_all(labelled(&["a", "b"]));
    assert_eq!(tasks.len(), 2);
}

#[test]
fn a_refusal_cancels_nobody_whose_key_was_given() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.submit(with_key("old", "k"));
    let (worker, attempt) = driver.sent();
    refused(
        &mut driver,
        vec![with_key("new", "k"), Submission::labelled("old")],
    );
    driver.assert_counts(0, 1, 0);
    driver.submit_all(vec![with_key("new", "k")]);
    driver.expect(Action::Interrupt { worker, attempt });
}

#[test]
fn automatic_labels_step_over_those_that_others_of_them_bring() {
    let mut driver = Driver::new(plain(1));
    let mut tasks = labelled(&[".2"]);
    tasks.insert(0, Submission::default());
    tasks.insert(1, Submission::default());
    let ids = driver.submit_all(tasks);
    let label = |at: usize| driver.scheduler.task(ids[at]).unwrap().label.to_owned();
    assert_eq!([label(0), label(1), label(2)], [".1", ".3", ".2"]);
}

#[test]
fn there_must_be_room_for_all_and_more_than_may_wait_can_never_be() {
    let config = SchedulerConfig {
        max_waiting: 3,
        ..plain(1)
    };
    let mut driver = Driver::new(config);
    driver.push();
    assert_eq!(
        refused(&mut driver, labelled(&["a", "b", "c"])),
        SubmitError::Full
    );
    let many = labelled(&["a", "b", "c", "d"]);
    assert_eq!(
        refused(&mut driver, many),
        SubmitError::TooMany { limit: 3 }
    );
    assert!(driver.scheduler.has_room(2) && !driver.scheduler.has_room(3));
    driver.submit_all(labelled(&["a", "b"]));
    assert_eq!(driver.submit_all(Vec::new()), []);
}

#[test]
fn those_that_cannot_run_are_skipped_at_once() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.push_labelled("bad");
    let (worker, attempt) = driver.sent();
    driver.finish_with(worker, attempt, taskq_core::Verdict::Error);
    driver.done(attempt.task, Outcome::Error);
    let tasks = driver.submit_all(vec![after_these("a", &["bad"]), after_these("b", &["bad"])]);
    for task in tasks {
        driver.done(
            task,
            Outcome::Skipped {
                after: attempt.task,
            },
        );
    }
}

#[test]
fn a_closed_queue_refuses_even_none() {
    let mut driver = Driver::new(plain(1));
    driver.input(Input::Kill);
    driver.expect(Action::KillSupervisor);
    assert_eq!(refused(&mut driver, Vec::new()), SubmitError::Closed);
}

#[test]
fn each_has_the_options_it_came_with() {
    let (mut driver, _) = Driver::ready(plain(1));
    let urgent = Submission {
        options: TaskOptions {
            priority: 1,
            timeout: Some(ms(5)),
            ..TaskOptions::default()
        },
        ..Submission::default()
    };
    let tasks = driver.submit_all(vec![Submission::default(), urgent]);
    let (worker, attempt) = driver.sent();
    assert_eq!(attempt.task, tasks[1]);
    driver.wait(ms(5));
    driver.expect(Action::Interrupt { worker, attempt });
}
