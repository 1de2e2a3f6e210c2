//! Cancelling tasks in every phase, and sessions that do not listen.

mod common;

use common::{ms, plain, us, Driver, CRASH};
use taskq_core::{
    Action, GoneCause, Input, Outcome, SchedulerConfig, SeatState, Stop, TaskId, Verdict,
};

fn one_worker() -> SchedulerConfig {
    SchedulerConfig {
        workers: 1,
        ..SchedulerConfig::default()
    }
}

#[test]
fn a_waiting_task_is_cancelled_at_once_and_never_runs() {
    let (mut driver, _) = Driver::ready(plain(1));
    let (first, second) = (driver.push(), driver.push());
    let (worker, attempt) = driver.sent();
    driver.cancel(second);
    driver.done(second, Outcome::Cancelled);
    let view = driver.scheduler.task(second).unwrap();
    assert_eq!((view.started, view.worker, view.tries), (None, None, 0));
    assert_eq!(view.finished, Some(driver.now));
    driver.finish(worker, attempt);
    driver.done(first, Outcome::Success);
    driver.expect_nothing();
}

#[test]
fn cancelling_what_is_unknown_or_done_is_ignored() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    driver.cancel(task);
    driver.cancel(TaskId(7));
    assert_eq!(driver.outcome(task), Some(Outcome::Success));
    assert_eq!(driver.scheduler.stale(), 0);
}

#[test]
fn what_is_cancelled_at_once_is_not_skipped_whatever_the_order() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let (mut driver, _) = Driver::ready(plain(1));
        let running = driver.push();
        let (worker, attempt) = driver.sent();
        let a = driver.push_labelled("a");
        let b = driver.push_after("b", &["a"]);
        let after_b = driver.push_after("c", &["b"]);
        let also = driver.push_after("d", &["a"]);
        driver.cancel_all(&order.map(|place| [a, b, after_b][place]));
        for task in [after_b, b] {
            driver.done(task, Outcome::Cancelled);
        }
        driver.done(a, Outcome::Cancelled);
        driver.done(also, Outcome::Skipped { after: a });
        driver.finish(worker, attempt);
        driver.done(running, Outcome::Success);
        assert_eq!(driver.scheduler.stale(), 0);
    }
}

#[test]
fn what_runs_after_a_running_task_is_cancelled_with_it_and_at_once() {
    let (mut driver, _) = Driver::ready(plain(1));
    let a = driver.push_labelled("a");
    let (worker, attempt) = driver.sent();
    let b = driver.push_after("b", &["a"]);
    driver.cancel_within(&[a, TaskId(9), b, a], Some(ms(40)));
    driver.done(b, Outcome::Cancelled);
    driver.expect(Action::Interrupt { worker, attempt });
    assert!(driver.is_running(a));
    let due = driver.now.after(ms(40));
    assert_eq!(driver.scheduler.next_wakeup(), Some(due));
    driver.finish_with(worker, attempt, Verdict::Interrupted);
    driver.done(a, Outcome::Cancelled);
}

#[test]
fn a_line_that_is_cancelled_at_once_is_asked_from_its_end_and_not_recalled() {
    let (mut driver, worker) = Driver::with_run_time(one_worker(), us(10));
    let (first, second) = (driver.push(), driver.push());
    let (head, behind) = (driver.sent().1, driver.sent().1);
    driver.cancel_all(&[first, second]);
    for attempt in [behind, head] {
        driver.expect(Action::Interrupt { worker, attempt });
    }
    driver.expect_nothing();
    driver.returned(worker, &[behind]);
    driver.done(second, Outcome::Cancelled);
    driver.finish_with(worker, head, Verdict::Interrupted);
    driver.done(first, Outcome::Cancelled);
    assert_eq!(driver.seat_states(), [SeatState::Idle]);
}

#[test]
fn a_running_task_is_interrupted_and_keeps_running_until_its_session_answers() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.cancel(task);
    driver.expect(Action::Interrupt { worker, attempt });
    assert!(driver.is_running(task));
    assert!(driver.scheduler.task(task).unwrap().stopping == Some(Stop::Cancel));
    driver.cancel(task);
    driver.expect_nothing();
    driver.finish_with(worker, attempt, Verdict::Interrupted);
    driver.done(task, Outcome::Cancelled);
    assert_eq!(driver.seat_states(), [SeatState::Idle]);
    assert_eq!(driver.scheduler.next_wakeup(), None);
}

