//! The plain life of tasks: in, sent, run, done, taken.

mod common;

use common::{ms, plain, Driver};
use taskq_core::{
    Action, AttemptId, Input, Outcome, QueueState, Scheduler, SeatState, Submission, SubmitError,
    TaskPhase, Time, Verdict, WorkerId,
};

#[test]
fn a_new_queue_boots_its_supervisor_and_shows_its_seats_as_starting() {
    let driver = Driver::new(plain(2));
    assert_eq!(driver.state(), QueueState::Open);
    assert_eq!(driver.seat_states(), [SeatState::Starting; 2]);
    assert!(driver.scheduler.seats().all(|seat| seat.worker.is_none()));
    assert_eq!(driver.scheduler.next_wakeup(), None);
}

#[test]
fn a_task_pushed_before_anything_is_up_is_sent_to_the_first_ready_session() {
    let mut driver = Driver::new(plain(2));
    let task = driver.push();
    driver.assert_counts(1, 0, 0);
    driver.input(Input::SupervisorUp);
    let (_, second) = (driver.launched(), driver.launched());
    driver.input(Input::WorkerReady { worker: second });
    let (worker, attempt) = driver.sent();
    assert_eq!((worker, attempt.task, attempt.number), (second, task, 1));
    driver.assert_counts(0, 1, 0);
}

#[test]
fn a_task_runs_is_done_and_leaves_for_good_when_taken() {
    let (mut driver, workers) = Driver::ready(plain(1));
    let queued = driver.now;
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    let since = driver.now;
    assert_eq!(driver.phase(task), TaskPhase::Running { worker, since });
    assert_eq!(driver.scheduler.task(task).unwrap().tries, 1);
    assert!(!driver.scheduler.take(task), "a running task was taken");
    driver.wait(ms(5));
    let (began, ended) = (since.after(ms(1)), since.after(ms(4)));
    let verdict = Verdict::Success;
    driver.input(Input::Finished {
        worker,
        attempt,
        verdict,
        began,
        ended,
        memory: None,
        running: None,
    });
    driver.done(task, Outcome::Success);

    let view = driver.scheduler.task(task).unwrap();
    assert_eq!((view.queued, view.tries), (queued, 1));
    assert_eq!((view.started, view.finished), (Some(began), Some(ended)));
    assert_eq!((view.worker, view.attempt), (Some(workers[0]), None));
    assert_eq!(driver.scheduler.seats().next().unwrap().tasks_done, 1);
    assert_eq!(driver.scheduler.oldest_done(), Some(task));
    assert!(driver.scheduler.take(task));
    assert!(!driver.scheduler.take(task));
    assert!(driver.scheduler.task(task).is_none());
    driver.assert_counts(0, 0, 0);
}

#[test]
fn an_r_error_is_the_outcome_error_and_the_session_goes_on() {
    let (mut driver, _) = Driver::ready(plain(1));
    let (first, second) = (driver.push(), driver.push());
    let (worker, attempt) = driver.sent();
    driver.finish_with(worker, attempt, Verdict::Error);
    driver.done(first, Outcome::Error);
    assert_eq!(driver.sent().1.task, second);
}

#[test]
fn tasks_are_sent_oldest_push_first() {
    let (mut driver, _) = Driver::ready(plain(1));
    let tasks: Vec<_> = (0..5).map(|_| driver.push()).collect();
    for task in tasks {
        let (worker, attempt) = driver.sent();
        assert_eq!(attempt.task, task);
        driver.finish(worker, attempt);
        driver.done(task, Outcome::Success);
    }
}

#[test]
fn done_tasks_are_listed_oldest_push_first_whatever_the_order_of_their_ends() {
    let (mut driver, _) = Driver::ready(plain(3));
    let tasks: Vec<_> = (0..3).map(|_| driver.push()).collect();
    let sent: Vec<_> = (0..3).map(|_| driver.sent()).collect();
    for place in [2, 0, 1] {
        let (worker, attempt) = sent[place];
        driver.finish(worker, attempt);
        driver.done(tasks[place], Outcome::Success);
        if place == 2 {
            assert_eq!(driver.scheduler.oldest_done(), Some(tasks[2]));
        }
    }
    assert_eq!(driver.scheduler.done().collect::<Vec<_>>(), tasks);
    let listed: Vec<_> = driver.scheduler.tasks().map(|view| view.id).collect();
    assert_eq!(listed, tasks);
}

#[test]
fn automatic_labels_count_only_automatic_ones_and_skip_those_in_use() {
    let mut driver = Driver::new(plain(0));
    for label in ["a", ".2", "b"] {
        driver.push_labelled(label);
    }
    for _ in 0..3 {
        driver.push();
    }
    let labels: Vec<_> = driver.scheduler.tasks().map(|view| view.label).collect();
    assert_eq!(labels, ["a", ".2", "b", ".1", ".3", ".4"]);
}

