//! Broadcasts: every session runs them, those that are there between two tasks, those that come before their first.

mod common;

use common::{ms, plain, us, Driver, CRASH};
use taskq_core::{
    Action, BroadcastState, GoneCause, Input, Outcome, QueueState, SchedulerConfig, SeatState,
    SubmitError, TaskOptions, WorkerId,
};

/// Has every session run a broadcast; its number.
fn everywhere(driver: &mut Driver) -> u64 {
    let broadcast = driver.scheduler.run_everywhere(driver.now).unwrap();
    driver.wait(ms(0));
    broadcast
}

fn run(worker: WorkerId, broadcast: u64) -> Action {
    Action::RunBroadcast { worker, broadcast }
}

fn ran(driver: &mut Driver, worker: WorkerId) {
    let broadcast = driver.scheduler.broadcast_of(worker).unwrap();
    driver.input(Input::Ran { worker, broadcast });
}

fn ready(driver: &mut Driver, worker: WorkerId) {
    driver.input(Input::WorkerReady { worker });
}

fn fails(driver: &mut Driver, worker: WorkerId) {
    driver.input(Input::StartFailed { worker });
}

#[test]
fn idle_sessions_run_it_at_once_and_get_tasks_when_they_have() {
    let (mut driver, workers) = Driver::ready(plain(2));
    let broadcast = everywhere(&mut driver);
    for &worker in &workers {
        driver.expect(run(worker, broadcast));
        assert_eq!(driver.scheduler.broadcast_of(worker), Some(broadcast));
    }
    driver.push();
    driver.expect_nothing();
    assert_eq!(driver.seat_states(), [SeatState::Starting; 2]);
    ran(&mut driver, workers[1]);
    assert_eq!(driver.sent().0, workers[1]);
    assert_eq!(
        driver.scheduler.broadcast(broadcast),
        Some(BroadcastState::Open)
    );
    ran(&mut driver, workers[0]);
    assert_eq!(
        driver.scheduler.broadcast(broadcast),
        Some(BroadcastState::Kept)
    );
    assert_eq!(driver.scheduler.broadcast_of(workers[0]), None);
    assert_eq!(driver.scheduler.totals().sessions_ready, 2);
}

#[test]
fn a_busy_session_runs_it_after_its_task_and_others_go_on_meanwhile() {
    let (mut driver, workers) = Driver::ready(plain(2));
    let task = driver.push();
    let (busy, attempt) = driver.sent();
    let broadcast = everywhere(&mut driver);
    let other = workers[1];
    driver.expect(run(other, broadcast));
    ran(&mut driver, other);
    driver.push();
    assert_eq!(driver.sent().0, other);
    driver.push();
    driver.expect_nothing();
    driver.finish(busy, attempt);
    driver.done(task, Outcome::Success);
    driver.expect(run(busy, broadcast));
    assert_eq!(
        driver.scheduler.broadcast(broadcast),
        Some(BroadcastState::Open)
    );
    ran(&mut driver, busy);
    assert_eq!(
        driver.scheduler.broadcast(broadcast),
        Some(BroadcastState::Kept)
    );
    assert_eq!(driver.sent().0, busy);
}

#[test]
fn what_lies_ahead_is_recalled_and_nothing_is_sent_ahead_before_it_has_run() {
    let config = SchedulerConfig {
        workers: 1,
        ..SchedulerConfig::default()
    };
    let (mut driver, worker) = Driver::with_run_time(config, us(10));
    for _ in 0..3 {
        driver.push();
    }
    let sent: Vec<_> = (0..3).map(|_| driver.sent().1).collect();
    let broadcast = everywhere(&mut driver);
    let attempts = sent[1..].to_vec();
    driver.expect(Action::Recall { worker, attempts });
    driver.push();
    driver.finish(worker, sent[0]);
    driver.done(sent[0].task, Outcome::Success);
    // It had begun the next one, which is not followed by others.
    driver.returned(worker, &sent[2..]);
    driver.expect_nothing();
    driver.finish(worker, sent[1]);
    driver.done(sent[1].task, Outcome::Success);
    driver.expect(run(worker, broadcast));
    ran(&mut driver, worker);
    let (_, again) = driver.sent();
    assert_eq!(again.task, sent[2].task);
    driver.sent();
}