#[test]
fn what_had_ended_when_its_end_was_asked_for_is_what_it_says() {
    for (verdict, outcome) in [
        (Verdict::Success, Outcome::Success),
        (Verdict::Error, Outcome::Error),
    ] {
        let (mut driver, _) = Driver::ready(plain(1));
        let task = driver.push();
        let (worker, attempt) = driver.sent();
        driver.wait(ms(1));
        let ended = driver.now;
        driver.cancel(task);
        driver.expect(Action::Interrupt { worker, attempt });
        driver.wait(ms(500));
        driver.expect(Action::KillWorker { worker });
        driver.finish_at(worker, attempt, verdict, ended);
        driver.done(task, outcome);
        driver.launched();
    }
}

#[test]
fn what_has_ended_after_its_end_was_asked_for_is_cancelled_whatever_it_says() {
    for verdict in [Verdict::Success, Verdict::Error, Verdict::Interrupted] {
        let (mut driver, _) = Driver::ready(plain(1));
        let task = driver.push();
        let (worker, attempt) = driver.sent();
        driver.cancel(task);
        driver.expect(Action::Interrupt { worker, attempt });
        driver.wait(us(1));
        driver.finish_with(worker, attempt, verdict);
        driver.done(task, Outcome::Cancelled);
        let view = driver.scheduler.task(task).unwrap();
        assert_eq!((view.tries, view.worker), (1, Some(worker)));
        driver.wait(ms(10_000));
    }
}

#[test]
fn an_interrupt_that_nobody_asked_for_is_an_error() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.finish_with(worker, attempt, Verdict::Interrupted);
    driver.done(task, Outcome::Error);
}

#[test]
fn a_cancel_may_bring_its_own_grace() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.cancel_within(&[task], Some(ms(3000)));
    driver.expect(Action::Interrupt { worker, attempt });
    driver.wait(ms(1000));
    driver.cancel_within(&[task], Some(ms(9000)));
    assert_eq!(
        driver.scheduler.next_wakeup(),
        Some(driver.now.after(ms(2000)))
    );
    driver.cancel_within(&[task], Some(ms(0)));
    driver.expect_nothing();
    driver.wait(ms(0));
    driver.expect(Action::KillWorker { worker });
    driver.dies_in(worker, attempt);
    driver.done(task, Outcome::Cancelled);
    driver.launched();
}

#[test]
fn a_task_given_back_because_of_a_cancel_is_cancelled_and_has_no_try() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.cancel(task);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.returned(worker, &[attempt]);
    driver.done(task, Outcome::Cancelled);
    assert_eq!(driver.scheduler.task(task).unwrap().tries, 0);
    assert_eq!(driver.seat_states(), [SeatState::Idle]);
}

#[test]
fn a_session_that_ignores_the_interrupt_is_killed_after_grace() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.cancel(task);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.wait(ms(499));
    driver.expect_nothing();
    driver.wait(ms(1));
    driver.expect(Action::KillWorker { worker });
    assert!(driver.is_running(task), "its session may still answer");
    driver.dies_in(worker, attempt);
    driver.done(task, Outcome::Cancelled);
    driver.launched();
}

#[test]
fn a_result_that_overtakes_the_kill_frees_the_seat_at_once() {
    let (mut driver, _) = Driver::ready(plain(1));
    let (task, next) = (driver.push(), driver.push());
    let (worker, attempt) = driver.sent();
    driver.cancel(task);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.wait(ms(500));
    driver.expect(Action::KillWorker { worker });
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Cancelled);
    let replacement = driver.launched();
    driver.gone(worker, GoneCause::Signaled { signal: 9 }, None);
    driver.input(Input::WorkerReady {
        worker: replacement,
    });
    assert_eq!(driver.sent().1.task, next);
}

