//! A queue from its start to its end: what is pushed comes back, and nothing stays.

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::{open_descriptors, text, wait_for, Fixture, Options, DEADLINE};
use taskq_core::{Counts, Outcome, QueueState};
use taskq_engine::WaitOutcome;

#[test]
fn a_task_comes_back_with_what_it_gave() {
    let fixture = Fixture::new();
    assert_eq!(fixture.push(None, "ok hello"), ".1");
    let task = fixture.pop();
    assert_eq!(
        (task.result.label.as_str(), task.result.outcome),
        (".1", Outcome::Success)
    );
    assert_eq!(text(&task), "hello");
    assert_eq!(task.result.tries, 1);
    assert!(task.result.queued <= task.result.started.expect("it ran"));
    assert!(task.result.started.expect("it ran") <= task.result.finished);
    // Of numbers since 1970, microseconds are exact.
    let waited = task.result.started.expect("it ran") - task.result.queued;
    assert!((task.result.waited.expect("it ran") - waited).abs() < 1e-5);
    assert!(task.ending.pid.is_some() && task.ending.measured.max_rss > Some(0));
}

#[test]
fn a_thousand_tasks_pushed_before_the_first_session_is_up_all_come_back_once() {
    let fixture = Fixture::with(Options {
        setup: "slow 200",
        ..Options::default()
    });
    for i in 0..1000 {
        fixture.push(None, &format!("ok {i}"));
    }
    assert_eq!(
        fixture.queue().counts(),
        Counts {
            waiting: 1000,
            running: 0,
            done: 0
        }
    );
    let mut seen = BTreeMap::new();
    while seen.len() < 1000 {
        let task = fixture.pop();
        assert_eq!(task.result.outcome, Outcome::Success);
        assert!(
            seen.insert(task.result.task, text(&task)).is_none(),
            "{:?} came twice",
            task.result.task
        );
    }
    assert!(seen
        .values()
        .enumerate()
        .all(|(i, text)| *text == i.to_string()));
    assert_eq!(
        fixture.queue().wait_for_done(Duration::ZERO),
        WaitOutcome::Empty
    );
}

#[test]
fn large_payloads_pass_in_both_directions() {
    let fixture = Fixture::new();
    let large = "x".repeat(20_000_000);
    for _ in 0..3 {
        fixture.push(None, &format!("ok {large}"));
    }
    for _ in 0..3 {
        assert!(text(&fixture.pop()) == large, "a payload differs");
    }
}

#[test]
fn waiting_ends_with_the_time() {
    let fixture = Fixture::new();
    fixture.push(None, "sleep 60000");
    let began = Instant::now();
    let outcome = fixture.queue().wait_for_done(Duration::from_millis(80));
    assert_eq!(outcome, WaitOutcome::TimedOut);
    assert!(began.elapsed() >= Duration::from_millis(80));
}

#[test]
fn closing_lets_tasks_finish_and_leaves_nothing() {
    let fixture = Fixture::new();
    for i in 0..20 {
        fixture.push(None, &format!("sleep 5; ok {i}"));
    }
    fixture.queue().close(DEADLINE);
    assert!(fixture.queue().wait_for_end(DEADLINE));
    assert_eq!(fixture.queue().state(), QueueState::Closed);
    for (i, task) in fixture.pop_all(20).iter().enumerate() {
        assert_eq!(text(task), i.to_string());
    }
    assert!(fixture.processes().is_empty());
}

#[test]
fn what_does_not_finish_in_the_grace_is_cancelled() {
    let fixture = Fixture::new();
    for label in ["a", "b", "c"] {
        fixture.push(Some(label), "stubborn 60000");
    }
    fixture.pid_of_running("b");
    let began = Instant::now();
    fixture.queue().close(Duration::from_millis(50));
    assert!(fixture.queue().wait_for_end(DEADLINE));
    assert!(began.elapsed() < Duration::from_secs(5));
    for label in ["a", "b", "c"] {
        let task = fixture.pop();
        assert_eq!(
            (task.result.label.as_str(), task.result.outcome),
            (label, Outcome::Cancelled)
        );
    }
}

#[test]
fn a_supervisor_that_does_not_listen_is_ended_by_force() {
    let fixture = Fixture::new();
    let supervisor = fixture.supervisor();
    taskq_sys::process::kill(supervisor, libc::SIGSTOP).expect("it lives");
    // Nothing is under way: all that is to be waited for is its end.
    fixture.queue().close(10 * DEADLINE);
    assert!(fixture.queue().wait_for_end(DEADLINE));
    assert!(fixture.processes().is_empty());
}

#[test]
fn dropping_the_handle_ends_everything() {
    let mut fixture = Fixture::new();
    fixture.push(Some("a"), "spawn-sleep 60; stubborn 60000");
    fixture.pid_of_running("a");
    assert!(fixture.processes().len() >= 3);
    fixture.abandon();
    wait_for("everything to end", || {
        fixture.processes().is_empty().then_some(())
    });
}

#[test]
fn queues_that_come_and_go_leave_no_descriptors() {
    let round = || {
        let fixture = Fixture::new();
        fixture.push(None, "ok");
        fixture.pop();
        fixture.queue().close(DEADLINE);
        assert!(fixture.queue().wait_for_end(DEADLINE));
    };
    round();
    // Other tests of this program open descriptors at the same time: the fewest ever seen is ours.
    let fewest = |rounds: u32| {
        (0..rounds)
            .map(|_| (round(), open_descriptors()).1)
            .min()
            .expect("some rounds")
    };
    let early = fewest(5);
    let late = fewest(15);
    assert!(late <= early, "{early} descriptors became {late}");
}