#[test]
fn a_session_that_comes_later_runs_all_of_them_in_their_order_before_its_first_task() {
    let (mut driver, workers) = Driver::ready(plain(1));
    for broadcast in 1..=2 {
        assert_eq!(everywhere(&mut driver), broadcast);
        driver.expect(run(workers[0], broadcast));
        ran(&mut driver, workers[0]);
    }
    driver.dies(workers[0]);
    let later = driver.launched();
    let task = driver.push_with(TaskOptions {
        isolate: true,
        ..TaskOptions::default()
    });
    ready(&mut driver, later);
    for broadcast in 1..=2 {
        driver.expect(run(later, broadcast));
        driver.expect_nothing();
        // What it has said before counts no more.
        ready(&mut driver, later);
        driver.expect_nothing();
        ran(&mut driver, later);
    }
    // It is as good as new: it was sent no task.
    let (worker, attempt) = driver.sent();
    assert_eq!((worker, attempt.task), (later, task));
}

#[test]
fn sessions_that_start_are_waited_for_and_those_that_leave_are_not() {
    let mut driver = Driver::new(plain(1));
    let broadcast = everywhere(&mut driver);
    driver.input(Input::SupervisorUp);
    let first = driver.launched();
    assert_eq!(
        driver.scheduler.broadcast(broadcast),
        Some(BroadcastState::Open)
    );
    ready(&mut driver, first);
    driver.expect(run(first, broadcast));
    ran(&mut driver, first);
    assert_eq!(
        driver.scheduler.broadcast(broadcast),
        Some(BroadcastState::Kept)
    );
    driver.push();
    driver.sent();
    driver.input(Input::Resize {
        workers: 0,
        max_workers: 0,
    });
    let next = everywhere(&mut driver);
    assert_eq!(driver.scheduler.broadcast(next), Some(BroadcastState::Kept));
}

#[test]
fn a_queue_that_is_paused_runs_it_and_no_task() {
    let (mut driver, workers) = Driver::ready(plain(1));
    driver.input(Input::Pause);
    driver.push();
    let broadcast = everywhere(&mut driver);
    driver.expect(run(workers[0], broadcast));
    ran(&mut driver, workers[0]);
    driver.expect_nothing();
    assert_eq!(
        driver.scheduler.broadcast(broadcast),
        Some(BroadcastState::Kept)
    );
    driver.input(Input::Resume);
    driver.sent();
}

#[test]
fn where_it_fails_in_one_session_it_is_as_if_it_had_not_been() {
    let (mut driver, workers) = Driver::ready(plain(4));
    let task = driver.push();
    let (busy, attempt) = driver.sent();
    assert_eq!(busy, workers[0]);
    let broadcast = everywhere(&mut driver);
    for &worker in &workers[1..] {
        driver.expect(run(worker, broadcast));
    }
    ran(&mut driver, workers[1]);
    ran(&mut driver, workers[2]);
    let second = driver.push();
    let (also_busy, _) = driver.sent();
    assert_eq!(also_busy, workers[1]);
    fails(&mut driver, workers[3]);
    assert_eq!(
        driver.scheduler.broadcast(broadcast),
        Some(BroadcastState::Withdrawn)
    );
    // The one that has run it and is idle leaves; the busy one does when its task has ended.
    driver.expect(Action::Retire { worker: workers[2] });
    let next: Vec<_> = (0..2).map(|_| driver.launched()).collect();
    driver.expect_nothing();
    assert_eq!(
        driver.scheduler.task(second).unwrap().worker,
        Some(also_busy)
    );
    // The one that has not goes on, and later ones run nothing.
    driver.finish(busy, attempt);
    driver.done(task, Outcome::Success);
    for worker in next {
        ready(&mut driver, worker);
    }
    driver.expect_nothing();
    // What fails so is no start that has failed.
    for _ in 0..20 {
        let broadcast = everywhere(&mut driver);
        let Some(Action::RunBroadcast { worker, .. }) = driver.next_action() else {
            panic!("an idle session runs it");
        };
        while driver.next_action().is_some() {}
        driver.gone(worker, CRASH, None);
        assert_eq!(
            driver.scheduler.broadcast(broadcast),
            Some(BroadcastState::Withdrawn)
        );
        while let Some(action) = driver.next_action() {
            if let Action::Launch { worker } = action {
                ready(&mut driver, worker);
            }
        }
    }
    assert_eq!(driver.scheduler.state(), QueueState::Open);
}

