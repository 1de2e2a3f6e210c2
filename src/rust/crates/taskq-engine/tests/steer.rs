//! Tasks that are ended before their time, tried again, and followed while they run.

mod common;

use std::time::Duration;

use common::{wait_for, Fixture, Options};
use taskq_core::{Outcome, Submission, TaskOptions};
use taskq_engine::{Awaited, WaitOutcome};

const GRACE: Duration = Duration::from_millis(50);
const SOON: Duration = Duration::from_secs(20);

fn one_worker() -> Fixture {
    Fixture::with(Options {
        workers: 1,
        ..Options::default()
    })
}

fn with(options: TaskOptions) -> Submission {
    Submission {
        options,
        ..Submission::default()
    }
}

fn cancel(fixture: &Fixture, label: &str) -> bool {
    let tasks = fixture.queue().find([label]).expect("in the queue");
    fixture.queue().cancel(&tasks, GRACE)[0].1
}

fn text(task: &taskq_engine::DoneTask) -> String {
    let outcome = task.ending.outcome.as_ref().expect("an answer");
    String::from_utf8_lossy(outcome.bytes().expect("bytes")).into_owned()
}

#[test]
fn what_can_be_interrupted_keeps_its_session() {
    let fixture = one_worker();
    let label = fixture.push(None, "sleep 60000");
    let pid = fixture.pid_of_running(&label);
    assert!(cancel(&fixture, &label));
    assert_eq!(fixture.pop().result.outcome, Outcome::Cancelled);
    fixture.push(None, "pid");
    assert_eq!(text(&fixture.pop()), pid.to_string());
}

#[test]
fn what_cannot_be_interrupted_is_killed_with_all_it_has_started() {
    let fixture = one_worker();
    for commands in [
        "deaf;spawn-sleep 1000;print go;stubborn 60000",
        "deaf;print go;stop;stubborn 60000",
    ] {
        let label = fixture.push(None, commands);
        let pid = fixture.pid_of_running(&label);
        let task = fixture
            .queue()
            .find([label.as_str()])
            .expect("in the queue")[0];
        wait_for("the task to be deaf", || {
            let (stdout, _) = fixture.queue().output(task)?;
            (stdout.bytes == b"go").then_some(())
        });
        let before = fixture.processes();
        assert!(before.contains(&pid));
        assert!(cancel(&fixture, &label));
        assert_eq!(fixture.pop().result.outcome, Outcome::Cancelled);
        assert!(!fixture.processes().contains(&pid));
        fixture.push(None, "ok fine");
        assert_eq!(text(&fixture.pop()), "fine");
        // Zygote, supervisor and one session: no child of the killed one is left.
        wait_for("the children to be gone", || {
            (fixture.processes().len() == 3).then_some(())
        });
    }
}

#[test]
fn a_task_that_runs_too_long_is_ended() {
    let fixture = one_worker();
    let timeout = || TaskOptions {
        timeout: Some(Duration::from_millis(100)),
        ..TaskOptions::default()
    };
    for commands in ["sleep 60000", "stubborn 60000", "stop;sleep 60000"] {
        fixture.submit(with(timeout()), commands);
        assert_eq!(fixture.pop().result.outcome, Outcome::Timeout, "{commands}");
    }
    fixture.submit(with(timeout()), "ok in time");
    assert_eq!(fixture.pop().result.outcome, Outcome::Success);
}

#[test]
fn a_crash_leads_to_another_try_where_the_user_said_so() {
    let fixture = one_worker();
    let options = TaskOptions {
        tries: 3,
        backoff: Duration::from_millis(5),
        ..TaskOptions::default()
    };
    fixture.submit(with(options.clone()), "crash-until 3;tries");
    fixture.submit(with(options), "crash-until 4;tries");
    fixture.push(None, "crash-until 2;tries");
    let tasks = fixture.pop_all(3);
    assert_eq!(
        (tasks[0].result.tries, text(&tasks[0])),
        (3, "3".to_owned())
    );
    let ends: Vec<u32> = tasks[1..].iter().map(|task| task.result.tries).collect();
    assert_eq!(ends, [3, 1]);
    for task in &tasks[1..] {
        assert!(matches!(task.result.outcome, Outcome::Crash { .. }));
    }
}

