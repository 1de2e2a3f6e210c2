//! Tasks whose results belong to those who submitted them, and parts of something larger.

mod common;

use common::{ms, plain, Driver};
use taskq_core::{
    Action, Input, Outcome, SchedulerConfig, Submission, SubmitError, TaskId, TaskOptions, Verdict,
};

fn claimed() -> Submission {
    Submission {
        claimed: true,
        ..Submission::default()
    }
}

fn part() -> Submission {
    Submission {
        part: true,
        ..claimed()
    }
}

fn label(driver: &Driver, task: TaskId) -> String {
    driver.scheduler.task(task).unwrap().label.to_owned()
}

#[test]
fn a_claimed_task_counts_until_it_is_done_and_then_only_its_claimant_sees_it() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.submit(claimed());
    let (worker, attempt) = driver.sent();
    driver.submit(claimed());
    driver.assert_counts(1, 1, 0);
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    driver.sent();
    driver.assert_counts(0, 1, 0);
    assert_eq!(driver.scheduler.oldest_done(), None);
    assert_eq!(driver.outcome(task), Some(Outcome::Success));
    assert!(driver.scheduler.take(task));
    assert!(driver.scheduler.task(task).is_none());
    assert_eq!(driver.scheduler.totals().taken, 1);
}

#[test]
fn a_task_is_claimed_once_at_any_time_until_it_is_taken() {
    let (mut driver, _) = Driver::ready(plain(1));
    let tasks = [(); 3].map(|()| driver.submit(Submission::default()));
    let [first, second, third] = tasks;
    let (worker, attempt) = driver.sent();
    driver.finish(worker, attempt);
    driver.done(first, Outcome::Success);
    let (worker, attempt) = driver.sent();
    driver.assert_counts(1, 1, 1);
    // One is done, one runs, one waits.
    for task in tasks {
        assert!(driver.scheduler.claim(task));
        assert!(!driver.scheduler.claim(task), "it is somebody's");
    }
    driver.assert_counts(1, 1, 0);
    assert_eq!(driver.scheduler.oldest_done(), None);
    driver.disown(second);
    driver.expect(Action::Interrupt { worker, attempt });
    assert!(!driver.scheduler.claim(second), "it is nobody's any more");
    driver.disown(third);
    driver.expect(Action::Forget { task: third });
    assert!(driver.scheduler.take(first));
    assert!(!driver.scheduler.claim(first), "it is gone");
}

#[test]
fn a_killed_or_failed_queue_gives_it_an_outcome_as_any_other() {
    let mut driver = Driver::new(plain(1));
    let task = driver.submit(claimed());
    driver.input(Input::SupervisorGone { reported: true });
    driver.done(task, Outcome::NoWorker);
    driver.expect(Action::Failed);

    let mut driver = Driver::new(plain(1));
    let task = driver.submit(claimed());
    driver.input(Input::Kill);
    driver.expect(Action::KillSupervisor);
    driver.done(task, Outcome::Cancelled);
    driver.input(Input::SupervisorGone { reported: false });
    assert_eq!(driver.outcome(task), Some(Outcome::Cancelled));
    assert!(driver.scheduler.take(task));
}

#[test]
fn a_disowned_task_is_cancelled_and_leaves_as_soon_as_it_is_done() {
    let (mut driver, _) = Driver::ready(plain(1));
    let running = driver.submit(claimed());
    let (worker, attempt) = driver.sent();
    let waiting = driver.submit(claimed());
    driver.disown(waiting);
    driver.expect(Action::Forget { task: waiting });
    driver.disown(running);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.assert_counts(0, 1, 0);
    driver.wait(ms(1));
    driver.finish_with(worker, attempt, Verdict::Interrupted);
    driver.expect(Action::Forget { task: running });
    driver.assert_counts(0, 0, 0);
    assert_eq!(driver.scheduler.tasks().count(), 0);
    let totals = driver.scheduler.totals();
    assert_eq!((totals.cancelled, totals.taken), (2, 2));
}

