//! A process's state is changed and put back, in one test: it is the state of the whole process.

use std::env;
use std::fs;
use std::io;

use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use taskq_sys::snapshot::{Changes, Snapshot};

fn umask() -> libc::mode_t {
    // SAFETY: only the mask is exchanged, and put back.
    unsafe {
        let old = libc::umask(0o077);
        libc::umask(old);
        old
    }
}

fn is_blocked(signal: i32) -> bool {
    // SAFETY: all pointers are NULL or to places of the right type.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut set);
        libc::sigismember(&set, signal) == 1
    }
}

fn block(signal: i32) {
    // SAFETY: as above.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signal);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
}

#[track_caller]
fn only(snapshot: &mut Snapshot, part: Changes) {
    assert_eq!(snapshot.changes(), part);
    snapshot.restore(part).expect("restore");
    assert_eq!(snapshot.changes(), Changes::default());
}

#[test]
fn each_part_is_seen_and_put_back() {
    env::set_var("TASKQ_TEST_CHANGED", "before");
    env::set_var("TASKQ_TEST_REMOVED", "a=b");
    let home = env::temp_dir().join(format!("taskq-snapshot-{}", std::process::id()));
    fs::create_dir(&home).expect("a directory");
    let home = home.canonicalize().expect("its path");
    env::set_current_dir(&home).expect("cd");
    let mut snapshot = Snapshot::take(false);
    assert_eq!(snapshot.changes(), Changes::default());

    env::set_var("TASKQ_TEST_CHANGED", "after");
    env::remove_var("TASKQ_TEST_REMOVED");
    env::set_var("TASKQ_TEST_ADDED", "");
    only(&mut snapshot, Changes::ENVIRONMENT);
    assert_eq!(env::var("TASKQ_TEST_CHANGED").as_deref(), Ok("before"));
    assert_eq!(env::var("TASKQ_TEST_REMOVED").as_deref(), Ok("a=b"));
    assert!(env::var_os("TASKQ_TEST_ADDED").is_none());

    env::remove_var("TASKQ_TEST_CHANGED");
    env::set_var("TASKQ_TEST_CHANGED", "before");
    assert_eq!(snapshot.changes(), Changes::default(), "only the order");

    env::set_current_dir("/").expect("cd");
    only(&mut snapshot, Changes::DIRECTORY);
    let gone = home.join("gone");
    fs::create_dir(&gone).expect("a directory");
    env::set_current_dir(&gone).expect("cd");
    fs::remove_dir(&gone).expect("rmdir");
    only(&mut snapshot, Changes::DIRECTORY);
    assert_eq!(env::current_dir().expect("cwd"), home);

    let mask = umask();
    // SAFETY: only the mask is exchanged.
    unsafe { libc::umask(0o027) };
    assert_eq!(snapshot.changes(), Changes::default(), "put back at once");
    assert_eq!(umask(), mask);

    block(libc::SIGUSR1);
    assert!(is_blocked(libc::SIGUSR1));
    assert_eq!(snapshot.changes(), Changes::default(), "put back at once");
    assert!(!is_blocked(libc::SIGUSR1));

    // SAFETY: ignoring runs no code.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    only(&mut snapshot, Changes::INTERRUPT);

    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.map(|current| current - 1);
    let maximum = limit.maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("lower");
    only(&mut snapshot, Changes::LIMIT);
    assert_eq!(getrlimit(Resource::Nofile), limit);

    // Limits are looked at again as soon as something is loaded that may have set one.
    let mut bare = Snapshot::take(true);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("lower");
    assert_eq!(bare.changes(), Changes::default());
    // SAFETY: a library of the system, whose initialisation does nothing.
    let library = unsafe { libc::dlopen(c"libutil.so.1".as_ptr(), libc::RTLD_NOW) };
    let library = if library.is_null() {
        // SAFETY: as above.
        unsafe { libc::dlopen(c"libresolv.so.2".as_ptr(), libc::RTLD_NOW) }
    } else {
        library
    };
    assert!(!library.is_null(), "no library to load");
    only(&mut bare, Changes::LIMIT);
    assert_eq!(getrlimit(Resource::Nofile), limit);

    // A home that has gone is an error; without one there is nothing to go back to, but also nothing that differs.
    env::set_current_dir("/").expect("cd");
    fs::remove_dir(&home).expect("rmdir");
    assert_eq!(snapshot.changes(), Changes::DIRECTORY);
    let failure = snapshot
        .restore(Changes::DIRECTORY)
        .expect_err("it is gone");
    assert_eq!(failure.kind(), io::ErrorKind::NotFound);
}