#[test]
fn a_kill_that_is_not_confirmed_kills_the_supervisor() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.cancel(task);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.wait(ms(500));
    driver.expect(Action::KillWorker { worker });
    driver.wait(ms(2000));
    driver.expect(Action::KillSupervisor);
    driver.wait(ms(10_000));
    driver.expect_nothing();
    driver.gone(worker, GoneCause::SupervisorLost, None);
    driver.done(task, Outcome::Cancelled);
    driver.input(Input::SupervisorGone { reported: false });
    driver.expect(Action::Boot);
}

#[test]
fn a_task_that_lies_ahead_is_given_back_and_its_session_lives() {
    let (mut driver, worker) = Driver::with_run_time(one_worker(), us(10));
    let (_, second) = (driver.push(), driver.push());
    let (_, attempt) = (driver.sent(), driver.sent().1);
    driver.cancel(second);
    driver.expect(Action::Interrupt { worker, attempt });
    assert!(!driver.is_running(second));
    driver.returned(worker, &[attempt]);
    driver.done(second, Outcome::Cancelled);
    driver.assert_counts(0, 1, 1);
}

#[test]
fn a_session_is_not_killed_for_a_task_that_lies_ahead_but_asked_again() {
    let (mut driver, worker) = Driver::with_run_time(one_worker(), us(10));
    let (first, second) = (driver.push(), driver.push());
    let (head, attempt) = (driver.sent().1, driver.sent().1);
    driver.cancel(second);
    driver.expect(Action::Interrupt { worker, attempt });
    for _ in 0..3 {
        driver.wait(ms(500));
        driver.expect(Action::Interrupt { worker, attempt });
    }
    driver.finish(worker, head);
    driver.done(first, Outcome::Success);
    driver.wait(ms(500));
    driver.expect(Action::KillWorker { worker });
    driver.dies_in(worker, attempt);
    driver.done(second, Outcome::Cancelled);
    driver.launched();
}

#[test]
fn cancelling_a_head_saves_what_lies_behind_it() {
    let (mut driver, worker) = Driver::with_run_time(one_worker(), us(10));
    let (first, second) = (driver.push(), driver.push());
    let (head, behind) = (driver.sent().1, driver.sent().1);
    driver.cancel(first);
    let attempts = vec![behind];
    driver.expect(Action::Recall { worker, attempts });
    let attempt = head;
    driver.expect(Action::Interrupt { worker, attempt });
    let third = driver.push();
    driver.expect_nothing();
    driver.returned(worker, &[behind]);
    driver.dies_in(worker, head);
    driver.done(first, Outcome::Cancelled);
    driver.assert_counts(2, 0, 1);
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    let again = driver.sent().1;
    assert_eq!((again.task, again.number), (second, 2));
    assert_eq!(driver.sent().1.task, third);
}

#[test]
fn a_cancelled_task_whose_session_dies_unbegun_is_cancelled() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.cancel(task);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.gone(worker, CRASH, None);
    driver.done(task, Outcome::Cancelled);
    driver.launched();
}

#[test]
fn a_task_that_was_too_fast_to_recall_ends_behind_one_that_was_given_back() {
    let (mut driver, worker) = Driver::with_run_time(one_worker(), us(10));
    let (first, second) = (driver.push(), driver.push());
    let (head, behind) = (driver.sent().1, driver.sent().1);
    driver.cancel(first);
    let attempts = vec![behind];
    driver.expect(Action::Recall { worker, attempts });
    let attempt = head;
    driver.expect(Action::Interrupt { worker, attempt });
    // The session gave the first back before it began it, and the second was too fast to recall.
    driver.returned(worker, &[head]);
    driver.done(first, Outcome::Cancelled);
    driver.finish(worker, behind);
    driver.done(second, Outcome::Success);
    assert_eq!(driver.seat_states(), [SeatState::Idle]);
}

#[test]
fn no_grace_at_all_is_defined() {
    let config = SchedulerConfig {
        grace: ms(0),
        kill_patience: ms(0),
        ..one_worker()
    };
    let (mut driver, worker) = Driver::with_run_time(config, us(10));
    let (_, second) = (driver.push(), driver.push());
    let (_, attempt) = (driver.sent(), driver.sent().1);
    driver.cancel(second);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.input(Input::Tick);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.input(Input::Tick);
    driver.expect_nothing();
}
