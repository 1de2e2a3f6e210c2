//! A user of whom the kernel takes no more descriptors into sockets. One test at a time, because the limit is the
//! process's.
//!
//! On demand (`cargo test -p taskq-engine --test crowded_host -- --ignored`), where nobody else of this user is busy:
//! the kernel counts what all of them have in sockets.

mod common;

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::{text, Fixture, Options};
use taskq_core::{GoneCause, Outcome, Submission};
use taskq_engine::TaskPayload;
use taskq_payload::payload::Payload;
use taskq_payload::sealed::Growing;
use taskq_sys::socket;

static ALONE: Mutex<()> = Mutex::new(());

/// The limit does not hold for a thread with one of these.
const PRIVILEGES: u32 = 1 << 21 | 1 << 24; // CAP_SYS_ADMIN, CAP_SYS_RESOURCE

/// Gives the privileges up, for this thread and those that it will start.
fn drop_privileges() {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    let header = Header {
        version: 0x2008_0522,
        pid: 0,
    };
    // Effective, permitted and inheritable, for the lower and the upper half.
    let mut sets = [[0_u32; 3]; 2];
    // SAFETY: header and sets have the layout of the kernel's version 3.
    unsafe {
        assert_eq!(libc::syscall(libc::SYS_capget, &header, &mut sets), 0);
        sets[0][0] &= !PRIVILEGES;
        assert_eq!(libc::syscall(libc::SYS_capset, &header, &sets), 0);
    }
}

/// So many descriptors may be open, or in sockets.
fn limit_descriptors(count: u64) {
    use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(count);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("below the hard limit");
}

/// As many descriptors in a socket as the kernel takes.
fn crowd() -> (OwnedFd, OwnedFd) {
    limit_descriptors(256);
    let (near, far) = socket::packet_pair().expect("a pair");
    socket::set_nonblocking(&near, true).expect("set");
    let many = [near.as_fd(); socket::MAX_FDS];
    let error = loop {
        if let Err(error) = socket::send_packet(&near, b"x", &many) {
            break error;
        }
    };
    assert!(socket::is_too_many_under_way(&error), "{error}");
    // Other processes of this user count, too, and may have less there in a moment.
    limit_descriptors(128);
    (near, far)
}

/// For how long the driver thread has computed.
fn driver_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").expect("proc");
    let threads = threads.flatten().map(|thread| thread.path());
    let is_driver = |path: &PathBuf| {
        let name = std::fs::read_to_string(path.join("comm"));
        name.is_ok_and(|name| name.trim() == "taskq-driver")
    };
    let nanoseconds = threads.filter(is_driver).map(|path| {
        let spent = std::fs::read_to_string(path.join("schedstat")).expect("readable");
        let spent = spent.split_whitespace().next().expect("a field");
        spent.parse::<u64>().expect("a number")
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Nothing can be done for now, and trying again and again takes no processor.
fn check_patience() {
    let before = driver_time();
    std::thread::sleep(Duration::from_millis(500));
    let spent = driver_time() - before;
    assert!(spent < Duration::from_millis(50), "{spent:?}");
}

fn crowded_queue() -> Fixture {
    drop_privileges();
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    fixture.push(None, "ok ready");
    assert_eq!(text(&fixture.pop()), "ready");
    fixture
}

#[test]
#[ignore = "other processes of this user must have no descriptors in sockets"]
fn a_session_is_launched_when_its_descriptors_can_be_passed_on() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let fixture = crowded_queue();
    let crowd = crowd();
    fixture.push(None, "exit 3");
    let cause = GoneCause::Exited { code: 3 };
    assert_eq!(fixture.pop().result.outcome, Outcome::Crash { cause });
    fixture.push(None, "ok after");
    check_patience();
    assert_eq!(fixture.queue().counts().waiting, 1);
    drop(crowd);
    assert_eq!(text(&fixture.pop()), "after");
}

#[test]
#[ignore = "other processes of this user must have no descriptors in sockets"]
fn a_task_is_sent_when_its_memory_file_can_be_passed_on() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let fixture = crowded_queue();
    let crowd = crowd();
    let mut file = Growing::create("call").expect("memory files");
    file.write(b"ok through").expect("memory");
    let call: Payload = file.seal().expect("sealed").into();
    let payload = TaskPayload {
        fun: Arc::default(),
        call: Arc::new(call),
    };
    let task = Submission::default();
    fixture.queue().push(task, payload).expect("an open queue");
    check_patience();
    assert_eq!(fixture.queue().counts().done, 0);
    drop(crowd);
    assert_eq!(text(&fixture.pop()), "through");
}
