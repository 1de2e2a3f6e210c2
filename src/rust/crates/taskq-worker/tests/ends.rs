//! Who dies when, and that nothing is left.

mod common;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{eventually, example, nothing_is_left, Host, Worker};
use taskq_record::{ProcessEnd, StartPhase};
use taskq_sys::process::{self, Process};
use taskq_wire::message::{FromSupervisor, NoFork, ThreadSource, ToSupervisor};

/// Has the session leave a process behind, and waits until it is there.
fn leave_orphan(host: &Host, worker: &mut Worker, task: u64) {
    let before = process::tagged(&host.token).expect("a look").len();
    worker.run(task, "spawn-sleep 1000");
    eventually("the orphan", || {
        process::tagged(&host.token).expect("a look").len() > before
    });
}

fn count(host: &Host) -> usize {
    process::tagged(&host.token).expect("a look").len()
}

#[test]
fn a_crash_is_told_with_its_signal_and_takes_the_orphans_along() {
    let mut host = Host::up("");
    let mut bystander = host.launch();
    leave_orphan(&host, &mut bystander, 1);
    for signal in [libc::SIGSEGV, libc::SIGKILL, libc::SIGTERM] {
        let mut worker = host.launch();
        leave_orphan(&host, &mut worker, 1);
        worker.send(2, &format!("signal {signal}"));
        let end = host.expect_exit(&worker);
        assert!(matches!(end, ProcessEnd::Signaled { signal: found } if found == signal));
        // The supervisor, the other session and its orphan live on.
        assert_eq!(count(&host), 3);
    }
    let mut worker = host.launch();
    worker.send(2, "exit 0");
    assert_eq!(host.expect_exit(&worker), ProcessEnd::Exited { code: 0 });
    assert!(worker.next_frame().is_none());
    assert_eq!(bystander.run(5, "ok x"), "x");
    host.finish();
}

#[test]
fn a_killed_session_is_gone_with_everything_even_if_stopped() {
    let mut host = Host::up("");
    let mut worker = host.launch();
    leave_orphan(&host, &mut worker, 1);
    worker.send(2, "stop");
    eventually("the session to stop", || common::is_stopped(worker.pid));
    host.send(&ToSupervisor::Kill { worker: worker.id }, &[]);
    let end = host.expect_exit(&worker);
    assert_eq!(
        end,
        ProcessEnd::Signaled {
            signal: libc::SIGKILL
        }
    );
    assert_eq!(count(&host), 1);
    host.finish();
}

#[test]
fn kill_9_of_the_supervisor_takes_sessions_and_orphans_along() {
    let mut host = Host::up("");
    let mut workers: Vec<Worker> = (0..4).map(|_| host.launch()).collect();
    for worker in &mut workers {
        leave_orphan(&host, worker, 1);
    }
    workers[0].send(2, "stop");
    workers[1].send(2, "stubborn 1000000");
    let start = Instant::now();
    host.kill_supervisor();
    // The host lives, so its directory is left to it; somebody waits to see that it does it.
    eventually("all but one to be gone", || count(&host) <= 1);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    assert!(host.dir.exists());
    host.reap_supervisor();
}

#[test]
fn kill_9_of_the_host_takes_everything_along_and_removes_the_directory() {
    for also_supervisor in [false, true] {
        let mut command = Command::new(example("host"));
        if also_supervisor {
            // A stopped supervisor stays so, and is killed before it can do anything about the host's death.
            command.env("TASKQ_WITHOUT", "pdeathsig");
        }
        let mut host = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example host");
        let mut line = String::new();
        let stdout = host.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        let (dir, names) = words.split_first().expect("words");
        let token = names[1];
        // A program that has only just been executed has no environment yet.
        eventually(
            "a supervisor, three sessions and what each has started",
            || process::tagged(token).expect("a look").len() >= 7,
        );
        // Nearest first: the zygote, its supervisor, the sessions.
        let supervisor = process::descendants(host.id() as i32).expect("a look")[1];
        if also_supervisor {
            process::kill(supervisor, libc::SIGSTOP).expect("stop");
            eventually("the supervisor to stop", || common::is_stopped(supervisor));
        }
        let start = Instant::now();
        host.kill().expect("kill");
        host.wait().expect("reap");
        if also_supervisor {
            process::kill(supervisor, libc::SIGKILL).expect("kill");
        }
        names.iter().for_each(|name| nothing_is_left(name));
        eventually("the directory to be removed", || {
            !std::path::Path::new(dir).exists()
        });
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
        common::remove_dir_of_unready(&names[2..]);
    }
}

#[test]
fn closing_the_control_socket_ends_the_supervisor() {
    let mut host = Host::up("");
    let mut worker = host.launch();
    leave_orphan(&host, &mut worker, 1);
    host.hang_up();
    host.assert_nothing_is_left();
}

#[test]
fn a_task_that_closes_all_descriptors_ends_its_session() {
    let mut host = Host::up("");
    let mut worker = host.launch();
    worker.send(1, "close-fds");
    assert!(worker.next_frame().is_none());
    host.expect_exit(&worker);
    host.finish();
}

