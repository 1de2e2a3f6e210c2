//! More seats, fewer seats, and who has to go.

mod common;

use common::{ms, plain, us, Driver};
use taskq_core::{Action, Input, Outcome, SchedulerConfig, SeatState, WorkerId};

fn resize(driver: &mut Driver, workers: u32) {
    driver.input(Input::Resize {
        workers,
        max_workers: 0,
    });
}

#[test]
fn more_workers_are_launched_at_once() {
    let (mut driver, _) = Driver::ready(plain(1));
    resize(&mut driver, 3);
    driver.launched();
    driver.launched();
    assert_eq!(driver.seat_numbers(), [1, 2, 3]);
    assert_eq!(
        driver.seat_states(),
        [SeatState::Idle, SeatState::Starting, SeatState::Starting]
    );
}

#[test]
fn a_queue_without_workers_keeps_its_tasks_until_it_has_some() {
    let mut driver = Driver::new(plain(0));
    driver.input(Input::SupervisorUp);
    let task = driver.push();
    driver.expect_nothing();
    resize(&mut driver, 1);
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    assert_eq!(driver.sent().1.task, task);
}

#[test]
fn idle_workers_retire_at_once() {
    let (mut driver, workers) = Driver::ready(plain(3));
    resize(&mut driver, 1);
    for &worker in workers[1..].iter().rev() {
        driver.expect(Action::Retire { worker });
    }
    assert_eq!(driver.seat_numbers(), [1]);
    for &worker in &workers[1..] {
        driver.dies(worker);
    }
    assert_eq!(driver.scheduler.next_wakeup(), None);
}

#[test]
fn starting_workers_are_killed_and_may_be_ready_too_late() {
    let mut driver = Driver::new(plain(2));
    driver.input(Input::SupervisorUp);
    let (first, worker) = (driver.launched(), driver.launched());
    resize(&mut driver, 1);
    driver.expect(Action::KillWorker { worker });
    driver.input(Input::WorkerReady { worker });
    assert_eq!(driver.scheduler.stale(), 1);
    driver.dies(worker);
    driver.input(Input::WorkerReady { worker: first });
    assert_eq!(driver.seat_states(), [SeatState::Idle]);
}

#[test]
fn a_busy_worker_keeps_its_seat_until_its_task_has_ended() {
    let (mut driver, _) = Driver::ready(plain(1));
    let (task, waiting) = (driver.push(), driver.push());
    let (worker, attempt) = driver.sent();
    resize(&mut driver, 0);
    assert_eq!(driver.seat_states(), [SeatState::Leaving(attempt)]);
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    driver.expect(Action::Retire { worker });
    assert_eq!(driver.seat_states(), []);
    driver.dies(worker);
    driver.assert_counts(1, 0, 1);
    assert!(!driver.is_running(waiting));
}

#[test]
fn a_leaving_worker_gives_back_what_lies_ahead() {
    let config = SchedulerConfig {
        workers: 1,
        ..SchedulerConfig::default()
    };
    let (mut driver, worker) = Driver::with_run_time(config, us(10));
    let (first, second) = (driver.push(), driver.push());
    let (head, behind) = (driver.sent().1, driver.sent().1);
    resize(&mut driver, 0);
    let attempts = vec![behind];
    driver.expect(Action::Recall { worker, attempts });
    driver.finish(worker, head);
    driver.done(first, Outcome::Success);
    // Begun or given back? Only its session knows.
    assert!(driver.is_running(second));
    assert_eq!(driver.seat_states(), [SeatState::Leaving(behind)]);
    driver.returned(worker, &[behind]);
    driver.expect(Action::Retire { worker });
    driver.assert_counts(1, 0, 1);
}

#[test]
fn the_seat_of_a_leaving_worker_that_dies_is_not_filled_again() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    resize(&mut driver, 0);
    driver.dies_in(worker, attempt);
    let cause = common::CRASH;
    driver.done(task, Outcome::Crash { cause });
    assert_eq!(driver.seat_states(), []);
}

#[test]
fn growing_again_keeps_leaving_workers_and_fills_the_lowest_free_seats() {
    let (mut driver, _) = Driver::ready(plain(4));
    driver.push();
    driver.push();
    let (_, busy) = (driver.sent(), driver.sent().1);
    resize(&mut driver, 1);
    for worker in [WorkerId(4), WorkerId(3)] {
        driver.expect(Action::Retire { worker });
    }
    assert_eq!(
        driver.seat_numbers(),
        [1, 2],
        "idle seats go, busy ones stay for now"
    );
    assert_eq!(driver.seat_states()[1], SeatState::Leaving(busy));
    resize(&mut driver, 4);
    driver.launched();
    driver.launched();
    assert_eq!(driver.seat_states()[1], SeatState::Busy(busy));
    assert_eq!(driver.seat_numbers(), [1, 2, 3, 4]);
}

#[test]
fn those_that_would_be_missed_least_go_first() {
    let (mut driver, _) = Driver::ready(plain(2));
    driver.push();
    let (busy, attempt) = driver.sent();
    resize(&mut driver, 3);
    let worker = driver.launched();
    resize(&mut driver, 2);
    driver.expect(Action::KillWorker { worker });
    resize(&mut driver, 1);
    let worker = WorkerId(2);
    driver.expect(Action::Retire { worker });
    assert_eq!(driver.seat_states(), [SeatState::Busy(attempt)]);
    assert_ne!(busy, worker);
}

#[test]
fn a_worker_that_does_not_leave_is_killed_and_then_its_supervisor() {
    let (mut driver, workers) = Driver::ready(plain(1));
    let worker = workers[0];
    resize(&mut driver, 0);
    driver.expect(Action::Retire { worker });
    driver.wait(ms(2000));
    driver.expect(Action::KillWorker { worker });
    driver.wait(ms(2000));
    driver.expect(Action::KillSupervisor);
}

#[test]
fn seats_that_wait_for_the_supervisor_come_and_go_without_a_session() {
    let mut driver = Driver::new(plain(2));
    resize(&mut driver, 5);
    resize(&mut driver, 1);
    driver.input(Input::SupervisorUp);
    driver.launched();
    driver.expect_nothing();
}
