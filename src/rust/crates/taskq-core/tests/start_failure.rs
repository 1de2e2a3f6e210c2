//! Sessions and supervisors that cannot come up.

mod common;

use common::{ms, plain, Driver};
use taskq_core::{
    Action, GoneCause, Input, Outcome, QueueState, SchedulerConfig, Submission, SubmitError,
    WorkerId,
};

const NO_PROCESS: GoneCause = GoneCause::LaunchFailed { errno: 11 };

fn up(config: SchedulerConfig) -> Driver {
    let mut driver = Driver::new(config);
    driver.input(Input::SupervisorUp);
    driver
}

fn supervisor_gone(driver: &mut Driver, reported: bool) {
    driver.input(Input::SupervisorGone { reported });
}

#[test]
fn after_start_limit_failed_starts_in_a_row_the_pool_fails() {
    let mut driver = up(plain(1));
    let task = driver.push();
    for _ in 0..2 {
        let worker = driver.launched();
        driver.gone(worker, NO_PROCESS, None);
    }
    let worker = driver.launched();
    assert_eq!(driver.state(), QueueState::Open);
    driver.gone(worker, NO_PROCESS, None);
    driver.done(task, Outcome::NoWorker);
    driver.expect(Action::Failed);
    driver.expect(Action::Shutdown);
    assert_eq!(driver.state(), QueueState::Failed);
    let refused = driver.scheduler.submit(driver.now, Submission::default());
    assert_eq!(refused, Err(SubmitError::Failed));
    driver.input(Input::Resize {
        workers: 4,
        max_workers: 0,
    });
    supervisor_gone(&mut driver, false);
    driver.wait(ms(100_000));
    assert_eq!(driver.state(), QueueState::Failed);
}

#[test]
fn a_reported_start_failure_counts_once_and_the_session_is_expected_to_leave() {
    let mut driver = up(plain(1));
    let first = driver.launched();
    driver.input(Input::StartFailed { worker: first });
    let second = driver.launched();
    driver.gone(first, GoneCause::Exited { code: 1 }, None);
    driver.input(Input::StartFailed { worker: second });
    let third = driver.launched();
    assert_eq!(driver.state(), QueueState::Open);
    driver.wait(ms(2000));
    driver.expect(Action::KillWorker { worker: second });
    driver.gone(second, GoneCause::Signaled { signal: 9 }, None);
    driver.input(Input::StartFailed { worker: third });
    driver.expect(Action::Failed);
    driver.expect(Action::Shutdown);
}

#[test]
fn a_session_that_becomes_ready_sets_the_count_back() {
    let mut driver = up(plain(1));
    for _ in 0..4 {
        for _ in 0..2 {
            let worker = driver.launched();
            driver.dies(worker);
        }
        let worker = driver.launched();
        driver.input(Input::WorkerReady { worker });
        driver.dies(worker);
    }
    driver.launched();
    assert_eq!(driver.state(), QueueState::Open);
}

#[test]
fn sessions_that_fail_together_count_once() {
    let mut driver = up(plain(10));
    let mut workers: Vec<WorkerId> = (0..10).map(|_| driver.launched()).collect();
    for _ in 0..2 {
        let mut next = Vec::new();
        for worker in workers {
            driver.gone(worker, NO_PROCESS, None);
            next.push(driver.launched());
        }
        workers = next;
    }
    assert_eq!(driver.state(), QueueState::Open);
    driver.gone(workers[3], NO_PROCESS, None);
    assert_eq!(driver.state(), QueueState::Failed);
    for _ in 0..9 {
        let action = driver.next_action();
        assert!(
            matches!(action, Some(Action::KillWorker { .. })),
            "{action:?}"
        );
    }
    driver.expect(Action::Failed);
    driver.expect(Action::Shutdown);
}