#[test]
fn a_late_interrupt_hits_nobody() {
    let fixture = one_worker();
    fixture.push(None, "pid");
    let pid = text(&fixture.pop());
    for round in 0..10_000u32 {
        let label = fixture.push(None, "spin 40");
        let until = std::time::Instant::now() + Duration::from_micros(u64::from(round % 150));
        while std::time::Instant::now() < until {
            std::hint::spin_loop();
        }
        let tasks = fixture
            .queue()
            .find([label.as_str()])
            .expect("in the queue");
        fixture.queue().cancel(&tasks, SOON);
        fixture.push(None, "ok fine");
        let first = fixture.pop();
        assert!(matches!(
            first.result.outcome,
            Outcome::Success | Outcome::Cancelled
        ));
        let next = fixture.pop();
        assert_eq!(
            (next.result.outcome, text(&next)),
            (Outcome::Success, "fine".to_owned())
        );
    }
    fixture.push(None, "misfired");
    assert_eq!(text(&fixture.pop()), "0");
    fixture.push(None, "pid");
    assert_eq!(text(&fixture.pop()), pid);
}

#[test]
fn a_task_that_depends_on_another_is_told_whose_failure_it_was() {
    let fixture = one_worker();
    fixture.push(Some("load"), "error no");
    let task = Submission {
        after: vec!["load".into()],
        ..Submission::labelled("plot")
    };
    fixture.submit(task, "ok never");
    let tasks = fixture.pop_all(2);
    assert!(matches!(tasks[1].result.outcome, Outcome::Skipped { .. }));
    assert_eq!(tasks[1].result.skipped_after.as_deref(), Some("load"));
    assert_eq!(tasks[1].result.tries, 0);
}

#[test]
fn what_is_cancelled_together_is_cancelled_and_only_the_rest_is_skipped() {
    let fixture = one_worker();
    fixture.push(Some("busy"), "sleep 60000");
    fixture.pid_of_running("busy");
    fixture.push(Some("load"), "ok never");
    for (label, after) in [("plot", "load"), ("print", "plot"), ("other", "load")] {
        let task = Submission {
            after: vec![after.into()],
            ..Submission::labelled(label)
        };
        fixture.submit(task, "ok never");
    }
    let queue = fixture.queue();
    let tasks = queue.find(["load", "plot", "print"]).expect("in the queue");
    let told = queue.cancel(&tasks, GRACE);
    let told: Vec<(&str, bool)> = told.iter().map(|(name, was)| (&**name, *was)).collect();
    assert_eq!(told, [("load", true), ("plot", true), ("print", true)]);
    let tasks = fixture.pop_all(4);
    for task in &tasks[..3] {
        assert_eq!(task.result.outcome, Outcome::Cancelled);
    }
    assert_eq!(tasks[3].result.skipped_after.as_deref(), Some("load"));
    cancel(&fixture, "busy");
    fixture.pop();
}

#[test]
fn what_a_task_writes_and_tells_can_be_seen_while_it_runs() {
    let fixture = one_worker();
    fixture.push(Some("first"), "print before");
    fixture.pop();
    fixture.push(Some("a"), "print one;print-err two;progress 25;sleep 60000");
    let queue = fixture.queue();
    let task = queue.find(["a"]).expect("in the queue")[0];
    wait_for("the output", || {
        let (stdout, stderr) = queue.output(task)?;
        (stdout.bytes == b"one" && stderr.bytes == b"two").then_some(())
    });
    let told = wait_for("the progress", || queue.progress(task)).0;
    assert!((told.fraction - 0.25).abs() < f64::EPSILON);
    cancel(&fixture, "a");
    wait_for("the end", || (queue.counts().done == 1).then_some(()));
    assert_eq!(queue.output(task).expect("still there").0.bytes, b"one");
    assert!(queue.progress(task).is_some());
    fixture.pop();
    assert!(queue.output(task).is_none());
}

