//! Sessions and supervisors that die.

mod common;

use common::{ms, plain, us, Driver, CRASH};
use taskq_core::{
    Action, AttemptId, Begun, GoneCause, Input, Outcome, QueueState, SchedulerConfig, SeatState,
};

#[test]
fn a_task_whose_session_dies_in_it_crashed_and_the_seat_gets_a_new_session() {
    let (mut driver, workers) = Driver::ready(plain(1));
    let (first, second) = (driver.push(), driver.push());
    let (worker, attempt) = driver.sent();
    driver.wait(ms(3));
    driver.dies_in(worker, attempt);
    driver.done(first, Outcome::Crash { cause: CRASH });
    let replacement = driver.launched();
    assert_ne!(replacement, workers[0]);
    assert_eq!(driver.seat_states(), [SeatState::Starting]);
    let view = driver.scheduler.task(first).unwrap();
    assert_eq!((view.tries, view.worker), (1, Some(worker)));
    driver.input(Input::WorkerReady {
        worker: replacement,
    });
    assert_eq!(driver.sent().1.task, second);
}

#[test]
fn exit_status_zero_is_no_success() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    let cause = GoneCause::Exited { code: 0 };
    let begun = Begun {
        attempt,
        at: driver.now,
    };
    driver.gone(worker, cause, Some(begun));
    driver.done(task, Outcome::Crash { cause });
    driver.launched();
}

#[test]
fn a_task_that_had_not_begun_is_not_blamed_and_is_sent_again() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, first) = driver.sent();
    driver.dies(worker);
    driver.assert_counts(1, 0, 0);
    assert_eq!(driver.scheduler.task(task).unwrap().tries, 0);
    let replacement = driver.launched();
    driver.input(Input::WorkerReady {
        worker: replacement,
    });
    let (_, second) = driver.sent();
    assert_eq!((second.task, second.number), (task, first.number + 1));
    driver.finish(replacement, first);
    assert_eq!(driver.scheduler.stale(), 1, "the old attempt is over");
    driver.finish(replacement, second);
    driver.done(task, Outcome::Success);
    assert_eq!(driver.scheduler.task(task).unwrap().tries, 1);
}

#[test]
fn a_result_that_came_before_the_end_of_its_session_counts() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    driver.dies_in(worker, attempt);
    assert_eq!(driver.outcome(task), Some(Outcome::Success));
    driver.launched();
}

#[test]
fn only_the_begun_one_of_a_line_is_blamed() {
    let (mut driver, worker) = Driver::with_run_time(
        SchedulerConfig {
            workers: 1,
            ..SchedulerConfig::default()
        },
        us(10),
    );
    let tasks: Vec<_> = (0..4).map(|_| driver.push()).collect();
    let sent: Vec<AttemptId> = (0..4).map(|_| driver.sent().1).collect();
    driver.finish(worker, sent[0]);
    driver.done(tasks[0], Outcome::Success);
    driver.dies_in(worker, sent[1]);
    driver.done(tasks[1], Outcome::Crash { cause: CRASH });
    driver.assert_counts(2, 0, 2);
    driver.launched();
}

#[test]
fn what_lay_in_front_of_the_begun_one_is_never_run_again() {
    let (mut driver, worker) = Driver::with_run_time(
        SchedulerConfig {
            workers: 1,
            ..SchedulerConfig::default()
        },
        us(10),
    );
    let tasks: Vec<_> = (0..3).map(|_| driver.push()).collect();
    let sent: Vec<AttemptId> = (0..3).map(|_| driver.sent().1).collect();
    driver.dies_in(worker, sent[1]);
    driver.done(tasks[0], Outcome::Crash { cause: CRASH });
    driver.done(tasks[1], Outcome::Crash { cause: CRASH });
    driver.assert_counts(1, 0, 2);
    driver.launched();
}

#[test]
fn a_note_about_an_attempt_that_is_over_blames_nobody() {
    let (mut driver, worker) = Driver::with_run_time(
        SchedulerConfig {
            workers: 1,
            ..SchedulerConfig::default()
        },
        us(10),
    );
    let (first, _) = (driver.push(), driver.push());
    let (sent, _) = (driver.sent().1, driver.sent());
    driver.finish(worker, sent);
    driver.done(first, Outcome::Success);
    driver.dies_in(worker, sent);
    driver.assert_counts(1, 0, 1);
    driver.launched();
}

#[test]
fn a_session_that_dies_idle_is_replaced_and_fails_no_task() {
    let (mut driver, workers) = Driver::ready(plain(2));
    for worker in workers {
        driver.dies(worker);
        driver.launched();
    }
    assert_eq!(driver.seat_states(), [SeatState::Starting; 2]);
    assert_eq!(driver.state(), QueueState::Open);
}

#[test]
fn the_death_of_the_supervisor_crashes_what_ran_and_spares_what_waits() {
    let (mut driver, workers) = Driver::ready(plain(2));
    let tasks: Vec<_> = (0..3).map(|_| driver.push()).collect();
    let sent = [driver.sent(), driver.sent()];
    let cause = GoneCause::SupervisorLost;
    for ((worker, attempt), task) in sent.into_iter().zip(&tasks) {
        let at = driver.now;
        driver.gone(worker, cause, Some(Begun { attempt, at }));
        driver.done(*task, Outcome::Crash { cause });
        driver.expect_nothing();
    }
    driver.input(Input::SupervisorGone { reported: false });
    driver.expect(Action::Boot);
    assert_eq!(driver.seat_states(), [SeatState::Starting; 2]);
    driver.input(Input::SupervisorUp);
    let worker = driver.launched();
    assert!(!workers.contains(&worker));
    driver.launched();
    driver.input(Input::WorkerReady { worker });
    assert_eq!(driver.sent().1.task, tasks[2]);
}

#[test]
fn nothing_is_sent_while_the_supervisor_is_known_to_be_lost() {
    let (mut driver, workers) = Driver::ready(plain(2));
    driver.gone(workers[0], GoneCause::SupervisorLost, None);
    let task = driver.push();
    driver.expect_nothing();
    driver.gone(workers[1], GoneCause::SupervisorLost, None);
    driver.input(Input::SupervisorGone { reported: false });
    driver.expect(Action::Boot);
    driver.input(Input::SupervisorUp);
    let worker = driver.launched();
    driver.launched();
    driver.input(Input::WorkerReady { worker });
    assert_eq!(driver.sent().1.task, task);
}

#[test]
fn sessions_of_which_a_dead_supervisor_left_no_word_are_gone_with_it() {
    let (mut driver, workers) = Driver::ready(plain(3));
    let task = driver.push();
    driver.sent();
    driver.input(Input::SupervisorGone { reported: false });
    let cause = GoneCause::SupervisorLost;
    driver.done(task, Outcome::Crash { cause });
    driver.expect(Action::Boot);
    driver.gone(workers[1], cause, None);
    assert_eq!(driver.scheduler.stale(), 1);
}

#[test]
fn killing_all_sessions_at_once_does_not_fail_the_pool_even_while_they_start() {
    let mut driver = Driver::new(plain(8));
    driver.input(Input::SupervisorUp);
    let workers: Vec<_> = (0..8).map(|_| driver.launched()).collect();
    for worker in workers {
        driver.dies(worker);
        driver.launched();
    }
    assert_eq!(driver.state(), QueueState::Open);
}