#[test]
fn what_fails_at_the_start_is_told() {
    let mut host = Host::start("fail preload it is broken", &[]);
    let message = "it is broken".to_owned();
    assert_eq!(
        host.next(),
        FromSupervisor::Failed {
            phase: StartPhase::Preload,
            message
        }
    );
    assert_eq!(host.supervisor_end(), ProcessEnd::Exited { code: 0 });
    host.remove_dir();

    let mut host = Host::start("die", &[]);
    assert_eq!(host.supervisor_end(), ProcessEnd::Exited { code: 7 });
    host.remove_dir();

    let mut host = Host::up("init-die");
    let worker = host.ask();
    assert!(matches!(host.next(), FromSupervisor::Launched { .. }));
    assert_eq!(host.expect_exit(&worker), ProcessEnd::Exited { code: 8 });
    host.finish();
}

#[test]
fn a_launch_that_cannot_be_is_told_and_the_supervisor_lives_on() {
    let mut host = Host::up("");
    host.remove_dir();
    std::fs::write(&host.dir, "in the way").expect("a file");
    let worker = host.ask();
    let expected = FromSupervisor::LaunchFailed {
        worker: worker.id,
        errno: libc::EEXIST,
    };
    assert_eq!(host.next(), expected);
    std::fs::remove_file(&host.dir).expect("it is not ours to remove");
    let mut worker = host.launch();
    assert_eq!(worker.run(1, "ok x"), "x");
    host.finish();
}

#[test]
fn a_directory_that_a_cleaner_has_taken_is_made_again_for_the_next_session() {
    let mut host = Host::up("");
    let mut first = host.launch();
    host.remove_dir();
    assert_eq!(first.run(1, "ok x"), "x");
    let mut second = host.launch();
    assert_eq!(second.run(2, "ok y"), "y");
    let own = host.dir.join(second.id.0.to_string());
    for dir in [&host.dir, &own] {
        let mode = std::fs::metadata(dir).expect("directory").permissions();
        assert_eq!(mode.mode() & 0o7777, 0o700);
    }
    host.finish();
}

/// Runs the whole life of a queue without some facilities.
fn works(setup: &str, without: &str, refusal: Option<NoFork>) {
    let mut host = Host::start(setup, &[("TASKQ_WITHOUT", without)]);
    let forks = refusal.is_none();
    assert_eq!(host.next(), FromSupervisor::Up { refusal });
    let mut workers = [host.launch(), host.launch()];
    for (task, worker) in (1..).zip(&mut workers) {
        assert_eq!(worker.run(task, "ok x"), "x");
        assert_eq!(worker.run(task, "env TASKQ_WORKER"), "");
        leave_orphan(&host, worker, 10 + task);
    }
    let [mut killed, mut kept] = workers;
    assert_eq!(count(&host), 5);
    host.send(&ToSupervisor::Kill { worker: killed.id }, &[]);
    host.expect_exit(&killed);
    eventually("the killed session's orphan to be gone", || {
        count(&host) == 3
    });
    assert!(killed.next_frame().is_none());
    kept.send(20, "sleep 100000");
    let board = std::rc::Rc::clone(&kept.board);
    let begun = || board.begun().map(|(begun, _)| begun);
    eventually("the attempt to begin", || {
        begun() == Some(common::attempt(20))
    });
    kept.interrupt(20);
    kept.result();
    if forks {
        host.finish();
    } else {
        host.kill_supervisor();
        eventually("all but one to be gone", || count(&host) <= 1);
        host.reap_supervisor();
    }
}

#[test]
fn sessions_are_executed_where_they_cannot_be_forked() {
    works("", "fork", Some(NoFork::SwitchedOff));
    let source = ThreadSource {
        phase: StartPhase::Preload,
        packages: vec!["spinner".into()],
        threads: 1,
    };
    let threads = NoFork::Threads {
        count: 2,
        sources: vec![source],
    };
    works("thread", "", Some(threads));
}

#[test]
fn each_facility_can_be_missing() {
    for without in ["pidfd", "memfd", "subreaper", "pdeathsig"] {
        works("", without, None);
    }
    let all = "pidfd,memfd,subreaper,pdeathsig,fork";
    works("", all, Some(NoFork::SwitchedOff));
}

#[test]
fn a_supervisor_without_work_does_not_wake_up() {
    let mut host = Host::up("");
    let mut worker = host.launch();
    worker.run(1, "ok");
    let switches = |pid: i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
        let line = status
            .lines()
            .find(|line| line.starts_with("voluntary_ctxt_switches"));
        line.expect("a count").to_owned()
    };
    let pids = [host.supervisor_pid(), worker.pid];
    // Both have to fall asleep once more after their last work.
    std::thread::sleep(Duration::from_millis(100));
    let before = pids.map(switches);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(pids.map(switches), before);
    assert!(Process::look(worker.pid).is_some());
    host.finish();
}
