//! Sessions that die as soon as they are ready.

mod common;

use common::{ms, plain, Driver, CRASH};
use taskq_core::{GoneCause, Input, Outcome, QueueState, SchedulerConfig, WorkerId};

fn limit(idle_death_limit: u32) -> SchedulerConfig {
    SchedulerConfig {
        idle_death_limit,
        ..plain(1)
    }
}

fn next(driver: &mut Driver) -> WorkerId {
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    worker
}

/// The session dies so long after it became ready; the next one is ready.
fn die(driver: &mut Driver, worker: WorkerId, age: u64) -> WorkerId {
    driver.wait(ms(age));
    driver.dies(worker);
    next(driver)
}

#[test]
fn after_so_many_of_them_in_a_row_the_pool_is_given_up() {
    let (mut driver, workers) = Driver::ready(limit(3));
    let mut worker = workers[0];
    for _ in 0..2 {
        worker = die(&mut driver, worker, 1000);
    }
    assert_eq!(driver.state(), QueueState::Open);
    driver.dies(worker);
    driver.expect(taskq_core::Action::Failed);
    driver.expect(taskq_core::Action::Shutdown);
    assert_eq!(driver.state(), QueueState::Failed);
    assert_eq!(driver.scheduler.totals().sessions_died, 3);
}

#[test]
fn those_that_are_killed_together_count_once() {
    let (mut driver, workers) = Driver::ready(SchedulerConfig {
        idle_death_limit: 2,
        ..plain(3)
    });
    for worker in workers {
        driver.dies(worker);
    }
    let replacements = [next(&mut driver), next(&mut driver), next(&mut driver)];
    assert_eq!(driver.state(), QueueState::Open);
    driver.dies(replacements[2]);
    for worker in [replacements[1], replacements[0]] {
        driver.expect(taskq_core::Action::Retire { worker });
    }
    driver.expect(taskq_core::Action::Failed);
    driver.expect(taskq_core::Action::Shutdown);
    assert_eq!(driver.state(), QueueState::Failed);
}

#[test]
fn a_finished_task_sets_the_count_back() {
    let (mut driver, workers) = Driver::ready(limit(2));
    let mut worker = workers[0];
    for _ in 0..3 {
        worker = die(&mut driver, worker, 1);
        let task = driver.push();
        let (_, attempt) = driver.sent();
        driver.finish(worker, attempt);
        driver.done(task, Outcome::Success);
        // Having finished a task, it does not count either.
        worker = die(&mut driver, worker, 1);
    }
    assert_eq!(driver.state(), QueueState::Open);
}

#[test]
fn those_that_lived_for_a_while_or_went_with_their_supervisor_do_not_count() {
    let (mut driver, workers) = Driver::ready(limit(1));
    let worker = die(&mut driver, workers[0], 1001);
    driver.gone(worker, GoneCause::SupervisorLost, None);
    driver.input(Input::SupervisorGone { reported: false });
    driver.expect(taskq_core::Action::Boot);
    driver.input(Input::SupervisorUp);
    next(&mut driver);
    assert_eq!(driver.state(), QueueState::Open);
}

#[test]
fn a_session_that_dies_in_a_task_does_not_count() {
    let (mut driver, _) = Driver::ready(limit(1));
    for _ in 0..3 {
        let task = driver.push();
        let (worker, attempt) = driver.sent();
        driver.dies_in(worker, attempt);
        driver.done(task, Outcome::Crash { cause: CRASH });
        next(&mut driver);
    }
}

#[test]
fn a_session_that_dies_before_it_has_begun_what_it_was_sent_counts() {
    let (mut driver, _) = Driver::ready(limit(2));
    let task = driver.push();
    for dies in 1..=2 {
        let (worker, _) = driver.sent();
        driver.dies(worker);
        if dies == 1 {
            next(&mut driver);
        }
    }
    driver.done(task, Outcome::NoWorker);
    driver.expect(taskq_core::Action::Failed);
    driver.expect(taskq_core::Action::Shutdown);
}

#[test]
fn a_session_that_was_told_to_leave_does_not_count() {
    let (mut driver, workers) = Driver::ready(limit(1));
    let worker = workers[0];
    driver.input(Input::Resize {
        workers: 0,
        max_workers: 0,
    });
    driver.expect(taskq_core::Action::Retire { worker });
    driver.dies(worker);
    assert_eq!(driver.state(), QueueState::Open);
    assert_eq!(driver.scheduler.totals().sessions_died, 0);
}
