//! The R thread listens itself where its waits are short: whatever else there is to be done is done all the same.

mod common;

use std::fs;
use std::time::Duration;

use common::{text, wait_for, Fixture, Options, DEADLINE};
use taskq_core::{GoneCause, Outcome, SeatState, Submission, TaskOptions};
use taskq_engine::{Detail, WaitOutcome};

/// Tasks that are pushed and waited for one by one, until the R thread has got used to listening.
fn wait_briefly(fixture: &Fixture) {
    for number in 0..50 {
        fixture.push(None, &format!("ok {number}"));
        assert_eq!(text(&fixture.pop()), number.to_string());
    }
}

#[test]
fn a_deadline_that_comes_while_the_r_thread_listens_is_kept() {
    let fixture = Fixture::new();
    wait_briefly(&fixture);
    let options = TaskOptions {
        timeout: Some(Duration::from_millis(50)),
        ..TaskOptions::default()
    };
    let task = Submission {
        options,
        ..Submission::default()
    };
    fixture.submit(task, "deaf; stubborn 60000");
    assert_eq!(fixture.pop().result.outcome, Outcome::Timeout);
}

#[test]
fn a_session_that_dies_while_the_r_thread_listens_is_replaced() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    for _ in 0..5 {
        wait_briefly(&fixture);
        fixture.push(None, "signal 9");
        let cause = GoneCause::Signaled { signal: 9 };
        assert_eq!(fixture.pop().result.outcome, Outcome::Crash { cause });
    }
}

#[test]
fn a_supervisor_that_dies_while_the_r_thread_listens_is_replaced() {
    let fixture = Fixture::new();
    for _ in 0..3 {
        let supervisor = fixture.supervisor();
        wait_briefly(&fixture);
        let mark = fixture.dir().join("mark");
        fixture.push(None, &format!("mark {}; sleep 60000", mark.display()));
        let killer = std::thread::spawn(move || {
            wait_for("the task to begin", || fs::remove_file(&mark).ok());
            taskq_sys::process::kill(supervisor, 9)
        });
        let cause = GoneCause::SupervisorLost;
        assert_eq!(fixture.pop().result.outcome, Outcome::Crash { cause });
        killer.join().expect("no panic").expect("it lived");
    }
}

#[test]
fn what_happens_while_nobody_waits_is_heard_all_the_same() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    for _ in 0..20 {
        wait_briefly(&fixture);
        for _ in 0..4 {
            fixture.push(None, "ok");
        }
        wait_for("all four, without a call that waits", || {
            (fixture.queue().counts().done == 4).then_some(())
        });
        fixture.pop_all(4);
    }
}

#[test]
fn sessions_come_and_go_while_nobody_waits() {
    let fixture = Fixture::new();
    for workers in [4, 2, 5, 1] {
        wait_briefly(&fixture);
        fixture.queue().resize(workers, workers);
        wait_for("as many sessions, all up", || {
            let seats = fixture.queue().snapshot(Detail::Seats).seats;
            let is_up = seats.iter().all(|seat| seat.state == SeatState::Idle);
            (is_up && seats.len() == workers as usize).then_some(())
        });
    }
}

#[test]
fn a_wait_ends_in_time_while_the_r_thread_listens() {
    let fixture = Fixture::new();
    wait_briefly(&fixture);
    fixture.push(Some("long"), "sleep 60000");
    for timeout in [0, 1, 30] {
        let timeout = Duration::from_millis(timeout);
        let began = std::time::Instant::now();
        let outcome = fixture.queue().wait_for_done(timeout);
        assert_eq!(outcome, WaitOutcome::TimedOut);
        assert!(began.elapsed() >= timeout, "it gave up early");
    }
}

#[test]
fn a_queue_ends_right_after_a_short_wait() {
    for _ in 0..10 {
        let fixture = Fixture::new();
        wait_briefly(&fixture);
        fixture.queue().close(DEADLINE);
        assert!(fixture.queue().wait_for_end(DEADLINE));
    }
}
