//! The end of a queue: polite, overdue, immediate.

mod common;

use common::{ms, plain, Driver};
use taskq_core::{Action, GoneCause, Input, Outcome, QueueState, Submission, SubmitError, Time};

fn close_in(driver: &mut Driver, duration: std::time::Duration) -> Time {
    let deadline = driver.now.after(duration);
    driver.input(Input::Close { deadline });
    deadline
}

fn supervisor_gone(driver: &mut Driver) {
    driver.input(Input::SupervisorGone { reported: false });
}

#[test]
fn an_empty_queue_shuts_down_at_once_and_is_closed_when_the_supervisor_is_gone() {
    let (mut driver, workers) = Driver::ready(plain(2));
    close_in(&mut driver, ms(1000));
    driver.expect(Action::Shutdown);
    assert_eq!(driver.state(), QueueState::Closing);
    assert_eq!(driver.seat_states(), []);
    for worker in workers {
        driver.gone(worker, GoneCause::Signaled { signal: 9 }, None);
    }
    supervisor_gone(&mut driver);
    assert_eq!(driver.state(), QueueState::Closed);
    assert_eq!(driver.scheduler.next_wakeup(), None);
}

#[test]
fn a_closing_queue_refuses_tasks_and_finishes_those_it_has() {
    let (mut driver, _) = Driver::ready(plain(1));
    let tasks = [driver.push(), driver.push()];
    close_in(&mut driver, ms(1000));
    let refused = driver.scheduler.submit(driver.now, Submission::default());
    assert_eq!(refused, Err(SubmitError::Closed));
    for task in tasks {
        let (worker, attempt) = driver.sent();
        driver.finish(worker, attempt);
        driver.done(task, Outcome::Success);
    }
    driver.expect(Action::Shutdown);
    supervisor_gone(&mut driver);
    assert_eq!(driver.state(), QueueState::Closed);
    assert_eq!(driver.scheduler.oldest_done(), Some(tasks[0]));
    assert!(driver.scheduler.take(tasks[0]));
}

#[test]
fn what_is_not_finished_at_the_deadline_is_cancelled_and_everything_is_killed() {
    let (mut driver, _) = Driver::ready(plain(1));
    let (running, waiting) = (driver.push(), driver.push());
    let (worker, attempt) = driver.sent();
    let deadline = close_in(&mut driver, ms(1000));
    assert_eq!(driver.scheduler.next_wakeup(), Some(deadline));
    driver.wait(ms(1000));
    driver.expect(Action::KillSupervisor);
    driver.done(running, Outcome::Cancelled);
    driver.done(waiting, Outcome::Cancelled);
    let view = driver.scheduler.task(running).unwrap();
    assert_eq!((view.tries, view.worker), (1, Some(worker)));
    driver.finish(worker, attempt);
    assert_eq!(driver.scheduler.stale(), 1);
    assert_eq!(driver.outcome(running), Some(Outcome::Cancelled));
    supervisor_gone(&mut driver);
    assert_eq!(driver.state(), QueueState::Closed);
}

#[test]
fn a_kill_ends_everything_now() {
    let (mut driver, _) = Driver::ready(plain(2));
    let tasks: Vec<_> = (0..3).map(|_| driver.push()).collect();
    driver.sent();
    driver.sent();
    driver.input(Input::Kill);
    driver.expect(Action::KillSupervisor);
    for task in tasks {
        driver.done(task, Outcome::Cancelled);
    }
    driver.input(Input::Kill);
    close_in(&mut driver, ms(1));
    driver.wait(ms(100_000));
    driver.expect_nothing();
    supervisor_gone(&mut driver);
    assert_eq!(driver.state(), QueueState::Closed);
}

#[test]
fn a_queue_can_be_killed_before_anything_is_up() {
    let mut driver = Driver::new(plain(2));
    let task = driver.push();
    driver.input(Input::Kill);
    driver.expect(Action::KillSupervisor);
    driver.done(task, Outcome::Cancelled);
    driver.input(Input::SupervisorUp);
    supervisor_gone(&mut driver);
    assert_eq!(driver.state(), QueueState::Closed);
}

