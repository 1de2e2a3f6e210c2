//! Tasks that run for longer than they may.

mod common;

use common::{ms, plain, us, Driver, CRASH};
use taskq_core::{Action, Input, Outcome, SchedulerConfig, Stop, TaskOptions, Time, Verdict};

fn within(timeout: u64) -> TaskOptions {
    TaskOptions {
        timeout: Some(ms(timeout)),
        ..TaskOptions::default()
    }
}

fn one_worker() -> SchedulerConfig {
    SchedulerConfig {
        workers: 1,
        ..SchedulerConfig::default()
    }
}

#[test]
fn a_task_that_runs_too_long_is_interrupted_and_its_session_lives() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(within(100));
    let (worker, attempt) = driver.sent();
    driver.wait(ms(99));
    driver.expect_nothing();
    driver.wait(ms(1));
    driver.expect(Action::Interrupt { worker, attempt });
    let view = driver.scheduler.task(task).unwrap();
    assert_eq!(view.stopping, Some(Stop::Timeout));
    assert!(driver.is_running(task));
    driver.wait(us(50));
    driver.finish_with(worker, attempt, Verdict::Interrupted);
    driver.done(task, Outcome::Timeout);
    assert_eq!(driver.scheduler.task(task).unwrap().tries, 1);
    assert_eq!(driver.scheduler.next_wakeup(), None);
    driver.push();
    assert_eq!(driver.sent().0, worker);
}

#[test]
fn a_session_that_ignores_the_interrupt_is_killed_after_grace() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(within(100));
    let (worker, attempt) = driver.sent();
    driver.wait(ms(100));
    driver.expect(Action::Interrupt { worker, attempt });
    driver.wait(ms(499));
    driver.expect_nothing();
    driver.wait(ms(1));
    driver.expect(Action::KillWorker { worker });
    driver.dies_in(worker, attempt);
    driver.done(task, Outcome::Timeout);
    driver.launched();
}

#[test]
fn a_task_that_ends_in_time_leaves_no_timer() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(within(100));
    let (worker, attempt) = driver.sent();
    assert_eq!(
        driver.scheduler.next_wakeup(),
        Some(driver.now.after(ms(100)))
    );
    driver.wait(ms(50));
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    assert_eq!(driver.scheduler.next_wakeup(), None);
    driver.wait(ms(1000));
}

#[test]
fn the_time_counts_from_the_sending_not_from_the_push() {
    let mut driver = Driver::new(plain(1));
    driver.push_with(within(100));
    driver.wait(ms(5000));
    driver.input(Input::SupervisorUp);
    let worker = driver.launched();
    driver.wait(ms(5000));
    driver.input(Input::WorkerReady { worker });
    let (_, attempt) = driver.sent();
    driver.wait(ms(99));
    driver.expect_nothing();
    driver.wait(ms(1));
    driver.expect(Action::Interrupt { worker, attempt });
}

#[test]
fn what_lies_ahead_has_its_time_from_when_its_turn_comes() {
    let (mut driver, worker) = Driver::with_run_time(one_worker(), us(10));
    let first = driver.push();
    driver.push_with(within(100));
    let (head, behind) = (driver.sent().1, driver.sent().1);
    let attempts = vec![behind];
    driver.wait(ms(4));
    driver.expect(Action::Recall { worker, attempts });
    driver.wait(ms(1000));
    driver.expect_nothing();
    driver.finish(worker, head);
    driver.done(first, Outcome::Success);
    driver.wait(ms(99));
    driver.expect_nothing();
    driver.wait(ms(1));
    let attempt = behind;
    driver.expect(Action::Interrupt { worker, attempt });
}

#[test]
fn what_lies_behind_a_task_that_took_too_long_is_saved() {
    let (mut driver, worker) = Driver::with_run_time(one_worker(), us(10));
    let first = driver.push_with(within(1));
    let second = driver.push();
    let (head, behind) = (driver.sent().1, driver.sent().1);
    driver.wait(ms(1));
    let attempts = vec![behind];
    driver.expect(Action::Recall { worker, attempts });
    let attempt = head;
    driver.expect(Action::Interrupt { worker, attempt });
    driver.returned(worker, &[behind]);
    driver.expect_nothing();
    driver.wait(ms(500));
    driver.expect(Action::KillWorker { worker });
    driver.dies_in(worker, head);
    driver.done(first, Outcome::Timeout);
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    assert_eq!(driver.sent().1.task, second);
}