#[test]
fn what_is_withdrawn_ends_the_sessions_that_run_it_and_what_is_kept_is_not_withdrawn() {
    let (mut driver, workers) = Driver::ready(plain(1));
    let broadcast = everywhere(&mut driver);
    driver.expect(run(workers[0], broadcast));
    driver.input(Input::Withdraw { broadcast });
    driver.expect(Action::KillWorker { worker: workers[0] });
    let next = driver.launched();
    ready(&mut driver, next);
    driver.gone(workers[0], CRASH, None);
    let kept = everywhere(&mut driver);
    driver.expect(run(next, kept));
    ran(&mut driver, next);
    driver.input(Input::Withdraw { broadcast: kept });
    driver.input(Input::Withdraw { broadcast: 99 });
    driver.expect_nothing();
    assert_eq!(driver.scheduler.broadcast(kept), Some(BroadcastState::Kept));
    assert_eq!(driver.scheduler.broadcast(0), None);
}

#[test]
fn a_later_session_in_which_it_fails_has_failed_to_start() {
    let config = SchedulerConfig {
        start_limit: 3,
        ..plain(1)
    };
    let (mut driver, workers) = Driver::ready(config);
    let broadcast = everywhere(&mut driver);
    driver.expect(run(workers[0], broadcast));
    ran(&mut driver, workers[0]);
    driver.dies(workers[0]);
    for number in 1..=3 {
        let worker = driver.launched();
        ready(&mut driver, worker);
        driver.expect(run(worker, broadcast));
        fails(&mut driver, worker);
        driver.gone(worker, GoneCause::Exited { code: 1 }, None);
        let has_failed = driver.scheduler.state() == QueueState::Failed;
        assert_eq!(has_failed, number == 3);
    }
    while driver.next_action().is_some() {}
    let refused = driver.scheduler.run_everywhere(driver.now);
    assert_eq!(refused, Err(SubmitError::Failed));
}

#[test]
fn the_death_of_the_supervisor_is_no_failure_of_it() {
    let (mut driver, workers) = Driver::ready(plain(1));
    let broadcast = everywhere(&mut driver);
    driver.expect(run(workers[0], broadcast));
    driver.gone(workers[0], GoneCause::SupervisorLost, None);
    driver.input(Input::SupervisorGone { reported: false });
    driver.expect(Action::Boot);
    assert_eq!(
        driver.scheduler.broadcast(broadcast),
        Some(BroadcastState::Open)
    );
    driver.input(Input::SupervisorUp);
    let worker = driver.launched();
    ready(&mut driver, worker);
    driver.expect(run(worker, broadcast));
    ran(&mut driver, worker);
    assert_eq!(
        driver.scheduler.broadcast(broadcast),
        Some(BroadcastState::Kept)
    );
    driver.input(Input::Close {
        deadline: driver.now,
    });
    while driver.next_action().is_some() {}
    let refused = driver.scheduler.run_everywhere(driver.now);
    assert_eq!(refused, Err(SubmitError::Closed));
}