#[test]
fn a_disowned_task_that_is_done_leaves_at_once_and_one_that_nobody_claimed_stays() {
    let (mut driver, _) = Driver::ready(plain(1));
    for submission in [claimed(), Submission::default()] {
        let claimed = submission.claimed;
        let task = driver.submit(submission);
        let (worker, attempt) = driver.sent();
        driver.finish(worker, attempt);
        driver.done(task, Outcome::Success);
        driver.disown(task);
        if claimed {
            driver.expect(Action::Forget { task });
        }
        assert_eq!(driver.scheduler.task(task).is_none(), claimed);
    }
    driver.disown(TaskId(99));
}

#[test]
fn a_disowned_task_that_swallows_the_interrupt_dies_with_its_session() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.submit(claimed());
    let (worker, attempt) = driver.sent();
    driver.disown(task);
    driver.expect(Action::Interrupt { worker, attempt });
    driver.wait(SchedulerConfig::default().grace);
    driver.expect(Action::KillWorker { worker });
    driver.dies_in(worker, attempt);
    driver.expect(Action::Forget { task });
    driver.launched();
}

#[test]
fn nobody_can_run_after_a_task_that_may_be_gone_at_any_time() {
    let (mut driver, _) = Driver::ready(plain(1));
    let task = driver.submit(Submission {
        claimed: true,
        ..Submission::labelled("a")
    });
    let (worker, attempt) = driver.sent();
    let after = driver.push_after("b", &["a"]);
    driver.disown(task);
    driver.expect(Action::Interrupt { worker, attempt });
    let late = common::after_these("c", &["a"]);
    let unknown = SubmitError::Unknown { label: "a".into() };
    assert_eq!(driver.scheduler.submit(driver.now, late), Err(unknown));
    driver.wait(ms(1));
    driver.finish_with(worker, attempt, Verdict::Interrupted);
    driver.expect(Action::Forget { task });
    driver.done(after, Outcome::Skipped { after: task });
}

#[test]
fn parts_take_no_number_and_no_label_from_the_others() {
    let mut driver = Driver::new(plain(1));
    let first = driver.push();
    let whole = driver.scheduler.number();
    let parts = [driver.submit(part()), driver.submit(part())];
    let last = driver.push();
    assert_eq!((first, whole, last), (TaskId(1), TaskId(2), TaskId(3)));
    assert_eq!([label(&driver, first), label(&driver, last)], [".1", ".2"]);
    let names = parts.map(|task| label(&driver, task));
    assert_eq!(names, [".part-1", ".part-2"]);
    // R knows numbers as floating point numbers, and random numbers differ by the last 32 bits.
    assert!(parts.iter().all(|task| task.0 as f64 as u64 == task.0));
    assert!(parts.iter().all(|task| task.0 as u32 > u32::MAX / 2));
    assert!(parts[0] < parts[1]);
}

#[test]
fn a_part_steps_over_a_label_that_a_user_has_taken() {
    let mut driver = Driver::new(plain(1));
    driver.push_labelled(".part-1");
    let task = driver.submit(part());
    assert_eq!(label(&driver, task), ".part-2");
}

#[test]
fn parts_rank_behind_what_counts_but_only_within_their_priority() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.push();
    let (worker, attempt) = driver.sent();
    let urgent = Submission {
        options: TaskOptions {
            priority: 1,
            ..TaskOptions::default()
        },
        ..part()
    };
    let parts = [driver.submit(part()), driver.submit(urgent)];
    let task = driver.push();
    driver.finish(worker, attempt);
    driver.done(attempt.task, Outcome::Success);
    for expected in [parts[1], task, parts[0]] {
        let (worker, attempt) = driver.sent();
        assert_eq!(attempt.task, expected);
        driver.finish(worker, attempt);
        driver.done(expected, Outcome::Success);
    }
}

#[test]
fn no_task_runs_after_a_part() {
    let mut driver = Driver::new(plain(1));
    driver.submit(part());
    let late = common::after_these("a", &[".part-1"]);
    let label = ".part-1".into();
    let refused = driver.scheduler.submit(driver.now, late);
    assert_eq!(refused, Err(SubmitError::Unknown { label }));
}

#[test]
fn there_is_always_room_for_a_part() {
    let mut driver = Driver::new(SchedulerConfig {
        max_waiting: 1,
        ..plain(1)
    });
    driver.push();
    driver.submit(part());
    driver.submit_all(vec![part(), part()]);
    let refused = driver.scheduler.submit(driver.now, claimed());
    assert_eq!(refused, Err(SubmitError::Full));
}
