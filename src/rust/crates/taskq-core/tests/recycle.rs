//! Sessions that are replaced although they are well.

mod common;

use common::{ms, plain, us, Driver};
use taskq_core::{
    Action, AttemptId, Input, Outcome, SchedulerConfig, SeatState, TaskOptions, Verdict, WorkerId,
};

fn finish_with_memory(driver: &mut Driver, worker: WorkerId, attempt: AttemptId, bytes: u64) {
    let ended = driver.now;
    driver.input(Input::Finished {
        worker,
        attempt,
        verdict: Verdict::Success,
        began: ended,
        ended,
        memory: Some(bytes),
        running: None,
    });
}

#[test]
fn a_session_that_has_run_so_many_tasks_is_replaced() {
    let config = SchedulerConfig {
        max_tasks: 2,
        ..plain(1)
    };
    let (mut driver, workers) = Driver::ready(config);
    for number in 1..=2 {
        let task = driver.push();
        let (worker, attempt) = driver.sent();
        assert_eq!(worker, workers[0]);
        driver.finish(worker, attempt);
        driver.done(task, Outcome::Success);
        assert_eq!(driver.scheduler.totals().sessions_recycled, number / 2);
    }
    let worker = workers[0];
    driver.expect(Action::Retire { worker });
    let next = driver.launched();
    assert_eq!(driver.seat_states(), [SeatState::Starting]);
    driver.push();
    driver.expect_nothing();
    driver.input(Input::WorkerReady { worker: next });
    assert_eq!(driver.sent().0, next);
    // It does not leave: it is killed.
    driver.wait(ms(2000));
    driver.expect(Action::KillWorker { worker });
    driver.gone(worker, common::CRASH, None);
    assert_eq!(driver.scheduler.totals().sessions_died, 0);
}

#[test]
fn no_more_is_sent_ahead_than_it_may_run() {
    let config = SchedulerConfig {
        max_tasks: 4,
        workers: 1,
        ..SchedulerConfig::default()
    };
    let (mut driver, worker) = Driver::with_run_time(config, us(10));
    for _ in 0..9 {
        driver.push();
    }
    let sent: Vec<_> = (0..3).map(|_| driver.sent().1).collect();
    driver.expect_nothing();
    for attempt in sent {
        driver.finish(worker, attempt);
        driver.done(attempt.task, Outcome::Success);
    }
    driver.expect(Action::Retire { worker });
    driver.launched();
}

#[test]
fn what_was_given_back_does_not_count() {
    let config = SchedulerConfig {
        max_tasks: 3,
        workers: 1,
        ..SchedulerConfig::default()
    };
    let (mut driver, worker) = Driver::with_run_time(config, us(10));
    let (first, second) = (driver.push(), driver.push());
    let (head, behind) = (driver.sent().1, driver.sent().1);
    driver.wait(ms(4));
    let attempts = vec![behind];
    driver.expect(Action::Recall { worker, attempts });
    driver.returned(worker, &[behind]);
    driver.finish(worker, head);
    driver.done(first, Outcome::Success);
    let (again, attempt) = driver.sent();
    assert_eq!((again, attempt.task), (worker, second));
    driver.finish(worker, attempt);
    driver.done(second, Outcome::Success);
    driver.expect(Action::Retire { worker });
    driver.launched();
}

#[test]
fn a_session_runs_one_task_at_least() {
    let config = SchedulerConfig {
        max_tasks: 0,
        ..plain(1)
    };
    let (mut driver, _) = Driver::ready(config);
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    driver.expect(Action::Retire { worker });
    driver.launched();
}

#[test]
fn a_session_that_has_grown_too_large_gives_back_what_it_has_and_is_replaced() {
    let config = SchedulerConfig {
        max_memory: 1000,
        workers: 1,
        ..SchedulerConfig::default()
    };
    let (mut driver, worker) = Driver::with_run_time(config, us(10));
    let tasks = [driver.push(), driver.push(), driver.push()];
    let sent = [driver.sent().1, driver.sent().1, driver.sent().1];
    finish_with_memory(&mut driver, worker, sent[0], 1001);
    driver.done(tasks[0], Outcome::Success);
    // It has begun the second by now.
    let attempts = sent[2..].to_vec();
    driver.expect(Action::Recall { worker, attempts });
    driver.push();
    driver.expect_nothing();
    driver.returned(worker, &sent[2..]);
    finish_with_memory(&mut driver, worker, sent[1], 500);
    driver.done(tasks[1], Outcome::Success);
    driver.expect(Action::Retire { worker });
    let next = driver.launched();
    driver.input(Input::WorkerReady { worker: next });
    assert_eq!(driver.sent().1.task, tasks[2]);
    driver.sent();
}

#[test]
fn a_session_within_its_limits_stays() {
    let config = SchedulerConfig {
        max_memory: 1000,
        ..plain(1)
    };
    let (mut driver, _) = Driver::ready(config);
    for _ in 0..5 {
        let task = driver.push();
        let (worker, attempt) = driver.sent();
        finish_with_memory(&mut driver, worker, attempt, 1000);
        driver.done(task, Outcome::Success);
    }
}

#[test]
fn a_seat_that_leaves_gets_no_new_session() {
    let config = SchedulerConfig {
        max_tasks: 1,
        ..plain(1)
    };
    let (mut driver, _) = Driver::ready(config);
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.input(Input::Resize {
        workers: 0,
        max_workers: 0,
    });
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    driver.expect(Action::Retire { worker });
    assert_eq!(driver.seat_numbers(), []);
    assert_eq!(driver.scheduler.totals().sessions_recycled, 0);
}

#[test]
fn a_seat_that_stays_after_all_still_gets_one() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(TaskOptions {
        isolate: true,
        ..TaskOptions::default()
    });
    let (worker, attempt) = driver.sent();
    for workers in [0, 1] {
        driver.input(Input::Resize {
            workers,
            max_workers: 0,
        });
    }
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    driver.expect(Action::Retire { worker });
    driver.launched();
}
