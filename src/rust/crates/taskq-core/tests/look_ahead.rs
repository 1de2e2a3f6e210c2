//! Tasks that are sent before their turn, and fetched back in time.

mod common;

use common::{ms, plain, us, Driver};
use taskq_core::{
    Action, AttemptId, Input, LookAhead, Outcome, SchedulerConfig, TaskPhase, WorkerId,
};

fn workers(workers: u32) -> SchedulerConfig {
    SchedulerConfig {
        workers,
        recall_after: ms(2),
        ..SchedulerConfig::default()
    }
}

/// Two busy workers which both know short tasks.
fn two_busy() -> (Driver, Vec<(WorkerId, AttemptId)>) {
    let (mut driver, _) = Driver::with_run_time(workers(2), us(500));
    driver.push();
    driver.push();
    let heads = vec![driver.sent(), driver.sent()];
    (driver, heads)
}

#[test]
fn nothing_is_sent_ahead_before_a_run_time_is_known() {
    let (mut driver, _) = Driver::ready(workers(1));
    driver.push();
    driver.sent();
    driver.push();
    driver.expect_nothing();
    driver.assert_counts(1, 1, 0);
}

#[test]
fn nothing_is_sent_ahead_when_it_is_switched_off() {
    let (mut driver, _) = Driver::with_run_time(plain(1), us(1));
    driver.push();
    driver.sent();
    driver.push();
    driver.expect_nothing();
}

#[test]
fn nothing_is_sent_ahead_when_tasks_are_long() {
    let (mut driver, _) = Driver::with_run_time(workers(1), us(1001));
    driver.push();
    driver.sent();
    driver.push();
    driver.expect_nothing();
}

#[test]
fn as_much_is_sent_ahead_as_the_budget_allows() {
    let (mut driver, _) = Driver::with_run_time(workers(1), us(300));
    for _ in 0..6 {
        driver.push();
    }
    for _ in 0..4 {
        driver.sent();
    }
    driver.expect_nothing();
    driver.assert_counts(5, 1, 0);
}

#[test]
fn the_slack_is_what_the_shortest_line_has_ahead() {
    let (mut driver, _) = Driver::with_run_time(workers(2), us(100));
    assert_eq!(driver.scheduler.slack(), us(0));
    driver.push();
    let (worker, attempt) = driver.sent();
    assert_eq!(
        driver.scheduler.slack(),
        us(0),
        "a head alone may end at any time"
    );
    for _ in 0..7 {
        driver.push();
        driver.sent();
    }
    // Eight tasks at two workers: three lie ahead at each.
    assert_eq!(driver.scheduler.slack(), us(300));
    driver.finish(worker, attempt);
    driver.done(attempt.task, Outcome::Success);
    assert!(driver.scheduler.slack() < us(300));
}

#[test]
fn no_more_is_sent_ahead_than_the_maximum() {
    let look_ahead = LookAhead {
        max: 2,
        budget: ms(1),
    };
    let config = SchedulerConfig {
        look_ahead,
        ..workers(1)
    };
    let (mut driver, _) = Driver::with_run_time(config, us(0));
    for _ in 0..6 {
        driver.push();
    }
    for _ in 0..3 {
        driver.sent();
    }
    driver.expect_nothing();
}

#[test]
fn an_idle_worker_comes_first_then_the_one_with_the_shortest_line() {
    let (mut driver, heads) = two_busy();
    let (first, second) = (heads[0].0, heads[1].0);
    assert_ne!(first, second);
    for expected in [first, second, first, second] {
        driver.push();
        assert_eq!(driver.sent().0, expected);
    }
    driver.push();
    driver.expect_nothing();
}

