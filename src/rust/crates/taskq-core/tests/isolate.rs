//! Tasks that share their session with no other.

mod common;

use common::{ms, plain, us, Driver, CRASH};
use taskq_core::{
    Action, AttemptId, Input, Outcome, SchedulerConfig, SeatState, TaskOptions, WorkerId,
};

fn alone() -> TaskOptions {
    TaskOptions {
        isolate: true,
        ..TaskOptions::default()
    }
}

/// Has every worker of this queue run a task.
fn wear(driver: &mut Driver, workers: usize) {
    for _ in 0..workers {
        driver.push();
    }
    let sent: Vec<_> = (0..workers).map(|_| driver.sent()).collect();
    for (worker, attempt) in sent {
        driver.wait(us(100));
        driver.finish(worker, attempt);
        driver.done(attempt.task, Outcome::Success);
    }
}

fn worn(config: SchedulerConfig) -> (Driver, Vec<WorkerId>) {
    let (mut driver, workers) = Driver::ready(config);
    wear(&mut driver, workers.len());
    (driver, workers)
}

/// The next actions retire this session, and launch another.
fn replaced(driver: &mut Driver, worker: WorkerId) -> WorkerId {
    driver.expect(Action::Retire { worker });
    driver.launched()
}

#[test]
fn a_fresh_session_is_used_as_it_is_and_retired_after_the_task() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(alone());
    let (worker, attempt) = driver.sent();
    assert!(driver.scheduler.task(task).unwrap().isolate);
    let next = driver.push();
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    let fresh = replaced(&mut driver, worker);
    assert_eq!(driver.seat_states(), [SeatState::Starting]);
    driver.gone(worker, CRASH, None);
    driver.input(Input::WorkerReady { worker: fresh });
    let (worker, attempt) = driver.sent();
    assert_eq!((worker, attempt.task), (fresh, next));
    assert_eq!(driver.scheduler.totals().sessions_recycled, 1);
    assert_eq!(driver.scheduler.totals().sessions_died, 0);
}

#[test]
fn an_idle_worn_session_makes_way() {
    let (mut driver, workers) = worn(plain(1));
    let task = driver.push_with(alone());
    let fresh = replaced(&mut driver, workers[0]);
    driver.assert_counts(1, 0, 1);
    driver.input(Input::WorkerReady { worker: fresh });
    let (worker, attempt) = driver.sent();
    assert_eq!((worker, attempt.task), (fresh, task));
}

#[test]
fn plain_tasks_prefer_worn_sessions() {
    let (mut driver, workers) = Driver::ready(plain(2));
    let first = driver.push();
    let (worker, attempt) = driver.sent();
    driver.finish(worker, attempt);
    driver.done(first, Outcome::Success);
    driver.push();
    assert_eq!(driver.sent().0, workers[0]);
    driver.push_with(alone());
    assert_eq!(driver.sent().0, workers[1]);
}

#[test]
fn a_plain_task_takes_a_fresh_session_when_there_is_no_other() {
    let (mut driver, workers) = Driver::ready(plain(1));
    driver.push();
    assert_eq!(driver.sent().0, workers[0]);
}

#[test]
fn it_does_not_block_others_while_its_session_starts() {
    let (mut driver, workers) = worn(plain(2));
    let task = driver.push_with(alone());
    let fresh = replaced(&mut driver, workers[1]);
    let other = driver.push();
    let (worker, attempt) = driver.sent();
    assert_eq!((worker, attempt.task), (workers[0], other));
    driver.push();
    driver.expect_nothing();
    driver.input(Input::WorkerReady { worker: fresh });
    assert_eq!(driver.sent().1.task, task);
}

#[test]
fn no_more_sessions_make_way_than_are_needed() {
    let (mut driver, workers) = worn(plain(4));
    driver.push_with(alone());
    let first = replaced(&mut driver, workers[3]);
    driver.push_with(alone());
    let second = replaced(&mut driver, workers[2]);
    driver.expect_nothing();
    // Those that start anyway are counted, too.
    driver.dies(workers[1]);
    let third = driver.launched();
    driver.push_with(alone());
    driver.expect_nothing();
    for worker in [first, second, third] {
        driver.input(Input::WorkerReady { worker });
        assert_eq!(driver.sent().0, worker);
    }
    assert_eq!(driver.scheduler.totals().sessions_recycled, 2);
}

#[test]
fn many_of_them_replace_all_idle_sessions_at_once() {
    let (mut driver, workers) = worn(plain(3));
    driver.input(Input::Pause);
    for _ in 0..5 {
        driver.push_with(alone());
    }
    driver.input(Input::Resume);
    for &worker in workers.iter().rev() {
        driver.expect(Action::Retire { worker });
    }
    for _ in 0..3 {
        driver.launched();
    }
}

