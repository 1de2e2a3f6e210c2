//! Sessions and supervisors that die: who is to blame, and that the rest goes on.

mod common;

use std::fs;
use std::time::Duration;

use common::{parent_of, stderr, text, wait_for, Fixture, Options, DEADLINE};
use taskq_core::{GoneCause, Outcome, QueueState};
use taskq_engine::{Detail, WaitOutcome};
use taskq_record::{ProcessEnd, StartPhase};
use taskq_sys::process::tagged;

#[test]
fn a_signal_that_kills_a_session_is_named_and_the_next_task_runs() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    for signal in [1, 3, 4, 6, 7, 8, 9, 11, 13, 14, 15, 31] {
        fixture.push(None, &format!("print-err last words; signal {signal}"));
        let task = fixture.pop();
        assert_eq!(
            task.result.outcome,
            Outcome::Crash {
                cause: GoneCause::Signaled { signal }
            }
        );
        assert!(stderr(&task).contains("last words"));
        assert!(task.ending.stderr_tail.ends_with(b"last words"), "no tail");
        fixture.push(None, "ok still here");
        assert_eq!(text(&fixture.pop()), "still here");
    }
}

#[test]
fn leaving_with_status_zero_is_no_success() {
    let fixture = Fixture::new();
    for code in [0, 3] {
        fixture.push(None, &format!("exit {code}"));
        assert_eq!(
            fixture.pop().result.outcome,
            Outcome::Crash {
                cause: GoneCause::Exited { code }
            }
        );
    }
}

#[test]
fn an_idle_session_that_dies_costs_no_task() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    fixture.push(None, "ok");
    let pid = fixture.pop().ending.pid.expect("it ran");
    taskq_sys::process::kill(pid, 9).expect("it lives");
    fixture.push(None, "ok after");
    let task = fixture.pop();
    assert_eq!(
        (task.result.outcome, text(&task)),
        (Outcome::Success, "after".to_owned())
    );
}

#[test]
fn a_session_that_closes_its_descriptors_is_killed() {
    let fixture = Fixture::new();
    fixture.push(None, "close-fds; stubborn 60000");
    assert!(matches!(
        fixture.pop().result.outcome,
        Outcome::Crash { .. }
    ));
}

#[test]
fn it_ends_with_the_supervisor_when_that_does_not_kill_it() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    let supervisor = fixture.supervisor();
    taskq_sys::process::kill(supervisor, libc::SIGSTOP).expect("it lives");
    fixture.push(None, "close-fds; stubborn 60000");
    let cause = GoneCause::SupervisorLost;
    assert_eq!(fixture.pop().result.outcome, Outcome::Crash { cause });
    assert_ne!(fixture.supervisor(), supervisor);
}

#[test]
fn a_stopped_session_can_be_killed() {
    let fixture = Fixture::new();
    fixture.push(Some("stopped"), "stop");
    let pid = fixture.pid_of_running("stopped");
    wait_for("the stop", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.starts_with('T').then_some(())
    });
    taskq_sys::process::kill(pid, 9).expect("it is there");
    assert!(matches!(
        fixture.pop().result.outcome,
        Outcome::Crash { .. }
    ));
}

#[test]
fn when_the_supervisor_dies_running_tasks_crash_and_waiting_ones_run() {
    for without in ["", "pidfd"] {
        let fixture = Fixture::with(Options {
            without,
            ..Options::default()
        });
        for label in ["a", "b"] {
            fixture.push(Some(label), "spawn-sleep 60; stubborn 60000");
        }
        for i in 0..50 {
            fixture.push(None, &format!("ok {i}"));
        }
        let session = fixture.pid_of_running("a");
        fixture.pid_of_running("b");
        let supervisor = parent_of(session).expect("it lives");
        // Zygote, supervisor, two sessions, and what both have spawned: by then both tasks have begun.
        let zygotes = usize::from(without.is_empty());
        wait_for("both tasks to begin", || {
            (fixture.processes().len() >= zygotes + 5).then_some(())
        });
        let before = fixture.processes();
        taskq_sys::process::kill(supervisor, 9).expect("it lives");
        let crashed = fixture.pop_all(2);
        for (task, label) in crashed.iter().zip(["a", "b"]) {
            assert_eq!(task.result.label, label);
            assert_eq!(
                task.result.outcome,
                Outcome::Crash {
                    cause: GoneCause::SupervisorLost
                }
            );
        }
        for (i, task) in fixture.pop_all(50).iter().enumerate() {
            assert_eq!(text(task), i.to_string());
        }
        wait_for("the old processes to be gone", || {
            fixture.processes().is_disjoint(&before).then_some(())
        });
    }
}