#[test]
fn a_task_sent_ahead_waits_and_runs_from_the_end_of_the_one_before() {
    let (mut driver, worker) = Driver::with_run_time(workers(1), us(100));
    let (first, second) = (driver.push(), driver.push());
    let (head, behind) = (driver.sent().1, driver.sent().1);
    assert_eq!(driver.phase(second), TaskPhase::Waiting);
    let view = driver.scheduler.task(second).unwrap();
    assert_eq!(
        (view.attempt, view.worker, view.tries),
        (Some(behind), None, 0)
    );
    driver.wait(us(100));
    driver.finish(worker, head);
    driver.done(first, Outcome::Success);
    let since = driver.now;
    assert_eq!(driver.phase(second), TaskPhase::Running { worker, since });
    driver.wait(us(100));
    driver.finish(worker, behind);
    driver.done(second, Outcome::Success);
}

#[test]
fn a_long_head_gives_back_what_lies_behind_it_to_the_next_idle_worker() {
    let (mut driver, heads) = two_busy();
    let ((busy, _), (other, quick)) = (heads[0], heads[1]);
    let task = driver.push();
    let (worker, ahead) = driver.sent();
    assert_eq!(worker, busy);
    assert_eq!(
        driver.scheduler.next_wakeup(),
        Some(driver.now.after(ms(2)))
    );
    driver.finish(other, quick);
    driver.done(quick.task, Outcome::Success);
    driver.wait(ms(2));
    let attempts = vec![ahead];
    driver.expect(Action::Recall { worker, attempts });
    driver.wait(ms(50));
    driver.expect_nothing();
    driver.returned(busy, &[ahead]);
    let (worker, again) = driver.sent();
    assert_eq!((worker, again.task, again.number), (other, task, 2));
    driver.finish(busy, ahead);
    assert_eq!(driver.scheduler.stale(), 1);
}

#[test]
fn a_task_is_recalled_that_has_lain_behind_many_short_heads_for_long() {
    let (mut driver, worker) = Driver::with_run_time(workers(1), us(300));
    for _ in 0..4 {
        driver.push();
    }
    let sent: Vec<_> = (0..4).map(|_| driver.sent().1).collect();
    driver.wait(us(1500));
    driver.finish(worker, sent[0]);
    driver.done(sent[0].task, Outcome::Success);
    driver.wait(us(500));
    let attempts = sent[2..].to_vec();
    driver.expect(Action::Recall { worker, attempts });
}

/// Seen as tasks of one worker that ran in another order than they were pushed.
#[test]
fn nothing_newer_is_sent_before_what_was_asked_back_has_come() {
    let (mut driver, worker) = Driver::with_run_time(workers(1), us(10));
    for _ in 0..4 {
        driver.push();
    }
    let sent: Vec<_> = (0..4).map(|_| driver.sent().1).collect();
    driver.wait(ms(2));
    let attempts = sent[1..].to_vec();
    driver.expect(Action::Recall { worker, attempts });
    let newer = driver.push();
    driver.expect_nothing();
    driver.finish(worker, sent[0]);
    driver.done(sent[0].task, Outcome::Success);
    driver.expect_nothing();
    // The second had begun when it was asked back.
    driver.returned(worker, &sent[2..]);
    driver.expect_nothing();
    driver.finish(worker, sent[1]);
    driver.done(sent[1].task, Outcome::Success);
    let next = driver.sent().1;
    assert_eq!((next.task, next.number), (sent[2].task, 2));
    let mut order: Vec<_> = Vec::new();
    while let Some(Action::Send { attempt, .. }) = driver.next_action() {
        order.push(attempt.task);
    }
    assert!(
        order.is_empty() || order == [sent[3].task, newer],
        "{order:?}"
    );
}

#[test]
fn nothing_is_sent_behind_a_head_that_has_run_for_long() {
    let (mut driver, worker) = Driver::with_run_time(workers(1), us(100));
    let task = driver.push();
    let (_, attempt) = driver.sent();
    driver.wait(ms(2));
    driver.push();
    driver.push();
    driver.expect_nothing();
    assert_eq!(driver.scheduler.next_wakeup(), None);
    // One task of 2 ms among short ones: the mean stays below 1 ms, look-ahead goes on.
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    driver.sent();
    driver.sent();
}

