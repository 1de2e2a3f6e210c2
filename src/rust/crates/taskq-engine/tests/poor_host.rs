//! A host that cannot take in what a session has sent. The limit is the process's, so this is the only test of its
//! program.

mod common;

use common::{text, Fixture, Options};
use taskq_core::Outcome;

/// More than the C library keeps address space for.
const LARGE: &str = "large 200000000";

/// Runs `body` with so many bytes of address space.
fn with_memory<T>(limit: u64, body: impl FnOnce() -> T) -> T {
    let mut before = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: places of the right type; what the limit leads to is what is tested.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_AS, &mut before), 0);
        let short = libc::rlimit {
            rlim_cur: limit,
            ..before
        };
        assert_eq!(libc::setrlimit(libc::RLIMIT_AS, &short), 0);
    }
    let answer = body();
    // SAFETY: as above.
    unsafe { assert_eq!(libc::setrlimit(libc::RLIMIT_AS, &before), 0) };
    answer
}

fn kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("readable");
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .expect("there");
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

#[test]
fn a_task_whose_result_the_host_cannot_take_runs_once() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    fixture.push(None, "ok ready");
    assert_eq!(text(&fixture.pop()), "ready");
    let mark = fixture.dir().join("mark");
    for way in ["in-frame", "ok"] {
        let short = (kib("VmSize:") + 4096) * 1024;
        let done = with_memory(short, || {
            fixture.push(None, &format!("mark {};{way};{LARGE}", mark.display()));
            fixture.pop()
        });
        let outcome = done.result.outcome;
        assert!(matches!(outcome, Outcome::Crash { .. }), "{outcome:?}");
        assert_eq!(std::fs::read(&mark).expect("it ran").len(), 1);
        std::fs::remove_file(&mark).expect("there");
        fixture.push(None, "ok fine");
        assert_eq!(text(&fixture.pop()), "fine");
    }
}
