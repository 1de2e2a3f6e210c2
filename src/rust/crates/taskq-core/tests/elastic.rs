//! Pools whose number of sessions follows the load.

mod common;

use std::time::Duration;

use common::{ms, plain, us, Driver};
use taskq_core::{
    Action, AttemptId, Input, LookAhead, Outcome, RetryOn, SchedulerConfig, TaskOptions, Verdict,
    WorkerId,
};

const IDLE: Duration = Duration::from_secs(10);

fn between(workers: u32, max_workers: u32) -> SchedulerConfig {
    SchedulerConfig {
        max_workers,
        idle_timeout: IDLE,
        ..plain(workers)
    }
}

fn resize(driver: &mut Driver, workers: u32, max_workers: u32) {
    driver.input(Input::Resize {
        workers,
        max_workers,
    });
}

/// Launched, and ready at once.
fn comes(driver: &mut Driver) -> WorkerId {
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    worker
}

fn finish(driver: &mut Driver, (worker, attempt): (WorkerId, AttemptId)) {
    driver.finish(worker, attempt);
    driver.done(attempt.task, Outcome::Success);
}

#[test]
fn a_seat_comes_for_each_task_that_finds_no_idle_worker() {
    let (mut driver, workers) = Driver::ready(between(1, 3));
    driver.push();
    assert_eq!(driver.sent().0, workers[0]);
    driver.push();
    let second = driver.launched();
    assert_eq!(driver.seat_numbers(), [1, 2]);
    driver.push();
    driver.launched();
    // No more than the maximum.
    driver.push();
    driver.expect_nothing();
    driver.input(Input::WorkerReady { worker: second });
    assert_eq!(driver.sent().0, second);
}

#[test]
fn tasks_that_come_together_get_all_their_seats_together() {
    let (mut driver, _) = Driver::ready(between(1, 10));
    driver.input(Input::Pause);
    for _ in 0..5 {
        driver.push();
    }
    driver.wait(ms(100));
    assert_eq!(driver.seat_numbers(), [1]);
    driver.input(Input::Resume);
    driver.sent();
    for _ in 0..4 {
        driver.launched();
    }
}

#[test]
fn a_session_that_starts_already_is_enough() {
    let (mut driver, workers) = Driver::ready(between(1, 9));
    driver.push();
    driver.sent();
    driver.push();
    let second = driver.launched();
    driver.input(Input::WorkerReady { worker: second });
    driver.sent();
    driver.dies(second);
    // The dead session's task waits again, and its seat starts anew.
    driver.launched();
    driver.expect_nothing();
    assert_eq!(driver.scheduler.seats().count(), workers.len() + 1);
}

#[test]
fn what_is_held_or_lies_ahead_brings_no_seat() {
    let config = SchedulerConfig {
        look_ahead: LookAhead::default(),
        ..between(1, 9)
    };
    let (mut driver, _) = Driver::with_run_time(config, us(10));
    driver.push_labelled("a");
    driver.sent();
    driver.push_after("b", &["a"]);
    driver.push();
    driver.sent();
    driver.expect_nothing();
}

#[test]
fn what_backs_off_brings_a_seat_when_its_delay_is_over() {
    let (mut driver, _) = Driver::ready(between(1, 2));
    driver.push_with(TaskOptions {
        tries: 2,
        retry_on: RetryOn {
            error: true,
            ..RetryOn::default()
        },
        backoff: ms(100),
        ..TaskOptions::default()
    });
    let (worker, attempt) = driver.sent();
    driver.finish_with(worker, attempt, Verdict::Error);
    driver.push();
    driver.sent();
    driver.expect_nothing();
    driver.wait(ms(100));
    driver.launched();
}

#[test]
fn a_pool_without_a_minimum_starts_sessions_on_demand() {
    let mut driver = Driver::new(between(0, 2));
    driver.input(Input::SupervisorUp);
    driver.expect_nothing();
    driver.push();
    let worker = comes(&mut driver);
    let sent = driver.sent();
    finish(&mut driver, sent);
    driver.wait(IDLE - ms(1));
    driver.expect_nothing();
    driver.wait(ms(1));
    driver.expect(Action::Retire { worker });
    assert_eq!(driver.seat_numbers(), []);
    driver.gone(worker, common::CRASH, None);
    driver.push();
    comes(&mut driver);
    driver.sent();
}

#[test]
fn tasks_that_come_before_the_supervisor_is_up_get_their_seats() {
    let mut driver = Driver::new(between(0, 2));
    for _ in 0..3 {
        driver.push();
    }
    driver.expect_nothing();
    driver.input(Input::SupervisorUp);
    driver.launched();
    driver.launched();
}

