//! What a session does with tasks, interrupts and recalls.

mod common;

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use common::{attempt, eventually, in_memory, open_fds, run, writable, Host};
use rustix::fs::{fcntl_add_seals, memfd_create, MemfdFlags, SealFlags};
use rustix::io::pwrite;
use taskq_payload::sealed::is_sealed;
use taskq_record::{ProcessEnd, Verdict};
use taskq_sys::process;
use taskq_sys::socket::{send_packet, set_nonblocking};
use taskq_wire::message::{Part, ToControl};
use taskq_wire::packet;

#[test]
fn three_sessions_run_tasks_and_retire() {
    let mut host = Host::up("");
    let mut workers = [host.launch(), host.launch(), host.launch()];
    for (task, worker) in (1..).zip(&mut workers) {
        assert_eq!(worker.run(task, "ok hello"), "hello");
        worker.send(10 + task, "error no");
        let (finished, said) = worker.result();
        assert_eq!((finished.verdict, &*said), (Verdict::Error, "no"));
        assert!(finished.began <= finished.ended && finished.measured.max_rss > Some(0));
        assert_eq!(worker.run(20, "pid"), worker.pid.to_string());
        let dir = worker.run(21, "env TMPDIR");
        assert_eq!(
            dir,
            host.dir.join(worker.id.0.to_string()).to_string_lossy()
        );
    }
    for worker in &workers {
        worker.retire();
        let end = host.expect_exit(worker);
        assert_eq!(end, taskq_record::ProcessEnd::Exited { code: 0 });
    }
    host.finish();
}

#[test]
fn the_board_tells_what_has_begun_and_positions_tell_whose_output_it_is() {
    let mut host = Host::up("");
    let mut worker = host.launch();
    let board = std::rc::Rc::clone(&worker.board);
    let begun = || board.begun().map(|(begun, _)| begun);
    assert_eq!(begun(), None);
    worker.send(1, "print abc;print-err de;sleep 100000");
    eventually("the attempt to begin", || begun() == Some(attempt(1)));
    worker.interrupt(1);
    let (finished, _) = worker.result();
    assert_eq!(finished.verdict, Verdict::Interrupted);
    assert_eq!((finished.stdout_end, finished.stderr_end), (3, 2));
    eventually("the attempt to end", || begun().is_none());
    assert_eq!(worker.read_output(0, 3), b"abc");
    // The host has read and says so; what comes next is counted from there.
    board.reading(|| taskq_wire::board::Positions {
        stdout: 3,
        stderr: 0,
    });
    worker.send(2, "print xyz");
    let (finished, _) = worker.result();
    assert_eq!((finished.stdout_end, finished.stderr_end), (6, 2));
    host.finish();
}

#[test]
fn what_a_task_signals_comes_at_once_in_its_order_and_before_its_result() {
    let mut host = Host::up("");
    let mut worker = host.launch();
    let large = "x".repeat(100_000);
    worker.send(1, &format!("condition a;condition {large};sleep 100000"));
    assert_eq!(worker.signalled(), (attempt(1), "a".to_owned()));
    // In a file.
    assert_eq!(worker.signalled(), (attempt(1), large));
    worker.interrupt(1);
    assert_eq!(worker.result().0.verdict, Verdict::Interrupted);
    worker.send(2, "condition b;ok c");
    assert_eq!(worker.signalled(), (attempt(2), "b".to_owned()));
    assert_eq!(worker.result().1, "c");
    host.finish();
}

#[test]
fn an_interrupt_ends_a_sleep_at_once_and_a_stubborn_task_not() {
    let mut host = Host::up("");
    let mut worker = host.launch();
    worker.send(1, "sleep 100000");
    worker.interrupt(1);
    let start = Instant::now();
    // It had begun, or was given back before it could.
    if worker.returned_within(Duration::from_millis(300)).is_none() {
        assert_eq!(worker.result().0.verdict, Verdict::Interrupted);
    }
    assert!(start.elapsed() < Duration::from_secs(2));
    worker.send(2, "stubborn 200");
    let board = std::rc::Rc::clone(&worker.board);
    let begun = || board.begun().map(|(begun, _)| begun);
    eventually("the attempt to begin", || begun() == Some(attempt(2)));
    worker.interrupt(2);
    assert_eq!(worker.result().0.verdict, Verdict::Success);
    assert_eq!(worker.run(3, "sleep 60;misfired"), "0");
    host.finish();
}

