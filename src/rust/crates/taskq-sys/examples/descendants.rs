//! Tests that fork: a test program has threads and must not, so `tests/descendants.rs` runs these as programs of their
//! own.

use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use taskq_sys::process::{self, kill_tree, Mark, Process, Tree};
use taskq_sys::signals::{self, ChildEnds, Thread};
use taskq_sys::{fds, pipe, tag, wait};

const LIMIT: Duration = Duration::from_secs(5);

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("tree") => tree(),
        Some("marks") => marks(),
        Some("ends") => ends(),
        Some("descriptors") => descriptors(),
        Some("interrupts") => interrupts(),
        other => panic!("no such test: {other:?}"),
    }
}

/// Runs `body` in a child, which exits with what it returns.
fn child(body: impl FnOnce() -> i32) -> i32 {
    // SAFETY: this program has one thread.
    match unsafe { libc::fork() } {
        0 => std::process::exit(body()),
        pid => pid,
    }
}

fn sleep_on() -> i32 {
    loop {
        std::thread::sleep(LIMIT);
    }
}

/// A child that waits until all that it starts by `body` has said so by a byte.
fn family(said: u64, body: impl FnOnce()) -> i32 {
    let (_read, write) = pipe::pair().expect("pipe");
    let leader = child(|| {
        process::new_session().expect("session");
        body();
        rustix::io::write(&write, b"x").expect("write");
        sleep_on()
    });
    while pipe::unread(&write).expect("unread") < said {
        std::thread::sleep(Duration::from_millis(1));
    }
    leader
}

/// Starts a process that has no parent and a session of its own.
fn orphan() {
    let between = child(|| {
        child(|| {
            process::new_session().expect("session");
            sleep_on()
        });
        0
    });
    wait::reap(between, true).expect("reap");
}

fn tree() {
    assert!(process::set_subreaper().expect("subreaper"));
    let bystander = child(|| {
        process::set_parent_death_signal(libc::SIGKILL).expect("a signal");
        sleep_on()
    });
    let leader = family(1, || {
        child(sleep_on);
        child(|| {
            process::new_session().expect("session");
            child(sleep_on);
            sleep_on()
        });
    });
    // The last child may not have been forked by its parent yet.
    while process::descendants(leader).expect("look").len() < 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let swept = kill_tree(
        &Tree {
            roots: vec![leader],
            ..Tree::default()
        },
        LIMIT,
    )
    .expect("kill");
    assert!(swept.left.is_empty(), "{swept:?}");
    assert_eq!(swept.killed, 4);
    assert_eq!(
        process::descendants(process::own_pid()).expect("look"),
        [bystander]
    );
    process::kill(bystander, libc::SIGKILL).expect("kill");
}

fn marks() {
    assert!(process::set_subreaper().expect("subreaper"));
    let marked = |name: &str| {
        let tag = format!("descendants-{}.1.{name}", process::own_pid());
        let pid = family(1, || {
            // SAFETY: one thread.
            let in_place = unsafe { tag::write_session(&tag) }.expect("a tag");
            assert!(in_place, "the test starts this program with room for a tag");
            orphan();
        });
        (pid, tag)
    };
    let (leader, tag) = marked("1");
    let (other, other_tag) = marked("2");
    assert_eq!(process::tagged_session(&tag).expect("look").len(), 2);
    let doomed = Tree {
        marks: vec![Mark::Session(tag.clone())],
        ..Tree::default()
    };
    assert_eq!(kill_tree(&doomed, LIMIT).expect("kill").killed, 2);
    assert!(!Process::look(leader).is_some_and(|leader| leader.alive));
    assert_eq!(process::tagged_session(&tag).expect("look"), []);
    assert_eq!(process::tagged_session(&other_tag).expect("look").len(), 2);
    let all = Mark::SessionOf(format!("descendants-{}.1.", process::own_pid()));
    assert_eq!(process::marked(&all).expect("look").len(), 2);
    let rest = Tree {
        roots: vec![process::own_pid()],
        marks: vec![all],
        ..Tree::default()
    };
    assert_eq!(kill_tree(&rest, LIMIT).expect("kill").killed, 2);
    assert!(!Process::look(other).is_some_and(|other| other.alive));
}

fn ends() {
    let ends = ChildEnds::watch().expect("watch");
    let pid = child(|| {
        ends.restore();
        process::kill(process::own_pid(), libc::SIGTERM).expect("kill");
        sleep_on()
    });
    while wait::ended(None).expect("a child").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(pipe::unread(&ends).expect("unread"), 1);
    ends.clear();
    assert_eq!(pipe::unread(&ends).expect("unread"), 0);
    // Looking does not reap.
    assert_eq!(wait::ended(Some(pid)).expect("a child"), Some(pid));
    let reaped = wait::reap(pid, false).expect("reap").expect("an end");
    assert!(reaped.max_rss > 100_000);
    assert_eq!(reaped.end.and_then(|end| end.signal()), Some(libc::SIGTERM));
    let unknown = wait::reap(pid, false).expect("reap").expect("an end").end;
    assert_eq!(unknown, None);
    assert!(wait::ended(None).is_err());
}

fn descriptors() {
    let is_open = |fd: i32| std::path::Path::new(&format!("/proc/self/fd/{fd}")).exists();
    let (read, write) = pipe::pair().expect("pipe");
    let high = fds::duplicate_above(&write, 50).expect("duplicate");
    let others = pipe::pair().expect("pipe");
    // SAFETY: the owners of what is closed are forgotten.
    unsafe { fds::close_all_except(&[high.as_raw_fd(), 1, read.as_raw_fd()]) }.expect("close");
    std::mem::forget((write, others));
    let open: Vec<i32> = (3..1024).filter(|fd| is_open(*fd)).collect();
    assert_eq!(open, [read.as_raw_fd(), high.as_raw_fd()]);
    rustix::io::write(&high, b"x").expect("kept");
    assert_eq!(pipe::unread(&read).expect("kept"), 1);
}

fn interrupts() {
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    let mask = signals::block_async();
    Thread::current().signal(libc::SIGINT).expect("signal");
    signals::settle(libc::SIGINT);
    // Had it not been taken away, it would end this program now.
    mask.restore();
    assert_eq!(taskq_sys::threads::left().expect("count"), 1);
}
