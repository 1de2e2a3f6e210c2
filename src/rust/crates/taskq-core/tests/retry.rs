//! Tasks that are tried again.

mod common;

use std::time::Duration;

use common::{ms, plain, us, Driver, CRASH};
use taskq_core::{
    Action, AttemptId, Input, Outcome, RetryOn, SchedulerConfig, TaskOptions, TaskPhase, Verdict,
    WorkerId,
};

const CRASHED: Outcome = Outcome::Crash { cause: CRASH };

fn tries(tries: u32) -> TaskOptions {
    TaskOptions {
        tries,
        ..TaskOptions::default()
    }
}

fn on_error(number: u32, backoff: Duration) -> TaskOptions {
    TaskOptions {
        retry_on: RetryOn {
            error: true,
            ..RetryOn::default()
        },
        backoff,
        ..tries(number)
    }
}

/// The session dies in the attempt; the next one is ready.
fn crash(driver: &mut Driver, worker: WorkerId, attempt: AttemptId) -> WorkerId {
    driver.dies_in(worker, attempt);
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    worker
}

/// The attempt fails now; how long until the next one is sent.
fn delay(driver: &mut Driver, worker: WorkerId, attempt: AttemptId) -> Duration {
    let before = driver.now;
    driver.finish_with(worker, attempt, Verdict::Error);
    driver.expect_nothing();
    let due = driver.scheduler.next_wakeup().unwrap();
    driver.wait(due.since(before));
    due.since(before)
}

#[test]
fn a_crash_is_tried_again_as_often_as_allowed_and_no_more() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(tries(3));
    for number in 1..=2 {
        let (worker, attempt) = driver.sent();
        assert_eq!(attempt.number, number);
        crash(&mut driver, worker, attempt);
        assert_eq!(driver.outcome(task), None);
    }
    let (worker, attempt) = driver.sent();
    driver.wait(ms(1));
    driver.dies_in(worker, attempt);
    driver.done(task, CRASHED);
    driver.launched();
    let view = driver.scheduler.task(task).unwrap();
    assert_eq!((view.tries, view.worker), (3, Some(worker)));
    assert_eq!(driver.scheduler.totals().retries, 2);
}

#[test]
fn the_outcome_is_that_of_the_last_try() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(tries(2));
    let (worker, attempt) = driver.sent();
    crash(&mut driver, worker, attempt);
    let (worker, attempt) = driver.sent();
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    assert_eq!(driver.scheduler.task(task).unwrap().tries, 2);
}

#[test]
fn only_what_the_user_named_is_tried_again() {
    let kinds = [
        ("crash", CRASHED),
        ("timeout", Outcome::Timeout),
        ("error", Outcome::Error),
    ];
    for (named, _) in kinds {
        for (happens, outcome) in kinds {
            let (mut driver, _) = Driver::ready(plain(1));
            let task = driver.push_with(TaskOptions {
                timeout: Some(ms(10)),
                retry_on: RetryOn {
                    crash: named == "crash",
                    timeout: named == "timeout",
                    error: named == "error",
                },
                ..tries(2)
            });
            let (worker, attempt) = driver.sent();
            match happens {
                "crash" => driver.dies_in(worker, attempt),
                "error" => driver.finish_with(worker, attempt, Verdict::Error),
                _ => {
                    driver.wait(ms(10));
                    driver.expect(Action::Interrupt { worker, attempt });
                    driver.wait(us(1));
                    driver.finish_with(worker, attempt, Verdict::Interrupted);
                }
            }
            let ended = (named != happens).then_some(outcome);
            assert_eq!(driver.outcome(task), ended, "{happens} with {named}");
            assert_eq!(
                driver.scheduler.totals().retries,
                u64::from(ended.is_none())
            );
            while driver.next_action().is_some() {}
        }
    }
}

#[test]
fn by_default_nothing_is_tried_again() {
    let (mut driver, _) = Driver::ready(plain(1));
    for options in [tries(1), tries(0)] {
        let task = driver.push_with(options);
        let (worker, attempt) = driver.sent();
        driver.dies_in(worker, attempt);
        driver.done(task, CRASHED);
        let worker = driver.launched();
        driver.input(Input::WorkerReady { worker });
    }
}