#[test]
fn what_was_given_back_waits_at_its_old_place() {
    let (mut driver, worker) = Driver::with_run_time(workers(1), us(300));
    let tasks: Vec<_> = (0..6).map(|_| driver.push()).collect();
    let sent: Vec<_> = (0..4).map(|_| driver.sent().1).collect();
    driver.wait(ms(2));
    let attempts = sent[1..].to_vec();
    driver.expect(Action::Recall { worker, attempts });
    driver.returned(worker, &sent[1..]);
    driver.finish(worker, sent[0]);
    driver.done(tasks[0], Outcome::Success);
    let next: Vec<_> = (0..2).map(|_| driver.sent().1).collect();
    assert_eq!([next[0].task, next[1].task], [tasks[1], tasks[2]]);
}

#[test]
fn an_attempt_that_had_begun_when_it_was_recalled_ends_where_it_is() {
    let (mut driver, worker) = Driver::with_run_time(workers(1), us(100));
    let (first, second) = (driver.push(), driver.push());
    let (head, behind) = (driver.sent().1, driver.sent().1);
    driver.wait(ms(2));
    let attempts = vec![behind];
    driver.expect(Action::Recall { worker, attempts });
    driver.finish(worker, head);
    driver.done(first, Outcome::Success);
    assert!(driver.is_running(second));
    driver.returned(worker, &[]);
    driver.finish(worker, behind);
    driver.done(second, Outcome::Success);
    assert_eq!(driver.scheduler.stale(), 0);
}

#[test]
fn a_task_thought_to_run_waits_again_when_it_was_given_back() {
    let (mut driver, worker) = Driver::with_run_time(workers(1), us(100));
    let (first, second) = (driver.push(), driver.push());
    let (head, behind) = (driver.sent().1, driver.sent().1);
    driver.wait(ms(2));
    let attempts = vec![behind];
    driver.expect(Action::Recall { worker, attempts });
    driver.finish(worker, head);
    driver.done(first, Outcome::Success);
    driver.returned(worker, &[behind]);
    let (_, again) = driver.sent();
    assert_eq!((again.task, again.number), (second, 2));
    driver.finish(worker, again);
    driver.done(second, Outcome::Success);
    assert_eq!(driver.scheduler.task(second).unwrap().tries, 1);
}

#[test]
fn a_pause_recalls_what_lies_ahead_and_resume_sends_it_again() {
    let (mut driver, worker) = Driver::with_run_time(workers(1), us(100));
    let (first, second) = (driver.push(), driver.push());
    let (head, behind) = (driver.sent().1, driver.sent().1);
    driver.input(Input::Pause);
    let attempts = vec![behind];
    driver.expect(Action::Recall { worker, attempts });
    driver.returned(worker, &[behind]);
    driver.finish(worker, head);
    driver.done(first, Outcome::Success);
    driver.expect_nothing();
    driver.input(Input::Pause);
    driver.input(Input::Resume);
    assert_eq!(driver.sent().1.task, second);
}

#[test]
fn one_long_task_ends_look_ahead_until_short_ones_have_outweighed_it() {
    let (mut driver, worker) = Driver::with_run_time(workers(1), ms(100));
    let mut rounds = 0;
    loop {
        let (first, second) = (driver.push(), driver.push());
        let (_, attempt) = driver.sent();
        if driver.scheduler.task(second).unwrap().attempt.is_some() {
            driver.sent();
            break;
        }
        rounds += 1;
        for task in [first, second] {
            let attempt = driver.scheduler.task(task).unwrap().attempt.unwrap();
            driver.finish(worker, attempt);
            driver.done(task, Outcome::Success);
            if task == first {
                driver.sent();
            }
        }
        assert!(attempt.task == first && rounds < 30);
    }
    assert!(rounds > 10, "{rounds}");
}
