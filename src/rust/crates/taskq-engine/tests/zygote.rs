//! Several queues of one process: which of them come from one zygote, and that none of them lives or dies by another.

mod common;

use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;

use common::{parent_of, text, wait_for, Fixture, Options, DEADLINE};
use taskq_core::{Outcome, QueueState};
use taskq_record::{ProcessEnd, StartPhase};
use taskq_sys::process;

fn one_worker() -> Options<'static> {
    Options {
        workers: 1,
        ..Options::default()
    }
}

fn close(fixture: &Fixture) {
    fixture.queue().kill();
    assert!(fixture.queue().wait_for_end(DEADLINE));
}

/// A task that has begun, so that it is to blame, and lost, when its session dies.
fn push_busy(fixture: &Fixture) {
    let label = fixture.push(None, "print go; stubborn 60000");
    let task = fixture
        .queue()
        .find([label.as_str()])
        .expect("in the queue")[0];
    wait_for("the task to begin", || {
        let (stdout, _) = fixture.queue().output(task)?;
        (stdout.bytes == b"go").then_some(())
    });
}

#[test]
fn the_second_queue_comes_from_the_zygote_of_the_first() {
    let first = Fixture::with(one_worker());
    let supervisor = first.supervisor();
    let zygotes = first.zygotes();
    assert_eq!(zygotes, [parent_of(supervisor).expect("it lives")]);
    for setup in ["", "thread"] {
        let second = first.beside(Options {
            setup,
            ..one_worker()
        });
        let other = second.supervisor();
        assert_ne!(other, supervisor);
        assert_eq!(parent_of(other), Some(zygotes[0]));
        assert_eq!(first.zygotes(), zygotes);
    }
}

#[test]
fn a_queue_that_ends_takes_nothing_of_another_along() {
    let first = Fixture::with(one_worker());
    first.supervisor();
    let zygotes = first.zygotes();
    let second = first.beside(one_worker());
    let supervisor = second.supervisor();
    // An orphan of each, which a look at all processes must tell apart.
    for fixture in [&first, &second] {
        fixture.push(None, "spawn-sleep 60");
        fixture.pop();
    }
    let are_left = |count| (second.processes().len() == count).then_some(());
    // The zygote; of each a supervisor, a session and an orphan.
    wait_for("the orphans", || are_left(7));
    close(&first);
    wait_for("the first to be gone", || are_left(4));
    assert_eq!(second.zygotes(), zygotes);
    second.push(None, "exit 3");
    second.pop();
    assert_eq!(
        second.supervisor(),
        supervisor,
        "sessions are replaced as before"
    );
    let third = second.beside(one_worker());
    assert_eq!(parent_of(third.supervisor()), Some(zygotes[0]));
    close(&third);
    close(&second);
    assert_eq!(parent_of(zygotes[0]), None, "the last one ends the zygote");
}

#[test]
fn a_supervisor_that_dies_is_replaced_by_another_from_the_same_zygote() {
    let first = Fixture::with(one_worker());
    first.supervisor();
    let second = first.beside(one_worker());
    let supervisor = second.supervisor();
    let zygotes = first.zygotes();
    push_busy(&second);
    process::kill(supervisor, libc::SIGKILL).expect("it lives");
    assert!(matches!(second.pop().result.outcome, Outcome::Crash { .. }));
    let other = second.supervisor();
    assert_ne!(other, supervisor);
    assert_eq!(parent_of(other), Some(zygotes[0]));
    assert_eq!(first.zygotes(), zygotes);
}

#[test]
fn a_zygote_that_is_killed_costs_no_queue_anything_and_the_next_starts_another() {
    let first = Fixture::with(one_worker());
    let one = first.supervisor();
    let second = first.beside(one_worker());
    let supervisors = [one, second.supervisor()];
    for zygote in first.zygotes() {
        process::kill(zygote, libc::SIGKILL).expect("it lives");
    }
    // Also no zombie.
    wait_for("the zygote to be gone", || {
        first.zygotes().is_empty().then_some(())
    });
    assert_eq!([&first, &second].map(Fixture::supervisor), supervisors);
    for fixture in [&first, &second] {
        fixture.push(None, "exit 3");
        assert!(matches!(
            fixture.pop().result.outcome,
            Outcome::Crash { .. }
        ));
    }
    assert_eq!([&first, &second].map(Fixture::supervisor), supervisors);
    let third = first.beside(one_worker());
    let zygote = parent_of(third.supervisor()).expect("it lives");
    assert_eq!(first.zygotes(), [zygote]);
    // An orphan's death is heard, too, and its successor comes from what there is.
    push_busy(&first);
    process::kill(supervisors[0], libc::SIGKILL).expect("it lives");
    assert!(matches!(first.pop().result.outcome, Outcome::Crash { .. }));
    assert_eq!(parent_of(first.supervisor()), Some(zygote));
}