/// Plain tasks come without end, more than the workers can run, and each ranks behind an isolated
/// one. How many of them begin before it.
fn overtaken_by(config: SchedulerConfig) -> usize {
    let (mut driver, _) = worn(config);
    let mut lines: Vec<(WorkerId, AttemptId)> = Vec::new();
    for _ in 0..12 {
        driver.push();
    }
    let isolated = driver.push_with(alone());
    for begun in 0..100 {
        driver.push();
        driver.push();
        while let Some(action) = driver.next_action() {
            match action {
                Action::Send { worker, attempt } => lines.push((worker, attempt)),
                Action::Recall { worker, attempts } => {
                    lines.retain(|(_, attempt)| !attempts.contains(attempt));
                    driver.returned(worker, &attempts);
                }
                Action::Launch { worker } => driver.input(Input::WorkerReady { worker }),
                _ => {}
            }
        }
        driver.wait(us(100));
        let (worker, attempt) = lines.remove(0);
        if attempt.task == isolated {
            while driver.next_action().is_some() {}
            return begun;
        }
        driver.finish(worker, attempt);
    }
    panic!("it is starved");
}

#[test]
fn a_stream_of_tasks_behind_it_does_not_starve_it() {
    assert!(overtaken_by(plain(2)) <= 14);
    let look_ahead = SchedulerConfig {
        workers: 2,
        ..SchedulerConfig::default()
    };
    // What was sent ahead before it came is run before it.
    assert!(overtaken_by(look_ahead) <= 30);
}

#[test]
fn one_that_ranks_behind_does_not_keep_others_from_being_sent_ahead() {
    let look_ahead = SchedulerConfig {
        workers: 2,
        ..SchedulerConfig::default()
    };
    let (mut driver, _) = worn(look_ahead);
    driver.push();
    let (busy, _) = driver.sent();
    let mut isolated = |priority| {
        driver.push_with(TaskOptions {
            priority,
            ..alone()
        });
        driver.next_action()
    };
    // A session is starting for the one; the other is nobody's hurry.
    assert!(matches!(isolated(0), Some(Action::Retire { .. })));
    isolated(-1);
    let ahead = driver.push();
    let (worker, attempt) = driver.sent();
    assert_eq!((worker, attempt.task), (busy, ahead));
}

#[test]
fn nothing_is_sent_behind_it() {
    let config = SchedulerConfig {
        workers: 1,
        ..SchedulerConfig::default()
    };
    let (mut driver, worker) = Driver::with_run_time(config, us(10));
    let task = driver.push_with(alone());
    let fresh = replaced(&mut driver, worker);
    driver.input(Input::WorkerReady { worker: fresh });
    driver.sent();
    driver.push();
    driver.expect_nothing();
    assert!(driver.is_running(task));
}

#[test]
fn a_higher_priority_goes_first_also_to_the_fresh_session() {
    let (mut driver, workers) = worn(plain(1));
    let task = driver.push_with(alone());
    let fresh = replaced(&mut driver, workers[0]);
    let urgent = driver.push_with(TaskOptions {
        priority: 1,
        ..TaskOptions::default()
    });
    driver.input(Input::WorkerReady { worker: fresh });
    let (worker, attempt) = driver.sent();
    assert_eq!(attempt.task, urgent);
    driver.finish(worker, attempt);
    driver.done(urgent, Outcome::Success);
    let fresh = replaced(&mut driver, worker);
    driver.input(Input::WorkerReady { worker: fresh });
    assert_eq!(driver.sent().1.task, task);
}

#[test]
fn each_try_has_a_session_of_its_own() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(TaskOptions {
        tries: 2,
        ..alone()
    });
    let (worker, attempt) = driver.sent();
    driver.dies_in(worker, attempt);
    let next = driver.launched();
    driver.input(Input::WorkerReady { worker: next });
    let (worker, attempt) = driver.sent();
    assert_eq!(worker, next);
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    replaced(&mut driver, next);
}

#[test]
fn a_session_whose_task_was_cancelled_unbegun_is_not_used_again() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push_with(alone());
    let (worker, attempt) = driver.sent();
    driver.cancel(task);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.returned(worker, &[attempt]);
    driver.done(task, Outcome::Cancelled);
    replaced(&mut driver, worker);
}

#[test]
fn a_cancelled_one_leaves_the_new_session_to_others() {
    let (mut driver, workers) = worn(plain(1));
    let task = driver.push_with(alone());
    let fresh = replaced(&mut driver, workers[0]);
    driver.cancel(task);
    driver.done(task, Outcome::Cancelled);
    driver.push();
    driver.input(Input::WorkerReady { worker: fresh });
    driver.sent();
}

#[test]
fn a_paused_queue_replaces_nothing() {
    let (mut driver, workers) = worn(plain(1));
    driver.input(Input::Pause);
    driver.push_with(alone());
    driver.wait(ms(1000));
    driver.expect_nothing();
    driver.input(Input::Resume);
    replaced(&mut driver, workers[0]);
}