#[test]
fn sessions_above_the_minimum_go_when_they_have_been_idle_for_long() {
    let (mut driver, workers) = Driver::ready(between(1, 3));
    for _ in 0..3 {
        driver.push();
    }
    let first = driver.sent();
    let (second, third) = (driver.launched(), driver.launched());
    driver.input(Input::WorkerReady { worker: second });
    let middle = driver.sent();
    driver.input(Input::WorkerReady { worker: third });
    let last = driver.sent();
    finish(&mut driver, last);
    driver.wait(IDLE / 2);
    finish(&mut driver, first);
    finish(&mut driver, middle);
    driver.wait(IDLE / 2 - ms(1));
    driver.expect_nothing();
    driver.wait(ms(1));
    driver.expect(Action::Retire { worker: third });
    assert_eq!(driver.seat_numbers(), [1, 2]);
    driver.gone(third, common::CRASH, None);
    driver.wait(IDLE / 2 - ms(1));
    driver.expect_nothing();
    // Of two that have been idle equally long, one stays.
    driver.wait(ms(1));
    let Some(Action::Retire { worker }) = driver.next_action() else {
        panic!("one session goes")
    };
    assert!(worker == workers[0] || worker == second);
    driver.gone(worker, common::CRASH, None);
    driver.wait(IDLE * 10);
    driver.expect_nothing();
    assert_eq!(driver.scheduler.next_wakeup(), None);
}

#[test]
fn a_session_that_works_in_between_stays() {
    let (mut driver, _) = Driver::ready(between(0, 1));
    driver.push();
    comes(&mut driver);
    let sent = driver.sent();
    finish(&mut driver, sent);
    for _ in 0..5 {
        driver.wait(IDLE - ms(1));
        driver.push();
        let sent = driver.sent();
        driver.wait(ms(2));
        finish(&mut driver, sent);
    }
    driver.wait(IDLE - ms(1));
    driver.expect_nothing();
    driver.wait(ms(1));
    assert!(matches!(driver.next_action(), Some(Action::Retire { .. })));
}

#[test]
fn busy_sessions_never_go() {
    let (mut driver, _) = Driver::ready(between(0, 1));
    driver.push();
    comes(&mut driver);
    driver.sent();
    driver.wait(IDLE * 3);
    driver.expect_nothing();
}

#[test]
fn a_pool_of_fixed_size_has_no_idle_timer() {
    for max_workers in [0, 1, 2] {
        let (driver, _) = Driver::ready(SchedulerConfig {
            max_workers,
            ..plain(2)
        });
        assert_eq!(driver.scheduler.next_wakeup(), None);
    }
}

#[test]
fn both_limits_can_be_changed() {
    let (mut driver, _) = Driver::ready(between(1, 1));
    driver.push();
    driver.sent();
    driver.push();
    driver.expect_nothing();
    resize(&mut driver, 1, 2);
    comes(&mut driver);
    driver.sent();
    // More at once, because there are to be so many at least.
    resize(&mut driver, 4, 0);
    for _ in 0..2 {
        comes(&mut driver);
    }
    assert_eq!(driver.seat_numbers(), [1, 2, 3, 4]);
    // Between the limits nothing changes at once; idle ones go in time.
    resize(&mut driver, 1, 9);
    assert_eq!(driver.seat_numbers(), [1, 2, 3, 4]);
    driver.wait(IDLE);
    for _ in 0..2 {
        assert!(matches!(driver.next_action(), Some(Action::Retire { .. })));
    }
    assert_eq!(driver.seat_numbers(), [1, 2]);
    // Above the maximum they go at once.
    resize(&mut driver, 0, 1);
    assert_eq!(driver.scheduler.seats().count(), 2, "one is leaving");
}

#[test]
fn a_seat_that_was_leaving_is_the_first_to_come_back() {
    let (mut driver, _) = Driver::ready(between(2, 2));
    driver.push();
    driver.push();
    driver.sent();
    driver.sent();
    resize(&mut driver, 1, 1);
    driver.push();
    driver.expect_nothing();
    resize(&mut driver, 1, 2);
    driver.expect_nothing();
    assert_eq!(driver.seat_numbers(), [1, 2]);
    resize(&mut driver, 1, 1);
    resize(&mut driver, 1, 3);
    driver.launched();
    assert_eq!(driver.seat_numbers(), [1, 2, 3], "what came back is busy");
}

#[test]
fn an_isolated_task_brings_a_seat_when_no_idle_session_can_make_way() {
    let (mut driver, _) = Driver::ready(between(1, 2));
    driver.push();
    let sent = driver.sent();
    let isolated = driver.push_with(TaskOptions {
        isolate: true,
        ..TaskOptions::default()
    });
    let second = driver.launched();
    finish(&mut driver, sent);
    driver.expect_nothing();
    driver.input(Input::WorkerReady { worker: second });
    assert_eq!(driver.sent().1.task, isolated);
}

#[test]
fn a_closing_queue_gets_the_seats_it_needs() {
    let mut driver = Driver::new(between(0, 1));
    driver.input(Input::SupervisorUp);
    driver.push_labelled("a");
    driver.push_after("b", &["a"]);
    let worker = comes(&mut driver);
    let sent = driver.sent();
    let deadline = driver.now.after(IDLE * 9);
    driver.input(Input::Close { deadline });
    driver.finish_with(worker, sent.1, Verdict::Success);
    driver.done(sent.1.task, Outcome::Success);
    let sent = driver.sent();
    driver.dies(worker);
    comes(&mut driver);
    let again = driver.sent();
    assert_eq!(again.1.task, sent.1.task);
    finish(&mut driver, again);
    driver.expect(Action::Shutdown);
}