#[test]
fn a_zygote_that_does_not_answer_is_replaced() {
    let first = Fixture::with(one_worker());
    first.supervisor();
    let stopped = first.zygotes()[0];
    process::kill(stopped, libc::SIGSTOP).expect("it lives");
    let second = first.beside(one_worker());
    let zygote = parent_of(second.supervisor()).expect("it lives");
    assert_ne!(zygote, stopped);
    assert_eq!(first.zygotes(), [zygote]);
    first.push(None, "ok still here");
    assert_eq!(text(&first.pop()), "still here");
}

#[test]
fn what_the_program_reads_at_its_start_makes_another_zygote() {
    let first = Fixture::with(one_worker());
    first.supervisor();
    let zygotes = first.zygotes();
    let file = first.dir().join("profile");
    let with = |variable| Options {
        variable,
        ..one_worker()
    };
    let with_file = || Options {
        startup_file: Some(file.clone()),
        ..one_worker()
    };
    let comes_from = |fixture: &Fixture| parent_of(fixture.supervisor()).expect("it lives");
    assert_eq!(comes_from(&first.beside(with("LATE=1"))), zygotes[0]);
    let variable = first.beside(with("EARLY=1"));
    let other = comes_from(&variable);
    assert!(!zygotes.contains(&other));
    assert_eq!(comes_from(&first.beside(with("EARLY=1"))), other);
    assert!(!first.zygotes().is_empty());
    for another in ["EARLY=2", "early=1"] {
        let from = comes_from(&first.beside(with(another)));
        assert!(![zygotes[0], other].contains(&from), "{another}");
    }
    let without_file = first.beside(with_file());
    let before = comes_from(&without_file);
    assert_eq!(comes_from(&first.beside(with_file())), before);
    std::fs::write(&file, "x").expect("a file");
    let with_it = first.beside(with_file());
    assert_ne!(comes_from(&with_it), before);
    std::fs::remove_file(&file).expect("the file");
    // What was is again.
    assert_eq!(comes_from(&first.beside(with_file())), before);
}

#[test]
fn a_start_that_fails_is_told_alike_whatever_the_supervisor_comes_from() {
    let first = Fixture::with(one_worker());
    first.supervisor();
    let zygotes = first.zygotes();
    let refused = first.beside(Options {
        setup: "fail preload no such thing",
        ..one_worker()
    });
    refused.push(None, "ok");
    assert_eq!(refused.pop().result.outcome, Outcome::NoWorker);
    let failure = refused.queue().failure().expect("a reason");
    assert_eq!(failure.phase, Some(StartPhase::Preload));
    assert!(failure.message.contains("no such thing"), "{failure:?}");
    let dead = first.beside(Options {
        setup: "die",
        ..one_worker()
    });
    dead.push(None, "ok");
    assert_eq!(dead.pop().result.outcome, Outcome::NoWorker);
    assert_eq!(dead.queue().state(), QueueState::Failed);
    let failure = dead.queue().failure().expect("a reason");
    assert_eq!(failure.end, Some(ProcessEnd::Exited { code: 7 }));
    assert_eq!(first.zygotes(), zygotes);
}

#[test]
fn when_no_supervisor_can_be_made_the_reason_is_what_the_system_says() {
    let fixture = Fixture::with(Options {
        variable: "ZYGOTE_FAILS=24",
        ..one_worker()
    });
    fixture.push(None, "ok");
    assert_eq!(fixture.pop().result.outcome, Outcome::NoWorker);
    let failure = fixture.queue().failure().expect("a reason");
    let system = std::io::Error::from_raw_os_error(libc::EMFILE).to_string();
    assert!(failure.message.ends_with(&system), "{failure:?}");
    // That it was killed then is no news.
    assert_eq!(failure.end, None);
}

#[test]
fn where_there_is_no_zygote_each_queue_starts_the_program() {
    for without in ["fork", "pidfd"] {
        let options = || Options {
            without,
            ..one_worker()
        };
        let first = Fixture::with(options());
        let second = first.beside(options());
        for fixture in [&first, &second] {
            let supervisor = fixture.supervisor();
            assert!(first.zygotes().contains(&supervisor), "{without}");
        }
        assert_eq!(first.zygotes().len(), 2);
    }
}

#[test]
fn what_the_host_has_open_is_not_kept_open_by_a_queue() {
    let mut ends = [0; 2];
    // SAFETY: a place for two descriptors, which the values made of them own from then on. They survive `exec`, as
    // those of R's connections do.
    let (mut read, write) = unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK), 0);
        (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1]))
    };
    let fixture = Fixture::with(one_worker());
    fixture.push(None, "ok up");
    assert_eq!(text(&fixture.pop()), "up");
    drop(write);
    wait_for("the end of what the pipe gives", || {
        (read.read(&mut [0]).ok()? == 0).then_some(())
    });
}
