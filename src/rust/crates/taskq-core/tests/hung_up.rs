//! Sessions that have closed their sockets.

mod common;

use common::{ms, plain, Driver, CRASH};
use taskq_core::{Action, GoneCause, Input, Outcome, QueueState, SchedulerConfig, WorkerId};

/// A queue that has told its only session to leave.
fn leaving() -> (Driver, WorkerId) {
    let (mut driver, workers) = Driver::ready(plain(1));
    let worker = workers[0];
    driver.input(Input::Resize {
        workers: 0,
        max_workers: 0,
    });
    driver.expect(Action::Retire { worker });
    (driver, worker)
}

/// The session closes its socket, and lives until it is killed for it.
fn hangs_up(driver: &mut Driver, worker: WorkerId) {
    driver.input(Input::HungUp { worker });
    driver.wait(ms(499));
    driver.expect_nothing();
    driver.wait(ms(1));
    driver.expect(Action::KillWorker { worker });
}

#[test]
fn one_that_ends_soon_is_not_killed() {
    let (mut driver, workers) = Driver::ready(plain(1));
    let worker = workers[0];
    driver.input(Input::HungUp { worker });
    driver.wait(ms(100));
    driver.dies(worker);
    driver.launched();
    driver.wait(ms(10_000));
    driver.expect_nothing();
}

#[test]
fn it_is_killed_and_when_that_does_not_help_so_is_the_supervisor() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    let begun = Some(taskq_core::Begun {
        attempt,
        at: driver.now,
    });
    hangs_up(&mut driver, worker);
    driver.wait(ms(1999));
    driver.expect_nothing();
    driver.wait(ms(1));
    driver.expect(Action::KillSupervisor);
    let cause = GoneCause::SupervisorLost;
    driver.gone(worker, cause, begun);
    driver.done(task, Outcome::Crash { cause });
    driver.input(Input::SupervisorGone { reported: false });
    driver.expect(Action::Boot);
}

#[test]
fn the_time_it_has_begins_when_it_hangs_up_and_once_only() {
    let (mut driver, workers) = Driver::ready(plain(1));
    let worker = workers[0];
    driver.input(Input::HungUp { worker });
    driver.wait(ms(400));
    driver.input(Input::HungUp { worker });
    driver.wait(ms(100));
    driver.expect(Action::KillWorker { worker });
    driver.launched();
}

#[test]
fn what_it_had_begun_is_lost_with_it_and_what_it_had_not_runs_elsewhere() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, _) = driver.sent();
    hangs_up(&mut driver, worker);
    driver.dies(worker);
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    let (worker, attempt) = driver.sent();
    hangs_up(&mut driver, worker);
    driver.dies_in(worker, attempt);
    driver.done(task, Outcome::Crash { cause: CRASH });
    driver.launched();
}

#[test]
fn one_that_was_idle_is_sent_nothing_once_it_is_killed() {
    let (mut driver, workers) = Driver::ready(plain(1));
    let worker = workers[0];
    hangs_up(&mut driver, worker);
    let next = driver.launched();
    driver.push();
    driver.input(Input::WorkerReady { worker: next });
    assert_eq!(driver.sent().0, next);
    driver.dies(worker);
}

#[test]
fn it_counts_as_one_that_died_by_itself() {
    let (mut driver, workers) = Driver::ready(SchedulerConfig {
        idle_death_limit: 1,
        ..plain(1)
    });
    let worker = workers[0];
    hangs_up(&mut driver, worker);
    let next = driver.launched();
    driver.dies(worker);
    assert_eq!(driver.scheduler.totals().sessions_died, 1);
    driver.expect(Action::KillWorker { worker: next });
    driver.expect(Action::Failed);
    driver.expect(Action::Shutdown);
    assert_eq!(driver.state(), QueueState::Failed);
}

#[test]
fn one_that_was_told_to_leave_is_killed_sooner_for_it_and_does_not_count() {
    let (mut driver, worker) = leaving();
    hangs_up(&mut driver, worker);
    driver.dies(worker);
    assert_eq!(driver.scheduler.totals().sessions_died, 0);
}

#[test]
fn one_that_should_be_gone_already_has_no_more_time_for_it() {
    let (mut driver, worker) = leaving();
    driver.wait(ms(1800));
    driver.input(Input::HungUp { worker });
    driver.wait(ms(200));
    driver.expect(Action::KillWorker { worker });
}

#[test]
fn one_that_is_killed_for_its_task_meanwhile_has_the_whole_time_to_die() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.push();
    let (worker, attempt) = driver.sent();
    driver.cancel(attempt.task);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.wait(ms(300));
    driver.input(Input::HungUp { worker });
    driver.wait(ms(200));
    driver.expect(Action::KillWorker { worker });
    driver.wait(ms(1999));
    driver.expect_nothing();
    driver.wait(ms(1));
    driver.expect(Action::KillSupervisor);
}

#[test]
fn one_that_is_killed_already_is_not_killed_again() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.push();
    let (worker, attempt) = driver.sent();
    driver.cancel(attempt.task);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.wait(ms(500));
    driver.expect(Action::KillWorker { worker });
    driver.input(Input::HungUp { worker });
    driver.wait(ms(1000));
    driver.dies_in(worker, attempt);
    driver.done(attempt.task, Outcome::Cancelled);
    driver.launched();
    let before = driver.scheduler.stale();
    driver.input(Input::HungUp { worker });
    assert_eq!(driver.scheduler.stale(), before + 1);
}
