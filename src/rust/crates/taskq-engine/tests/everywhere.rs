//! Broadcasts, with real processes.

mod common;

use std::time::Duration;

use common::{wait_for, Fixture, Options, DEADLINE};
use taskq_core::{Outcome, QueueState};
use taskq_engine::{BroadcastEnd, WaitOutcome};
use taskq_record::{StartCause, StartPhase};

/// Has all sessions run these commands, and waits for it.
fn everywhere(fixture: &Fixture, commands: &str) -> BroadcastEnd {
    let broadcast = begin(fixture, commands);
    let waited = fixture.queue().wait_for_broadcast(broadcast, DEADLINE);
    assert_eq!(waited, WaitOutcome::Done);
    fixture.queue().end_broadcast(broadcast)
}

fn begin(fixture: &Fixture, commands: &str) -> u64 {
    let call = commands.as_bytes().to_vec();
    fixture.queue().run_everywhere(call.into()).expect("open")
}

fn said(end: BroadcastEnd) -> Vec<String> {
    let values = end.values.expect("no session has failed");
    let text = |value: std::sync::Arc<taskq_payload::payload::Payload>| {
        String::from_utf8(value.bytes().expect("bytes").to_vec()).expect("text")
    };
    values.into_iter().map(text).collect()
}

#[test]
fn all_sessions_say_what_it_gave_and_tasks_follow_without_its_output() {
    let fixture = Fixture::new();
    // They are only starting.
    let pids = said(everywhere(&fixture, "print hello;print-err there;pid"));
    assert_eq!(pids.len(), 2);
    assert_ne!(pids[0], pids[1]);
    assert_eq!(said(everywhere(&fixture, "pid")), pids);
    fixture.push(None, "print own;pid");
    let task = fixture.pop();
    assert_eq!(task.ending.stdout.bytes, b"own");
    assert_eq!(task.ending.stderr.bytes, b"");
    let large = said(everywhere(&fixture, "large 300000"));
    assert!(large.iter().all(|text| text.len() == 300_000) && large.len() == 2);
}

#[test]
fn a_later_session_runs_it_before_its_first_task() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    let file = fixture.dir().join("marks");
    let marks = || std::fs::read(&file).map_or(0, |bytes| bytes.len());
    everywhere(&fixture, &format!("mark {}", file.display()));
    assert_eq!(marks(), 1);
    fixture.push(None, "exit 3");
    assert!(matches!(
        fixture.pop().result.outcome,
        Outcome::Crash { .. }
    ));
    fixture.push(None, "ok");
    assert_eq!(fixture.pop().result.outcome, Outcome::Success);
    assert_eq!(marks(), 2);
    std::fs::remove_file(file).expect("there");
}

#[test]
fn a_failure_or_a_death_in_it_is_told_and_ends_with_the_sessions_that_had_run_it() {
    let fixture = Fixture::new();
    let before = said(everywhere(&fixture, "pid"));
    let why = everywhere(&fixture, "error no").values.expect_err("failed");
    let why = why.expect("it was told");
    assert_eq!(why.phase, Some(StartPhase::Everywhere));
    assert_eq!((why.cause, &*why.message), (StartCause::Startup, "no"));
    let why = everywhere(&fixture, "print-err oh;exit 3").values;
    let why = why.expect_err("died").expect("it is known");
    assert_eq!(
        (why.phase, &*why.stderr),
        (Some(StartPhase::Everywhere), "oh")
    );
    assert_eq!(why.end, Some(taskq_record::ProcessEnd::Exited { code: 3 }));
    // It was withdrawn, so others come.
    let after = said(everywhere(&fixture, "pid"));
    assert!(after.len() == 2 && after.iter().all(|pid| !before.contains(pid)));
    fixture.push(None, "ok");
    assert_eq!(fixture.pop().result.outcome, Outcome::Success);
    assert_eq!(fixture.queue().state(), QueueState::Open);
}

#[test]
fn one_that_is_not_waited_for_to_its_end_is_over_and_its_sessions_are_replaced() {
    let fixture = Fixture::new();
    let broadcast = begin(&fixture, "stubborn 100000");
    let waited = fixture
        .queue()
        .wait_for_broadcast(broadcast, Duration::from_millis(50));
    assert_eq!(waited, WaitOutcome::TimedOut);
    assert!(fixture.queue().end_broadcast(broadcast).values.is_err());
    wait_for("sessions without it", || {
        (fixture.queue().num_idle() == 2).then_some(())
    });
    fixture.push(None, "ok yes");
    assert_eq!(fixture.pop().result.outcome, Outcome::Success);
}

#[test]
fn a_session_with_a_long_task_is_waited_for_and_the_other_one_runs_tasks_meanwhile() {
    let fixture = Fixture::new();
    fixture.push(Some("long"), "sleep 100000");
    fixture.pid_of_running("long");
    let broadcast = begin(&fixture, "pid");
    for _ in 0..3 {
        fixture.push(None, "ok");
        assert_eq!(fixture.pop().result.outcome, Outcome::Success);
    }
    let waited = fixture
        .queue()
        .wait_for_broadcast(broadcast, Duration::ZERO);
    assert_eq!(waited, WaitOutcome::TimedOut);
    let long = fixture.queue().find(["long"]).expect("there");
    fixture.queue().cancel(&long, DEADLINE);
    assert_eq!(
        fixture.queue().wait_for_broadcast(broadcast, DEADLINE),
        WaitOutcome::Done
    );
    assert_eq!(said(fixture.queue().end_broadcast(broadcast)).len(), 2);
    assert_eq!(fixture.pop().result.outcome, Outcome::Cancelled);
}