#[test]
fn output_is_followed_from_look_to_look_also_over_the_end_of_the_task() {
    let fixture = one_worker();
    let queue = fixture.queue();
    fixture.push(
        Some("a"),
        "print one;sleep 300;print two;print-err three;ok",
    );
    let task = queue.find(["a"]).expect("in the queue")[0];
    let (mut tries, mut seen, mut told) = (0, [0; 2], [Vec::new(), Vec::new()]);
    wait_for("the end", || {
        let news = queue.output_since(task, tries, seen, 100)?;
        for (stream, stretch) in news.streams.iter().enumerate() {
            told[stream].extend_from_slice(&stretch.bytes);
            seen[stream] = stretch.to;
        }
        tries = news.tries;
        news.is_done.then_some(())
    });
    assert_eq!(told, [b"onetwo".to_vec(), b"three".to_vec()]);
    let news = queue
        .output_since(task, tries, seen, 100)
        .expect("still there");
    assert!(news.streams.iter().all(|stretch| stretch.bytes.is_empty()));
    // Somebody else sees the end of it.
    let news = queue.output_since(task, 0, [0; 2], 2).expect("still there");
    assert_eq!(
        (&*news.streams[0].bytes, news.streams[0].skipped),
        (&b"wo"[..], 4)
    );
    fixture.pop();
    assert!(queue.output_since(task, tries, seen, 100).is_none());
}

#[test]
fn a_wait_ends_when_its_tasks_are_done_and_not_before() {
    let fixture = one_worker();
    let queue = fixture.queue();
    fixture.push(Some("a"), "ok");
    fixture.push(Some("b"), "sleep 60000");
    let these = |labels: &[&str]| Awaited::These {
        tasks: queue.find(labels.iter().copied()).expect("in the queue"),
        done: 0,
    };
    assert_eq!(
        queue.wait_for_all(&mut these(&["a"]), SOON),
        WaitOutcome::Done
    );
    let mut both = these(&["a", "b"]);
    assert_eq!(queue.wait_for_all(&mut both, GRACE), WaitOutcome::TimedOut);
    assert_eq!(
        queue.wait_for_all(&mut Awaited::All, GRACE),
        WaitOutcome::TimedOut
    );
    cancel(&fixture, "b");
    assert_eq!(queue.wait_for_all(&mut both, SOON), WaitOutcome::Done);
    assert_eq!(
        queue.wait_for_all(&mut Awaited::All, SOON),
        WaitOutcome::Done
    );
    assert_eq!(queue.find(["a", "c", "d"]).unwrap_err(), ["c", "d"]);
    assert!(!queue.take_all(&[queue.done_tasks()[0], taskq_core::id::TaskId(99)]));
    assert!(queue.take_all(&queue.done_tasks()));
    assert_eq!(queue.counts().done, 0);
}

#[test]
fn who_waits_for_room_is_woken_when_a_task_begins() {
    let fixture = Fixture::with(Options {
        workers: 1,
        max_waiting: 1,
        ..Options::default()
    });
    let queue = fixture.queue();
    fixture.push(Some("a"), "sleep 60000");
    fixture.pid_of_running("a");
    fixture.push(Some("b"), "sleep 60000");
    assert_eq!(queue.wait_for_room(1, GRACE), WaitOutcome::TimedOut);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| queue.wait_for_room(1, SOON));
        cancel(&fixture, "a");
        assert_eq!(waiter.join().expect("no panic"), WaitOutcome::Done);
    });
    cancel(&fixture, "b");
    fixture.pop_all(2);
}
