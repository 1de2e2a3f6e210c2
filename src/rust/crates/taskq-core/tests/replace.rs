//! Submissions that take the place of older ones.

mod common;

use common::{ms, plain, us, Driver};
use taskq_core::{Action, Outcome, SchedulerConfig, Submission, SubmitError, TaskId};

fn keyed(key: &str) -> Submission {
    Submission {
        key: Some(key.into()),
        ..Submission::default()
    }
}

#[test]
fn a_waiting_task_makes_way_before_the_new_one_is_added() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.push();
    driver.sent();
    let old = driver.submit(keyed("k"));
    let new = driver.submit(keyed("k"));
    driver.done(old, Outcome::Cancelled);
    driver.assert_counts(1, 1, 1);
    assert_eq!(driver.outcome(new), None);
}

#[test]
fn a_running_task_is_cancelled_as_by_its_user() {
    let (mut driver, _) = Driver::ready(plain(1));
    let old = driver.submit(keyed("k"));
    let (worker, attempt) = driver.sent();
    let new = driver.submit(keyed("k"));
    driver.expect(Action::Interrupt { worker, attempt });
    driver.wait(ms(1));
    driver.finish(worker, attempt);
    driver.done(old, Outcome::Cancelled);
    assert_eq!(driver.sent().1.task, new);
}

#[test]
fn a_third_replaces_the_second_while_the_first_still_ends() {
    let (mut driver, _) = Driver::ready(plain(1));
    let first = driver.submit(keyed("k"));
    let (worker, attempt) = driver.sent();
    let second = driver.submit(keyed("k"));
    driver.expect(Action::Interrupt { worker, attempt });
    let third = driver.submit(keyed("k"));
    driver.done(second, Outcome::Cancelled);
    driver.wait(us(1));
    driver.finish(worker, attempt);
    driver.done(first, Outcome::Cancelled);
    assert_eq!(driver.sent().1.task, third);
}

#[test]
fn what_is_done_and_what_has_another_key_stays() {
    let (mut driver, _) = Driver::ready(plain(2));
    let old = driver.submit(keyed("k"));
    let (worker, attempt) = driver.sent();
    driver.finish(worker, attempt);
    driver.done(old, Outcome::Success);
    driver.submit(keyed("k"));
    driver.sent();
    driver.submit(keyed("l"));
    driver.sent();
    assert_eq!(driver.outcome(old), Some(Outcome::Success));
}

#[test]
fn nothing_is_replaced_by_a_submission_that_is_refused() {
    let config = SchedulerConfig {
        max_waiting: 1,
        ..plain(0)
    };
    let mut driver = Driver::new(config);
    let old = driver.submit(keyed("k"));
    let full = driver.scheduler.submit(driver.now, keyed("k"));
    assert_eq!(full, Err(SubmitError::Full));
    assert_eq!(driver.outcome(old), None);

    let mut driver = Driver::new(plain(0));
    let old = driver.submit(keyed("k"));
    let unknown = Submission {
        after: vec!["nothing".into()],
        ..keyed("k")
    };
    let label = "nothing".into();
    let refused = driver.scheduler.submit(driver.now, unknown);
    assert_eq!(refused, Err(SubmitError::Unknown { label }));
    assert_eq!(driver.outcome(old), None);
}

#[test]
fn a_task_that_is_to_run_after_what_it_replaces_is_skipped() {
    let mut driver = Driver::new(plain(0));
    let old = driver.submit(keyed("k"));
    let heir = Submission {
        after: vec![".1".into()],
        ..keyed("k")
    };
    let heir = driver.submit(heir);
    driver.done(old, Outcome::Cancelled);
    driver.done(heir, Outcome::Skipped { after: old });
    let next = driver.submit(keyed("k"));
    assert_eq!(next, TaskId(3));
}
