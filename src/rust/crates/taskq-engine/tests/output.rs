//! What tasks write goes to the right task, whole or with its loss told.

mod common;

use common::{stderr, stdout, text, Fixture, Options};
use taskq_core::Outcome;

#[test]
fn output_goes_to_the_task_that_wrote_it_also_when_tasks_follow_each_other_closely() {
    let fixture = Fixture::new();
    for i in 0..3000 {
        fixture.push(
            None,
            &format!("print o{i};; print-err e{i};; ok").replace(";;", ";"),
        );
    }
    for (i, task) in fixture.pop_all(3000).iter().enumerate() {
        assert_eq!(
            (stdout(task), stderr(task)),
            (format!("o{i}"), format!("e{i}"))
        );
    }
}

#[test]
fn tasks_that_write_nothing_between_others_that_do_stay_empty() {
    let fixture = Fixture::new();
    for i in 0..2000 {
        fixture.push(
            None,
            if i % 3 == 0 {
                "flood 5000; ok"
            } else {
                "ok quiet"
            },
        );
    }
    for (i, task) in fixture.pop_all(2000).iter().enumerate() {
        let written = stdout(task).len();
        assert_eq!(written, if i % 3 == 0 { 5000 } else { 0 }, "task {i}");
    }
}

#[test]
fn what_was_printed_before_there_were_sessions_is_no_task_s() {
    let fixture = Fixture::with(Options {
        setup: "boot-print before",
        ..Options::default()
    });
    for _ in 0..4 {
        fixture.push(None, "print own; ok");
    }
    for task in fixture.pop_all(4) {
        assert_eq!(stdout(&task), "own");
    }
}

#[test]
fn a_flood_is_cut_and_the_loss_is_told() {
    let fixture = Fixture::with(Options {
        output_limit: 1 << 20,
        ..Options::default()
    });
    fixture.push(None, "flood 50000000; ok done");
    let task = fixture.pop();
    assert_eq!(text(&task), "done");
    assert_eq!(task.ending.stdout.dropped, 50_000_000 - (1 << 20));
    assert!(stdout(&task).contains("48951424 bytes of output dropped"));
}

#[test]
fn what_a_crashed_task_wrote_is_there() {
    let fixture = Fixture::new();
    fixture.push(None, "flood 300000; print-err why; signal 11");
    let task = fixture.pop();
    assert!(matches!(task.result.outcome, Outcome::Crash { .. }));
    assert_eq!(stdout(&task).len(), 300_000);
    assert_eq!(stderr(&task), "why");
}

#[test]
fn a_child_that_keeps_the_pipe_open_delays_nothing() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    fixture.push(None, "spawn-sleep 60; print before; ok");
    assert_eq!(stdout(&fixture.pop()), "before");
    fixture.push(None, "print after; ok");
    assert_eq!(stdout(&fixture.pop()), "after");
}
