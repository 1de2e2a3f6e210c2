//! Payloads in memory files: both directions, and whose descriptors are open when.

mod common;

use std::sync::Arc;

use common::{text, wait_for, Fixture, Options, DEADLINE};
use taskq_core::{LookAhead, Outcome, Submission, TaskOptions};
use taskq_engine::TaskPayload;
use taskq_payload::payload::Payload;
use taskq_payload::sealed::Growing;

/// More than the fake worker sends in memory.
const LARGE: usize = 100_000;

/// The call is in a file of this name.
fn push(fixture: &Fixture, name: &str, task: Submission, commands: &str) {
    let mut file = Growing::create(name).expect("memory files");
    file.write(commands.as_bytes()).expect("memory");
    let call: Payload = file.seal().expect("sealed").into();
    let payload = TaskPayload {
        fun: Arc::default(),
        call: Arc::new(call),
    };
    fixture.queue().push(task, payload).expect("an open queue");
}

/// How many memory files of this name are open. Other tests run in this process, too.
fn open_files(name: &str) -> usize {
    let entries = std::fs::read_dir("/proc/self/fd").expect("proc").flatten();
    let start = format!("/memfd:{name} ");
    let is_one = |path: &std::path::PathBuf| path.to_string_lossy().starts_with(&start);
    entries
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(is_one)
        .count()
}

#[test]
fn both_directions_go_through_files_and_keep_no_descriptor() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    fixture.push(None, "fds");
    let of_session = text(&fixture.pop());
    let words = "x".repeat(3_000_000);
    for i in 0..20 {
        let commands = format!("ok {i}{words}");
        push(&fixture, "both", Submission::default(), &commands);
    }
    let done = wait_for("all to be done", || {
        (fixture.queue().counts().done == 20).then(|| fixture.queue().done_tasks())
    });
    wait_for("used arguments and results in wait to hold none", || {
        (open_files("both") + open_files("fake-result") == 0).then_some(())
    });
    for (i, id) in done.into_iter().enumerate() {
        let task = fixture.queue().done_task(id).expect("done");
        assert!(text(&task) == format!("{i}{words}"), "a payload differs");
        assert!(fixture.queue().payload(id).is_none(), "large and used");
        assert!(fixture.queue().take(id));
    }
    fixture.push(None, "fds");
    assert_eq!(text(&fixture.pop()), of_session);
}

#[test]
fn a_done_task_shows_a_small_payload_without_its_descriptor() {
    let fixture = Fixture::new();
    push(&fixture, "shown", Submission::default(), "ok small");
    wait_for("it to be done", || {
        (fixture.queue().counts().done == 1).then_some(())
    });
    let id = fixture.queue().done_tasks()[0];
    let payload = fixture.queue().payload(id).expect("kept");
    assert_eq!(payload.call.bytes().expect("bytes"), b"ok small");
    assert_eq!(open_files("shown"), 0);
    assert_eq!(text(&fixture.pop()), "small");
}

#[test]
fn a_task_that_crashed_is_sent_again_from_the_same_file() {
    let fixture = Fixture::new();
    let task = Submission {
        options: TaskOptions {
            tries: 3,
            ..TaskOptions::default()
        },
        ..Submission::default()
    };
    let commands = format!("crash-until 3; large {LARGE}");
    push(&fixture, "again", task, &commands);
    let task = fixture.pop();
    assert_eq!(
        (task.result.outcome, task.result.tries),
        (Outcome::Success, 3)
    );
    assert_eq!(text(&task).len(), LARGE);
}

#[test]
fn what_was_sent_ahead_of_a_crash_runs_elsewhere() {
    let fixture = Fixture::with(Options {
        workers: 1,
        look_ahead: LookAhead::default(),
        ..Options::default()
    });
    // Short by measurement, so that more are sent ahead.
    for _ in 0..50 {
        fixture.push(None, "ok");
    }
    fixture.pop_all(50);
    push(&fixture, "ahead", Submission::default(), "exit 3");
    for i in 0..20 {
        let commands = format!("ok {i}; large {LARGE}");
        push(&fixture, "ahead", Submission::default(), &commands);
    }
    let tasks = fixture.pop_all(21);
    assert!(matches!(tasks[0].result.outcome, Outcome::Crash { .. }));
    for (i, task) in tasks[1..].iter().enumerate() {
        assert!(text(task).starts_with(&i.to_string()));
        assert_eq!(task.result.tries, 1);
    }
}

#[test]
fn what_is_cancelled_closes_its_files() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    fixture.push(Some("first"), "sleep 60000");
    fixture.pid_of_running("first");
    let words = "x".repeat(2_000_000);
    for _ in 0..30 {
        let commands = format!("ok {words}");
        push(&fixture, "cancelled", Submission::default(), &commands);
    }
    assert_eq!(open_files("cancelled"), 30);
    fixture.queue().kill();
    assert_eq!(open_files("cancelled"), 0);
    assert!(fixture.queue().wait_for_end(DEADLINE));
    assert_eq!(fixture.pop_all(31).len(), 31);
}

#[test]
fn an_abandoned_queue_closes_its_files() {
    let mut fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    fixture.push(Some("first"), "sleep 60000");
    for _ in 0..3 {
        push(&fixture, "abandoned", Submission::default(), "ok");
    }
    assert_eq!(open_files("abandoned"), 3);
    // What has not begun to start leaves nothing that could be waited for.
    fixture.pid_of_running("first");
    fixture.abandon();
    wait_for("the end", || (open_files("abandoned") == 0).then_some(()));
}