#[test]
fn a_supervisor_that_does_not_leave_is_killed() {
    let (mut driver, _) = Driver::ready(plain(1));
    close_in(&mut driver, ms(10_000));
    driver.expect(Action::Shutdown);
    driver.wait(ms(2000));
    driver.expect(Action::KillSupervisor);
    driver.wait(ms(20_000));
    supervisor_gone(&mut driver);
    assert_eq!(driver.state(), QueueState::Closed);
}

#[test]
fn the_deadline_also_ends_a_supervisor_that_is_leaving() {
    let (mut driver, _) = Driver::ready(plain(1));
    close_in(&mut driver, ms(100));
    driver.expect(Action::Shutdown);
    driver.wait(ms(100));
    driver.expect(Action::KillSupervisor);
}

#[test]
fn closing_twice_can_only_make_the_deadline_earlier() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.push();
    driver.sent();
    let first = close_in(&mut driver, ms(1000));
    close_in(&mut driver, ms(5000));
    assert_eq!(driver.scheduler.next_wakeup(), Some(first));
    let earlier = close_in(&mut driver, ms(10));
    assert_eq!(driver.scheduler.next_wakeup(), Some(earlier));
}

#[test]
fn closing_ends_a_pause_and_cannot_be_paused() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.input(Input::Pause);
    let task = driver.push();
    close_in(&mut driver, ms(1000));
    let (worker, attempt) = driver.sent();
    driver.input(Input::Pause);
    driver.input(Input::Resize {
        workers: 9,
        max_workers: 0,
    });
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    driver.expect(Action::Shutdown);
}

#[test]
fn sessions_are_still_replaced_while_a_closing_queue_has_tasks() {
    let (mut driver, _) = Driver::ready(plain(1));
    let (first, second) = (driver.push(), driver.push());
    let (worker, attempt) = driver.sent();
    close_in(&mut driver, ms(1000));
    driver.dies_in(worker, attempt);
    let cause = common::CRASH;
    driver.done(first, Outcome::Crash { cause });
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    let (worker, attempt) = driver.sent();
    driver.finish(worker, attempt);
    driver.done(second, Outcome::Success);
    driver.expect(Action::Shutdown);
}

#[test]
fn a_supervisor_that_dies_while_the_queue_closes_is_replaced_only_for_tasks() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.input(Input::Pause);
    let task = driver.push();
    supervisor_gone(&mut driver);
    driver.expect(Action::Boot);
    close_in(&mut driver, ms(1000));
    driver.cancel(task);
    driver.done(task, Outcome::Cancelled);
    driver.expect(Action::Shutdown);
    supervisor_gone(&mut driver);
    assert_eq!(driver.state(), QueueState::Closed);
}

#[test]
fn a_closed_queue_answers_everything_and_does_nothing() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.input(Input::Kill);
    driver.expect(Action::KillSupervisor);
    driver.done(task, Outcome::Cancelled);
    supervisor_gone(&mut driver);
    for input in [
        Input::SupervisorUp,
        Input::SupervisorGone { reported: true },
        Input::WorkerReady { worker },
        Input::StartFailed { worker },
        Input::Returned {
            worker,
            attempts: vec![attempt],
        },
        Input::Cancel {
            tasks: vec![task],
            grace: None,
        },
        Input::Resize {
            workers: 3,
            max_workers: 0,
        },
        Input::Pause,
        Input::Resume,
        Input::Close { deadline: Time(0) },
        Input::Kill,
        Input::Tick,
    ] {
        driver.input(input);
    }
    driver.dies_in(worker, attempt);
    driver.finish(worker, attempt);
    driver.expect_nothing();
    assert_eq!(driver.scheduler.stale(), 7);
    assert_eq!(driver.state(), QueueState::Closed);
    assert_eq!(driver.outcome(task), Some(Outcome::Cancelled));
    assert!(driver.scheduler.take(task));
}
