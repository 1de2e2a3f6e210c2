//! One zygote and the supervisors of several queues: what they have in common, what not, and who outlives whom.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use common::{eventually, example, is_stopped, nothing_is_left, open_fds, Host, ZygoteProcess};
use taskq_record::ProcessEnd;
use taskq_sys::process::{self, Process};

fn two() -> [Host; 2] {
    let zygote = ZygoteProcess::start(&[]);
    [zygote.ask("").comes_up(), zygote.ask("").comes_up()]
}

#[test]
fn each_supervisor_is_a_process_of_its_own_that_belongs_to_its_queue_alone() {
    let [mut first, mut second] = two();
    let zygote = first.zygote.pid();
    for host in [&mut first, &mut second] {
        let pid = host.supervisor_pid();
        let supervisor = Process::look(pid).expect("it lives");
        assert_eq!((supervisor.parent, supervisor.session), (zygote, pid));
        // Only its queue's name is left of those that the zygote has had, also in the eyes of others.
        assert_eq!(process::tagged(&host.token).expect("a look"), [pid]);
        let dir = host.dir.clone();
        let mut worker = host.launch();
        let tmpdir = worker.run(1, "env TMPDIR");
        assert_eq!(tmpdir, dir.join("1").to_str().expect("plain"));
        assert_eq!(worker.run(2, "env TASKQ_QUEUE"), host.token);
    }
    let name = &first.zygote.name;
    assert_eq!(process::tagged(name).expect("a look"), [zygote]);
    // The second supervisor has nothing of the first, of which there is more in the zygote: two descriptors.
    assert_eq!(
        open_fds(first.supervisor_pid()),
        open_fds(second.supervisor_pid())
    );
    let before = open_fds(zygote);
    let third = first.zygote.ask("").comes_up();
    assert_eq!(open_fds(zygote), before + 2);
    for host in [first, second, third] {
        host.finish();
    }
}

#[test]
fn the_zygote_tells_how_each_supervisor_ended_and_lives_on() {
    let [mut first, mut second] = two();
    let zygote = Rc::clone(&first.zygote);
    let mut worker = second.launch();
    let before = open_fds(zygote.pid());
    first.kill_supervisor();
    first.remove_dir();
    eventually("the zygote to forget the first", || {
        open_fds(zygote.pid()) == before - 2
    });
    assert_eq!(worker.run(1, "ok x"), "x");
    let mut third = zygote.ask("die");
    assert_eq!(third.supervisor_end(), ProcessEnd::Exited { code: 7 });
    third.remove_dir();
    second.finish();
    let mut fourth = zygote.ask("").comes_up();
    assert_eq!(fourth.launch().run(1, "ok y"), "y");
    fourth.finish();
}

#[test]
fn supervisors_in_service_outlive_the_zygote_and_others_do_not() {
    let [mut first, mut second] = two();
    let zygote = Rc::clone(&first.zygote);
    let mut unready = zygote.ask("boot-slow 1000000");
    unready.supervisor_pid();
    let mut worker = first.launch();
    zygote.kill();
    eventually("the unready one to be gone", || {
        process::tagged(&unready.token).expect("a look").is_empty()
    });
    assert!(unready.hear_zygote().is_none());
    unready.remove_dir();
    assert_eq!(worker.run(1, "ok x"), "x");
    assert_eq!(second.launch().run(1, "ok y"), "y");
    for mut host in [first, second] {
        assert!(host.hear_zygote().is_none(), "nobody can tell");
        host.hang_up();
        host.assert_nothing_is_left();
    }
}

#[test]
fn a_zygote_whose_host_hangs_up_leaves_and_its_supervisors_stay() {
    let [mut first, second] = two();
    let zygote = Rc::clone(&first.zygote);
    zygote.hang_up();
    assert!(zygote.end().success());
    assert_eq!(first.launch().run(1, "ok x"), "x");
    for mut host in [first, second] {
        host.hang_up();
        host.assert_nothing_is_left();
    }
}

#[test]
fn a_packet_that_makes_no_sense_ends_the_zygote_alone() {
    let mut host = Host::up("");
    let zygote = Rc::clone(&host.zygote);
    zygote.send(b"nonsense", &[]).expect("send");
    assert_eq!(zygote.end().code(), Some(1));
    assert_eq!(host.launch().run(1, "ok x"), "x");
    host.hang_up();
    host.assert_nothing_is_left();
}

#[test]
fn a_stopped_zygote_does_not_outlive_its_host() {
    let mut command = Command::new(example("host"));
    let mut host = command
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example host");
    let mut line = String::new();
    let stdout = host.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let zygote = process::descendants(host.id() as i32).expect("a look")[0];
    process::kill(zygote, libc::SIGSTOP).expect("stop");
    eventually("the zygote to stop", || is_stopped(zygote));
    host.kill().expect("kill");
    host.wait().expect("reap");
    let names: Vec<&str> = line.split_whitespace().skip(1).collect();
    names.iter().for_each(|name| nothing_is_left(name));
    common::remove_dir_of_unready(&names[2..]);
}

#[test]
fn without_forks_or_descriptors_of_processes_there_is_no_zygote() {
    for without in ["fork", "pidfd"] {
        let mut host = Host::start("", &[("TASKQ_WITHOUT", without)]);
        assert_eq!(host.supervisor_pid(), host.zygote.pid());
        host.next();
        let here = process::tagged(&host.token).expect("a look");
        assert_eq!(here, [host.zygote.pid()], "{without}");
        assert!(process::tagged(&host.zygote.name)
            .expect("a look")
            .is_empty());
        host.finish();
    }
}

#[test]
fn a_zygote_without_work_does_not_wake_up() {
    let [first, second] = two();
    let switches = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", first.zygote.pid()));
        let status = status.expect("status");
        let mut lines = status.lines();
        let line = lines.find(|line| line.starts_with("voluntary_ctxt_switches"));
        line.expect("a count").to_owned()
    };
    // It has to fall asleep once more after its last work.
    std::thread::sleep(Duration::from_millis(100));
    let before = switches();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(switches(), before);
    first.finish();
    second.finish();
}