#[test]
fn an_interrupt_that_nobody_asked_for_is_tried_again_as_an_error() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(on_error(2, ms(0)));
    let (worker, attempt) = driver.sent();
    driver.finish_with(worker, attempt, Verdict::Interrupted);
    let (worker, attempt) = driver.sent();
    driver.finish_with(worker, attempt, Verdict::Interrupted);
    driver.done(task, Outcome::Error);
}

#[test]
fn each_delay_is_twice_as_long_and_shortened_by_chance() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.push_with(on_error(6, ms(100)));
    for doubled in [100, 200, 400, 800, 1600] {
        let (worker, attempt) = driver.sent();
        driver.wait(ms(1));
        let delay = delay(&mut driver, worker, attempt);
        assert!(
            delay >= ms(doubled) / 2 && delay <= ms(doubled),
            "{delay:?} of {doubled} ms"
        );
    }
    driver.sent();
}

#[test]
fn chance_depends_on_the_seed_the_task_and_the_try_and_on_nothing_else() {
    let run = |jitter_seed: u64| {
        let config = SchedulerConfig {
            jitter_seed,
            ..plain(1)
        };
        let (mut driver, _) = Driver::ready(config);
        let mut delays = Vec::new();
        for _ in 0..2 {
            let task = driver.push_with(on_error(3, ms(100)));
            for doubled in [1, 2] {
                let (worker, attempt) = driver.sent();
                delays.push(delay(&mut driver, worker, attempt) / doubled);
            }
            let (worker, attempt) = driver.sent();
            driver.finish(worker, attempt);
            driver.done(task, Outcome::Success);
        }
        delays
    };
    let (first, again, other) = (run(1), run(1), run(2));
    assert_eq!(first, again);
    let mut all: Vec<Duration> = first.into_iter().chain(other).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 8, "{all:?}");
}

#[test]
fn without_backoff_no_try_waits_however_many_there_were() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(on_error(u32::MAX, Duration::ZERO));
    for _ in 0..200 {
        let (worker, attempt) = driver.sent();
        driver.finish_with(worker, attempt, Verdict::Error);
    }
    let (worker, attempt) = driver.sent();
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
}

#[test]
fn a_delay_beyond_the_end_of_time_is_defined() {
    for backoff in [Duration::MAX, Duration::from_secs(1 << 33), ms(1)] {
        let (mut driver, _) = Driver::ready(plain(1));
        let task = driver.push_with(on_error(u32::MAX, backoff));
        let mut sends = 0;
        while let Some(Action::Send { worker, attempt }) = driver.next_action() {
            sends += 1;
            driver.finish_with(worker, attempt, Verdict::Error);
            if sends == 100 {
                break;
            }
            if let Some(due) = driver.scheduler.next_wakeup() {
                driver.now = due;
                driver.input(Input::Tick);
            }
        }
        assert_eq!(sends, 100);
        driver.cancel(task);
        driver.done(task, Outcome::Cancelled);
    }
}

#[test]
fn while_it_backs_off_a_task_waits_and_takes_no_worker() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(on_error(2, ms(100)));
    let (worker, attempt) = driver.sent();
    driver.finish_with(worker, attempt, Verdict::Error);
    assert_eq!(driver.phase(task), TaskPhase::Waiting);
    driver.assert_counts(1, 0, 0);
    let view = driver.scheduler.task(task).unwrap();
    assert_eq!((view.tries, view.attempt, view.worker), (1, None, None));
    let other = driver.push();
    let (worker, attempt) = driver.sent();
    assert_eq!(attempt.task, other);
    driver.wait(ms(100));
    driver.expect_nothing();
    driver.finish(worker, attempt);
    driver.done(other, Outcome::Success);
    assert_eq!(driver.sent().1.task, task);
}

#[test]
fn a_task_that_is_tried_again_has_its_old_place() {
    let (mut driver, _) = Driver::ready(plain(1));
    let first = driver.push_with(on_error(2, ms(0)));
    driver.push();
    let (worker, attempt) = driver.sent();
    driver.finish_with(worker, attempt, Verdict::Error);
    assert_eq!(driver.sent().1.task, first);
}