#[test]
fn a_reserved_label_is_no_other_tasks_until_it_is_released() {
    let mut driver = Driver::new(plain(0));
    driver.push_labelled(".2");
    let reserved = [(); 2].map(|()| driver.scheduler.reserve_label());
    assert_eq!(reserved.each_ref().map(|label| &**label), [".1", ".3"]);
    // As by a finalizer that pushes, too, before the first two are submitted.
    driver.push();
    driver.scheduler.reserve_label();
    driver.scheduler.release_labels(1);
    for label in reserved {
        driver.push_labelled(&label);
    }
    driver.push();
    let labels: Vec<_> = driver.scheduler.tasks().map(|view| view.label).collect();
    assert_eq!(labels, [".2", ".4", ".1", ".3", ".5"]);
}

#[test]
fn a_label_in_use_is_refused_until_its_task_is_taken() {
    let mut driver = Driver::new(plain(0));
    let task = driver.push_labelled("a");
    let again = Submission::labelled("a");
    let refused = driver.scheduler.submit(driver.now, again.clone());
    let label: Box<str> = "a".into();
    assert_eq!(refused, Err(SubmitError::Duplicate { label }));
    driver.cancel(task);
    driver.done(task, Outcome::Cancelled);
    assert!(driver.scheduler.submit(driver.now, again.clone()).is_err());
    assert!(driver.scheduler.take(task));
    let next = driver.submit(again);
    assert_eq!(next.0, task.0 + 1, "a refused submission used a number up");
    assert_eq!(driver.scheduler.find("a"), Some(next));
    assert_eq!(driver.scheduler.find("b"), None);
}

#[test]
fn labels_of_seats_are_reserved() {
    let mut driver = Driver::new(plain(0));
    let label: Box<str> = ".idle-1".into();
    let refused = driver.scheduler.submit(
        driver.now,
        Submission {
            label: Some(label.clone()),
            ..Submission::default()
        },
    );
    assert_eq!(refused, Err(SubmitError::Reserved { label }));
    driver.push_labelled(".idle");
}

#[test]
fn refusals_are_said_in_words() {
    let label: Box<str> = "a\n".into();
    let words = SubmitError::Duplicate { label }.to_string();
    assert_eq!(words, "a task with the id \"a\\n\" is in the queue already");
}

#[test]
fn a_pause_holds_tasks_back_until_resume() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.input(Input::Pause);
    assert!(driver.scheduler.is_paused());
    let task = driver.push();
    driver.expect_nothing();
    driver.assert_counts(1, 0, 0);
    driver.input(Input::Resume);
    assert_eq!(driver.sent().1.task, task);
}

#[test]
fn a_stale_message_is_counted_and_changes_nothing() {
    let (mut driver, workers) = Driver::ready(plain(2));
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.finish(workers[1], attempt);
    let other = AttemptId {
        task,
        number: attempt.number + 1,
    };
    driver.finish(worker, other);
    driver.returned(worker, &[other, other]);
    driver.input(Input::WorkerReady { worker });
    driver.input(Input::StartFailed { worker });
    driver.input(Input::SupervisorUp);
    driver.dies(WorkerId(99));
    assert_eq!(driver.scheduler.stale(), 8);
    assert!(driver.is_running(task));
    driver.finish(worker, attempt);
    driver.done(task, Outcome::Success);
    driver.finish(worker, attempt);
    assert_eq!(driver.scheduler.stale(), 9);
}

#[test]
fn reported_times_are_kept_within_the_life_of_the_task() {
    let (mut driver, _) = Driver::ready(plain(1));
    driver.wait(ms(1));
    let queued = driver.now;
    let task = driver.push();
    let (worker, attempt) = driver.sent();
    driver.wait(ms(1));
    let (began, ended) = (Time(0), Time(u64::MAX));
    let verdict = Verdict::Success;
    driver.input(Input::Finished {
        worker,
        attempt,
        verdict,
        began,
        ended,
        memory: None,
        running: None,
    });
    driver.done(task, Outcome::Success);
    let view = driver.scheduler.task(task).unwrap();
    assert_eq!(view.started, Some(queued));
    assert_eq!(view.finished, Some(driver.now));
}

#[test]
fn a_clock_that_runs_backwards_is_not_believed() {
    let (mut driver, _) = Driver::ready(plain(1));
    let before = driver.now;
    let task = driver
        .scheduler
        .submit(Time(0), Submission::default())
        .unwrap();
    driver.input(Input::Tick);
    driver.sent();
    assert_eq!(driver.scheduler.task(task).unwrap().queued, before);
}

#[test]
fn a_scheduler_can_change_threads() {
    fn needs_send<T: Send>() {}
    needs_send::<Scheduler>();
}

#[test]
fn an_action_is_given_out_once() {
    let mut scheduler = Scheduler::new(plain(1));
    assert_eq!(scheduler.next_action(), Some(Action::Boot));
    assert_eq!(scheduler.next_action(), None);
}
