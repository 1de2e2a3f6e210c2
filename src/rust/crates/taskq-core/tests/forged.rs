//! Sessions in which something makes up what they say.

mod common;

use common::{ms, us, Driver};
use taskq_core::{Action, AttemptId, Input, Outcome, SchedulerConfig, TaskId, Verdict, WorkerId};

/// A busy worker, what it runs, and what it was sent ahead.
fn with_two_ahead() -> (Driver, WorkerId, [AttemptId; 3]) {
    let config = SchedulerConfig {
        workers: 1,
        recall_after: ms(2),
        ..SchedulerConfig::default()
    };
    let (mut driver, worker) = Driver::with_run_time(config, us(100));
    let attempts = [(); 3].map(|()| {
        driver.push();
        driver.sent().1
    });
    (driver, worker, attempts)
}

/// The session says that this has ended, while it notes that another task is running.
fn finish_in(driver: &mut Driver, worker: WorkerId, attempt: AttemptId, running: TaskId) {
    let (began, ended) = (driver.now, driver.now);
    driver.input(Input::Finished {
        worker,
        attempt,
        verdict: Verdict::Success,
        began,
        ended,
        memory: None,
        running: Some(running),
    });
}

fn expect_recall(driver: &mut Driver, worker: WorkerId, attempts: &[AttemptId]) {
    let attempts = attempts.to_vec();
    driver.expect(Action::Recall { worker, attempts });
}

#[test]
fn an_outcome_of_what_lies_ahead_is_refused_and_runs_elsewhere() {
    let (mut driver, worker, [head, second, third]) = with_two_ahead();
    driver.finish(worker, third);
    assert_eq!(driver.outcome(third.task), None);
    expect_recall(&mut driver, worker, &[second, third]);
    driver.finish(worker, second);
    assert_eq!(driver.outcome(second.task), None);
    driver.returned(worker, &[second, third]);
    // What it runs may end, and then the session goes.
    driver.finish(worker, head);
    driver.done(head.task, Outcome::Success);
    driver.expect(Action::Retire { worker });
    let next = driver.launched();
    driver.input(Input::WorkerReady { worker: next });
    let sent = [driver.sent(), driver.sent()];
    for ((worker, again), attempt) in sent.into_iter().zip([second, third]) {
        assert_eq!((worker, again.task, again.number), (next, attempt.task, 2));
        driver.finish(worker, again);
        driver.done(again.task, Outcome::Success);
        assert_eq!(driver.scheduler.task(again.task).unwrap().tries, 1);
    }
}

#[test]
fn what_was_asked_back_and_had_begun_excuses_no_outcome_of_what_lies_behind_it() {
    let (mut driver, worker, [head, second, third]) = with_two_ahead();
    driver.wait(ms(2));
    expect_recall(&mut driver, worker, &[second, third]);
    driver.finish(worker, head);
    driver.done(head.task, Outcome::Success);
    driver.finish(worker, third);
    assert_eq!(driver.outcome(third.task), None);
    driver.returned(worker, &[third]);
    driver.finish(worker, second);
    driver.done(second.task, Outcome::Success);
    driver.expect(Action::Retire { worker });
    driver.launched();
}

#[test]
fn what_a_session_has_begun_before_the_lie_was_heard_is_believed() {
    let (mut driver, worker, [head, second, third]) = with_two_ahead();
    driver.finish(worker, third);
    expect_recall(&mut driver, worker, &[second, third]);
    driver.finish(worker, head);
    driver.done(head.task, Outcome::Success);
    driver.returned(worker, &[third]);
    driver.finish(worker, second);
    driver.done(second.task, Outcome::Success);
    driver.expect(Action::Retire { worker });
    driver.launched();
}

#[test]
fn a_session_that_lies_and_stays_is_killed() {
    let (mut driver, worker, [_, second, third]) = with_two_ahead();
    driver.finish(worker, third);
    expect_recall(&mut driver, worker, &[second, third]);
    driver.returned(worker, &[second, third]);
    driver.wait(SchedulerConfig::default().kill_patience);
    driver.expect(Action::KillWorker { worker });
}

#[test]
fn an_outcome_is_refused_while_the_session_notes_to_run_an_older_task() {
    let (mut driver, worker, [head, second, third]) = with_two_ahead();
    finish_in(&mut driver, worker, head, head.task);
    driver.done(head.task, Outcome::Success);
    finish_in(&mut driver, worker, second, head.task);
    assert_eq!(driver.outcome(second.task), None);
    expect_recall(&mut driver, worker, &[third]);
}

#[test]
fn an_outcome_that_is_heard_when_its_session_is_further_is_believed() {
    let (mut driver, worker, [head, second, third]) = with_two_ahead();
    for attempt in [head, second, third] {
        finish_in(&mut driver, worker, attempt, third.task);
        driver.done(attempt.task, Outcome::Success);
    }
    assert_eq!(driver.scheduler.stale(), 0);
}

#[test]
fn what_was_not_asked_back_cannot_be_given_back() {
    let (mut driver, worker, [head, second, third]) = with_two_ahead();
    let before = driver.scheduler.stale();
    driver.returned(worker, &[head, second, third]);
    assert_eq!(driver.scheduler.stale(), before + 3);
    for attempt in [head, second, third] {
        driver.finish(worker, attempt);
        driver.done(attempt.task, Outcome::Success);
    }
}
