//! The order in which tasks are sent.

mod common;

use common::{ms, plain, us, Driver};
use taskq_core::{Action, Input, Outcome, SchedulerConfig, TaskId, TaskOptions};

fn priority(priority: i32) -> TaskOptions {
    TaskOptions {
        priority,
        ..TaskOptions::default()
    }
}

/// Runs tasks on the only worker until none waits, and says in which order.
fn order(driver: &mut Driver) -> Vec<TaskId> {
    let mut order = Vec::new();
    while let Some(Action::Send { worker, attempt }) = driver.next_action() {
        order.push(attempt.task);
        driver.finish(worker, attempt);
        driver.done(attempt.task, Outcome::Success);
    }
    order
}

#[test]
fn higher_priorities_come_first_and_older_ones_within_a_priority() {
    let mut driver = Driver::new(plain(1));
    let tasks: Vec<TaskId> = [0, 2, i32::MIN, 2, i32::MAX, 0]
        .map(|number| driver.push_with(priority(number)))
        .to_vec();
    driver.input(Input::SupervisorUp);
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    let expected = [4, 1, 3, 0, 5, 2].map(|place: usize| tasks[place]);
    assert_eq!(order(&mut driver), expected);
}

#[test]
fn a_running_task_is_not_disturbed() {
    let (mut driver, _) = Driver::ready(plain(1));
    let first = driver.push();
    let (worker, attempt) = driver.sent();
    driver.push_with(priority(9));
    driver.expect_nothing();
    driver.finish(worker, attempt);
    driver.done(first, Outcome::Success);
    driver.sent();
}

#[test]
fn what_was_given_back_keeps_its_place_within_its_priority() {
    let config = SchedulerConfig {
        workers: 1,
        recall_after: ms(2),
        ..SchedulerConfig::default()
    };
    let (mut driver, worker) = Driver::with_run_time(config, us(400));
    let (first, second, third) = (driver.push(), driver.push(), driver.push());
    let sent = [driver.sent().1, driver.sent().1, driver.sent().1];
    let urgent = driver.push_with(priority(1));
    let late = driver.push();
    driver.wait(ms(2));
    let attempts = sent[1..].to_vec();
    driver.expect(Action::Recall { worker, attempts });
    driver.returned(worker, &sent[1..]);
    driver.finish(worker, sent[0]);
    driver.done(first, Outcome::Success);
    let mut again = Vec::new();
    while let Some(Action::Send { attempt, .. }) = driver.next_action() {
        again.push(attempt.task);
    }
    let expected = [urgent, second, third, late];
    assert_eq!(again, expected[..again.len()]);
    assert!(!again.is_empty());
}

#[test]
fn the_view_shows_the_priority() {
    let mut driver = Driver::new(plain(0));
    let (usual, urgent) = (driver.push(), driver.push_with(priority(7)));
    let shown = |task| driver.scheduler.task(task).unwrap().priority;
    assert_eq!((shown(usual), shown(urgent)), (0, 7));
}