#[test]
fn tasks_that_run_when_the_pool_fails_finish_as_they_can() {
    let (mut driver, _) = Driver::ready(plain(2));
    let (running, crashing, waiting) = (driver.push(), driver.push(), driver.push());
    let (worker, attempt) = driver.sent();
    let (victim, _) = driver.sent();
    driver.dies_in(
        victim,
        driver.scheduler.task(crashing).unwrap().attempt.unwrap(),
    );
    let cause = common::CRASH;
    driver.done(crashing, Outcome::Crash { cause });
    for _ in 0..3 {
        let starting = driver.launched();
        driver.dies(starting);
    }
    driver.done(waiting, Outcome::NoWorker);
    driver.expect(Action::Failed);
    assert!(driver.is_running(running));
    driver.finish(worker, attempt);
    driver.done(running, Outcome::Success);
    driver.expect(Action::Retire { worker });
    driver.expect(Action::Shutdown);
    driver.dies(worker);
    supervisor_gone(&mut driver, false);
    assert_eq!(driver.state(), QueueState::Failed);
    driver.input(Input::Close {
        deadline: driver.now,
    });
    assert_eq!(driver.state(), QueueState::Closed);
    let refused = driver.scheduler.submit(driver.now, Submission::default());
    assert_eq!(refused, Err(SubmitError::Closed));
}

#[test]
fn a_task_that_had_not_begun_in_a_failed_pool_has_no_worker() {
    let (mut driver, _) = Driver::ready(plain(2));
    let task = driver.push();
    let (worker, _) = driver.sent();
    driver.dies(WorkerId(2));
    for _ in 0..3 {
        let starting = driver.launched();
        driver.dies(starting);
    }
    driver.expect(Action::Failed);
    driver.dies(worker);
    driver.done(task, Outcome::NoWorker);
    driver.expect(Action::Shutdown);
}

#[test]
fn a_supervisor_that_says_why_it_cannot_come_up_fails_the_pool_at_once() {
    let mut driver = Driver::new(plain(1));
    let task = driver.push();
    supervisor_gone(&mut driver, true);
    driver.done(task, Outcome::NoWorker);
    driver.expect(Action::Failed);
    assert_eq!(driver.state(), QueueState::Failed);
}

#[test]
fn a_supervisor_that_reports_a_failure_after_sessions_were_ready_is_tried_again() {
    let (mut driver, _) = Driver::ready(plain(1));
    supervisor_gone(&mut driver, false);
    driver.expect(Action::Boot);
    for _ in 0..2 {
        supervisor_gone(&mut driver, true);
        driver.expect(Action::Boot);
    }
    supervisor_gone(&mut driver, true);
    driver.expect(Action::Failed);
}

#[test]
fn a_supervisor_that_dies_again_and_again_before_a_session_is_ready_fails_the_pool() {
    let mut driver = Driver::new(plain(2));
    for _ in 0..2 {
        driver.input(Input::SupervisorUp);
        for worker in [driver.launched(), driver.launched()] {
            driver.gone(worker, GoneCause::SupervisorLost, None);
        }
        supervisor_gone(&mut driver, false);
        driver.expect(Action::Boot);
    }
    supervisor_gone(&mut driver, false);
    driver.expect(Action::Failed);
}

#[test]
fn a_supervisor_that_dies_after_a_session_was_ready_is_no_failed_start() {
    let mut driver = Driver::new(plain(1));
    for _ in 0..10 {
        driver.input(Input::SupervisorUp);
        let worker = driver.launched();
        driver.input(Input::WorkerReady { worker });
        driver.gone(worker, GoneCause::SupervisorLost, None);
        supervisor_gone(&mut driver, false);
        driver.expect(Action::Boot);
    }
}

#[test]
fn a_limit_of_zero_is_a_limit_of_one() {
    let config = SchedulerConfig {
        start_limit: 0,
        ..plain(1)
    };
    let mut driver = up(config);
    let worker = driver.launched();
    driver.dies(worker);
    driver.expect(Action::Failed);
    driver.expect(Action::Shutdown);
}