#[test]
fn what_has_not_begun_is_given_back_and_what_is_over_is_not() {
    let mut host = Host::up("");
    let mut worker = host.launch();
    worker.run(1, "ok");
    worker.send(2, "sleep 100000");
    let board = std::rc::Rc::clone(&worker.board);
    let begun = || board.begun().map(|(begun, _)| begun);
    eventually("the attempt to begin", || begun() == Some(attempt(2)));
    for task in 3..6 {
        worker.send(task, "ok");
    }
    let attempts = (1..5).map(attempt).collect();
    worker.tell(&ToControl::Recall { attempts });
    assert_eq!(worker.returned(), [attempt(3), attempt(4)]);
    worker.interrupt(1);
    worker.interrupt(2);
    assert_eq!(worker.result().0.attempt, attempt(2));
    assert_eq!(worker.result().0.attempt, attempt(5));
    assert_eq!(worker.run(6, "misfired"), "0");
    assert_eq!(worker.returned_within(Duration::ZERO), None);
    host.finish();
}

#[test]
fn what_is_given_back_is_told_before_a_later_task_begins_also_when_the_host_does_not_listen() {
    /// More than both directions of a control socket hold.
    const MOST: usize = 2000;
    let mut host = Host::up("");
    let mut worker = host.launch();
    worker.send(1, "stubborn 600");
    let board = std::rc::Rc::clone(&worker.board);
    let begun = || board.begun().map(|(begun, _)| begun);
    eventually("the attempt to begin", || begun() == Some(attempt(1)));
    for task in 2..5 {
        worker.send(task, "ok");
    }
    // Until there is no room for questions, because there is none for answers.
    set_nonblocking(&worker.control, true).expect("a socket");
    let ask = |attempts| {
        let question = packet::encode(&ToControl::Recall { attempts }).expect("small");
        send_packet(&worker.control, &question, &[]).is_ok()
    };
    let mut asked = 1;
    while asked < MOST {
        if ask(vec![]) {
            asked += 1;
        } else if !writable(&worker.control, Duration::from_millis(100)) {
            break;
        }
    }
    let mut returned = Vec::new();
    eventually("room for one more", || {
        returned.extend(worker.returned_within(Duration::ZERO));
        ask(vec![attempt(2), attempt(3)])
    });
    let mut ended = Vec::new();
    while !ended.contains(&attempt(4)) {
        ended.push(worker.result().0.attempt);
    }
    // Whatever was given back before is there, while nothing can come after it.
    process::kill(worker.pid, libc::SIGSTOP).expect("a process");
    while let Some(attempts) = worker.returned_within(Duration::ZERO) {
        returned.push(attempts);
    }
    for task in [attempt(2), attempt(3)] {
        let is_returned = returned.iter().flatten().any(|other| *other == task);
        assert!(ended.contains(&task) != is_returned, "{ended:?}");
    }
    process::kill(worker.pid, libc::SIGCONT).expect("a process");
    // Of what has begun nothing is said, however late there is room.
    while returned.len() < asked {
        let late = worker.returned();
        assert!(late.is_empty(), "{late:?}");
        returned.push(late);
    }
    host.finish();
}

#[test]
fn a_late_interrupt_never_hits_the_next_task() {
    /// Odd tasks are interrupted at some time around their end, even ones must not be.
    const ROUNDS: u64 = 2000;
    /// So many of the interrupts must have come while their task ran; a busy machine needs more rounds for it.
    const HITS: u64 = ROUNDS / 20;
    let mut host = Host::up("");
    let mut worker = host.launch();
    let (mut round, mut interrupted) = (0, 0);
    let deadline = Instant::now() + Duration::from_secs(60);
    while round < ROUNDS || (interrupted <= HITS && Instant::now() < deadline) {
        let (odd, even) = (2 * round + 1, 2 * round + 2);
        worker.send(odd, "spin 200");
        worker.send(even, "spin 100");
        let delay = Duration::from_micros(round * 7919 % 500);
        let start = Instant::now();
        while start.elapsed() < delay {
            std::hint::spin_loop();
        }
        worker.interrupt(odd);
        let (mut finished, _) = worker.result();
        if finished.attempt == attempt(odd) {
            interrupted += u64::from(finished.verdict == Verdict::Interrupted);
            finished = worker.result().0;
        } else {
            assert_eq!(worker.returned(), [attempt(odd)]);
        }
        assert_eq!(
            (finished.attempt, finished.verdict),
            (attempt(even), Verdict::Success)
        );
        round += 1;
    }
    assert_eq!(worker.run(2 * round + 1, "misfired"), "0");
    assert!(interrupted > HITS, "only {interrupted} interrupts hit");
    host.finish();
}

#[test]
fn standard_descriptors_that_a_task_closes_are_back_for_the_next() {
    let mut host = Host::up("");
    let mut worker = host.launch();
    let before = worker.run(1, "fds");
    worker.run(2, "close-std");
    assert_eq!(worker.run(3, "fds"), before);
    worker.send(4, "print abc");
    assert_eq!(worker.result().0.stdout_end, 3);
    assert_eq!(worker.read_output(0, 3), b"abc");
    host.finish();
}

