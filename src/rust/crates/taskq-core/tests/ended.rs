//! The record of attempts that are over.

mod common;

use common::{after_these, ms, plain, Driver, CRASH};
use taskq_core::{Ended, Input, Outcome, RetryOn, Submission, TaskOptions, Verdict};

const CRASHED: Outcome = Outcome::Crash { cause: CRASH };

/// What is told of the only attempt that has ended.
#[track_caller]
fn only(driver: &mut Driver) -> Ended {
    assert_eq!(driver.ended.len(), 1, "{:?}", driver.ended);
    driver.ended.remove(0)
}

#[test]
fn an_attempt_that_ends_its_task_is_told_with_its_times_and_names() {
    let (mut driver, workers) = Driver::ready(plain(1));
    let pushed = driver.now;
    let task = driver.submit(Submission {
        tag: Some("of mine".into()),
        ..Submission::labelled("fit")
    });
    let (worker, attempt) = driver.sent();
    driver.wait(ms(3));
    let (began, ended) = (pushed.after(ms(1)), pushed.after(ms(2)));
    driver.input(Input::Finished {
        worker,
        attempt,
        verdict: Verdict::Error,
        began,
        ended,
        memory: None,
        running: None,
    });
    driver.done(task, Outcome::Error);
    let expected = Ended {
        task,
        label: "fit".into(),
        tag: Some("of mine".into()),
        claimed: false,
        tries: 1,
        queued: pushed,
        ran: Some((workers[0], began)),
        ended,
        outcome: Outcome::Error,
        retried: false,
    };
    assert_eq!(only(&mut driver), expected);
    driver.scheduler.take(task);
    assert_eq!(driver.ended, []);
}

#[test]
fn each_try_is_told_and_has_waited_since_the_one_before() {
    let (mut driver, _) = Driver::ready(plain(1));
    let options = TaskOptions {
        tries: 3,
        backoff: ms(10),
        retry_on: RetryOn {
            error: true,
            ..RetryOn::default()
        },
        ..TaskOptions::default()
    };
    let task = driver.push_with(options);
    let (worker, attempt) = driver.sent();
    driver.wait(ms(1));
    driver.dies_in(worker, attempt);
    let first = only(&mut driver);
    assert_eq!(
        (first.outcome, first.retried, first.tries),
        (CRASHED, true, 1)
    );
    assert_eq!(
        driver.scheduler.task(task).unwrap().waits_since,
        first.ended
    );

    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    driver.wait(ms(10));
    let (worker, attempt) = driver.sent();
    driver.finish_with(worker, attempt, Verdict::Error);
    let second = only(&mut driver);
    assert_eq!(
        (second.outcome, second.retried, second.tries),
        (Outcome::Error, true, 2)
    );
    assert_eq!(second.queued, first.ended);
    assert!(second.ran.unwrap().1 > first.ended);

    // Cancelled in between: the third has not begun.
    driver.cancel(task);
    driver.done(task, Outcome::Cancelled);
    let last = only(&mut driver);
    assert_eq!((last.outcome, last.ran), (Outcome::Cancelled, None));
    assert_eq!(
        (last.retried, last.tries, last.queued),
        (false, 2, second.ended)
    );
}

#[test]
fn tasks_that_never_began_are_told_too() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_labelled("first");
    let (worker, attempt) = driver.sent();
    let waits = driver.push();
    let skipped = driver.submit(after_these("second", &["first"]));
    driver.cancel(waits);
    driver.done(waits, Outcome::Cancelled);
    driver.finish_with(worker, attempt, Verdict::Error);
    driver.done(task, Outcome::Error);
    driver.done(skipped, Outcome::Skipped { after: task });
    let told: Vec<_> = driver
        .ended
        .iter()
        .map(|ended| (ended.task, ended.ran.is_some(), ended.tries))
        .collect();
    assert_eq!(
        told,
        [(waits, false, 0), (task, true, 1), (skipped, false, 0)]
    );
}

#[test]
fn what_nobody_wants_any_more_is_told_with_its_label() {
    let (mut driver, _) = Driver::ready(plain(1));
    let part = driver.submit(Submission {
        claimed: true,
        part: true,
        ..Submission::default()
    });
    let (worker, attempt) = driver.sent();
    driver.disown(part);
    driver.next_action();
    driver.finish_with(worker, attempt, Verdict::Interrupted);
    assert_eq!(
        driver.next_action(),
        Some(taskq_core::Action::Forget { task: part })
    );
    let ended = only(&mut driver);
    assert_eq!(&*ended.label, ".part-1");
    assert!(ended.claimed && ended.ran.is_some());
    assert_eq!(ended.outcome, Outcome::Cancelled);
}

#[test]
fn a_kill_tells_of_what_ran_and_of_what_waited() {
    let (mut driver, workers) = Driver::ready(plain(1));
    let (first, second) = (driver.push(), driver.push());
    driver.sent();
    driver.wait(ms(1));
    driver.input(Input::Kill);
    while driver.next_action().is_some() {}
    let ran: Vec<_> = driver
        .ended
        .iter()
        .map(|ended| (ended.task, ended.ran.map(|(worker, _)| worker)))
        .collect();
    assert_eq!(ran, [(first, Some(workers[0])), (second, None)]);
}