#[test]
fn cancelling_ends_the_tries_in_every_phase() {
    // While it backs off.
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(on_error(2, ms(100)));
    let (worker, attempt) = driver.sent();
    driver.finish_with(worker, attempt, Verdict::Error);
    driver.cancel(task);
    driver.done(task, Outcome::Cancelled);
    assert_eq!(driver.scheduler.next_wakeup(), None);
    let view = driver.scheduler.task(task).unwrap();
    assert_eq!((view.tries, view.worker), (1, Some(worker)));
    // While it runs: also when it fails by itself, in time or not.
    for late in [0, 1] {
        let task = driver.push_with(on_error(2, ms(0)));
        let (worker, attempt) = driver.sent();
        driver.cancel(task);
        driver.expect(Action::Interrupt { worker, attempt });
        driver.wait(us(late));
        driver.finish_with(worker, attempt, Verdict::Error);
        let outcome = [Outcome::Error, Outcome::Cancelled][late as usize];
        driver.done(task, outcome);
    }
    // While its session dies.
    let task = driver.push_with(tries(2));
    let (worker, attempt) = driver.sent();
    driver.cancel(task);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.dies_in(worker, attempt);
    driver.done(task, Outcome::Cancelled);
    driver.launched();
}

#[test]
fn a_sending_that_was_not_begun_is_no_try() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(tries(2));
    for _ in 0..5 {
        let (worker, _) = driver.sent();
        driver.dies(worker);
        let worker = driver.launched();
        driver.input(Input::WorkerReady { worker });
    }
    let (worker, attempt) = driver.sent();
    crash(&mut driver, worker, attempt);
    let (worker, attempt) = driver.sent();
    driver.dies_in(worker, attempt);
    driver.done(task, CRASHED);
    driver.launched();
}

#[test]
fn those_after_it_learn_of_the_last_try_only() {
    let (mut driver, _) = Driver::ready(plain(1));
    let a = driver.submit(taskq_core::Submission {
        options: on_error(2, ms(0)),
        ..taskq_core::Submission::labelled("a")
    });
    let b = driver.push_after("b", &["a"]);
    let (worker, attempt) = driver.sent();
    driver.finish_with(worker, attempt, Verdict::Error);
    let (worker, attempt) = driver.sent();
    assert_eq!((attempt.task, driver.outcome(b)), (a, None));
    driver.finish(worker, attempt);
    driver.done(a, Outcome::Success);
    assert_eq!(driver.sent().1.task, b);
}

#[test]
fn a_closing_queue_goes_on_trying_until_its_deadline() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(on_error(9, ms(100)));
    let (worker, attempt) = driver.sent();
    let deadline = driver.now.after(ms(120));
    driver.input(Input::Close { deadline });
    driver.finish_with(worker, attempt, Verdict::Error);
    driver.expect_nothing();
    driver.wait(ms(100));
    let (worker, attempt) = driver.sent();
    driver.finish_with(worker, attempt, Verdict::Error);
    driver.wait(ms(20));
    driver.expect(Action::KillSupervisor);
    driver.done(task, Outcome::Cancelled);
    assert_eq!(driver.scheduler.task(task).unwrap().tries, 2);
    assert_eq!(driver.scheduler.next_wakeup(), None);
}

#[test]
fn a_pool_that_has_failed_tries_nothing_again() {
    let config = SchedulerConfig {
        start_limit: 1,
        ..plain(2)
    };
    let (mut driver, workers) = Driver::ready(config);
    let task = driver.push_with(TaskOptions {
        backoff: ms(100),
        ..on_error(9, ms(0))
    });
    let held = driver.push_with(on_error(9, ms(100)));
    let (running, attempt) = driver.sent();
    let (other, failing) = driver.sent();
    assert_eq!([running, other], [workers[0], workers[1]]);
    driver.finish_with(other, failing, Verdict::Error);
    driver.dies(other);
    let third = driver.launched();
    driver.dies(third);
    driver.done(held, Outcome::NoWorker);
    driver.expect(Action::Failed);
    driver.dies_in(running, attempt);
    driver.done(task, CRASHED);
    driver.expect(Action::Shutdown);
}
