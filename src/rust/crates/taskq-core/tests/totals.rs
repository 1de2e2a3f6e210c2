//! What a queue says it has done.

mod common;

use common::{after_these, ms, plain, us, Driver};
use taskq_core::{Action, Input, TaskOptions, Totals, Verdict};

#[test]
fn every_end_is_counted_and_stays_counted_when_the_task_is_taken() {
    let (mut driver, _) = Driver::ready(plain(1));
    let ends: [fn(&mut Driver); 5] = [
        |driver| {
            driver.push();
            let (worker, attempt) = driver.sent();
            driver.finish(worker, attempt);
        },
        |driver| {
            driver.push_labelled("failed");
            let (worker, attempt) = driver.sent();
            driver.finish_with(worker, attempt, Verdict::Error);
        },
        |driver| {
            driver.submit(after_these("after", &["failed"]));
        },
        |driver| {
            driver.push_with(TaskOptions {
                timeout: Some(ms(1)),
                ..TaskOptions::default()
            });
            let (worker, attempt) = driver.sent();
            driver.wait(ms(1));
            driver.expect(Action::Interrupt { worker, attempt });
            driver.wait(us(1));
            driver.finish(worker, attempt);
        },
        |driver| {
            driver.push_with(TaskOptions {
                tries: 2,
                ..TaskOptions::default()
            });
            for _ in 0..2 {
                let (worker, attempt) = driver.sent();
                driver.dies_in(worker, attempt);
                let done = driver.scheduler.counts().waiting == 0;
                if done {
                    driver.next_action();
                }
                let worker = driver.launched();
                driver.input(Input::WorkerReady { worker });
            }
        },
    ];
    for end in ends {
        end(&mut driver);
        while driver.next_action().is_some() {}
    }
    driver.input(Input::Pause);
    let task = driver.push();
    driver.cancel(task);
    let before = *driver.scheduler.totals();
    for task in driver.scheduler.done().collect::<Vec<_>>() {
        assert!(driver.scheduler.take(task));
        assert!(!driver.scheduler.take(task));
    }
    let expected = Totals {
        submitted: 6,
        taken: 6,
        success: 1,
        error: 1,
        crash: 1,
        timeout: 1,
        cancelled: 1,
        skipped: 1,
        no_worker: 0,
        retries: 1,
        sessions_ready: 3,
        sessions_died: 2,
        sessions_recycled: 0,
        ..before
    };
    assert_eq!(*driver.scheduler.totals(), expected);
    assert_eq!(expected.ended(), 6);
    driver.next_action();
    driver.input(Input::SupervisorGone { reported: true });
    while driver.next_action().is_some() {}
}

#[test]
fn times_are_summed_over_tries_and_tasks() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.push_with(TaskOptions {
        tries: 2,
        ..TaskOptions::default()
    });
    let second = driver.push();
    let (worker, attempt) = driver.sent();
    driver.wait(ms(10));
    driver.gone(
        worker,
        common::CRASH,
        Some(taskq_core::Begun {
            attempt,
            at: taskq_core::Time(driver.now.0 - 7_000_000),
        }),
    );
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    let (_, attempt) = driver.sent();
    driver.wait(ms(20));
    driver.finish(worker, attempt);
    driver.next_action();
    let (_, attempt) = driver.sent();
    assert_eq!(attempt.task, second);
    driver.wait(ms(30));
    driver.finish(worker, attempt);
    driver.next_action();
    let totals = driver.scheduler.totals();
    assert_eq!(totals.run_time, ms(7 + 20 + 30));
    // The first began 3 ms after its push; what came before its second try is no waiting time.
    assert_eq!(totals.wait_time, ms(3 + 30));
}

#[test]
fn what_a_kill_ends_has_run() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.push();
    driver.sent();
    driver.push();
    driver.wait(ms(5));
    driver.input(Input::Kill);
    while driver.next_action().is_some() {}
    let totals = driver.scheduler.totals();
    assert_eq!((totals.cancelled, totals.run_time), (2, ms(5)));
    assert_eq!(totals.sessions_died, 0);
}