#[test]
fn what_had_ended_in_time_is_what_it_says_however_late_that_is_heard() {
    for (late, verdict, outcome) in [
        (0, Verdict::Success, Outcome::Success),
        (0, Verdict::Error, Outcome::Error),
        (1, Verdict::Success, Outcome::Timeout),
        (1, Verdict::Error, Outcome::Timeout),
    ] {
        let (mut driver, _) = Driver::ready(plain(1));
        let task = driver.push_with(within(100));
        let (worker, attempt) = driver.sent();
        let due = driver.now.after(ms(100));
        // The host was stopped, and its timer runs out late.
        driver.now = driver.now.after(ms(300));
        driver.input(Input::Tick);
        driver.expect(Action::Interrupt { worker, attempt });
        driver.finish_at(worker, attempt, verdict, Time(due.0 + late));
        driver.done(task, outcome);
    }
}

#[test]
fn an_end_that_is_heard_before_the_timer_runs_out_counts() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(within(100));
    let (worker, attempt) = driver.sent();
    driver.now = driver.now.after(ms(300));
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    driver.wait(ms(0));
}

#[test]
fn a_cancel_wins_over_a_timeout_and_does_not_lengthen_it() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(within(100));
    let (worker, attempt) = driver.sent();
    driver.wait(ms(100));
    driver.expect(Action::Interrupt { worker, attempt });
    driver.wait(ms(300));
    driver.cancel(task);
    let view = driver.scheduler.task(task).unwrap();
    assert_eq!(view.stopping, Some(Stop::Cancel));
    driver.wait(ms(200));
    driver.expect(Action::KillWorker { worker });
    driver.dies_in(worker, attempt);
    driver.done(task, Outcome::Cancelled);
    driver.launched();
}

#[test]
fn a_cancelled_task_does_not_time_out() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(within(100));
    let (worker, attempt) = driver.sent();
    driver.wait(ms(99));
    driver.cancel(task);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.wait(ms(50));
    driver.expect_nothing();
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Cancelled);
}

#[test]
fn a_task_that_never_began_in_its_time_has_timed_out_without_a_try() {
    for dies in [false, true] {
        let (mut driver, _) = Driver::ready(plain(1));
        let task = driver.push_with(TaskOptions {
            tries: 3,
            ..within(100)
        });
        let (worker, attempt) = driver.sent();
        driver.wait(ms(100));
        driver.expect(Action::Interrupt { worker, attempt });
        if dies {
            driver.dies(worker);
        } else {
            driver.returned(worker, &[attempt]);
        }
        driver.done(task, Outcome::Timeout);
        assert_eq!(driver.scheduler.task(task).unwrap().tries, 0);
        while driver.next_action().is_some() {}
    }
}

#[test]
fn a_crash_in_time_is_a_crash_and_the_next_sending_has_its_own_time() {
    let (mut driver, _) = Driver::ready(plain(1));
    let (first, second) = (driver.push_with(within(100)), driver.push_with(within(100)));
    let (worker, attempt) = driver.sent();
    driver.wait(ms(60));
    driver.dies_in(worker, attempt);
    driver.done(first, Outcome::Crash { cause: CRASH });
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    let (_, attempt) = driver.sent();
    driver.wait(ms(60));
    driver.expect_nothing();
    // It was not begun: it has all its time again.
    driver.dies(worker);
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    let (_, again) = driver.sent();
    assert_eq!((again.task, again.number), (second, attempt.number + 1));
    driver.wait(ms(99));
    driver.expect_nothing();
    driver.finish(worker, again);
    driver.done(second, Outcome::Success);
}

#[test]
fn no_time_at_all_and_all_the_time_there_is_are_defined() {
    for timeout in [ms(0), std::time::Duration::MAX] {
        let (mut driver, _) = Driver::ready(plain(1));
        let task = driver.push_with(TaskOptions {
            timeout: Some(timeout),
            ..TaskOptions::default()
        });
        let (worker, attempt) = driver.sent();
        driver.input(Input::Tick);
        if timeout.is_zero() {
            driver.expect(Action::Interrupt { worker, attempt });
        }
        driver.wait(us(1));
        driver.finish(worker, attempt);
        let outcome = if timeout.is_zero() {
            Outcome::Timeout
        } else {
            Outcome::Success
        };
        driver.done(task, outcome);
    }
}

#[test]
fn a_paused_queue_still_ends_what_runs_too_long() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.push_with(within(100));
    let (worker, attempt) = driver.sent();
    driver.input(Input::Pause);
    driver.wait(ms(100));
    driver.expect(Action::Interrupt { worker, attempt });
}
