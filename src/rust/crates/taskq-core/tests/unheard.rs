//! Sessions whose answers were lost.

mod common;

use common::{plain, Driver, CRASH};
use taskq_core::{Action, Input, Outcome, TaskOptions};

#[test]
fn it_is_killed_and_what_it_was_sent_first_is_not_run_again() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.push();
    let (worker, _) = driver.sent();
    driver.input(Input::Unheard { worker });
    driver.expect(Action::KillWorker { worker });
    // The session has noted nothing: it may have ended the task, or not have begun it.
    driver.dies(worker);
    driver.done(task, Outcome::Crash { cause: CRASH });
    driver.launched();
}

#[test]
fn its_user_may_want_another_try() {
    let (mut driver, _) = Driver::ready(plain(1));
    let options = TaskOptions {
        tries: 2,
        ..TaskOptions::default()
    };
    driver.push_with(options);
    let (worker, _) = driver.sent();
    driver.input(Input::Unheard { worker });
    driver.expect(Action::KillWorker { worker });
    driver.dies(worker);
    let next = driver.launched();
    driver.input(Input::WorkerReady { worker: next });
    assert_eq!(driver.sent().1.number, 2);
}

#[test]
fn nobody_knows_a_session_that_is_gone() {
    let (mut driver, workers) = Driver::ready(plain(1));
    let worker = workers[0];
    driver.dies(worker);
    driver.launched();
    let before = driver.scheduler.stale();
    driver.input(Input::Unheard { worker });
    assert_eq!(driver.scheduler.stale(), before + 1);
}