#[test]
fn all_sessions_killed_at_once_are_replaced() {
    let fixture = Fixture::with(Options {
        workers: 8,
        ..Options::default()
    });
    for i in 0..8 {
        fixture.push(Some(&format!("victim-{i}")), "print go;stubborn 60000");
    }
    // Only a session that dies in a task takes that with it: so all are to have begun.
    for row in fixture.queue().snapshot(Detail::Tasks).tasks {
        wait_for("the victim to begin", || {
            let (stdout, _) = fixture.queue().output(row.id)?;
            (stdout.bytes == b"go").then_some(())
        });
    }
    for pid in fixture
        .queue()
        .snapshot(Detail::Tasks)
        .tasks
        .iter()
        .filter_map(|row| row.pid)
    {
        taskq_sys::process::kill(pid, 9).expect("it lives");
    }
    for _ in 0..8 {
        let cause = GoneCause::Signaled { signal: 9 };
        assert_eq!(fixture.pop().result.outcome, Outcome::Crash { cause });
    }
    for i in 0..100 {
        fixture.push(None, &format!("ok {i}"));
    }
    for (i, task) in fixture.pop_all(100).iter().enumerate() {
        assert_eq!(text(task), i.to_string());
    }
}

#[test]
fn a_preload_that_fails_is_told_once_and_not_tried_again() {
    let fixture = Fixture::with(Options {
        setup: "fail preload no such thing",
        ..Options::default()
    });
    fixture.push(None, "ok");
    wait_for("the pool to give up", || {
        (fixture.queue().state() == QueueState::Failed).then_some(())
    });
    let failure = fixture.queue().failure().expect("a reason");
    assert_eq!(failure.phase, Some(StartPhase::Preload));
    assert!(failure.message.contains("no such thing"), "{failure:?}");
    assert_eq!(fixture.pop().result.outcome, Outcome::NoWorker);
}

#[test]
fn supervisors_that_die_at_their_start_are_given_up() {
    let fixture = Fixture::with(Options {
        setup: "die",
        ..Options::default()
    });
    fixture.push(None, "ok");
    assert_eq!(fixture.queue().wait_for_done(DEADLINE), WaitOutcome::Failed);
    let failure = fixture.queue().tell_failure().expect("a reason");
    assert_eq!(failure.end, Some(ProcessEnd::Exited { code: 7 }));
    assert_eq!(fixture.pop().result.outcome, Outcome::NoWorker);
    assert_eq!(fixture.queue().wait_for_done(DEADLINE), WaitOutcome::Empty);
}

#[test]
fn sessions_whose_init_fails_are_given_up_with_the_reason() {
    for (setup, phase) in [
        ("init-fail bad luck", Some(StartPhase::Init)),
        ("init-die", None),
    ] {
        let fixture = Fixture::with(Options {
            setup,
            ..Options::default()
        });
        fixture.push(None, "ok");
        assert_eq!(fixture.pop().result.outcome, Outcome::NoWorker);
        let failure = fixture.queue().failure().expect("a reason");
        assert_eq!(failure.phase, phase, "{failure:?}");
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    // Told through the same way as any other start that fails.
    let fixture = Fixture::with(Options {
        setup: "fail boot gone",
        ..Options::default()
    });
    fixture.push(None, "ok");
    assert_eq!(fixture.pop().result.outcome, Outcome::NoWorker);
    assert_eq!(
        fixture.queue().failure().expect("a reason").phase,
        Some(StartPhase::Boot)
    );
}

#[test]
fn a_supervisor_that_dies_while_sessions_are_asked_of_it_is_one_failed_start_at_most() {
    let fixture = Fixture::with(Options {
        workers: 4,
        ..Options::default()
    });
    for round in 0..60 {
        let supervisor = fixture.supervisor();
        // So there is always a session to be replaced.
        for _ in 0..12 {
            fixture.push(None, "exit 3");
        }
        // Each round at another moment of the replacements.
        std::thread::sleep(Duration::from_micros(round * 100));
        taskq_sys::process::kill(supervisor, 9).expect("it lives");
        for task in fixture.pop_all(12) {
            assert!(
                matches!(task.result.outcome, Outcome::Crash { .. }),
                "round {round}: {:?}, {:?}",
                task.result.outcome,
                fixture.queue().failure()
            );
        }
    }
}

/// The host may be killed at any moment, also while it reaps a supervisor.
#[test]
fn as_long_as_a_dead_supervisor_has_files_there_is_a_process_that_would_remove_them() {
    let fixture = Fixture::with(Options {
        workers: 3,
        ..Options::default()
    });
    for round in 0..40 {
        let supervisor = fixture.supervisor();
        let dirs: Vec<_> = fs::read_dir(fixture.dir())
            .expect("the test's directory")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        let [dir] = &dirs[..] else {
            panic!("not one supervisor: {dirs:?}")
        };
        let name = dir.file_name().and_then(|name| name.to_str());
        let token = name.and_then(|name| name.strip_prefix("taskq-"));
        let token = token.expect("a directory that is named after its token");
        taskq_sys::process::kill(supervisor, 9).expect("it lives");
        // A look may miss who was forked during it by somebody it then finds dead; the next one does not.
        let gone = || tagged(token).expect("a look").is_empty();
        while !(gone() && gone()) {}
        let left = fs::read_dir(dir).map_or(0, Iterator::count);
        assert_eq!(left, 0, "round {round}");
    }
}