#[test]
fn a_session_has_only_its_own_descriptors_and_none_is_leaked() {
    let mut host = Host::up("");
    let supervisor = host.supervisor_pid();
    let before = open_fds(supervisor);
    let mut worker = host.launch();
    let fds = worker.run(1, "fds");
    let count = |kind: &str| fds.matches(kind).count();
    // Task and control; 1, 2 and their duplicates; the waking of the control thread.
    assert_eq!((count("socket:"), count("pipe:")), (2, 6), "{fds}");
    assert_eq!((count("/dev/null"), count("anon_inode:")), (1, 1), "{fds}");
    assert_eq!(fds.split(' ').count(), 10, "{fds}");
    for task in 2..500 {
        worker.run(task, "ok");
    }
    assert_eq!(worker.run(500, "fds"), fds);
    for _ in 0..20 {
        let other = host.launch();
        other.retire();
        host.expect_exit(&other);
    }
    assert_eq!(open_fds(supervisor), before);
    host.finish();
}

#[test]
fn a_large_output_and_a_large_payload_arrive_whole() {
    let mut host = Host::up("");
    let mut worker = host.launch();
    worker.send(1, "flood 1000000");
    assert!(worker
        .read_output(0, 1_000_000)
        .iter()
        .all(|byte| *byte == b'x'));
    worker.board.reading(|| taskq_wire::board::Positions {
        stdout: 1_000_000,
        stderr: 0,
    });
    worker.result();
    let text = "y".repeat(150_000);
    assert_eq!(worker.run(2, &format!("ok {text}")), text);
    host.finish();
}

/// A file of the host's that a session gets.
fn file(content: &[u8]) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create("test", flags).expect("memory files");
    assert_eq!(pwrite(&file, content, 0).expect("memory"), content.len());
    file
}

fn sealed(content: &[u8]) -> OwnedFd {
    let file = file(content);
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&file, seals).expect("seals");
    file
}

#[test]
fn a_payload_in_a_file_runs_as_any_other_and_large_results_come_in_one() {
    let mut host = Host::up("");
    let mut worker = host.launch();
    let before = worker.run(1, "fds");
    worker.send_file(2, &sealed(b"large 200000"), 12);
    let frame = worker.next_frame().expect("a message");
    assert_eq!((frame.payload.len(), frame.descriptors.len()), (0, 1));
    assert!(is_sealed(frame.descriptors[0].as_fd()));
    let mut letters = vec![0; 200_001];
    let read = rustix::io::pread(&frame.descriptors[0], &mut letters, 0).expect("memory");
    assert!(read == 200_000 && letters[..read].iter().all(|&letter| letter == b'x'));
    worker.send_file(3, &sealed(b"fds"), 3);
    assert_eq!(worker.result().1, before);
    host.finish();
}

#[test]
fn a_session_that_is_sent_something_else_than_was_said_ends() {
    let (large, loose) = (sealed(b"ok"), file(b"ok"));
    let in_file = |len: usize, attached| Part {
        in_file: true,
        attached,
        ..in_memory(len)
    };
    let with_parcel = |part| Part { parcels: 1, ..part };
    let nothing = in_memory(0);
    let (one, two) = ([large.as_fd()], [large.as_fd(); 2]);
    let (none, changes) = ([], [large.as_fd(), loose.as_fd()]);
    let cases: [(_, _, &[_]); 8] = [
        ("the file is shorter", run(1, nothing, in_file(3, 0)), &one),
        (
            "the file may change",
            run(1, nothing, in_file(2, 0)),
            &changes[1..],
        ),
        ("there is no file", run(1, nothing, in_file(2, 0)), &none),
        ("there are two", run(1, nothing, in_file(2, 0)), &two),
        (
            "what it refers to is missing",
            run(1, nothing, in_file(2, 1)),
            &one,
        ),
        (
            "what it refers to may change",
            run(1, nothing, in_file(2, 1)),
            &changes,
        ),
        (
            "a parcel is missing",
            run(1, nothing, with_parcel(in_file(2, 0))),
            &one,
        ),
        ("bytes are missing", run(1, in_memory(1), nothing), &none),
    ];
    let mut host = Host::up("");
    for (what, message, files) in cases {
        let mut worker = host.launch();
        worker.send_frame(&message, b"", files);
        let end = host.expect_exit(&worker);
        assert_eq!(end, ProcessEnd::Exited { code: 1 }, "{what}");
        assert!(worker.next_frame().is_none(), "{what}");
        // So it is the attempt's fault.
        let board = std::rc::Rc::clone(&worker.board);
        let begun = board.begun().map(|(begun, _)| begun);
        assert_eq!(begun, Some(attempt(1)), "{what}");
    }
    host.finish();
}
